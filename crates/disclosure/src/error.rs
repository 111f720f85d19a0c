//! What can go wrong with a public record.

use std::io;
use std::path::PathBuf;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file.
    #[error("cannot {what} `{path}`")]
    Disk {
        /// `read`, `write`, …
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// The public log, or its key.
    #[error(transparent)]
    Log(#[from] sekisho_anchor::Error),
    /// A file of the firm's or a draft that cannot be read.
    #[error("cannot read `{path}`: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why, and where.
        reason: String,
    },
    /// A notice that is not ready.
    #[error("the notice cannot be published:\n  {}", .0.join("\n  "))]
    NotReady(Vec<String>),
    /// A step that may not follow.
    #[error("{0}")]
    Refused(String),
    /// The record or a built site is not what was signed.
    #[error("the record is NOT whole: {0}")]
    NotWhole(String),
    /// A page.
    #[error("cannot make the page `{path}`: {reason}")]
    Render {
        /// The page.
        path: String,
        /// Why.
        reason: String,
    },
}

impl Error {
    /// For `map_err` after file operations.
    pub(crate) fn disk(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |err| Error::Disk { what, path, err }
    }
}
