//! The MANIFEST: which segments are sealed, and how far into the WAL they reach. Readers start here.
//!
//! Text: a version line, one line of JSON, and a line with the SHA-256 of both. It is replaced as a whole.

use crate::Error;
use crate::durable::{read_file, replace_file};
use crate::wal::{Head, list_files};
use sekisho_model::disk::Disk;
use sekisho_model::{SourceId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

const VERSION_LINE: &str = "sekisho-manifest 3\n";
const CHECKSUM_PREFIX: &str = "sha256 ";

/// What the MANIFEST says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Where the emergency log lies, when it is outside the ledger's directory.
    pub emergency_dir: Option<PathBuf>,
    /// Where it lay before, for as long as a file of it is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emergency_dirs_before: Vec<PathBuf>,
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

impl Segment {
    /// The last block; `None` when its hash is none.
    pub(crate) fn head(&self) -> Option<Head> {
        let hash = hex::decode(&self.block_last_hash).ok()?.try_into().ok()?;
        Some(Head { number: self.block_last, hash, position_next: self.position_next })
    }
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
        let rest = text.strip_prefix(VERSION_LINE).ok_or((0, "no manifest of version 3".to_owned()))?;
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
        self.segments.iter().rev().find(|segment| segment.source == source).map_or(Some(Head::START), Segment::head)
    }

    /// Whether the segments are those that were signed: the same, or without the last one, which is signed first. Else what
    /// differs.
    pub(crate) fn compare(&self, signed: &[Segment]) -> Result<(), String> {
        for (number, segment) in (1..).zip(&self.segments) {
            match signed.get(number - 1) {
                None => return Err(format!("segment {number} has no signed entry in the log")),
                Some(entry) if entry != segment => return Err(format!("segment {number} is not as it was signed")),
                Some(_) => {}
            }
        }
        match signed.get(self.segments.len() + 1) {
            Some(_) => Err(format!("segment {} was signed and is not named", self.segments.len() + 1)),
            None => Ok(()),
        }
    }

    /// Where blocks may lie.
    pub(crate) fn wal_dirs(&self, dir: &Path) -> Vec<PathBuf> {
        let mut dirs = vec![dir.join("wal"), emergency_dir(self.emergency_dir.as_ref(), dir)];
        dirs.extend(self.emergency_dirs_before.iter().cloned());
        dirs
    }

    /// The emergency log is written elsewhere from now on. What was written before still lies where it lay: until it is sealed,
    /// the place is read too.
    pub(crate) fn move_emergency(&mut self, disk: &dyn Disk, dir: &Path, to: Option<&PathBuf>) -> Result<(), Error> {
        let (before, now) = (emergency_dir(self.emergency_dir.as_ref(), dir), emergency_dir(to, dir));
        self.emergency_dir = to.cloned();
        self.emergency_dirs_before.push(before);
        let mut kept = Vec::new();
        for place in std::mem::take(&mut self.emergency_dirs_before) {
            // A place elsewhere that is not there may be a device that is not mounted.
            let is_there = disk.exists(&place) || place.starts_with(dir);
            let is_emptied = is_there && list_files(disk, std::slice::from_ref(&place))?.is_empty();
            if place != now && !is_emptied && !kept.contains(&place) {
                kept.push(place);
            }
        }
        self.emergency_dirs_before = kept;
        Ok(())
    }
}

fn emergency_dir(configured: Option<&PathBuf>, dir: &Path) -> PathBuf {
    configured.cloned().unwrap_or_else(|| dir.join("emergency"))
}

/// Parses arbitrary bytes: must not panic, and what parses must give the same bytes again.
pub fn fuzz_manifest(data: &[u8]) {
    if let Ok(manifest) = Manifest::parse(data) {
        assert_eq!(Manifest::parse(&manifest.to_bytes()), Ok(manifest));
    }
}
