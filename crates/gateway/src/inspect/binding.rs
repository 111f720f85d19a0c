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

use sekisho_model::{SessionKey, Subject, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Sessions of one generation; there are two. Beyond, those longest unused are forgotten: they are bound to nobody.
const SESSIONS_MAX: usize = 500_000;

/// A session that was not asked about for this long may be forgotten; after twice as long it is.
const IDLE_US: i64 = 12 * 3600 * 1_000_000;

/// The sessions that are bound.
#[derive(Default)]
pub(super) struct Bindings {
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    younger: HashMap<SessionKey, Arc<[Subject]>>,
    older: HashMap<SessionKey, Arc<[Subject]>>,
    /// When the younger one began.
    since: Timestamp,
}

impl Bindings {
    /// Whose session this is; `None` while it belongs to nobody.
    pub(super) fn subjects(&self, session: SessionKey, now: Timestamp) -> Option<Arc<[Subject]>> {
        let mut generations = self.lock(now);
        if let Some(subjects) = generations.younger.get(&session) {
            return Some(Arc::clone(subjects));
        }
        let subjects = generations.older.remove(&session)?;
        generations.younger.insert(session, Arc::clone(&subjects));
        Some(subjects)
    }

    /// A log-in succeeded: the session belongs to these from now on, and to nobody else any more.
    pub(super) fn bind(&self, session: SessionKey, subjects: Vec<Subject>, now: Timestamp) {
        let mut generations = self.lock(now);
        generations.older.remove(&session);
        match subjects.is_empty() {
            true => drop(generations.younger.remove(&session)),
            false => drop(generations.younger.insert(session, subjects.into())),
        }
    }

    /// The upstream gave a session another name, unless that is somebody's already. The old one may still be in use by
    /// requests on their way.
    pub(super) fn rotate(&self, from: SessionKey, to: SessionKey, now: Timestamp) {
        if let Some(subjects) = self.subjects(from, now)
            && self.subjects(to, now).is_none()
        {
            self.lock(now).younger.insert(to, subjects);
        }
    }

    /// A log-out.
    pub(super) fn unbind(&self, session: SessionKey, now: Timestamp) {
        self.bind(session, Vec::new(), now);
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
        assert_eq!(bindings.subjects(ONE, NOW), None);
        bindings.bind(ONE, vec![subject(7)], NOW);
        assert_eq!(bindings.subjects(ONE, NOW).as_deref(), Some(&[subject(7)][..]));
        assert_eq!(bindings.subjects(TWO, NOW), None);
        bindings.bind(ONE, vec![subject(8), subject(9)], NOW);
        assert_eq!(bindings.subjects(ONE, NOW).as_deref(), Some(&[subject(8), subject(9)][..]), "account switching");
        bindings.unbind(ONE, NOW);
        assert_eq!(bindings.subjects(ONE, NOW), None);
    }

    #[test]
    fn a_new_name_of_a_session_keeps_its_persons() {
        let bindings = Bindings::default();
        bindings.rotate(ONE, TWO, NOW);
        assert_eq!(bindings.subjects(TWO, NOW), None, "nobody's session gives nothing");
        bindings.bind(ONE, vec![subject(7)], NOW);
        bindings.rotate(ONE, TWO, NOW);
        assert_eq!(bindings.subjects(TWO, NOW).as_deref(), Some(&[subject(7)][..]));
    }

    #[test]
    fn a_session_of_others_is_not_taken_over_by_a_new_name() {
        let bindings = Bindings::default();
        bindings.bind(ONE, vec![subject(7)], NOW);
        bindings.bind(TWO, vec![subject(8)], NOW);
        bindings.rotate(ONE, TWO, NOW);
        assert_eq!(bindings.subjects(TWO, NOW).as_deref(), Some(&[subject(8)][..]));
    }

    #[test]
    fn a_session_in_use_stays_and_an_unused_one_is_forgotten() {
        let bindings = Bindings::default();
        bindings.bind(ONE, vec![subject(1)], NOW);
        bindings.bind(TWO, vec![subject(2)], NOW);
        for hours in [13, 26, 39] {
            assert!(bindings.subjects(ONE, later(hours)).is_some(), "after {hours} hours");
        }
        assert_eq!(bindings.subjects(TWO, later(39)), None);
    }
}
