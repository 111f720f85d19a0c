//! Two answers to the question whose a session is: an alert, once an hour for each session, and the request is nobody's.

use super::Shared;
use super::asserted::{Asserted, agree};
use super::journal::Journal;
use crate::token::Told;
use sekisho_edm::Index;
use sekisho_model::{Alert, AlertKind, SessionKey, Timestamp, Transaction};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Sessions that were told of within the hour; beyond, all are forgotten and may be told of again.
const TOLD_MAX: usize = 10_000;

const HOUR_US: i64 = 3600 * 1_000_000;

/// Who was told of already: a site that is set up wrongly shall not fill the ledger.
#[derive(Default)]
pub(super) struct Conflicts {
    told: Mutex<HashMap<(AlertKind, Party), Timestamp>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Party {
    Session(SessionKey),
    Client(IpAddr),
}

impl Conflicts {
    fn is_new(&self, kind: AlertKind, party: Party, now: Timestamp) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(&(kind, party)).is_some_and(|before| now.0 - before.0 < HOUR_US) {
            return false;
        }
        if told.len() >= TOLD_MAX {
            told.clear();
        }
        told.insert((kind, party), now);
        true
    }
}

impl Shared {
    /// Whose a session is has two answers.
    pub(super) fn conflict(&self, kind: AlertKind, session: Option<SessionKey>, transaction: &Transaction) {
        let now = self.clock.now();
        let party = session.map_or(Party::Client(transaction.client), Party::Session);
        if self.conflicts.is_new(kind, party, now) {
            self.alert(&Alert {
                at: now,
                kind,
                client: transaction.client,
                session,
                account: None,
                route: transaction.route.clone(),
                window_s: 0,
                count: 1,
                limit: 0,
                peers_quantile: None,
                without_case: None,
            });
        }
    }
}

impl Journal {
    /// What the upstream signed in an answer that is no log-in's. Its own session's person is no news; anything else is an
    /// incident, and binds nobody.
    pub(super) fn signed_elsewhere(&self, index: &Index, told: Told) {
        let is_same = match Asserted::of(&self.shared, index, told) {
            Asserted::Nothing => return,
            Asserted::Owner(owner) => {
                let now = self.shared.clock.now();
                let bound = self.session().and_then(|session| self.shared.bindings.owner(session, now));
                bound.is_some_and(|bound| agree(&owner, &bound))
            }
            Asserted::Nobody => false,
        };
        if !is_same {
            self.shared.conflict(AlertKind::BoundElsewhere, self.session(), &self.transaction);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_told_of_once_an_hour() {
        let conflicts = Conflicts::default();
        let is_new = |kind, byte, minutes: i64| {
            conflicts.is_new(kind, Party::Session(SessionKey([byte; 16])), Timestamp(minutes * 60 * 1_000_000))
        };
        assert!(is_new(AlertKind::IdentitiesDisagree, 1, 0));
        assert!(!is_new(AlertKind::IdentitiesDisagree, 1, 59));
        assert!(is_new(AlertKind::IdentitiesDisagree, 2, 59));
        assert!(is_new(AlertKind::BoundElsewhere, 1, 59));
        assert!(is_new(AlertKind::IdentitiesDisagree, 1, 60));
    }
}
