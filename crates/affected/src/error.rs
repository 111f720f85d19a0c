use std::net::SocketAddr;

/// What can go wrong here. Nothing in it names a person or a code.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key file holds something else.
    #[error("a key has 32 hexadecimal digits; restore it, or make new keys and new codes")]
    Key,
    /// The notice cannot be read.
    #[error("cannot read the notice: {0}")]
    Notice(String),
    /// The rows cannot be read.
    #[error("cannot read the rows: {0}")]
    Rows(String),
    /// The mailing's CSV cannot be written.
    #[error("cannot write the mailing's codes")]
    WriteCodes(#[source] csv::Error),
    /// The store cannot be written.
    #[error("cannot write the store")]
    WriteStore(#[source] std::io::Error),
    /// The store is broken, of another version, or of another key.
    #[error("cannot use the store: {0}")]
    Store(String),
    /// The configuration is wrong.
    #[error("cannot use the configuration: {0}")]
    Config(String),
    /// A page has become larger than every answer is.
    #[error("a page of the case `{case}` would have {bytes} bytes, and every answer has {max}; shorten the notice")]
    PageTooLarge {
        /// The case.
        case: String,
        /// Bytes of its largest page.
        bytes: usize,
        /// Bytes of every answer.
        max: usize,
    },
    /// The address cannot be served on.
    #[error("cannot serve on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
}
