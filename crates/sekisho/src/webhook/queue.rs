//! Which event is tried next, and when. Pure: takes the time, sends nothing.
//!
//! Events about one target keep their order; others do not wait for it. An event that is refused waits longer each time; a
//! receiver that cannot be reached makes all of them wait. What is older than [`AGE_MAX`] is given up.

use super::event::Event;
use sekisho_model::Timestamp;
use std::time::Duration;

/// Events in memory; beyond, later ones are read from the ledger when there is room.
pub(super) const WAITING_MAX: usize = 10_000;
/// Who is kept out by itself is let in again long before.
pub(super) const AGE_MAX: Duration = Duration::from_hours(72);
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// In the order of their decisions.
    waiting: Vec<Waiting>,
    /// The receiver was not there at the last attempts.
    outage: Pause,
}

#[derive(Debug)]
struct Waiting {
    event: Event,
    pause: Pause,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pause {
    tries: u32,
    until: Timestamp,
}

impl Pause {
    fn longer(self, now: Timestamp) -> Pause {
        let length = PAUSE_MIN.saturating_mul(1 << self.tries.min(16)).min(PAUSE_MAX);
        Pause { tries: self.tries + 1, until: now.after(length) }
    }
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Try this one.
    Send(Event),
    /// Nothing before this time.
    Wait(Timestamp),
    /// Nothing at all.
    Nothing,
}

impl Queue {
    /// Takes an event, unless there is no room or it is there already. Whether it is there now.
    pub(super) fn push(&mut self, event: Event) -> bool {
        if self.waiting.iter().any(|waiting| waiting.event.id == event.id) {
            return true;
        }
        if self.waiting.len() >= WAITING_MAX {
            return false;
        }
        let at = self.waiting.partition_point(|waiting| waiting.event.at <= event.at);
        self.waiting.insert(at, Waiting { event, pause: Pause::default() });
        true
    }

    pub(super) fn next(&self, now: Timestamp) -> Next {
        let mut earliest: Option<Timestamp> = None;
        for (at, waiting) in self.waiting.iter().enumerate() {
            let is_first = !self.waiting[..at].iter().any(|earlier| earlier.event.target == waiting.event.target);
            if !is_first {
                continue;
            }
            let due = waiting.pause.until.max(self.outage.until);
            if due <= now {
                return Next::Send(waiting.event.clone());
            }
            earliest = Some(earliest.map_or(due, |known| known.min(due)));
        }
        earliest.map_or(Next::Nothing, Next::Wait)
    }

    /// The receiver took it.
    pub(super) fn delivered(&mut self, id: &str) {
        self.outage = Pause::default();
        self.waiting.retain(|waiting| waiting.event.id != id);
    }

    /// The receiver answered, and did not take it.
    pub(super) fn refused(&mut self, id: &str, now: Timestamp) {
        self.outage = Pause::default();
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.event.id == id) {
            waiting.pause = waiting.pause.longer(now);
        }
    }

    /// The receiver is not there, or says that it cannot now.
    pub(super) fn unreachable(&mut self, now: Timestamp) {
        self.outage = self.outage.longer(now);
    }

    /// Those that are too old to be told of.
    pub(super) fn give_up(&mut self, now: Timestamp) -> Vec<Event> {
        let is_old = |event: &Event| now.since(event.at) > AGE_MAX;
        self.waiting.extract_if(.., |waiting| is_old(&waiting.event)).map(|waiting| waiting.event).collect()
    }

    /// When the oldest one was decided.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.waiting.first().map(|waiting| waiting.event.at)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sekisho_model::{SessionKey, Target};

    fn at(seconds: i64) -> Timestamp {
        Timestamp(1_700_000_000_000_000 + seconds * 1_000_000)
    }

    fn event(id: &str, session: u8, decided_s: i64) -> Event {
        let target = Some(Target::Session(SessionKey([session; 16])));
        Event { id: id.to_owned(), at: at(decided_s), target, body: String::new() }
    }

    fn queue(events: &[(&str, u8, i64)]) -> Queue {
        let mut queue = Queue::default();
        for (id, session, decided_s) in events {
            assert!(queue.push(event(id, *session, *decided_s)));
        }
        queue
    }

    fn next(queue: &Queue, seconds: i64) -> String {
        match queue.next(at(seconds)) {
            Next::Send(event) => event.id,
            Next::Wait(until) => format!("wait until {}", (until.0 - at(0).0) / 1_000_000),
            Next::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn events_are_tried_in_the_order_of_their_decisions() {
        let mut queue = queue(&[("later", 2, 5), ("first", 1, 1)]);
        assert_eq!(next(&queue, 6), "first");
        queue.delivered("first");
        assert_eq!(next(&queue, 6), "later");
        queue.delivered("later");
        assert_eq!(next(&queue, 6), "nothing");
    }

    #[test]
    fn a_refused_event_holds_up_its_own_target_only() {
        let mut queue = queue(&[("contained", 1, 1), ("released", 1, 2), ("other", 2, 3)]);
        queue.refused("contained", at(10));
        assert_eq!(next(&queue, 10), "other");
        queue.delivered("other");
        assert_eq!(next(&queue, 10), "wait until 11");
        queue.refused("contained", at(11));
        assert_eq!(next(&queue, 11), "wait until 13", "twice as long");
        queue.delivered("contained");
        assert_eq!(next(&queue, 11), "released");
    }

    #[test]
    fn a_receiver_that_is_not_there_is_asked_less_and_less_often() {
        let mut queue = queue(&[("one", 1, 1), ("two", 2, 2)]);
        let mut now = 10;
        let pauses: Vec<i64> = (0..11)
            .map(|_| {
                queue.unreachable(at(now));
                let Next::Wait(until) = queue.next(at(now)) else { panic!("all wait") };
                let pause = (until.0 - at(now).0) / 1_000_000;
                now += pause;
                pause
            })
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(next(&queue, now), "one");
        queue.delivered("one");
        assert_eq!(next(&queue, now), "two", "it is back");
    }

    #[test]
    fn an_event_is_there_once_and_not_for_ever() {
        let mut queue = queue(&[("one", 1, 0), ("one", 1, 0), ("two", 2, 3600)]);
        assert_eq!(queue.len(), 2);
        let given_up = queue.give_up(at(72 * 3600 + 1));
        assert_eq!(given_up.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["one"]);
        assert_eq!(queue.oldest(), Some(at(3600)));
    }

    #[test]
    fn what_has_no_room_is_said() {
        let mut queue = Queue::default();
        for number in 0..WAITING_MAX {
            assert!(queue.push(event(&number.to_string(), 1, 0)));
        }
        assert!(!queue.push(event("one more", 1, 0)));
    }
}
