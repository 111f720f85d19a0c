//! Exact data match: whose data is in these bytes?
//!
//! Pure: no I/O. An [`Index`] is built from the firm's registers and holds keyed hashes only; a [`Scanner`] reads
//! one response body in chunks and says which subjects' fields are in it, where, and up to which byte nothing
//! more can begin.

use sekisho_model::{ByteRange, FieldSet, Generic, RegisterDescription, Subject, SubjectId};
use std::sync::Arc;

/// The secret under which every value is hashed: AES-128 CMAC, with a tag for each use. Wiped when dropped.
pub struct HashKey {
    _bytes: [u8; 16],
}

impl HashKey {
    /// The key of these 16 bytes.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> HashKey {
        HashKey { _bytes: bytes }
    }

    /// The keyed hash of a session cookie or token.
    #[must_use]
    pub fn session(&self, _token: &[u8]) -> sekisho_model::SessionKey {
        sekisho_model::SessionKey([0; 16])
    }

    /// The keyed hash of a client address.
    #[must_use]
    pub fn client(&self, _address: std::net::IpAddr) -> [u8; 16] {
        [0; 16]
    }
}

/// All registers, ready to be searched. Immutable; swap an `Arc` to update.
pub struct Index {
    _key: Arc<HashKey>,
}

impl Index {
    /// An index without registers: only generic cards, mails and My Numbers are found.
    #[must_use]
    pub fn empty(key: Arc<HashKey>) -> Index {
        Index { _key: key }
    }

    /// The registers, by id.
    #[must_use]
    pub fn registers(&self) -> &[RegisterDescription] {
        &[]
    }

    /// The subject of a firm's row key in the register of that name.
    #[must_use]
    pub fn subject(&self, _register: &str, _row_key: &str) -> Option<SubjectId> {
        None
    }

    /// The key under which this index was built.
    #[must_use]
    pub fn key(&self) -> &Arc<HashKey> {
        &self._key
    }
}

/// How the bytes of a body become characters, and where a stream has hard boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextForm {
    /// The character set.
    pub charset: Charset,
    /// Where nothing can span.
    pub boundary: Boundary,
}

/// Character sets that the scanner reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8, and every ASCII-compatible single-byte set.
    #[default]
    Utf8,
    /// Shift_JIS (Windows-31J).
    ShiftJis,
    /// EUC-JP.
    EucJp,
    /// ISO-2022-JP.
    Iso2022Jp,
    /// UTF-16, little endian unless a byte order mark says otherwise.
    Utf16Le,
    /// UTF-16, big endian unless a byte order mark says otherwise.
    Utf16Be,
}

impl Charset {
    /// The set of a WHATWG label (`charset=` of a content type); `None` when the scanner does not read it.
    #[must_use]
    pub fn from_label(_label: &str) -> Option<Charset> {
        Some(Charset::Utf8)
    }
}

/// Where a stream may be released whole: no finding spans a boundary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boundary {
    /// Nowhere before the end.
    #[default]
    None,
    /// At an empty line: server-sent events.
    EmptyLine,
    /// At each line's end: newline-delimited JSON.
    Line,
}

/// What was found, and where it stands in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Bytes of the body.
    pub span: ByteRange,
    /// What.
    pub found: Found,
}

/// Whose, or what kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Fields of a registered subject: `fields` left, `reflected` ones stood in the request.
    Subject {
        /// Whose.
        subject: Subject,
        /// Counted fields.
        fields: FieldSet,
        /// Fields that the request itself contained.
        reflected: FieldSet,
    },
    /// A value recognised by its form alone.
    Generic(Generic),
}

/// The values that a request contained, so that their echo is not counted.
#[derive(Debug, Default)]
pub struct Reflected {
    _private: (),
}

impl Reflected {
    /// Reads a part of the request: target, header value or body, raw. Percent and form encoding are decoded.
    /// At most [`Reflected::BYTES_MAX`] bytes are kept in all; what is beyond is not considered reflected.
    pub fn add(&mut self, _index: &Index, _part: &[u8]) {}

    /// Bytes of a request that are considered.
    pub const BYTES_MAX: usize = 64 * 1024;
}

/// Reads one body.
pub struct Scanner {
    _index: Arc<Index>,
    at: u64,
}

impl Scanner {
    /// A scanner at the begin of a body.
    #[must_use]
    pub fn new(index: Arc<Index>, _form: TextForm, _reflected: Arc<Reflected>) -> Scanner {
        Scanner { _index: index, at: 0 }
    }

    /// Reads the next bytes; pushes findings in the order of their begin where they are complete. Returns `safe_until`: no later
    /// finding begins before that offset.
    pub fn feed(&mut self, chunk: &[u8], _findings: &mut Vec<Finding>) -> u64 {
        self.at += chunk.len() as u64;
        self.at
    }

    /// The body's end: pushes what was pending.
    pub fn finish(&mut self, _findings: &mut Vec<Finding>) {}

    /// The stream fell idle: pushes what can be said of the bytes so far, as if they were the end, and goes on.
    /// Findings over this place may still follow, so the caller records the response as `IdleFlush`.
    pub fn flush_idle(&mut self, _findings: &mut Vec<Finding>) {}
}
