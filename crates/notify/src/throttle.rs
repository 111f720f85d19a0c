//! How fast mails may go to one receiving domain: at once, in a minute, in a day.
//!
//! Pure: the clock is given. One that steps back gives nothing: time that is counted here only ever grows.

use jiff::{SignedDuration, Timestamp};
use std::collections::{HashMap, VecDeque};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// In how many parts a day is counted; a part is forgotten as a whole.
const DAY_PARTS: i64 = 96;
/// Domains whose state is kept; beyond it, idle ones are forgotten.
const DOMAINS_MAX: usize = 100_000;

/// How much one domain gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Mails under way at once.
    pub connections: u32,
    /// Mails in a minute.
    pub per_minute: u32,
    /// Mails in any 24 hours.
    pub per_day: u32,
}

/// The state of all domains.
#[derive(Debug)]
pub struct Throttle {
    default: Limits,
    special: HashMap<String, Limits>,
    domains: HashMap<String, Domain>,
    steady: SignedDuration,
    last: Option<Timestamp>,
}

#[derive(Debug)]
struct Domain {
    under_way: u32,
    /// Micro-mails that may go now.
    tokens: i128,
    filled_at: SignedDuration,
    /// (part of a day, mails in it)
    day: VecDeque<(i64, u32)>,
}

/// Whether a mail may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Now; `done` must follow.
    Now,
    /// Not before another mail of this domain is done.
    WhenDone,
    /// Not before this much time has gone by.
    After(SignedDuration),
}

impl Throttle {
    /// No domain has sent anything yet.
    #[must_use]
    pub fn new(default: Limits, special: HashMap<String, Limits>) -> Throttle {
        Throttle { default, special, domains: HashMap::new(), steady: SignedDuration::ZERO, last: None }
    }

    /// Counts a mail that went this long ago, before the throttle was made.
    pub fn remember(&mut self, domain: &str, ago: SignedDuration) {
        let ago = ago.max(SignedDuration::ZERO);
        if ago < DAY {
            let at = self.steady - ago;
            self.domain(domain).count(at);
        }
    }

    /// Asks for one mail to `domain` at `now`.
    pub fn take(&mut self, domain: &str, now: Timestamp) -> Allowed {
        self.advance(now);
        let (limits, steady) = (self.limits(domain), self.steady);
        let state = self.domain(domain);
        if state.under_way >= limits.connections.max(1) {
            return Allowed::WhenDone;
        }
        if let Some(wait) = state.day_wait(limits, steady) {
            return Allowed::After(wait);
        }
        if let Some(wait) = state.minute_wait(limits, steady) {
            return Allowed::After(wait);
        }
        state.tokens -= ONE;
        state.under_way += 1;
        state.count(steady);
        Allowed::Now
    }

    /// A mail to `domain` is done, however it ended.
    pub fn done(&mut self, domain: &str) {
        if let Some(state) = self.domains.get_mut(domain) {
            state.under_way = state.under_way.saturating_sub(1);
        }
    }

    fn advance(&mut self, now: Timestamp) {
        if let Some(last) = self.last {
            self.steady += now.duration_since(last).max(SignedDuration::ZERO);
        }
        self.last = Some(now);
    }

    fn limits(&self, domain: &str) -> Limits {
        self.special.get(domain).copied().unwrap_or(self.default)
    }

    fn domain(&mut self, domain: &str) -> &mut Domain {
        let (steady, limits) = (self.steady, self.limits(domain));
        if self.domains.len() >= DOMAINS_MAX && !self.domains.contains_key(domain) {
            let today = part(steady) - DAY_PARTS;
            self.domains.retain(|_, state| state.under_way > 0 || state.day.back().is_some_and(|(at, _)| *at > today));
        }
        self.domains.entry(domain.to_owned()).or_insert_with(|| Domain {
            under_way: 0,
            tokens: burst(limits),
            filled_at: steady,
            day: VecDeque::new(),
        })
    }
}

/// One mail in tokens.
const ONE: i128 = 1_000_000;

/// What may go at once after a pause: a second's worth, and at least one.
fn burst(limits: Limits) -> i128 {
    (i128::from(limits.per_minute) * ONE / 60).max(ONE)
}

fn part(at: SignedDuration) -> i64 {
    at.as_secs().div_euclid(DAY.as_secs() / DAY_PARTS)
}

impl Domain {
    fn minute_wait(&mut self, limits: Limits, now: SignedDuration) -> Option<SignedDuration> {
        let per_minute = i128::from(limits.per_minute.max(1));
        let gone = (now - self.filled_at).as_micros();
        self.tokens = (self.tokens + gone * per_minute * ONE / MINUTE.as_micros()).min(burst(limits));
        self.filled_at = now;
        let missing = ONE - self.tokens;
        if missing <= 0 {
            return None;
        }
        let micros = (missing * MINUTE.as_micros()).div_euclid(per_minute * ONE) + 1;
        Some(SignedDuration::from_micros(i64::try_from(micros).unwrap_or(i64::MAX)))
    }

    fn day_wait(&mut self, limits: Limits, now: SignedDuration) -> Option<SignedDuration> {
        let forgotten = part(now) - DAY_PARTS - 1;
        while self.day.front().is_some_and(|(at, _)| *at <= forgotten) {
            self.day.pop_front();
        }
        let sent: u64 = self.day.iter().map(|(_, count)| u64::from(*count)).sum();
        if sent < u64::from(limits.per_day) {
            return None;
        }
        let oldest = self.day.front().map_or(part(now), |(at, _)| *at);
        let free_at = SignedDuration::from_secs((oldest + DAY_PARTS + 2) * (DAY.as_secs() / DAY_PARTS));
        Some((free_at - now).max(SignedDuration::from_secs(1)))
    }

    fn count(&mut self, at: SignedDuration) {
        let at = part(at);
        // Mails that are remembered come in any order; the newest part stays behind.
        match self.day.binary_search_by_key(&at, |(part, _)| *part) {
            Ok(place) => self.day[place].1 += 1,
            Err(place) => self.day.insert(place, (at, 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + seconds).expect("a time")
    }

    fn throttle(connections: u32, per_minute: u32, per_day: u32) -> Throttle {
        Throttle::new(Limits { connections, per_minute, per_day }, HashMap::new())
    }

    /// Mails that go when asked once a second at these seconds.
    fn sent(throttle: &mut Throttle, seconds: impl IntoIterator<Item = i64>) -> usize {
        let mut sent = 0;
        for second in seconds {
            if throttle.take("example.jp", at(second)) == Allowed::Now {
                throttle.done("example.jp");
                sent += 1;
            }
        }
        sent
    }

    #[test]
    fn no_more_than_the_minutes_share_goes() {
        let sent = sent(&mut throttle(1, 6, 1_000), 0..60);
        assert!((6..=7).contains(&sent), "{sent} of 60");
    }

    #[test]
    fn a_clock_that_steps_back_opens_nothing() {
        let mut throttle = throttle(1, 6, 1_000);
        let first = sent(&mut throttle, 0..60);
        // An hour back, and the same minute again and again: each is only a minute more.
        let again = sent(&mut throttle, (0..60).map(|second| second - 3_600));
        assert!(first <= 7 && again <= 6, "{first} and {again}");
    }

    #[test]
    fn a_day_is_full_and_opens_a_day_later() {
        let mut throttle = throttle(1, 6_000, 3);
        assert_eq!(sent(&mut throttle, 0..100), 3);
        assert_eq!(sent(&mut throttle, [86_000]), 0);
        assert_eq!(sent(&mut throttle, [86_400 + 1_900]), 1);
    }

    #[test]
    fn what_went_before_a_restart_counts() {
        let mut throttle = throttle(1, 6_000, 3);
        throttle.remember("example.jp", SignedDuration::from_hours(3));
        throttle.remember("example.jp", SignedDuration::from_hours(-5));
        throttle.remember("example.jp", SignedDuration::from_hours(30));
        assert_eq!(sent(&mut throttle, 0..10), 1);
    }

    #[test]
    fn only_so_many_are_under_way_at_once() {
        let mut throttle = throttle(2, 60_000, 1_000);
        let ask = |throttle: &mut Throttle| throttle.take("example.jp", at(0));
        assert_eq!(
            [ask(&mut throttle), ask(&mut throttle), ask(&mut throttle)],
            [Allowed::Now, Allowed::Now, Allowed::WhenDone]
        );
        throttle.done("example.jp");
        assert_eq!(ask(&mut throttle), Allowed::Now);
        assert_eq!(throttle.take("example.com", at(0)), Allowed::Now);
    }
}
