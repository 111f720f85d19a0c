//! Adds up planted customers in responses: by client, session and route, the first first.

use crate::CanaryAnswer;
use sekisho_model::{SessionKey, SourceId, Subject, Timestamp, Withheld, WithheldOutcome};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Incidents so far.
#[derive(Debug, Default)]
pub(crate) struct Canaries {
    seen: BTreeMap<(IpAddr, Option<SessionKey>, String), Seen>,
}

#[derive(Debug)]
struct Seen {
    responses: BTreeSet<(SourceId, u64)>,
    withheld: BTreeSet<(SourceId, u64)>,
    customers: BTreeSet<Subject>,
    first: Timestamp,
    last: Timestamp,
}

impl Canaries {
    /// Takes a record whose reason is a planted customer.
    pub(crate) fn add(&mut self, source: SourceId, withheld: &Withheld) {
        let request = &withheld.transaction;
        let key = (request.client, request.session, request.route.clone());
        let seen = self.seen.entry(key).or_insert_with(|| Seen {
            responses: BTreeSet::new(),
            withheld: BTreeSet::new(),
            customers: BTreeSet::new(),
            first: withheld.at,
            last: withheld.at,
        });
        let response = (source, withheld.sequence);
        seen.responses.insert(response);
        if withheld.outcome != WithheldOutcome::Passed {
            seen.withheld.insert(response);
        }
        seen.customers.extend(withheld.exposures.iter().map(|exposure| exposure.subject));
        (seen.first, seen.last) = (seen.first.min(withheld.at), seen.last.max(withheld.at));
    }

    /// The incidents, the first one first.
    pub(crate) fn told(self) -> Vec<CanaryAnswer> {
        let told = self.seen.into_iter().map(|((client, session, route), seen)| CanaryAnswer {
            client: client.to_string(),
            session: session.map(|session| session.to_string()),
            route,
            responses: seen.responses.len() as u64,
            withheld: seen.withheld.len() as u64,
            customers: seen.customers.len() as u64,
            first: seen.first,
            last: seen.last,
        });
        let mut told: Vec<CanaryAnswer> = told.collect();
        told.sort_by_key(|incident| incident.first);
        told
    }
}
