//! What can go wrong with a ledger, save for a single record ([`crate::NotDurable`]).

use std::io;
use std::path::{Path, PathBuf};

/// Why a ledger cannot be opened, read, sealed or closed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk refused.
    #[error("cannot {what} `{path}`")]
    Disk {
        /// What was tried: `read`, `write`, `sync`.
        what: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// Another process writes this ledger.
    #[error("the ledger `{dir}` is locked: another process writes it; stop that one, or give another directory")]
    Locked {
        /// The ledger's directory.
        dir: PathBuf,
    },
    /// A file does not hold what it must.
    #[error("`{file}` is damaged at byte {offset}: {what}")]
    Corrupt {
        /// Which file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// An option is out of its range.
    #[error("the ledger's option `{option}` is {found}; it must be {expected}")]
    Option {
        /// Which.
        option: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// The Merkle log is broken or older than what was signed.
    #[error("the Merkle log of `{dir}` cannot be continued")]
    Log {
        /// The ledger's directory.
        dir: PathBuf,
        /// Why.
        #[source]
        err: sekisho_tlog::Error,
    },
    /// A Parquet file cannot be written or read.
    #[error("cannot use the segment file `{path}`")]
    Parquet {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        err: parquet::errors::ParquetError,
    },
    /// A record did not become durable.
    #[error("cannot record {what}")]
    NotDurable {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        err: crate::NotDurable,
    },
    /// No random bytes for a key.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
    /// Closing took too long: the disk hangs.
    #[error("the ledger did not close within {0:?}: the disk hangs")]
    CloseLate(std::time::Duration),
}

impl Error {
    pub(crate) fn disk(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_path_buf();
        move |err| Error::Disk { what, path, err }
    }

    /// Whether a file was not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Error::Disk { err, .. } if err.kind() == io::ErrorKind::NotFound)
    }

    pub(crate) fn corrupt(file: &Path, offset: u64, what: impl Into<String>) -> Error {
        Error::Corrupt { file: file.to_path_buf(), offset, what: what.into() }
    }
}
