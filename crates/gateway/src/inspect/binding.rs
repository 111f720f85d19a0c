//! Which persons a session belongs to, learnt from the log-in exchange: the application is not touched.
//!
//! When a log-in succeeds (`login`), the session that its response issues belongs to every subject with the value that
//! its request named: families that share a mail see each other's data, as they do on paper. Nothing else binds a session.
//! A log-in that issues no new session binds nobody, for many sites send a visitor who is signed in already to the same
//! page without a look at the password. A session cookie that is issued later to a bound session carries its persons on
//! (rotation), but never to a session of others; a log-out ends them.
//!
//! What a compromised upstream could still do: say yes to a log-in for a person whose value the attacker knows, or give
//! a customer's browser a session name of the attacker's choice, which then carries that customer. Either shows one
//! person's data to one session. So does a site that issues a new session name with every answer (a rolling cookie) and
//! redirects a visitor who is signed in already to where a successful log-in leads.

use sekisho_edm::Index;
use sekisho_model::{AccountKey, Bound, SessionKey, Subject, Timestamp, ValueHash};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Sessions of one generation; there are two. Beyond, those longest unused are forgotten: they are bound to nobody.
const SESSIONS_MAX: usize = 500_000;

/// A session that was not asked about for this long may be forgotten; after twice as long it is.
const IDLE_US: i64 = 12 * 3600 * 1_000_000;

/// How long before a restart a session may have been bound to be known after it.
pub const REMEMBERED: Duration = Duration::from_hours(24);

/// Whose a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// Persons in the registers.
    pub(super) subjects: Arc<[Subject]>,
    /// The value that named them, where that is how they were named: it names them after a restart too.
    pub(super) by: Option<ValueHash>,
    /// An account of staff or a partner.
    pub(super) account: Option<AccountKey>,
}

impl Owner {
    /// These persons'; no account's.
    pub(super) fn persons(subjects: Vec<Subject>) -> Owner {
        Owner { subjects: subjects.into(), by: None, account: None }
    }

    /// Everybody's who has this value in a register.
    pub(super) fn of_value(index: &Index, value: ValueHash) -> Owner {
        Owner { by: Some(value), ..Owner::persons(index.subjects_of(value)) }
    }

    /// Whose a session was when it was recorded. Persons are looked up anew, for registers may have other numbers now;
    /// those who were not named by a value are nobody.
    pub(super) fn recorded(index: &Index, bound: &Bound) -> Owner {
        let persons = bound.by.map(|value| Owner::of_value(index, value));
        Owner { account: bound.account, ..persons.unwrap_or_else(|| Owner::persons(Vec::new())) }
    }

    /// An account's; no person's.
    pub(super) fn account(account: AccountKey) -> Owner {
        Owner { subjects: Arc::default(), by: None, account: Some(account) }
    }

    /// Whether it is nobody.
    pub(super) fn is_nobody(&self) -> bool {
        self.subjects.is_empty() && self.account.is_none()
    }
}

/// The sessions that are bound.
#[derive(Default)]
pub(super) struct Bindings {
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    younger: HashMap<SessionKey, Owner>,
    older: HashMap<SessionKey, Owner>,
    /// When the younger one began.
    since: Timestamp,
}

impl Bindings {
    /// Whose session this is; `None` while it belongs to nobody.
    pub(super) fn owner(&self, session: SessionKey, now: Timestamp) -> Option<Owner> {
        let mut generations = self.lock(now);
        if let Some(owner) = generations.younger.get(&session) {
            return Some(owner.clone());
        }
        let owner = generations.older.remove(&session)?;
        generations.younger.insert(session, owner.clone());
        Some(owner)
    }

    /// The session is this owner's from now on, and nobody else's any more; nobody is an owner too, after a log-out.
    pub(super) fn bind(&self, session: SessionKey, owner: Owner, now: Timestamp) {
        let mut generations = self.lock(now);
        generations.older.remove(&session);
        match owner.is_nobody() {
            true => drop(generations.younger.remove(&session)),
            false => drop(generations.younger.insert(session, owner)),
        }
    }

    /// The upstream gave a session another name, unless that is somebody's already. The old one may still be in use by
    /// requests on their way. Gives whose the new one now is, where that changed.
    pub(super) fn rotate(&self, from: SessionKey, to: SessionKey, now: Timestamp) -> Option<Owner> {
        let owner = self.owner(from, now).filter(|_| self.owner(to, now).is_none())?;
        self.lock(now).younger.insert(to, owner.clone());
        Some(owner)
    }

    fn lock(&self, now: Timestamp) -> std::sync::MutexGuard<'_, Generations> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.younger.len() >= SESSIONS_MAX || now.0 - generations.since.0 >= IDLE_US {
            generations.older = std::mem::take(&mut generations.younger);
            generations.since = now;
        }
        generations
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sekisho_model::{RegisterId, SubjectId};

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
    const ONE: SessionKey = SessionKey([1; 16]);
    const TWO: SessionKey = SessionKey([2; 16]);

    fn subject(id: u32) -> Subject {
        Subject { register: RegisterId(0), id: SubjectId(id) }
    }

    fn later(hours: i64) -> Timestamp {
        Timestamp(NOW.0 + hours * 3600 * 1_000_000)
    }

    #[test]
    fn a_session_belongs_to_whom_it_logged_in_as_until_it_logs_out() {
        let bindings = Bindings::default();
        assert_eq!(bindings.owner(ONE, NOW), None);
        bindings.bind(ONE, Owner::persons(vec![subject(7)]), NOW);
        assert_eq!(bindings.owner(ONE, NOW), Some(Owner::persons(vec![subject(7)])));
        assert_eq!(bindings.owner(TWO, NOW), None);
        bindings.bind(ONE, Owner::persons(vec![subject(8), subject(9)]), NOW);
        assert_eq!(bindings.owner(ONE, NOW), Some(Owner::persons(vec![subject(8), subject(9)])), "account switching");
        bindings.bind(ONE, Owner::persons(vec![]), NOW);
        assert_eq!(bindings.owner(ONE, NOW), None);
    }

    #[test]
    fn a_new_name_of_a_session_keeps_its_persons() {
        let bindings = Bindings::default();
        bindings.rotate(ONE, TWO, NOW);
        assert_eq!(bindings.owner(TWO, NOW), None, "nobody's session gives nothing");
        bindings.bind(ONE, Owner::persons(vec![subject(7)]), NOW);
        bindings.rotate(ONE, TWO, NOW);
        assert_eq!(bindings.owner(TWO, NOW), Some(Owner::persons(vec![subject(7)])));
    }

    #[test]
    fn a_session_of_others_is_not_taken_over_by_a_new_name() {
        let bindings = Bindings::default();
        bindings.bind(ONE, Owner::persons(vec![subject(7)]), NOW);
        bindings.bind(TWO, Owner::persons(vec![subject(8)]), NOW);
        bindings.rotate(ONE, TWO, NOW);
        assert_eq!(bindings.owner(TWO, NOW), Some(Owner::persons(vec![subject(8)])));
    }

    #[test]
    fn a_session_in_use_stays_and_an_unused_one_is_forgotten() {
        let bindings = Bindings::default();
        bindings.bind(ONE, Owner::persons(vec![subject(1)]), NOW);
        bindings.bind(TWO, Owner::persons(vec![subject(2)]), NOW);
        for hours in [13, 26, 39] {
            assert!(bindings.owner(ONE, later(hours)).is_some(), "after {hours} hours");
        }
        assert_eq!(bindings.owner(TWO, later(39)), None);
    }
}
