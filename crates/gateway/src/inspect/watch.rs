//! Thresholds that catch what is not foreign: staff who read too much, and thieves who see "own" data of many.
//!
//! [`Watch`] counts distinct subjects by account, session, client and network, and distinct persons and sessions by client
//! and network, and says when a number passes what the configuration, the account's peers, or its own past allow. It decides
//! nothing else, and no response waits for it. Only what left is counted; reflected values never are. Pure: time comes from
//! outside, and `cases` alone reads a file.
//!
//! Read in this order: [`WatchRules`] (limits), [`Watch`], `accounts` (staff and partners), `receivers` (clients), `recent`
//! (distinct counting), `peers` and `drip` (what is ordinary), `hours` (the firm's calendar), `told` (no floods), `cases`.
//!
//! Memory: an account at most four times [`ACCOUNT_KEYS_MAX`] keys (0.4 MB) and [`ACCOUNTS_MAX`] accounts; clients as
//! `receivers` says (about 100 MB). Beyond, those longest inactive are forgotten.

mod accounts;
mod cases;
mod drip;
mod hours;
mod peers;
mod receivers;
mod recent;
mod rules;
#[cfg(test)]
mod tests;
mod told;

pub use accounts::ACCOUNT_KEYS_MAX;
pub use cases::{CaseSource, OpenCases};
pub use drip::DAYS_MIN;
pub use hours::{HourClass, Hours, Slot};
pub use peers::{PEER_HOURS_MIN, PEERS_MIN};
pub use receivers::{GENERATION_KEYS_MAX, RECEIVER_KEYS_MAX, RECEIVERS_MAX};
pub use recent::{Recent, Sight};
pub use rules::{AccountKind, Budget, ClientLimits, NamedBudget, PREFIX_FACTOR, WatchRules};

use accounts::Account;
use peers::Peers;
use receivers::Receivers;
use rules::Budgets;
use sekisho_model::{AccountKey, Alert, AlertKind, SessionKey, Subject, Timestamp};
use std::collections::HashMap;
use std::net::IpAddr;

/// Accounts that are watched; beyond, the one longest inactive is forgotten, save what it means to its peers.
pub const ACCOUNTS_MAX: usize = 1_024;

const HOUR_S: u32 = 3600;
const DAY_S: u32 = 24 * 3600;

/// Counts, and says what is too much.
#[derive(Debug)]
pub struct Watch {
    rules: WatchRules,
    budgets: Budgets,
    accounts: HashMap<AccountKey, Box<Account>>,
    peers: Peers,
    receivers: Receivers,
    /// The current hour.
    slot: Slot,
    /// Never goes back.
    now: Timestamp,
}

/// A response, as far as it is counted.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// When it left.
    pub at: Timestamp,
    /// The client's address.
    pub client: IpAddr,
    /// Its session.
    pub session: Option<SessionKey>,
    /// The account that the session belongs to.
    pub account: Option<AccountKey>,
    /// What the route makes of an account.
    pub kind: AccountKind,
    /// The first of the persons whom the session belongs to: a family is one.
    pub person: Option<Subject>,
    /// The route's name.
    pub route: &'a str,
    /// Whether the request named a case.
    pub case: Case,
}

/// Whether a request named an open case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Case {
    /// The route knows no cases.
    #[default]
    NotAsked,
    /// It named none, or one that is not open.
    Missing,
    /// It named one.
    Open,
}

impl Reading<'_> {
    fn alert(&self, kind: AlertKind, window_s: u32, count: u64, limit: u64) -> Alert {
        Alert {
            at: self.at,
            kind,
            client: self.client,
            session: self.session,
            account: None,
            route: self.route.to_owned(),
            window_s,
            count,
            limit,
            peers_quantile: None,
            without_case: None,
        }
    }
}

impl Watch {
    /// Watches by these rules; `hash` is how the ledger names accounts.
    #[must_use]
    pub fn new(rules: WatchRules, hash: impl Fn(&str) -> AccountKey) -> Watch {
        Watch {
            budgets: Budgets::new(&rules, hash),
            slot: rules.hours.slot(Timestamp(0)),
            rules,
            accounts: HashMap::new(),
            peers: Peers::default(),
            receivers: Receivers::default(),
            now: Timestamp(0),
        }
    }

    /// Other rules from now on; what was counted stays.
    pub fn reload(&mut self, rules: WatchRules, hash: impl Fn(&str) -> AccountKey) {
        self.budgets = Budgets::new(&rules, hash);
        if rules.hours != self.rules.hours {
            self.slot = rules.hours.slot(self.now);
        }
        self.rules = rules;
    }

    /// Whether nothing is watched.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.rules.is_idle()
    }

    /// Counts what a part of a response shows, or with no subjects a log-in. What passed its limit and was not told yet.
    pub fn note(&mut self, reading: &Reading<'_>, subjects: &[Subject]) -> Vec<Alert> {
        let reading = Reading { at: self.at(reading.at), ..*reading };
        let Some(key) = reading.account else {
            return match self.rules.clients.is_idle() {
                true => Vec::new(),
                false => self.receivers.see(&reading, subjects, &self.rules.clients),
            };
        };
        if subjects.is_empty() {
            return Vec::new();
        }
        let Some(kind) = self.count(key, &reading, subjects) else { return Vec::new() };
        let budget = self.budgets.of(key, kind).unwrap_or_default();
        self.accounts.get_mut(&key).map_or_else(Vec::new, |account| account.alerts(&reading, &budget))
    }

    /// Counts what an account was shown before this process began: the same, and nothing is told. In the order of time.
    pub fn recall(&mut self, at: Timestamp, account: AccountKey, kind: AccountKind, subject: Subject) {
        let (client, route) = (IpAddr::from([0, 0, 0, 0]), "");
        let reading = Reading {
            at: self.at(at),
            client,
            session: None,
            account: Some(account),
            kind,
            person: None,
            route,
            case: Case::NotAsked,
        };
        self.count(account, &reading, &[subject]);
    }

    /// Accounts, and sessions, clients and networks, that are remembered.
    #[must_use]
    pub fn remembered(&self) -> (usize, usize) {
        (self.accounts.len(), self.receivers.len())
    }

    /// Counts an account's subjects; what the account is. `None`: it is not watched.
    fn count(&mut self, key: AccountKey, reading: &Reading<'_>, subjects: &[Subject]) -> Option<AccountKind> {
        self.budgets.of(key, reading.kind)?;
        if !self.accounts.contains_key(&key) {
            self.make_room();
            let account = Account::new(key, reading.kind, self.slot.clone(), &self.peers);
            self.accounts.insert(key, Box::new(account));
        }
        let account = self.accounts.get_mut(&key)?;
        account.turn(&self.slot, &mut self.peers);
        if reading.kind == AccountKind::Partner {
            account.kind = AccountKind::Partner;
        }
        subjects.iter().for_each(|subject| account.see(*subject, reading.at, reading.case));
        Some(account.kind)
    }

    /// Goes on to a time; one before the last is the last.
    fn at(&mut self, at: Timestamp) -> Timestamp {
        self.now = self.now.max(at);
        if self.now >= self.slot.hour.end {
            let before = std::mem::replace(&mut self.slot, self.rules.hours.slot(self.now));
            if self.slot.day != before.day {
                self.peers.sweep(self.now);
            }
        }
        self.now
    }

    fn make_room(&mut self) {
        if self.accounts.len() < ACCOUNTS_MAX {
            return;
        }
        let oldest = self.accounts.iter().min_by_key(|(_, account)| account.active()).map(|(key, _)| *key);
        oldest.and_then(|key| self.accounts.remove(&key));
    }
}

/// A time in whole ticks of so many seconds.
fn ticks(at: Timestamp, tick_s: u32) -> u32 {
    u32::try_from(at.0.max(0) / (i64::from(tick_s) * 1_000_000)).unwrap_or(u32::MAX)
}
