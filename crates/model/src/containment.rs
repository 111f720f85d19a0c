//! Who is kept out for a time: a session, an account, or an address without a session.

use crate::{AccountKey, AlertKind, SessionKey, Timestamp, WithheldReason};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Who.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// One session, on whatever device.
    Session(SessionKey),
    /// All sessions of an account of staff or a partner.
    Account(AccountKey),
    /// Requests without a session from one address.
    Client(IpAddr),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Session(key) => write!(f, "session {key}"),
            Target::Account(key) => write!(f, "account {key}"),
            Target::Client(address) => write!(f, "client {address}"),
        }
    }
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainReason {
    /// A response held what its route's rules forbid.
    Rule(WithheldReason),
    /// A number was too high.
    Alert(AlertKind),
    /// An operator decided it.
    Operator,
}

/// Somebody is kept out from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contained {
    /// From when.
    pub at: Timestamp,
    /// Who.
    pub target: Target,
    /// Until when; `None` until released, which only an operator can decide.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: ContainReason,
    /// Who decided: `gateway`, or an operator's account name.
    pub by: String,
    /// The response that showed it.
    pub sequence: Option<u64>,
}

impl Contained {
    /// When it ends, in microseconds; the latest time for one without an end.
    #[must_use]
    pub fn ends_us(&self) -> i64 {
        self.until.map_or(i64::MAX, |until| until.0)
    }
}

/// Somebody is let in again before the time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// From when.
    pub at: Timestamp,
    /// Who.
    pub target: Target,
    /// Who decided.
    pub by: String,
}
