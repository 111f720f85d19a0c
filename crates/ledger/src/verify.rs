//! Offline verification: does every byte of a ledger directory agree with every other, and with the signature?
//!
//! What is checked: the MANIFEST's checksum; the checkpoint's signature; every tile against the entries; each segment of the
//! MANIFEST against its entry; each WAL block's checksum, number and chain over all files; zeros behind the last block;
//! each entry against the blocks and segments; each segment file's hash; the published checkpoint against
//! `state/last-signed`; and both against a checkpoint that an auditor kept ([`Given::since`]). Files that do not
//! belong to a ledger are a difference too, save for the locks and leftovers ending in `.tmp`. So a block is missed unless a
//! signed segment took its place, and a ledger that tells anything has a signature.
//!
//! What it cannot show: blocks written after the last checkpoint have no signature yet ([`Report::unsigned`],
//! [`Report::questions_unsigned`]); a torn block at the end of a log whose writer was cut off is no difference but
//! [`Report::torn`]; and without a checkpoint kept elsewhere an earlier copy of the whole ledger is as good as the last.
//! Read `signed` for the Merkle log.

mod signed;

use crate::durable::{TEMPORARY, files_below, read_file};
use crate::entry::Entry;
use crate::log::last_signed_path;
use crate::manifest::{Manifest, Segment};
use crate::recover::{TornTail, sealed_head, tells_something};
use crate::wal::{Head, Tail, WalFile, chain, list_files};
use crate::{Error, QUERY_SOURCE};
use sekisho_model::SourceId;
use sekisho_model::disk::Disk;
use sekisho_tlog::VerifyingKey;
use sha2::{Digest as _, Sha256};
use signed::Signed;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What was verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries that the checkpoint commits to; 0 when nothing was signed yet.
    pub entries: u64,
    /// Blocks in the log.
    pub blocks: u64,
    /// Blocks that no signed entry commits to yet, without questions.
    pub unsigned: u64,
    /// Questions that the command line recorded and no signed entry commits to yet: the writer signs them with its next
    /// signature, or when it starts.
    pub questions_unsigned: u64,
    /// Sealed segments.
    pub segments: u64,
    /// Torn ends of a writer that runs or was cut off.
    pub torn: Vec<TornTail>,
    /// Whether a key was given from outside. Without one the ledger's own is used: that shows damage, but not
    /// that somebody rewrote and signed everything anew.
    pub key_given: bool,
}

/// The first difference that was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{file}`{place}: expected {expected}, found {found}", file = .file.display())]
pub struct Difference {
    /// In which file.
    pub file: PathBuf,
    /// Where in it.
    pub place: Place,
    /// What should be there.
    pub expected: String,
    /// What is.
    pub found: String,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    Whole,
    /// A byte.
    Byte(u64),
    /// An entry of the Merkle log.
    Entry(u64),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Whole => Ok(()),
            Place::Byte(byte) => write!(f, ", byte {byte}"),
            Place::Entry(entry) => write!(f, ", entry {entry}"),
        }
    }
}

type Verified<T> = Result<T, Difference>;

/// What is known of a ledger from outside.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// The public key, from where the operator keeps it.
    pub key: Option<&'a VerifyingKey>,
    /// A checkpoint that was published before and kept, with the name of its file: the ledger must go on from it.
    pub since: Option<(&'a Path, &'a [u8])>,
}

/// How often it is begun again. Files are read one after another while a writer may write, sign and seal; so a difference is
/// one when it is seen twice.
const TRIES_MAX: usize = 8;

/// Verifies a ledger directory. `key` is the public key, from where the operator keeps it.
pub fn verify(disk: &dyn Disk, dir: &Path, key: Option<&VerifyingKey>) -> Result<Report, Difference> {
    verify_given(disk, dir, &Given { key, since: None })
}

/// Verifies a ledger directory against what is known from outside; a writer may run meanwhile.
pub fn verify_given(disk: &dyn Disk, dir: &Path, given: &Given<'_>) -> Result<Report, Difference> {
    let mut outcome = verify_once(disk, dir, given);
    for _ in 1..TRIES_MAX {
        let Err(difference) = &outcome else { break };
        let again = verify_once(disk, dir, given);
        let is_seen_twice = again.as_ref().err() == Some(difference);
        outcome = again;
        if is_seen_twice {
            break;
        }
    }
    outcome
}

fn verify_once(disk: &dyn Disk, dir: &Path, given: &Given<'_>) -> Result<Report, Difference> {
    let path = Manifest::path(dir);
    let manifest = Manifest::read(disk, dir).map_err(|err| from_error(&path, &err))?;
    // Listed first: what a writer makes from now on is not asked about.
    let listed = files_below(disk, dir);
    let mut verifier = Verifier { disk, dir, manifest, report: Report::default(), known: BTreeSet::new() };
    verifier.known.insert(path.clone());
    let signed = verifier.merkle_log(given)?;
    let segments = signed.segments();
    let compared = verifier.manifest.compare(&segments);
    compared.map_err(|what| different(&path, Place::Whole, "the segments that were signed", &what))?;
    let blocks = verifier.log_blocks(&signed)?;
    verifier.segments(&segments)?;
    verifier.entries(&signed, &blocks)?;
    verifier.strangers(&segments, listed)?;
    Ok(verifier.report)
}

struct Verifier<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    manifest: Manifest,
    report: Report,
    /// Files that belong to the ledger.
    known: BTreeSet<PathBuf>,
}

/// Hash and next position of each unsealed block, by source and number, and where it stands.
type Blocks = BTreeMap<(SourceId, u64), (Head, PathBuf, u64)>;

impl Verifier<'_> {
    fn log_blocks(&mut self, signed: &Signed) -> Verified<Blocks> {
        let dirs = self.manifest.wal_dirs(self.dir);
        let mut by_source: BTreeMap<SourceId, Vec<WalFile>> = BTreeMap::new();
        for (source, number, path) in list_files(self.disk, &dirs).map_err(|err| from_error(self.dir, &err))? {
            let file = match WalFile::read(self.disk, source, number, &path) {
                Ok(file) => file,
                // Its writer removed it since it was listed. Were it another's doing, blocks would be missed.
                Err(err) if err.is_not_found() => continue,
                Err(err) => return Err(from_error(&path, &err)),
            };
            if file.tail == Tail::Torn {
                let torn = TornTail { file: path.clone(), offset: file.end as u64, bytes: file.tail_bytes() };
                self.report.torn.push(torn);
            }
            self.known.insert(path);
            by_source.entry(source).or_default().push(file);
        }
        let mut blocks = Blocks::new();
        for (source, files) in &by_source {
            let sealed = sealed_head(&self.manifest, self.dir, *source).map_err(|err| from_error(self.dir, &err))?;
            let is_unsigned = *source != QUERY_SOURCE && !signed.has_source(*source);
            for placed in chain(files, sealed).map_err(|err| from_error(self.dir, &err))? {
                if placed.block.records().is_none() {
                    return Err(different(placed.file, Place::Byte(placed.offset), "records", "other bytes"));
                }
                if is_unsigned && tells_something(&placed) {
                    let expected = format!("a signed entry of source {}, whose log tells of responses", source.0);
                    let found = "none: nothing is signed";
                    return Err(different(&last_signed_path(self.dir), Place::Whole, &expected, found));
                }
                let number = placed.block.header.number;
                blocks.insert((*source, number), (Head::of(&placed.block), placed.file.to_path_buf(), placed.offset));
            }
        }
        self.report.blocks = blocks.len() as u64;
        Ok(blocks)
    }

    fn segments(&mut self, signed: &[Segment]) -> Verified<()> {
        for file in signed.iter().flat_map(|segment| &segment.files) {
            let path = self.dir.join(&file.path);
            let bytes = read_file(self.disk, &path).map_err(|err| from_error(&path, &err))?;
            let found = hex::encode(Sha256::digest(&bytes));
            if found != file.sha256 {
                return Err(different(&path, Place::Whole, &format!("SHA-256 {}", file.sha256), &found));
            }
            self.known.insert(path);
        }
        self.report.segments = signed.len() as u64;
        Ok(())
    }

    fn entries(&mut self, signed: &Signed, blocks: &Blocks) -> Verified<()> {
        // The last block of each source that an entry commits to, and the last of its runs.
        let mut heads: BTreeMap<SourceId, u64> = BTreeMap::new();
        let mut runs: BTreeMap<SourceId, u64> = BTreeMap::new();
        for (index, entry) in (0u64..).zip(&signed.entries) {
            let (source, head) = match entry {
                Entry::Blocks(entry) => {
                    let first = runs.insert(entry.source, entry.head.number).unwrap_or(0) + 1;
                    if entry.first != first {
                        let (expected, found) =
                            (format!("a run from block {first}"), format!("one from {}", entry.first));
                        let file = self.dir.join("log/tile/entries");
                        return Err(different(&file, Place::Entry(index), &expected, &found));
                    }
                    (entry.source, entry.head)
                }
                Entry::Segment(segment) => (segment.source, head_of(segment, self.dir)?),
            };
            self.committed(index, source, head, blocks)?;
            let last = heads.entry(source).or_default();
            *last = head.number.max(*last);
        }
        for (source, _) in blocks.keys().filter(|(source, number)| heads.get(source).is_none_or(|head| number > head)) {
            let count =
                if *source == QUERY_SOURCE { &mut self.report.questions_unsigned } else { &mut self.report.unsigned };
            *count += 1;
        }
        Ok(())
    }

    /// Whether the block that an entry commits to is there, or in a segment, which has its entry.
    fn committed(&self, index: u64, source: SourceId, head: Head, blocks: &Blocks) -> Verified<()> {
        let sealed = sealed_head(&self.manifest, self.dir, source).map_err(|err| from_error(self.dir, &err))?;
        let number = head.number;
        if number < sealed.number {
            return Ok(()); // The block is gone; the segment's entry commits to what it held.
        }
        let block = blocks.get(&(source, number));
        let there = if number == sealed.number { Some(sealed) } else { block.map(|(there, ..)| *there) };
        match there {
            Some(there) if there == head => Ok(()),
            Some(there) => {
                let (path, place) = block
                    .map_or((Manifest::path(self.dir), Place::Whole), |(_, path, at)| (path.clone(), Place::Byte(*at)));
                let expected = format!("block {number} with hash {}", hex::encode(head.hash));
                Err(different(&path, place, &expected, &hex::encode(there.hash)))
            }
            None => {
                let torn = self.report.torn.first();
                let (path, place) = torn
                    .map_or((self.dir.join("wal"), Place::Whole), |torn| (torn.file.clone(), Place::Byte(torn.offset)));
                let expected = format!("block {number} of source {}, which entry {index} commits to", source.0);
                Err(different(&path, place, &expected, "no sound block"))
            }
        }
    }

    /// A file that is none of the ledger's.
    fn strangers(&self, signed: &[Segment], listed: Vec<PathBuf>) -> Verified<()> {
        for path in listed {
            let is_lock = path.parent() == Some(self.dir)
                && path.file_name().is_some_and(|name| name == "LOCK" || name == "LOCK-queries");
            let is_leftover = path.extension().is_some_and(|extension| extension == TEMPORARY)
                || self.is_unfinished_segment(&path, signed.len());
            if !self.known.contains(&path) && !is_lock && !is_leftover && self.disk.exists(&path) {
                return Err(different(&path, Place::Whole, "no such file", "a file that is none of the ledger's"));
            }
        }
        Ok(())
    }

    /// Whether a seal that did not end, for a full disk or a crash, left this file: it has the next segment's number. The
    /// MANIFEST does not name it and nothing of it is signed, so no answer reads it, and the next seal writes it anew.
    fn is_unfinished_segment(&self, path: &Path, signed: usize) -> bool {
        let next = format!("{:06}.", signed + 1);
        let name = path.file_name().and_then(|name| name.to_str());
        path.starts_with(self.dir.join("segments")) && name.is_some_and(|name| name.starts_with(&next))
    }
}

/// The last block of a segment.
fn head_of(segment: &Segment, dir: &Path) -> Verified<Head> {
    let no_hash = || different(&Manifest::path(dir), Place::Whole, "a block's hash", "another text");
    segment.head().ok_or_else(no_hash)
}

fn first_difference(expected: &[u8], found: &[u8]) -> Option<u64> {
    if expected == found {
        return None;
    }
    let same = expected.iter().zip(found).take_while(|(a, b)| a == b).count();
    Some(same as u64)
}

fn different(file: &Path, place: Place, expected: &str, found: &str) -> Difference {
    Difference { file: file.to_path_buf(), place, expected: expected.to_owned(), found: found.to_owned() }
}

fn from_error(file: &Path, err: &Error) -> Difference {
    match err {
        Error::Corrupt { file, offset, what } => different(file, Place::Byte(*offset), "what the ledger wrote", what),
        Error::Disk { path, err, .. } => different(path, Place::Whole, "a file that can be read", &err.to_string()),
        Error::Log { err, .. } => different(file, Place::Whole, "a whole log", &err.to_string()),
        other => different(file, Place::Whole, "a ledger", &other.to_string()),
    }
}
