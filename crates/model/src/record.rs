//! What the ledger holds: one [`Record`] per fact, in the order in which it became known.
//!
//! A response is `Opened` when its first exposure is found, `Exposed` for each part that holds somebody's data,
//! and always `Closed`. A response without findings has its `Closed` only, which then carries the transaction.
//! So every sequence number that was given out has a `Closed`, and a missing one is a visible gap (LED-4).
//! No record holds a value in clear (PRV-1), save the client's address, which has its own retention.

use crate::{Alert, Contained, FieldSet, RegisterDescription, Released, Subject, Timestamp, ValueHash};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A gateway that writes a ledger: the same number in every record of one writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceId(pub u32);

/// A response: its source and the number the source gave to it. Numbers begin at 1 and never repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResponseId {
    /// Who numbered it.
    pub source: SourceId,
    /// Its number.
    pub sequence: u64,
}

/// A session, as the keyed hash of its cookie or token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionKey(pub [u8; 16]);

impl std::fmt::Display for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// An account of the firm's staff or of a partner, as the keyed hash of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountKey(pub [u8; 16]);

impl std::fmt::Display for AccountKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A request and the head of its answer: who asked, where, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// When the request's head was complete.
    pub at: Timestamp,
    /// The client's address, after trusted proxies were taken into account.
    pub client: IpAddr,
    /// Keyed hash of the address: stays when the address itself is erased.
    pub client_key: [u8; 16],
    /// The session, when the request carried one.
    pub session: Option<SessionKey>,
    /// The route's name: from the configuration, or the path's shape. Never a raw path.
    pub route: String,
    /// The method, `GET`; unknown ones as `OTHER`.
    pub method: String,
    /// The status sent to the client.
    pub status: u16,
}

/// Bytes of a response body, after transfer and content decoding, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ByteRange {
    /// The first byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

impl ByteRange {
    /// Whether there is no byte in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start >= self.end
    }
}

/// One subject's fields in one part of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposure {
    /// Whose.
    pub subject: Subject,
    /// Which fields left. Reflected ones are not in here.
    pub fields: FieldSet,
    /// Which fields were there because the request itself contained the value.
    pub reflected: FieldSet,
}

/// What is recognised by its form, without a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GenericKind {
    /// A mail address that no register lists.
    Email,
    /// A card number with a valid check digit that no register lists.
    Pan,
    /// An individual number (マイナンバー), by label and check digit.
    MyNumber,
}

/// A value recognised by its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Generic {
    /// What it is.
    pub kind: GenericKind,
    /// Keyed hash, to count distinct values. Always `None` for a My Number: its keyed hash is the number in law.
    pub value: Option<[u8; 8]>,
    /// Whether the request itself contained it.
    pub reflected: bool,
}

/// The first exposure of a response was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The response.
    pub sequence: u64,
    /// The request and response head.
    pub transaction: Transaction,
}

/// A part of a response holds these; durable before the part is released (LED-1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposed {
    /// The response.
    pub sequence: u64,
    /// When the finding was made.
    pub at: Timestamp,
    /// The span of the body from the first finding's begin to the last one's end.
    pub span: ByteRange,
    /// Registered subjects, each once.
    pub exposures: Vec<Exposure>,
    /// Unregistered values.
    pub generic: Vec<Generic>,
}

/// Why a response could not be inspected, or not all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Uninspectable {
    /// Images, video, fonts and other types without text.
    ContentType,
    /// ZIP, PDF, office documents: containers that are not opened.
    Container,
    /// A content encoding that the gateway does not decode.
    ContentEncoding,
    /// The content encoding was broken.
    DecodeFailed,
    /// Decoding passed its bound.
    DecodeLimit,
    /// A character set that the scanner does not read.
    Charset,
    /// The connection became a WebSocket or another protocol.
    Upgraded,
    /// An unsolicited 206 or multipart/byteranges.
    Partial,
    /// The stream fell idle and held bytes were released unfinished.
    IdleFlush,
    /// The ledger could not be written; the response passed on a `continuity` route.
    LedgerUnavailable,
    /// The route is configured not to be inspected.
    RouteExcluded,
}

/// How far a response was inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inspection {
    /// All that was released was scanned.
    Inspected,
    /// No body: HEAD, 204, 304, an empty body. Its headers were scanned.
    WithoutBody,
    /// Not, or not wholly.
    NotInspectable(Uninspectable),
}

/// What was done with a response. The word is released, never delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Its bytes were released as they came.
    Released,
    /// Values were replaced before release.
    Masked,
    /// It was stopped by policy.
    Blocked,
    /// It was refused: the ledger could not record it (GW-1), or a limit was reached.
    Refused,
    /// The upstream failed or ended early.
    UpstreamFailed,
    /// The client went away before the end.
    ClientGone,
}

/// A response has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// The response.
    pub sequence: u64,
    /// When it ended.
    pub at: Timestamp,
    /// The request and response head, when no `Opened` came before.
    pub transaction: Option<Transaction>,
    /// How far it was inspected.
    pub inspection: Inspection,
    /// What was done.
    pub disposition: Disposition,
    /// Body bytes released to the client, before compression by the gateway.
    pub body_bytes_released: u64,
}

/// Counts since the previous heartbeat of the same source, every minute (LED-4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// When.
    pub at: Timestamp,
    /// The next sequence number that will be given out.
    pub sequence_next: u64,
    /// Responses inspected.
    pub inspected: u64,
    /// Responses without a body.
    pub without_body: u64,
    /// Responses not inspectable, by reason.
    pub not_inspectable: Vec<(Uninspectable, u64)>,
    /// Body bytes scanned.
    pub bytes_scanned: u64,
    /// Records that could not be written since the last one that could.
    pub records_lost: u64,
    /// Whether the writer ended with it, as it should: numbers from `sequence_next` on were given to nobody.
    pub is_last: bool,
}

/// A writer started; sequences go on from `sequence_first`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// When.
    pub at: Timestamp,
    /// The first sequence number that this run gives out.
    pub sequence_first: u64,
    /// The software's version.
    pub version: String,
}

/// The registers that the scanner uses from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registers {
    /// When they were swapped in.
    pub at: Timestamp,
    /// Each register.
    pub registers: Vec<RegisterDescription>,
}

/// Why a session's extraction cannot be bounded by its responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuspectReason {
    /// Many requests that differ only in a parameter which reads like a query's condition: blind injection.
    BlindInjection,
}

/// A session (or a client without one) whose pattern cannot be bounded by what its responses held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// When the pattern was complete.
    pub at: Timestamp,
    /// When its first request came.
    pub first: Timestamp,
    /// The client.
    pub client: IpAddr,
    /// The session, when there was one.
    pub session: Option<SessionKey>,
    /// The route's name.
    pub route: String,
    /// Requests that showed the pattern so far.
    pub requests: u64,
    /// Which pattern.
    pub reason: SuspectReason,
}

/// What the route's policy forbids in a part of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithheldReason {
    /// The session belongs to somebody else.
    ForeignSubject,
    /// The session belongs to nobody yet, or there is none.
    NoSubject,
    /// Nobody's data may leave on this route.
    PublicRoute,
    /// A planted customer whom no legitimate response holds.
    Canary,
    /// A payment card number.
    Card,
    /// An individual number (マイナンバー).
    MyNumber,
    /// A password hash, token or other stored secret.
    Secret,
    /// More distinct subjects within a minute than the route allows one session.
    Crowd,
}

/// What became of a part that the policy forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithheldOutcome {
    /// The response ended before it.
    Ended,
    /// Its values were replaced.
    Masked,
    /// It was released: the route records only, or its ramp does not reach this session. What it held is an exposure.
    Passed,
}

/// The route's policy forbids what a part of a response holds. What was ended or masked did not leave, and is no
/// exposure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// The response.
    pub sequence: u64,
    /// When the finding was made.
    pub at: Timestamp,
    /// The request and response head.
    pub transaction: Transaction,
    /// The subjects that the policy forbids, each once.
    pub exposures: Vec<Exposure>,
    /// Unregistered values that it forbids.
    pub generic: Vec<Generic>,
    /// The first reason, in the order of the policy's rules.
    pub reason: WithheldReason,
    /// What became of it.
    pub outcome: WithheldOutcome,
}

/// Whose a session is from now on; nobody's and no account's after a log-out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// When.
    pub at: Timestamp,
    /// The session.
    pub session: SessionKey,
    /// The persons whom it belongs to.
    pub subjects: Vec<Subject>,
    /// The value that named them, where that is how they were named.
    pub by: Option<ValueHash>,
    /// The account of staff or a partner that it belongs to.
    pub account: Option<AccountKey>,
}

/// A question asked of the ledger (LED-5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// When.
    pub at: Timestamp,
    /// Who asked: the operator's account name.
    pub operator: String,
    /// The question, as the command line's arguments.
    pub question: String,
    /// Persons in the answer.
    pub persons: u64,
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A writer started.
    Started(Started),
    /// The registers in use.
    Registers(Registers),
    /// A response's first exposure.
    Opened(Opened),
    /// A part of a response with findings.
    Exposed(Exposed),
    /// A response ended.
    Closed(Closed),
    /// The minute's counts.
    Heartbeat(Heartbeat),
    /// Not boundable by responses.
    Suspect(Suspect),
    /// A question was asked.
    Query(Query),
    /// The policy forbids a part of a response.
    Withheld(Withheld),
    /// Whose a session is.
    Bound(Bound),
    /// A number passed its limit.
    Alert(Alert),
    /// Somebody is kept out.
    Contained(Contained),
    /// Somebody is let in again.
    Released(Released),
}
