//! Whether a request names an open case. Which cases are open is the firm's own knowledge: a file with one id a line, read
//! again when it changes.

use super::Case;
use http::request;
use sekisho_model::Timestamp;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// Where a route's requests name their case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseSource {
    /// In this header.
    Header(http::HeaderName),
    /// In this parameter of the query.
    Query(String),
    /// In the path segment after this prefix.
    Path(String),
}

/// Bytes of the file that are read; a longer file is not read at all.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How often it is looked whether the file has changed.
const LOOK_EVERY_US: i64 = 1_000_000;

impl CaseSource {
    /// The case that a request names; none when it is named twice.
    #[must_use]
    pub fn id(&self, head: &request::Parts) -> Option<String> {
        let id = match self {
            CaseSource::Header(name) => {
                let mut values = head.headers.get_all(name).iter();
                let first = values.next()?.to_str().ok()?.trim().to_owned();
                values.next().is_none().then_some(first)
            }
            CaseSource::Query(name) => {
                let pairs = form_urlencoded::parse(head.uri.query().unwrap_or("").as_bytes());
                let mut values = pairs.filter(|(field, _)| field == name).map(|(_, value)| value.trim().to_owned());
                let first = values.next()?;
                values.next().is_none().then_some(first)
            }
            CaseSource::Path(prefix) => {
                let rest = head.uri.path().strip_prefix(prefix.trim_end_matches('/'))?.strip_prefix('/')?;
                rest.split('/').next().map(str::to_owned)
            }
        };
        id.filter(|id| !id.is_empty())
    }
}

/// The firm's list of open cases.
#[derive(Debug)]
pub struct OpenCases {
    file: PathBuf,
    read: Mutex<Read>,
}

#[derive(Debug, Default)]
struct Read {
    looked: Option<Timestamp>,
    /// When the file that was read was changed last, and its length.
    version: Option<(SystemTime, u64)>,
    /// `None` until the file could be read once.
    ids: Option<HashSet<String>>,
}

impl OpenCases {
    /// A list in this file; nothing is read yet.
    #[must_use]
    pub fn new(file: PathBuf) -> OpenCases {
        OpenCases { file, read: Mutex::default() }
    }

    /// What a case id is worth now. While the file cannot be read its last content stays; if it never could, every id
    /// counts.
    #[must_use]
    pub fn judge(&self, id: &str, now: Timestamp) -> Case {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.looked.is_none_or(|looked| now.0 - looked.0 >= LOOK_EVERY_US || now < looked) {
            read.looked = Some(now);
            read.again(&self.file);
        }
        match read.ids.as_ref().is_none_or(|ids| ids.contains(id)) {
            true => Case::Open,
            false => Case::Missing,
        }
    }
}

impl Read {
    fn again(&mut self, file: &Path) {
        let version = std::fs::metadata(file).and_then(|found| Ok((found.modified()?, found.len())));
        let version = match version {
            Ok(version) if Some(version) == self.version => return,
            Ok(version) if version.1 <= FILE_BYTES_MAX => version,
            Ok(_) => return tracing::warn!("the list of open cases is too long and was not read"),
            Err(err) => return tracing::warn!(error = %err, "the list of open cases cannot be read"),
        };
        match std::fs::read_to_string(file) {
            Ok(text) => {
                let ids = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned);
                (self.ids, self.version) = (Some(ids.collect()), Some(version));
            }
            Err(err) => tracing::warn!(error = %err, "the list of open cases cannot be read"),
        }
    }
}
