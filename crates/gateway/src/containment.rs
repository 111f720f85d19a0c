//! Who is kept out: found by one look at a map that nobody locks, changed rarely.
//!
//! A session first; an address only for requests without one. Contained customers keep the routes marked `continuity`.
//! Automatic entries have an end; only an operator's may stay until released. Bounded: beyond [`ENTRIES_MAX`] the automatic
//! entry that would end first goes, and is counted.
//!
//! [`Containment::changed`] tells connections that somebody was cut off, so that they can close.

use arc_swap::ArcSwap;
use sekisho_model::{AccountKey, ContainReason, Contained, SessionKey, Target, Timestamp};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Entries at once.
pub const ENTRIES_MAX: usize = 10_000;

/// Who is kept out now.
pub(crate) struct Containment {
    held: ArcSwap<HashMap<Target, Contained>>,
    /// One change after the other.
    changing: Mutex<()>,
    generation: watch::Sender<u64>,
    dropped: AtomicU64,
}

/// Whoever asks for something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    pub(crate) session: Option<SessionKey>,
    pub(crate) account: Option<AccountKey>,
    pub(crate) client: IpAddr,
}

impl Containment {
    /// With those who were kept out before a restart.
    pub(crate) fn new(before: Vec<Contained>) -> Containment {
        let mut held: HashMap<Target, Contained> = HashMap::new();
        for contained in before {
            if held.get(&contained.target).is_none_or(|known| known.ends_us() < contained.ends_us()) {
                held.insert(contained.target, contained);
            }
        }
        Containment {
            held: ArcSwap::from_pointee(held),
            changing: Mutex::default(),
            generation: watch::Sender::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// Whether nobody is kept out: the usual case.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.load().is_empty()
    }

    /// Why the asker is kept out, if so: of several entries the one that lasts longest.
    pub(crate) fn find(&self, asker: &Asker, now: Timestamp) -> Option<Contained> {
        let held = self.held.load();
        if held.is_empty() {
            return None;
        }
        let client = asker.session.is_none().then_some(Target::Client(asker.client));
        let targets = [asker.session.map(Target::Session), asker.account.map(Target::Account), client];
        let found = targets.into_iter().flatten().filter_map(|target| held.get(&target));
        found.filter(|contained| is_in_force(contained, now)).max_by_key(|contained| contained.ends_us()).cloned()
    }

    /// The target's own entry.
    pub(crate) fn entry(&self, target: Target, now: Timestamp) -> Option<Contained> {
        self.held.load().get(&target).filter(|contained| is_in_force(contained, now)).cloned()
    }

    /// Keeps somebody out. An entry that lasts longer stays. Whether anything changed.
    pub(crate) fn contain(&self, contained: Contained) -> bool {
        let now = contained.at;
        self.change(|held| {
            held.retain(|_, contained| is_in_force(contained, now));
            if held.get(&contained.target).is_some_and(|known| known.ends_us() >= contained.ends_us()) {
                return false;
            }
            if held.len() >= ENTRIES_MAX {
                let automatic = held.values().filter(|known| known.reason != ContainReason::Operator);
                let first = automatic.min_by_key(|known| known.ends_us()).map(|known| known.target);
                self.dropped.fetch_add(1, Ordering::Relaxed);
                match first {
                    Some(first) => drop(held.remove(&first)),
                    None => return false,
                }
            }
            held.insert(contained.target, contained);
            true
        })
    }

    /// Lets somebody in again. Whether they were kept out.
    pub(crate) fn release(&self, target: Target, now: Timestamp) -> bool {
        self.change(|held| held.remove(&target).is_some_and(|contained| is_in_force(&contained, now)))
    }

    /// Everybody who is kept out, by the time it began.
    pub(crate) fn list(&self, now: Timestamp) -> Vec<Contained> {
        let held = self.held.load();
        let mut list: Vec<Contained> = held.values().filter(|it| is_in_force(it, now)).cloned().collect();
        list.sort_by_key(|contained| (contained.at, contained.target));
        list
    }

    /// Entries that were dropped because there were too many.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// A number that grows with each change.
    pub(crate) fn generation(&self) -> u64 {
        *self.generation.borrow()
    }

    /// Wakes at each change.
    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<Target, Contained>) -> bool) -> bool {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = HashMap::clone(&self.held.load());
        let has_changed = change(&mut held);
        if has_changed {
            self.held.store(Arc::new(held));
            self.generation.send_modify(|generation| *generation += 1);
        }
        has_changed
    }
}

fn is_in_force(contained: &Contained, now: Timestamp) -> bool {
    contained.until.is_none_or(|until| now < until)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sekisho_model::WithheldReason;

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
    const SESSION: SessionKey = SessionKey([1; 16]);
    const ACCOUNT: AccountKey = AccountKey([2; 16]);

    fn later(seconds: i64) -> Timestamp {
        Timestamp(NOW.0 + seconds * 1_000_000)
    }

    fn contained(target: Target, until: Option<Timestamp>, reason: ContainReason) -> Contained {
        Contained { at: NOW, target, until, reason, by: "test".to_owned(), sequence: None }
    }

    fn automatic(target: Target, seconds: i64) -> Contained {
        contained(target, Some(later(seconds)), ContainReason::Rule(WithheldReason::ForeignSubject))
    }

    fn asker(session: Option<SessionKey>, account: Option<AccountKey>, client: &str) -> Asker {
        Asker { session, account, client: client.parse().expect("an address") }
    }

    #[test]
    fn a_session_is_kept_out_for_its_time_and_others_of_its_address_are_not() {
        let containment = Containment::new(Vec::new());
        assert!(containment.contain(automatic(Target::Session(SESSION), 60)));
        let thief = asker(Some(SESSION), None, "192.0.2.1");
        assert!(containment.find(&thief, later(59)).is_some());
        assert!(containment.find(&thief, later(60)).is_none());
        assert!(containment.find(&asker(Some(SessionKey([3; 16])), None, "192.0.2.1"), NOW).is_none());
        assert!(containment.find(&asker(None, None, "192.0.2.1"), NOW).is_none());
    }

    #[test]
    fn an_address_is_kept_out_without_a_session_only() {
        let containment = Containment::new(vec![automatic(Target::Client("192.0.2.1".parse().unwrap()), 60)]);
        assert!(containment.find(&asker(None, None, "192.0.2.1"), NOW).is_some());
        assert!(containment.find(&asker(None, None, "192.0.2.2"), NOW).is_none());
        assert!(containment.find(&asker(Some(SESSION), None, "192.0.2.1"), NOW).is_none());
    }

    #[test]
    fn an_account_is_kept_out_until_it_is_released() {
        let containment = Containment::new(Vec::new());
        let cut_off = contained(Target::Account(ACCOUNT), None, ContainReason::Operator);
        assert!(containment.contain(cut_off));
        assert!(!containment.contain(automatic(Target::Account(ACCOUNT), 60)), "the longer one stays");
        let clerk = asker(Some(SESSION), Some(ACCOUNT), "192.0.2.1");
        assert!(containment.find(&clerk, later(1_000_000)).is_some());
        assert!(containment.release(Target::Account(ACCOUNT), later(1)));
        assert!(containment.find(&clerk, later(1)).is_none());
        assert!(!containment.release(Target::Account(ACCOUNT), later(1)));
        assert_eq!(containment.generation(), 2);
    }

    #[test]
    fn of_too_many_the_automatic_one_that_ends_first_goes() {
        let session = |number: usize| {
            let mut key = [0; 16];
            key[..8].copy_from_slice(&number.to_le_bytes());
            Target::Session(SessionKey(key))
        };
        let seconds = |number: usize| 100 + i64::try_from(number).expect("few");
        let before = (0..ENTRIES_MAX).map(|number| automatic(session(number), seconds(number))).collect();
        let containment = Containment::new(before);
        assert!(containment.contain(automatic(session(ENTRIES_MAX), 50)));
        assert_eq!((containment.list(NOW).len(), containment.dropped()), (ENTRIES_MAX, 1));
        assert!(!containment.list(NOW).iter().any(|contained| contained.target == session(0)));
    }
}
