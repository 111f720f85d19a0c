//! Token buckets on a clock that comes from outside: one for each client, and one for all wrong codes.
//!
//! Guessing is hopeless whatever stands here: with a million codes of 100 bits, a thousand guesses a second for a year
//! find one with a probability of 2⁻⁴⁵. The limits keep the machine free and make a flood visible.

use serde::Deserialize;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Clients remembered; beyond, those whose bucket is full again go, and if none is, new clients share one bucket.
pub const CLIENTS_MAX: usize = 65_536;

/// How much is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Questions that a client may ask at once.
    pub client_burst: u32,
    /// Questions that a client may ask in a minute after that.
    pub client_per_minute: u32,
    /// Wrong codes of everybody at once.
    pub wrong_burst: u32,
    /// Wrong codes of everybody in a minute after that.
    pub wrong_per_minute: u32,
}

impl Default for Rates {
    fn default() -> Rates {
        Rates { client_burst: 20, client_per_minute: 6, wrong_burst: 600, wrong_per_minute: 300 }
    }
}

/// A client as far as it is told apart: an IPv4 address, or the first 64 bits of an IPv6 one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client(IpAddr);

impl Client {
    /// The client behind an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Client {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() >> 64 << 64;
                Client(Ipv6Addr::from_bits(network).into())
            }
            short => Client(short),
        }
    }
}

/// The buckets.
#[derive(Debug)]
pub struct Limits {
    rates: Rates,
    clients: HashMap<Client, Bucket>,
    /// Of clients that found no place.
    others: Bucket,
    wrong: Bucket,
}

impl Limits {
    /// With every bucket full.
    #[must_use]
    pub fn new(rates: Rates) -> Limits {
        let (others, wrong) = (Bucket::full(rates.client_burst), Bucket::full(rates.wrong_burst));
        Limits { rates, clients: HashMap::new(), others, wrong }
    }

    /// Whether the client may ask now. It costs the same whatever is asked, so a refusal says nothing about codes.
    pub fn may_ask(&mut self, client: Client, now: Duration) -> bool {
        let (burst, rate) = (self.rates.client_burst, per_second(self.rates.client_per_minute));
        if self.clients.len() >= CLIENTS_MAX && !self.clients.contains_key(&client) {
            self.clients.retain(|_, bucket| !bucket.is_full(burst, rate, now));
            if self.clients.len() >= CLIENTS_MAX {
                return self.others.take(burst, rate, now);
            }
        }
        self.clients.entry(client).or_insert_with(|| Bucket::full(burst)).take(burst, rate, now)
    }

    /// Whether so many wrong codes came that answers slow down, right and wrong ones alike: a flood of guesses keeps
    /// nobody from what concerns them, and the pace says nothing about a code.
    #[must_use]
    pub fn is_flooded(&self, now: Duration) -> bool {
        self.wrong.tokens_at(self.rates.wrong_burst, per_second(self.rates.wrong_per_minute), now) < 1.0
    }

    /// One more wrong code. True when it is the one with which the flood begins.
    pub fn count_wrong(&mut self, now: Duration) -> bool {
        let was_flooded = self.is_flooded(now);
        self.wrong.take(self.rates.wrong_burst, per_second(self.rates.wrong_per_minute), now);
        !was_flooded && self.is_flooded(now)
    }
}

fn per_second(per_minute: u32) -> f64 {
    f64::from(per_minute) / 60.0
}

/// Tokens that come back with time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    tokens: f64,
    at: Duration,
}

impl Bucket {
    pub(crate) fn full(burst: u32) -> Bucket {
        Bucket { tokens: f64::from(burst), at: Duration::ZERO }
    }

    pub(crate) fn take(&mut self, burst: u32, per_second: f64, now: Duration) -> bool {
        self.tokens = self.tokens_at(burst, per_second, now);
        self.at = now;
        let may = self.tokens >= 1.0;
        if may {
            self.tokens -= 1.0;
        }
        may
    }

    fn is_full(&self, burst: u32, per_second: f64, now: Duration) -> bool {
        self.tokens_at(burst, per_second, now) >= f64::from(burst)
    }

    fn tokens_at(&self, burst: u32, per_second: f64, now: Duration) -> f64 {
        let came = now.saturating_sub(self.at).as_secs_f64() * per_second;
        (self.tokens + came).min(f64::from(burst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates = Rates { client_burst: 3, client_per_minute: 6, wrong_burst: 2, wrong_per_minute: 60 };

    fn client(address: &str) -> Client {
        Client::of(address.parse().expect("an address"))
    }

    #[test]
    fn a_client_may_ask_a_few_times_and_then_at_its_pace() {
        let mut limits = Limits::new(RATES);
        let mut ask = |seconds| limits.may_ask(client("192.0.2.1"), Duration::from_secs(seconds));
        assert_eq!(
            [0, 0, 0, 0, 9, 10, 10, 600, 600, 600, 600].map(&mut ask).map(u8::from),
            [1, 1, 1, 0, 0, 1, 0, 1, 1, 1, 0]
        );
        assert!(limits.may_ask(client("192.0.2.2"), Duration::from_secs(600)), "another client has its own");
    }

    #[test]
    fn a_client_is_an_address_or_a_network_of_64_bits() {
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:1"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
    }

    #[test]
    fn wrong_codes_have_a_limit_together() {
        let mut limits = Limits::new(RATES);
        let mut begins = |seconds| limits.count_wrong(Duration::from_secs(seconds));
        assert_eq!([0, 0, 0, 1, 9].map(&mut begins), [false, true, false, true, false]);
        assert!(!limits.is_flooded(Duration::from_secs(9)));
    }

    #[test]
    fn beyond_the_table_new_clients_share_one_bucket() {
        let mut limits = Limits::new(RATES);
        for number in 0..CLIENTS_MAX as u32 {
            assert!(limits.may_ask(Client(std::net::Ipv4Addr::from(number).into()), Duration::ZERO));
        }
        let mut stranger = |number: u8| limits.may_ask(client(&format!("2001:db8:0:{number}::1")), Duration::ZERO);
        assert_eq!([1, 2, 3, 4].map(&mut stranger), [true, true, true, false]);
        assert!(limits.may_ask(client("2001:db8::1"), Duration::from_secs(60)), "full buckets made room");
        assert!(limits.clients.len() < 10);
    }
}
