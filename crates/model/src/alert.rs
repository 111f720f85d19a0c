//! An alert: what is not foreign by itself and too much all the same, with the numbers that explain it.

use crate::{AccountKey, SessionKey, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whose number is too high, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// An account was shown more subjects than its budget.
    Budget,
    /// An account was shown more subjects than its peers.
    Peers,
    /// An account is shown a little more each day.
    SlowDrip,
    /// One session was shown too many subjects.
    SessionSubjects,
    /// One client was shown too many subjects, over all its sessions.
    ClientSubjects,
    /// One client has too many sessions that belong to somebody.
    ClientSessions,
    /// One client's sessions belong to too many persons: log-ins with stolen passwords.
    ClientPersons,
    /// As [`AlertKind::ClientSubjects`], of a client's network.
    PrefixSubjects,
    /// As [`AlertKind::ClientSessions`], of a client's network.
    PrefixSessions,
    /// As [`AlertKind::ClientPersons`], of a client's network.
    PrefixPersons,
    /// A session and a token, or a session and what the upstream signed, name different persons.
    IdentitiesDisagree,
    /// The upstream says whose a session is where nobody logs in: a web shell can write headers too.
    BoundElsewhere,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    /// Once is too often.
    Nothing(&'static str),
    Subjects,
    Sessions,
    Persons,
}

impl AlertKind {
    /// Every kind.
    pub const ALL: [AlertKind; 12] = [
        AlertKind::Budget,
        AlertKind::Peers,
        AlertKind::SlowDrip,
        AlertKind::SessionSubjects,
        AlertKind::ClientSubjects,
        AlertKind::ClientSessions,
        AlertKind::ClientPersons,
        AlertKind::PrefixSubjects,
        AlertKind::PrefixSessions,
        AlertKind::PrefixPersons,
        AlertKind::IdentitiesDisagree,
        AlertKind::BoundElsewhere,
    ];

    /// Its name, as in the ledger's files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            AlertKind::Budget => "budget",
            AlertKind::Peers => "peers",
            AlertKind::SlowDrip => "slow_drip",
            AlertKind::SessionSubjects => "session_subjects",
            AlertKind::ClientSubjects => "client_subjects",
            AlertKind::ClientSessions => "client_sessions",
            AlertKind::ClientPersons => "client_persons",
            AlertKind::PrefixSubjects => "prefix_subjects",
            AlertKind::PrefixSessions => "prefix_sessions",
            AlertKind::PrefixPersons => "prefix_persons",
            AlertKind::IdentitiesDisagree => "identities_disagree",
            AlertKind::BoundElsewhere => "bound_elsewhere",
        }
    }

    /// Whether it is about the client's network, not the client alone.
    #[must_use]
    pub fn is_of_prefix(self) -> bool {
        matches!(self, AlertKind::PrefixSubjects | AlertKind::PrefixSessions | AlertKind::PrefixPersons)
    }

    fn counted(self) -> Counted {
        match self {
            AlertKind::IdentitiesDisagree => Counted::Nothing("a session and a token name different persons"),
            AlertKind::BoundElsewhere => Counted::Nothing("the upstream says whose a session is where nobody logs in"),
            AlertKind::ClientSessions | AlertKind::PrefixSessions => Counted::Sessions,
            AlertKind::ClientPersons | AlertKind::PrefixPersons => Counted::Persons,
            _ => Counted::Subjects,
        }
    }
}

/// A number that passed its limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// When it passed.
    pub at: Timestamp,
    /// Which number.
    pub kind: AlertKind,
    /// The client of the response that made it pass.
    pub client: IpAddr,
    /// Its session.
    pub session: Option<SessionKey>,
    /// The account, where it is about one.
    pub account: Option<AccountKey>,
    /// The route's name.
    pub route: String,
    /// Seconds of the window in which was counted.
    pub window_s: u32,
    /// The number.
    pub count: u64,
    /// What it may be.
    pub limit: u64,
    /// The 99.5 % quantile of the other accounts' hours of the same class, where there are enough of them.
    pub peers_quantile: Option<u64>,
    /// Distinct subjects that were read without a case within the last hour, where cases are known.
    pub without_case: Option<u64>,
}

impl Alert {
    /// The command that shows whose data it is about.
    #[must_use]
    pub fn next_step(&self) -> String {
        if let Some(account) = self.account {
            return format!("sekisho scope --account {account}");
        }
        match (self.kind, self.session) {
            (AlertKind::SessionSubjects | AlertKind::IdentitiesDisagree | AlertKind::BoundElsewhere, Some(session)) => {
                format!("sekisho scope --session {session}")
            }
            (kind, _) if kind.is_of_prefix() => {
                let (network, length) = network_of(self.client);
                format!("sekisho scope --client {network}/{length}")
            }
            _ => format!("sekisho scope --client {}", self.client),
        }
    }
}

impl fmt::Display for Alert {
    /// `214 distinct customers in 1 h; peers' 99.5 % = 38; 190 without a case`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, limit) = (self.count, self.limit);
        match self.kind.counted() {
            Counted::Nothing(text) => return f.write_str(text),
            Counted::Subjects => write!(f, "{count} distinct customers")?,
            Counted::Sessions => write!(f, "{count} distinct sessions")?,
            Counted::Persons => write!(f, "logged in as {count} distinct customers")?,
        }
        match self.window_s {
            days if days % 86_400 == 0 => write!(f, " in {} d", days / 86_400)?,
            hours if hours % 3_600 == 0 => write!(f, " in {} h", hours / 3_600)?,
            seconds => write!(f, " in {seconds} s")?,
        }
        if self.kind.is_of_prefix() {
            write!(f, " from one network")?;
        }
        match self.kind {
            AlertKind::Peers => {}
            AlertKind::SlowDrip => write!(f, "; more each day, its own level allows {limit}")?,
            _ => write!(f, "; limit = {limit}")?,
        }
        if let Some(quantile) = self.peers_quantile {
            write!(f, "; peers' 99.5 % = {quantile}")?;
        }
        if let Some(number) = self.without_case {
            write!(f, "; {number} without a case")?;
        }
        Ok(())
    }
}

/// The network of a client, for counting: /24 of IPv4, /48 of IPv6.
#[must_use]
pub fn network_of(client: IpAddr) -> (IpAddr, u8) {
    match client.to_canonical() {
        IpAddr::V4(address) => (Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8)).into(), 24),
        IpAddr::V6(address) => (Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 80)).into(), 48),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(kind: AlertKind) -> Alert {
        Alert {
            at: Timestamp(0),
            kind,
            client: "203.0.113.9".parse().unwrap(),
            session: Some(SessionKey([0xab; 16])),
            account: None,
            route: "/staff".into(),
            window_s: 3600,
            count: 214,
            limit: 57,
            peers_quantile: Some(38),
            without_case: Some(190),
        }
    }

    #[test]
    fn an_alert_explains_itself() {
        let text = "214 distinct customers in 1 h; peers' 99.5 % = 38; 190 without a case";
        assert_eq!(alert(AlertKind::Peers).to_string(), text);
        let budget =
            Alert { window_s: 30 * 86_400, peers_quantile: None, without_case: None, ..alert(AlertKind::Budget) };
        assert_eq!(budget.to_string(), "214 distinct customers in 30 d; limit = 57");
        let once = Alert { count: 1, limit: 0, window_s: 0, ..alert(AlertKind::IdentitiesDisagree) };
        assert_eq!(once.to_string(), "a session and a token name different persons");
        let persons = Alert { peers_quantile: None, without_case: None, ..alert(AlertKind::PrefixPersons) };
        assert_eq!(persons.to_string(), "logged in as 214 distinct customers in 1 h from one network; limit = 57");
    }

    #[test]
    fn an_alert_says_what_to_do_next() {
        let (session, account) = ("ab".repeat(16), "cd".repeat(16));
        assert_eq!(alert(AlertKind::SessionSubjects).next_step(), format!("sekisho scope --session {session}"));
        let of_account = Alert { account: Some(AccountKey([0xcd; 16])), ..alert(AlertKind::Budget) };
        assert_eq!(of_account.next_step(), format!("sekisho scope --account {account}"));
        assert_eq!(alert(AlertKind::ClientPersons).next_step(), "sekisho scope --client 203.0.113.9");
        assert_eq!(alert(AlertKind::PrefixPersons).next_step(), "sekisho scope --client 203.0.113.0/24");
    }

    #[test]
    fn networks_are_24_and_48_bits_long() {
        let network = |text: &str| network_of(text.parse().unwrap()).0.to_string();
        assert_eq!(network("203.0.113.200"), "203.0.113.0");
        assert_eq!(network("::ffff:203.0.113.200"), "203.0.113.0");
        assert_eq!(network("2001:db8:1:2::3"), "2001:db8:1::");
    }

    #[test]
    fn names_are_those_of_the_files() {
        for kind in AlertKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.name()));
        }
    }
}
