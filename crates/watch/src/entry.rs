//! What the watch's log is made of: an entry for each page added or dropped and for each check.
//!
//! The log is the state: everything the reports say is a fold of its entries and of the archived pages they name.

use crate::sekisho_log::LogFinding;
use crate::verdict::Verdict;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An entry: what happened to which page, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Always [`FORMAT`].
    pub format: String,
    /// When.
    pub at: Timestamp,
    /// The time was given by hand (`--at`): a test or demonstration, no evidence.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_time_given: bool,
    /// The watched address.
    pub url: String,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// The entries' format.
pub const FORMAT: &str = "sekisho-watch/1";

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The page is watched from now on, or what is known of it was changed.
    Added(About),
    /// The page is not watched any more. What was kept stays.
    Dropped,
    /// The page was looked at.
    Checked(Box<Check>),
}

/// What the operator said of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Whose page it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firm: Option<String>,
    /// The incident it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// The firm's own log, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<FirmLog>,
}

/// A firm's public log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirmLog {
    /// The address below which `log/checkpoint` and `documents/` lie; ends with a slash.
    pub base: String,
    /// The verifier's key, `name+id+base64`.
    pub key: String,
}

/// A look at a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The word for it.
    pub verdict: Verdict,
    /// The addresses asked, in order, each with the status of its answer.
    pub hops: Vec<Hop>,
    /// From the first request to the last byte.
    pub elapsed_ms: u64,
    /// SHA-256 of the main text, in hexadecimal, when there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_sha256: Option<String>,
    /// The page's title.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// For the next conditional request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// For the next conditional request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// The server said 304: nothing was sent again.
    #[serde(default)]
    pub not_modified: bool,
    /// What the firm's own log says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firm_log: Option<LogFinding>,
    /// Where the evidence lies; the last `response` is the page.
    pub records: Vec<RecordRef>,
}

impl Check {
    /// The page as it was answered last.
    #[must_use]
    pub fn page_record(&self) -> Option<&RecordRef> {
        self.records.iter().rfind(|record| record.kind == "response")
    }
}

/// One answer on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// The address asked.
    pub url: String,
    /// The status; 0 when no answer came.
    pub status: u16,
}

/// Where a record lies in the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordRef {
    /// `warcinfo`, `request`, `response` or `metadata`.
    pub kind: String,
    /// The file below `archive/`.
    pub file: String,
    /// Where its gzip member begins.
    pub offset: u64,
    /// The member's length.
    pub bytes: u64,
    /// SHA-256 of the record before compression, in hexadecimal.
    pub sha256: String,
}
