//! The limits that the configuration sets. Nothing is counted for a limit that is not set.

use super::hours::Hours;
use ipnet::IpNet;
use sekisho_model::AccountKey;
use std::collections::HashMap;

/// What an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountKind {
    /// Of the firm's own people.
    Staff,
    /// Of another firm's systems: it was seen on a route of class `partner`.
    Partner,
}

/// All limits. `WatchRules::default()` has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WatchRules {
    /// Of staff accounts; `None` counts none of them.
    pub staff: Option<Budget>,
    /// Of partners' accounts.
    pub partner: Option<Budget>,
    /// Accounts with limits of their own.
    pub accounts: Vec<NamedBudget>,
    /// Of sessions that are no account's, their clients and the clients' networks.
    pub clients: ClientLimits,
    /// When the firm works.
    pub hours: Hours,
}

/// Distinct subjects that an account may be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Within an hour.
    pub subjects_per_hour_max: Option<u64>,
    /// Within a day.
    pub subjects_per_day_max: Option<u64>,
    /// Within 30 days.
    pub subjects_per_30_days_max: Option<u64>,
    /// Up to this many in an hour nobody is compared with others, nor in a day with its own days; `None` compares nobody.
    pub peers_floor: Option<u64>,
}

/// The budget of one account; what is not set is that of its kind.
#[derive(Clone, PartialEq, Eq)]
pub struct NamedBudget {
    /// The account's name, as it logs in.
    pub name: String,
    /// Its own limits.
    pub budget: Budget,
}

impl std::fmt::Debug for NamedBudget {
    /// The name is a person's and stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NamedBudget").field("budget", &self.budget).finish_non_exhaustive()
    }
}

/// What one client may be and see within an hour. A network (/24, /48) may be [`PREFIX_FACTOR`] times as much.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientLimits {
    /// Distinct sessions that belong to somebody.
    pub sessions_per_hour_max: Option<u64>,
    /// Distinct persons whom its sessions belong to.
    pub persons_per_hour_max: Option<u64>,
    /// Distinct subjects that it is shown; a session as well.
    pub subjects_per_hour_max: Option<u64>,
    /// Networks that are not watched: an office's own address.
    pub never: Vec<IpNet>,
}

/// How much more a network may be than a client.
pub const PREFIX_FACTOR: u64 = 4;

impl WatchRules {
    /// Whether anything is watched.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.staff.is_none() && self.partner.is_none() && self.accounts.is_empty() && self.clients.is_idle()
    }
}

impl ClientLimits {
    /// Whether no limit is set.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        [self.sessions_per_hour_max, self.persons_per_hour_max, self.subjects_per_hour_max].iter().all(Option::is_none)
    }
}

/// The budgets with their accounts' names hashed.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    staff: Option<Budget>,
    partner: Option<Budget>,
    named: HashMap<AccountKey, Budget>,
}

impl Budgets {
    pub(super) fn new(rules: &WatchRules, hash: impl Fn(&str) -> AccountKey) -> Budgets {
        let named = rules.accounts.iter().map(|account| (hash(&account.name), account.budget)).collect();
        Budgets { staff: rules.staff, partner: rules.partner, named }
    }

    /// `None`: the account is not watched.
    pub(super) fn of(&self, account: AccountKey, kind: AccountKind) -> Option<Budget> {
        let all = match kind {
            AccountKind::Staff => self.staff,
            AccountKind::Partner => self.partner,
        };
        let Some(own) = self.named.get(&account) else { return all };
        let all = all.unwrap_or_default();
        Some(Budget {
            subjects_per_hour_max: own.subjects_per_hour_max.or(all.subjects_per_hour_max),
            subjects_per_day_max: own.subjects_per_day_max.or(all.subjects_per_day_max),
            subjects_per_30_days_max: own.subjects_per_30_days_max.or(all.subjects_per_30_days_max),
            peers_floor: own.peers_floor.or(all.peers_floor),
        })
    }
}
