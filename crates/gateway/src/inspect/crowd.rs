//! How many distinct subjects one receiver was shown within the last minute, exactly.
//!
//! Bounded: a receiver's subjects by the route's own maximum (a further one is not admitted, and not kept), receivers
//! by two generations. A forgotten receiver begins anew.

use sekisho_model::{SessionKey, Subject, Timestamp};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

/// Receivers of one generation; there are two.
const RECEIVERS_MAX: usize = 100_000;

const MINUTE_US: i64 = 60 * 1_000_000;

/// Who is shown something: a session, or a client without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Receiver {
    Session(SessionKey),
    /// The keyed hash of its address.
    Client([u8; 16]),
}

/// The receivers of the last minute.
#[derive(Default)]
pub(super) struct Crowd {
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    younger: HashMap<Receiver, HashMap<Subject, Timestamp>>,
    older: HashMap<Receiver, HashMap<Subject, Timestamp>>,
    /// When the younger one began.
    since: Timestamp,
}

impl Crowd {
    /// Whether this subject is one of at most `subjects_max` that the receiver is shown within a minute.
    pub(super) fn admits(
        &self,
        receiver: Receiver,
        subject: Subject,
        subjects_max: NonZeroU32,
        now: Timestamp,
    ) -> bool {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.younger.len() >= RECEIVERS_MAX || now.0 - generations.since.0 >= MINUTE_US {
            generations.older = std::mem::take(&mut generations.younger);
            generations.since = now;
        }
        if !generations.younger.contains_key(&receiver) {
            let seen = generations.older.remove(&receiver).unwrap_or_default();
            generations.younger.insert(receiver, seen);
        }
        let Some(seen) = generations.younger.get_mut(&receiver) else { return true };
        let max = usize::try_from(subjects_max.get()).unwrap_or(usize::MAX);
        if !seen.contains_key(&subject) && seen.len() >= max {
            seen.retain(|_, at| now.0 - at.0 < MINUTE_US);
            if seen.len() >= max {
                return false;
            }
        }
        seen.insert(subject, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sekisho_model::{RegisterId, SubjectId};

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
    const ONE: Receiver = Receiver::Session(SessionKey([1; 16]));
    const TWO: Receiver = Receiver::Client([1; 16]);

    fn later(seconds: i64) -> Timestamp {
        Timestamp(NOW.0 + seconds * 1_000_000)
    }

    fn shown(crowd: &Crowd, receiver: Receiver, ids: std::ops::Range<u32>, now: Timestamp) -> Vec<bool> {
        let subject = |id| Subject { register: RegisterId(0), id: SubjectId(id) };
        ids.map(|id| crowd.admits(receiver, subject(id), NonZeroU32::new(3).unwrap(), now)).collect()
    }

    #[test]
    fn the_fourth_of_a_minute_is_too_many_and_the_same_ones_again_are_not() {
        let crowd = Crowd::default();
        assert_eq!(shown(&crowd, ONE, 0..4, NOW), [true, true, true, false]);
        assert_eq!(shown(&crowd, ONE, 0..4, later(1)), [true, true, true, false]);
        assert_eq!(shown(&crowd, TWO, 0..3, NOW), [true, true, true], "another receiver has its own");
    }

    #[test]
    fn who_was_shown_a_minute_ago_counts_no_more() {
        let crowd = Crowd::default();
        assert_eq!(shown(&crowd, ONE, 0..3, NOW), [true, true, true]);
        assert_eq!(shown(&crowd, ONE, 3..4, later(59)), [false]);
        assert_eq!(shown(&crowd, ONE, 3..6, later(61)), [true, true, true]);
        assert_eq!(shown(&crowd, ONE, 6..7, later(62)), [false]);
    }
}
