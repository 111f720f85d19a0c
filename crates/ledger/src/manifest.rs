//! The MANIFEST: which segments are sealed, and how far into the WAL they reach. Readers start here.
//!
//! Text: a version line, one line of JSON, and a line with the SHA-256 of both. It is replaced as a whole.

use crate::Error;
use crate::durable::{read_file, replace_file};
use crate::wal::Head;
use sekisho_model::disk::Disk;
use sekisho_model::{SourceId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

const VERSION_LINE: &str = "sekisho-manifest 2\n";
const CHECKSUM_PREFIX: &str = "sha256 ";

/// What the MANIFEST says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Where the emergency log lies, when it is outside the ledger's directory.
    pub emergency_dir: Option<PathBuf>,
    /// The public key that checkpoints are signed with.
    pub verifier_key: String,
    /// Sealed segments; the position is the number less one.
    pub segments: Vec<Segment>,
}

/// A sealed segment: a run of one source's blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Its number, from 1.
    pub number: u64,
    /// Whose blocks.
    pub source: SourceId,
    /// The first block.
    pub block_first: u64,
    /// The last block.
    pub block_last: u64,
    /// The last block's hash, in hex: what the next block continues.
    pub block_last_hash: String,
    /// The position after the last record.
    pub position_next: u64,
    /// Records in it.
    pub records: u64,
    /// The highest sequence number seen so far, for numbering on.
    pub sequence_highest: u64,
    /// The next sequence number, where the segment ends as its writer did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence_next: Option<u64>,
    /// The earliest time in it.
    pub from: Timestamp,
    /// The latest time in it.
    pub to: Timestamp,
    /// Its files.
    pub files: Vec<SegmentFile>,
}

/// A file of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentFile {
    /// Below the ledger's directory.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 in hex.
    pub sha256: String,
}

impl Manifest {
    /// Where it lies.
    #[must_use]
    pub fn path(dir: &Path) -> PathBuf {
        dir.join("MANIFEST")
    }

    pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> Result<Manifest, Error> {
        let path = Manifest::path(dir);
        let bytes = read_file(disk, &path)?;
        Manifest::parse(&bytes).map_err(|(offset, what)| Error::corrupt(&path, offset, what))
    }

    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> Result<(), Error> {
        replace_file(disk, &Manifest::path(dir), &self.to_bytes())
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let json = serde_json::to_string(self).expect("a manifest is plain data");
        let text = format!("{VERSION_LINE}{json}\n");
        let checksum = hex::encode(Sha256::digest(&text));
        format!("{text}{CHECKSUM_PREFIX}{checksum}\n").into_bytes()
    }

    /// Reads the file's bytes; an error says where and what.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, (u64, String)> {
        let text = std::str::from_utf8(bytes).map_err(|err| (err.valid_up_to() as u64, "not UTF-8".to_owned()))?;
        let rest = text.strip_prefix(VERSION_LINE).ok_or((0, "no manifest of version 2".to_owned()))?;
        let json_end = VERSION_LINE.len() + rest.find('\n').ok_or((0, "the second line does not end".to_owned()))?;
        let checksum = hex::encode(Sha256::digest(&text[..=json_end]));
        if text[json_end + 1..] != format!("{CHECKSUM_PREFIX}{checksum}\n") {
            return Err((json_end as u64 + 1, "the checksum does not match".to_owned()));
        }
        serde_json::from_str(&text[VERSION_LINE.len()..json_end])
            .map_err(|err| ((VERSION_LINE.len() + err.column()) as u64, err.to_string()))
    }

    /// Where the sealed part of a source's chain ends.
    pub(crate) fn head(&self, source: SourceId) -> Option<Head> {
        let Some(last) = self.segments.iter().rev().find(|segment| segment.source == source) else {
            return Some(Head::START);
        };
        let hash = hex::decode(&last.block_last_hash).ok()?.try_into().ok()?;
        Some(Head { number: last.block_last, hash, position_next: last.position_next })
    }

    pub(crate) fn wal_dirs(&self, dir: &Path) -> Vec<PathBuf> {
        vec![dir.join("wal"), self.emergency_dir.clone().unwrap_or_else(|| dir.join("emergency"))]
    }
}

/// Parses arbitrary bytes: must not panic, and what parses must give the same bytes again.
pub fn fuzz_manifest(data: &[u8]) {
    if let Ok(manifest) = Manifest::parse(data) {
        assert_eq!(Manifest::parse(&manifest.to_bytes()), Ok(manifest));
    }
}
