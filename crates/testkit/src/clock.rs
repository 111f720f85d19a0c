//! A clock that stands still until the test moves it.

use sekisho_model::{Clock, Timestamp};
use std::sync::Mutex;
use std::time::Duration;

/// A clock owned by the test.
#[derive(Debug)]
pub struct SimClock {
    hands: Mutex<Hands>,
}

#[derive(Debug)]
struct Hands {
    now: Timestamp,
    elapsed: Duration,
}

impl SimClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> SimClock {
        SimClock { hands: Mutex::new(Hands { now, elapsed: Duration::ZERO }) }
    }

    /// Moves both hands forward.
    pub fn advance(&self, duration: Duration) {
        let mut hands = self.lock();
        hands.now = hands.now.after(duration);
        hands.elapsed += duration;
    }

    /// Steps the wall clock, as an operator or a time server may; `elapsed` goes on undisturbed.
    pub fn step_wall_clock(&self, now: Timestamp) {
        self.lock().now = now;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Hands> {
        self.hands.lock().expect("no holder of the clock panics")
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn elapsed(&self) -> Duration {
        self.lock().elapsed
    }
}
