//! What can go wrong with a watch that is not a verdict.

use std::io;
use std::path::PathBuf;

/// Why something could not be done. A page that cannot be reached is no error: it is a verdict.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the state directory.
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
    /// The log in which the archive is anchored, or a key.
    #[error(transparent)]
    Log(#[from] sekisho_anchor::Error),
    /// Not an address that can be watched.
    #[error("`{url}` cannot be watched: {reason}")]
    Url {
        /// As it was given.
        url: String,
        /// Why.
        reason: String,
    },
    /// Not among the watched pages.
    #[error("`{url}` is not watched; `sekisho watch report` lists what is")]
    NotWatched {
        /// As it was given.
        url: String,
    },
    /// The machine gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
    /// A register entry.
    #[error("cannot use the register entry `{path}`: {reason}")]
    Entry {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A page of the register's site.
    #[error("cannot make the page `{path}`: {reason}")]
    Render {
        /// The page's file.
        path: PathBuf,
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
