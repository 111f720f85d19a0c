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
    /// A checkpoint is none, or another key signed it.
    #[error(
        "`{path}` is no checkpoint that the ledger's key signed; where the key was changed on purpose, begin a new ledger, and remove the copy beside the old key"
    )]
    Checkpoint {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        err: sekisho_tlog::Error,
    },
    /// What was signed is gone.
    #[error(
        "nothing is signed in the ledger `{dir}`, though it holds {holds}: `log` or `state` was removed; put both back from a copy, or keep the directory as evidence and begin a ledger in another one"
    )]
    NothingSigned {
        /// The ledger's directory.
        dir: PathBuf,
        /// What it holds.
        holds: String,
    },
    /// The ledger is an earlier copy of itself.
    #[error(
        "the ledger `{dir}` was set back: {found} of its entries are signed, and `{copy}` says that {expected} were; put the newer ledger back, or, to begin a new one on purpose, remove that file"
    )]
    SetBack {
        /// The ledger's directory.
        dir: PathBuf,
        /// How many are signed.
        found: u64,
        /// The copy of what was signed last.
        copy: PathBuf,
        /// How many were.
        expected: u64,
    },
    /// The ledger is not the one whose signature was kept.
    #[error(
        "the ledger `{dir}` is another one than `{copy}` tells: its first {size} signed entries give another root; put the right one back, or, to begin a new one on purpose, remove that file"
    )]
    AnotherLog {
        /// The ledger's directory.
        dir: PathBuf,
        /// The copy of what was signed last.
        copy: PathBuf,
        /// How many entries it speaks of.
        size: u64,
    },
    /// Other questions are being recorded.
    #[error("another question was being recorded in the ledger `{dir}` for {waited:?}; ask again")]
    QuestionsLocked {
        /// The ledger's directory.
        dir: PathBuf,
        /// How long was waited.
        waited: std::time::Duration,
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

    pub(crate) fn log(dir: &Path, err: sekisho_tlog::Error) -> Error {
        Error::Log { dir: dir.to_path_buf(), err }
    }

    /// Whether a file was not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Error::Disk { err, .. } if err.kind() == io::ErrorKind::NotFound)
    }

    pub(crate) fn corrupt(file: &Path, offset: u64, what: impl Into<String>) -> Error {
        Error::Corrupt { file: file.to_path_buf(), offset, what: what.into() }
    }
}
