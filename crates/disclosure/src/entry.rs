//! One step of the record: a leaf of the public log, as JSON. A published text is not in it, only the hash of its document,
//! which holds a random salt: so that a text that a court takes away cannot be guessed from what stays.

use crate::notice::{Notice, Text};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What the leaves call themselves.
pub const FORMAT: &str = "sekisho-disclosure-entry/1";
/// What the documents call themselves.
pub const DOCUMENT_FORMAT: &str = "sekisho-notice/1";

/// A leaf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// [`FORMAT`].
    pub format: String,
    /// When it was recorded.
    pub at: Timestamp,
    /// The incident, by the name that the firm gives it in public.
    pub incident: String,
    /// What.
    pub step: Step,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Nothing is said yet, and why, and until when at the latest. It becomes public with the first version.
    Embargo {
        /// Why.
        reason: Text,
        /// Until when.
        until: Timestamp,
    },
    /// The first version.
    Published {
        /// Its document.
        document: DocumentRef,
    },
    /// Another version in its place; the ones before stay.
    Updated {
        /// Its document.
        document: DocumentRef,
        /// What changed, in words.
        changed: Text,
    },
    /// The firm takes it back. The versions stay, below this statement.
    Withdrawn {
        /// Who asked for it.
        requester: Text,
        /// Why.
        reason: Text,
    },
    /// A part of a version is not shown any more. The hash of the version stays.
    Redacted {
        /// The version, from 1.
        version: u32,
        /// The part's name.
        part: String,
        /// On what ground.
        ground: Ground,
        /// The order's number, or what was weighed.
        reference: Text,
        /// The document that is shown instead.
        document: DocumentRef,
    },
    /// How a service is.
    Status {
        /// The service.
        service: Text,
        /// How it is.
        state: Service,
        /// In words.
        text: Text,
        /// Since when.
        since: Timestamp,
    },
}

/// Why a part is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    /// A court's order.
    CourtOrder,
    /// It would tell of a person.
    Privacy,
}

/// How a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// It does not answer.
    Down,
    /// It answers slowly, or in part.
    Degraded,
    /// It answers again; the cause is being looked into.
    Recovered,
    /// It is as it should be.
    Operational,
}

/// A document, by its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentRef {
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// A published text: these bytes are what is hashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// [`DOCUMENT_FORMAT`].
    pub format: String,
    /// 16 random bytes, in hexadecimal.
    pub salt: String,
    /// The text.
    pub notice: Notice,
}

impl Entry {
    /// A step that is recorded now.
    #[must_use]
    pub fn new(at: Timestamp, incident: &str, step: Step) -> Entry {
        Entry { format: FORMAT.to_owned(), at, incident: incident.to_owned(), step }
    }

    /// The documents that it names.
    #[must_use]
    pub fn document(&self) -> Option<&DocumentRef> {
        match &self.step {
            Step::Published { document } | Step::Updated { document, .. } | Step::Redacted { document, .. } => {
                Some(document)
            }
            Step::Embargo { .. } | Step::Withdrawn { .. } | Step::Status { .. } => None,
        }
    }
}

impl Document {
    /// A document with this salt, and its bytes.
    #[must_use]
    pub fn seal(notice: Notice, salt: [u8; 16]) -> (DocumentRef, Vec<u8>) {
        let document = Document { format: DOCUMENT_FORMAT.to_owned(), salt: hex::encode(salt), notice };
        let bytes = serde_json::to_vec_pretty(&document).expect("texts and numbers are JSON");
        (DocumentRef::of(&bytes), bytes)
    }
}

impl DocumentRef {
    /// That of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> DocumentRef {
        DocumentRef { sha256: hex::encode(Sha256::digest(bytes)) }
    }
}
