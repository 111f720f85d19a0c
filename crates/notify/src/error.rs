//! What can go wrong, each with its remedy.

use std::io;
use std::path::PathBuf;

/// Why a notice could not be planned, written, approved or sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// The journal could not be written; nothing more is sent.
    #[error(
        "cannot write the journal `{path}`; nothing more was sent, run `sekisho notify send` again when it is mended"
    )]
    Journal {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// Another process has the journal.
    #[error("the journal `{0}` is in use: another `sekisho notify` of this case is running; wait for it")]
    InUse(PathBuf),
    /// A line of the journal is not what was written.
    #[error("the journal is NOT whole: line {line} of `{path}` {what}; restore the file from a copy")]
    NotWhole {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// An event that the state before it does not allow.
    #[error("line {line} of the journal: {what}")]
    Transition {
        /// Which line, from 1.
        line: u64,
        /// What is not possible.
        what: String,
    },
    /// The configuration.
    #[error("cannot use `{path}`: {what}")]
    Config {
        /// Which file.
        path: PathBuf,
        /// All that is wrong, one a line.
        what: String,
    },
    /// Templates, all at once.
    #[error("the templates cannot be used, no mail was sent:\n  {}", .0.join("\n  "))]
    Templates(Vec<String>),
    /// A register file or scope, all at once.
    #[error("cannot use `{path}`: {what}")]
    Table {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A key that cannot sign.
    #[error("cannot sign with the DKIM key `{path}`: {what}")]
    DkimKey {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The relay cannot be used.
    #[error("cannot use the relay {relay}: {what}; nothing is lost, run `sekisho notify send` again when it is mended")]
    Relay {
        /// Which.
        relay: String,
        /// Why.
        what: String,
    },
    /// A mail could not be written.
    #[error("cannot write a mail: {0}")]
    Compose(String),
    /// What an operator asked for is not possible.
    #[error("{0}")]
    Refused(String),
}
