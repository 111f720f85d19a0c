//! A scenario's numbers: what happens on the sample site.

use crate::command::Usage;
use anyhow::{Context, Result};
use sekisho_demo::traffic::Loot;
use serde::Deserialize;
use std::net::Ipv4Addr;

/// The scenarios that the executable carries.
const SCENARIOS: [(&str, &str); 1] =
    [("seminar-theft", include_str!("../../../../../scenarios/seminar-theft/scenario.toml"))];

/// Persons of the site, both registers together; beyond, the demo would take long to start.
const PERSONS_MAX: usize = 1_000_000;

/// Customers' visits; each has a loopback address of its own.
const VISITS_MAX: usize = 200;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    pub(super) title_ja: String,
    pub(super) title_en: String,
    pub(super) site: Site,
    pub(super) customers: Customers,
    pub(super) thief: Thief,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Site {
    pub(super) accounts: usize,
    pub(super) applicants: usize,
    pub(super) applicants_with_account: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Customers {
    pub(super) visits_before: usize,
    pub(super) visits_during: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Thief {
    pub(super) address: Ipv4Addr,
    applicants: usize,
    accounts: usize,
    page_rows: usize,
    records: usize,
}

impl Scenario {
    /// The scenario of that name.
    pub(super) fn named(name: &str) -> Result<Scenario> {
        let Some((_, text)) = SCENARIOS.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = SCENARIOS.iter().map(|(known, _)| *known).collect();
            return Err(Usage::error(format!("there is no scenario `{name}`; there is: {}", known.join(", "))));
        };
        let scenario: Scenario = toml::from_str(text).with_context(|| format!("cannot read the scenario `{name}`"))?;
        let site = &scenario.site;
        let Customers { visits_before, visits_during } = scenario.customers;
        let fits = site.accounts + site.applicants <= PERSONS_MAX
            && site.applicants_with_account <= site.accounts.min(site.applicants)
            && visits_before + visits_during < site.accounts.min(VISITS_MAX)
            && scenario.thief.records < site.accounts
            && scenario.thief.page_rows > 0;
        anyhow::ensure!(fits, "the numbers of the scenario `{name}` do not fit together");
        Ok(scenario)
    }

    pub(super) fn loot(&self) -> Loot {
        let Thief { applicants, accounts, page_rows, records, .. } = self.thief;
        Loot { applicants, accounts, page_rows, records }
    }
}
