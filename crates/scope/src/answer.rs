//! The answer, and its JSON: a contract. Additions are allowed, changes are not.

use crate::Person;
use crate::persons::Persons;
use sekisho_model::{Alert, AlertKind, SubjectId, SuspectReason, Timestamp, Uninspectable};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// Whose data left in the scope that was asked about, and how far that can be said.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// Every register that was in force, with its persons.
    pub registers: Vec<RegisterAnswer>,
    /// Every field of every register, with what can be said of it.
    pub fields: Vec<FieldAnswer>,
    /// Values that no register lists.
    pub generic: GenericAnswer,
    /// Values that the same request had sent: echoed, and not counted above.
    pub reflected: Reflected,
    /// What the answer rests on.
    pub coverage: Coverage,
    /// The first exposure.
    #[serde(serialize_with = "rfc3339")]
    pub first: Option<Timestamp>,
    /// The last exposure.
    #[serde(serialize_with = "rfc3339")]
    pub last: Option<Timestamp>,
    /// Sessions whose extraction cannot be bounded by their responses.
    pub not_boundable: Vec<NotBoundable>,
    /// Numbers that were too high, in the order of time.
    pub alerts: Vec<AlertAnswer>,
    /// Planted customers in responses: incidents. They are no persons and are not counted above.
    pub canaries: Vec<CanaryAnswer>,
    /// Sessions that persons' fields went to, the most findings first; at most 1,000.
    pub sessions: Vec<SessionAnswer>,
    /// Findings of the sessions beyond those.
    #[serde(skip_serializing_if = "is_zero")]
    pub sessions_findings_more: u64,
    #[serde(skip)]
    pub(crate) persons: Vec<Persons>,
}

/// One register.
#[derive(Debug, Serialize)]
pub struct RegisterAnswer {
    /// Its name.
    pub name: String,
    /// Seconds from the build of its index to the question.
    pub age_s: u64,
    /// Persons with at least one field exposed.
    pub persons: u64,
    /// Persons by the exact combination of their fields, the most persons first.
    pub combinations: Vec<Combination>,
    /// Persons in the register.
    pub persons_registered: u64,
}

/// A session that persons' fields went to.
#[derive(Debug, Serialize)]
pub struct SessionAnswer {
    /// Its keyed hash, by which it is asked about.
    pub session: String,
    /// Findings: a person's fields in one part of a response.
    pub findings: u64,
    /// The first.
    #[serde(serialize_with = "rfc3339_always")]
    pub first: Timestamp,
    /// The last.
    #[serde(serialize_with = "rfc3339_always")]
    pub last: Timestamp,
}

/// Persons of whom exactly these fields left.
#[derive(Debug, Serialize)]
pub struct Combination {
    /// The columns' names.
    pub fields: Vec<String>,
    /// Persons.
    pub persons: u64,
}

/// What can be said of a field (SCO-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldState {
    /// It left, of at least one person.
    Exposed,
    /// A detector looked for it in every inspected response of the scope, and did not find it.
    NotObserved,
    /// That cannot be said; the reason stands beside it.
    NotExamined,
}

/// One field of one register.
#[derive(Debug, Serialize)]
pub struct FieldAnswer {
    /// The register.
    pub register: String,
    /// The column.
    pub field: String,
    /// What can be said.
    pub state: FieldState,
    /// Persons whose field left.
    pub persons: u64,
    /// Why it was not examined, or what limits the statement.
    pub reason: Option<String>,
}

/// Values recognised by their form, without a register.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct GenericAnswer {
    /// Distinct mail addresses.
    pub emails: u64,
    /// Distinct card numbers.
    pub cards: u64,
    /// My Numbers found; not distinct ones: even their keyed hash is the number in law.
    pub my_number_findings: u64,
}

/// What was only echoed.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reflected {
    /// Persons of whom at least one field was echoed.
    pub persons: u64,
    /// Findings of values without a register that were echoed.
    pub generic_findings: u64,
}

/// What the answer rests on (LED-4).
#[derive(Debug, Default, Serialize)]
pub struct Coverage {
    /// Responses in the scope.
    pub responses: u64,
    /// Those that were scanned whole.
    pub inspected: u64,
    /// Those without a body.
    pub without_body: u64,
    /// Those not inspected, or not wholly, by reason.
    pub not_inspectable: BTreeMap<Uninspectable, u64>,
    /// Sequence numbers that are missing in the period, over all clients and routes.
    pub gaps: Vec<Gap>,
    /// Gateways of which no end is recorded, as seen at the end of the period.
    pub open_ends: Vec<OpenEnd>,
    /// Records that the gateway could not write in the period.
    pub records_lost: u64,
    /// Responses that were ended by their route's policy; what was withheld did not leave and is not counted above.
    pub withheld: u64,
    /// Responses that held somebody's data and whose end is not recorded.
    pub opened_without_closed: u64,
}

/// Responses of which nothing is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The gateway.
    pub source: u32,
    /// The first missing number.
    pub first: u64,
    /// The last missing number.
    pub last: u64,
    /// Whether the gateway ended abruptly there: how many of these numbers were given out is not known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub abrupt_end: bool,
}

/// A gateway that had not ended as it should at the end of the period: what it released after its last sign is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OpenEnd {
    /// The gateway.
    pub source: u32,
    /// Its start or last heartbeat, of which there is one a minute.
    #[serde(serialize_with = "rfc3339_always")]
    pub last_sign: Timestamp,
    /// Whether it ended abruptly, for it was started again later; else it may run still.
    pub ended: bool,
}

/// A session, or a client without one, that may have learnt more than its responses held.
#[derive(Debug, Serialize)]
pub struct NotBoundable {
    /// The client's address.
    pub client: String,
    /// The session's keyed hash.
    pub session: Option<String>,
    /// The route.
    pub route: String,
    /// Requests that showed the pattern.
    pub requests: u64,
    /// The pattern.
    pub reason: SuspectReason,
    /// The first such request.
    #[serde(serialize_with = "rfc3339_always")]
    pub first: Timestamp,
    /// When the pattern was complete.
    #[serde(serialize_with = "rfc3339_always")]
    pub last: Timestamp,
}

/// A number that passed its limit.
#[derive(Debug, Serialize)]
pub struct AlertAnswer {
    /// When it passed.
    #[serde(serialize_with = "rfc3339_always")]
    pub at: Timestamp,
    /// Which number.
    pub kind: AlertKind,
    /// The client's address.
    pub client: String,
    /// The session's keyed hash.
    pub session: Option<String>,
    /// The account's keyed hash.
    pub account: Option<String>,
    /// The route.
    pub route: String,
    /// Seconds of the window in which was counted.
    pub window_s: u32,
    /// The number.
    pub count: u64,
    /// What it may be.
    pub limit: u64,
    /// The 99.5 % quantile of the account's peers.
    pub peers_quantile: Option<u64>,
    /// Distinct subjects that were read without a case within the last hour.
    pub without_case: Option<u64>,
    /// All of it in words.
    pub text: String,
    /// The command that shows whose data it is about.
    pub next_step: String,
}

impl From<&Alert> for AlertAnswer {
    fn from(alert: &Alert) -> AlertAnswer {
        AlertAnswer {
            at: alert.at,
            kind: alert.kind,
            client: alert.client.to_string(),
            session: alert.session.map(|session| session.to_string()),
            account: alert.account.map(|account| account.to_string()),
            route: alert.route.clone(),
            window_s: alert.window_s,
            count: alert.count,
            limit: alert.limit,
            peers_quantile: alert.peers_quantile,
            without_case: alert.without_case,
            text: alert.to_string(),
            next_step: alert.next_step(),
        }
    }
}

/// Planted customers that one session, or one client without a session, was shown on one route, or would have been.
#[derive(Debug, Serialize)]
pub struct CanaryAnswer {
    /// The client's address.
    pub client: String,
    /// The session's keyed hash.
    pub session: Option<String>,
    /// The route.
    pub route: String,
    /// Responses that held any.
    pub responses: u64,
    /// Those of which the policy ended or masked the part.
    pub withheld: u64,
    /// Distinct planted customers.
    pub customers: u64,
    /// The first such response.
    #[serde(serialize_with = "rfc3339_always")]
    pub first: Timestamp,
    /// The last one.
    #[serde(serialize_with = "rfc3339_always")]
    pub last: Timestamp,
}

impl Answer {
    /// Persons over all registers. A person in two registers counts in both: registers do not know each other.
    #[must_use]
    pub fn persons(&self) -> u64 {
        self.registers.iter().map(|register| register.persons).sum()
    }

    /// What left of one person; `None` when nothing did.
    #[must_use]
    pub fn person(&self, register: &str, id: SubjectId) -> Option<&Person> {
        let at = self.registers.iter().position(|known| known.name == register)?;
        self.persons.get(at)?.get(id).filter(|person| person.fields != 0)
    }

    /// The names of a register's fields in a person's set.
    #[must_use]
    pub fn field_names(&self, register: &str, fields: u64) -> Vec<&str> {
        let columns = self.fields.iter().filter(|field| field.register == register);
        columns.enumerate().filter(|(at, _)| fields & (1 << at) != 0).map(|(_, field)| field.field.as_str()).collect()
    }

    /// The contract's JSON, one object.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("an answer has string keys only and always serialises")
    }
}

/// A time as RFC 3339 in UTC.
#[must_use]
pub fn time_text(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0).map_or_else(|_| format!("{} µs", at.0), |at| at.to_string())
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn rfc3339<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    at.map(time_text).serialize(to)
}

fn rfc3339_always<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    time_text(*at).serialize(to)
}
