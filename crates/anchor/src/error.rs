//! Why a log cannot be used.

use std::io;
use std::path::PathBuf;

/// Why a log cannot be used.
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
    /// What is there is no log.
    #[error("cannot use the log in `{dir}`")]
    Log {
        /// The directory.
        dir: PathBuf,
        /// Why.
        #[source]
        err: sekisho_tlog::Error,
    },
    /// It is not what was signed.
    #[error("the log in `{dir}` is NOT whole: {reason}")]
    NotWhole {
        /// The directory.
        dir: PathBuf,
        /// What is missing or different.
        reason: String,
    },
    /// A key that others may read, or that is missing.
    #[error("cannot use the key `{path}`: {reason}")]
    Key {
        /// The key's file.
        path: PathBuf,
        /// What is wrong, and the remedy.
        reason: String,
    },
    /// The machine gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}

impl Error {
    /// For `map_err` after file operations.
    pub(crate) fn disk(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |err| Error::Disk { what, path, err }
    }
}
