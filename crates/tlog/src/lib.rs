//! A transparency log after C2SP: Merkle tree of RFC 6962 with SHA-256, tiles, signed checkpoints, proofs.
//!
//! Pure: no I/O, no clock, no sibling crate, so that an auditor links it alone. Tiles are kept by the caller, who
//! gives a function from a path to the tile's bytes. Read in this order: [`tree`] (growing a log and its tiles),
//! [`checkpoint`] (what is signed), [`proof`] (what a third party checks), [`path`] (where tiles lie).

pub mod checkpoint;
pub mod path;
pub mod proof;
pub mod tree;

pub use checkpoint::{Checkpoint, SigningKey, VerifyingKey};
pub use path::TilePath;
pub use tlog_tiles::{EMPTY_HASH, HASH_SIZE, Hash};
pub use tree::{ChangedTile, Tree};

/// The most bytes an entry can have: its length is a u16 in an entry bundle.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u64 = 256;

/// What could not be done with a log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An entry is longer than its u16 length can say.
    #[error("an entry has {bytes} bytes; at most {ENTRY_BYTES_MAX} are possible")]
    EntryTooLong {
        /// The entry's length.
        bytes: usize,
    },
    /// A tile cannot be read.
    #[error("cannot read the tile `{path}`")]
    ReadTile {
        /// Its path below the log's directory.
        path: String,
        /// Why.
        #[source]
        err: std::io::Error,
    },
    /// A tile has another length than the log's size demands.
    #[error("the tile `{path}` has {found} bytes instead of {expected}")]
    TileLength {
        /// Its path below the log's directory.
        path: String,
        /// Bytes that it must have.
        expected: u64,
        /// Bytes that it has.
        found: u64,
    },
    /// An entry bundle cannot be cut into entries.
    #[error("the entry bundle `{path}` is broken at byte {offset}")]
    Bundle {
        /// Its path below the log's directory.
        path: String,
        /// Where.
        offset: usize,
    },
    /// The key's text is not a signed-note key.
    #[error("malformed {which} key: {reason}")]
    Key {
        /// `signing` or `verifier`.
        which: &'static str,
        /// What is wrong, without the key's text.
        reason: String,
    },
    /// The checkpoint's text is malformed.
    #[error("malformed checkpoint")]
    MalformedCheckpoint,
    /// No signature on the checkpoint is by the expected key.
    #[error("the checkpoint's signature does not verify: {reason}")]
    Signature {
        /// What the note's reader said.
        reason: String,
    },
    /// The checkpoint is of another log.
    #[error("the checkpoint is of the log `{found}`, not of `{expected}`")]
    Origin {
        /// The key's name.
        expected: String,
        /// The checkpoint's first line.
        found: String,
    },
    /// The index or size does not lie in the log.
    #[error("{what} {asked} is beyond the log's size {size}")]
    Beyond {
        /// `entry` or `size`.
        what: &'static str,
        /// What was asked for.
        asked: u64,
        /// The log's size.
        size: u64,
    },
    /// The proof does not show what it should.
    #[error("the {which} proof does not verify")]
    Proof {
        /// `inclusion` or `consistency`.
        which: &'static str,
    },
}

/// The hash of an entry as a leaf (RFC 6962, section 2.1): SHA-256 of a zero byte and the entry.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    tlog_tiles::record_hash(entry)
}

#[cfg(test)]
mod tests;
