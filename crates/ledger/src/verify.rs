//! Offline verification: does every byte of a ledger directory agree with every other, and with the signature?
//!
//! What is checked: the MANIFEST's checksum; each WAL block's checksum, number and chain over all files; zeros
//! behind the last block; the checkpoint's signature; every tile against the entries; each entry against the
//! blocks and segments; each segment file's hash; `state/last-signed` against the checkpoint. Files that do not
//! belong to a ledger are a difference too, save for the locks and leftovers ending in `.tmp`.
//!
//! What it cannot show: blocks written after the last checkpoint have no signature yet ([`Report::unsigned`]);
//! and a torn block at the end of a log whose writer was cut off is no difference but [`Report::torn`].

use crate::Error;
use crate::durable::{TEMPORARY, files_below, read_file};
use crate::log::{BlocksEntry, Entry, checkpoint_path, last_signed_path, read_entries, segment_text};
use crate::manifest::Manifest;
use crate::recover::{TornTail, sealed_head};
use crate::wal::{Head, Tail, WalFile, chain, list_files};
use sekisho_model::SourceId;
use sekisho_model::disk::Disk;
use sekisho_tlog::{Checkpoint, TilePath, VerifyingKey, tree};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What was verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries that the checkpoint commits to; 0 when nothing was signed yet.
    pub entries: u64,
    /// Blocks in the log.
    pub blocks: u64,
    /// Blocks that no signed entry commits to yet.
    pub unsigned: u64,
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

/// Verifies a ledger directory. `verifier_key` is the public key's text, from where the operator keeps it.
pub fn verify(disk: &dyn Disk, dir: &Path, verifier_key: Option<&str>) -> Result<Report, Difference> {
    let path = Manifest::path(dir);
    let manifest = Manifest::read(disk, dir).map_err(|err| from_error(&path, &err))?;
    let mut verifier = Verifier { disk, dir, manifest, report: Report::default(), known: BTreeSet::new() };
    verifier.known.insert(path);
    let blocks = verifier.log_blocks()?;
    let entries = verifier.merkle_log(verifier_key)?;
    verifier.segments()?;
    verifier.entries(&entries, &blocks)?;
    verifier.strangers(dir)?;
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
    fn log_blocks(&mut self) -> Verified<Blocks> {
        let dirs = self.manifest.wal_dirs(self.dir);
        let mut by_source: BTreeMap<SourceId, Vec<WalFile>> = BTreeMap::new();
        for (source, number, path) in list_files(self.disk, &dirs).map_err(|err| from_error(self.dir, &err))? {
            let file = WalFile::read(self.disk, source, number, &path).map_err(|err| from_error(&path, &err))?;
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
            for placed in chain(files, sealed).map_err(|err| from_error(self.dir, &err))? {
                if placed.block.records().is_none() {
                    return Err(different(placed.file, Place::Byte(placed.offset), "records", "other bytes"));
                }
                let number = placed.block.header.number;
                blocks.insert((*source, number), (Head::of(&placed.block), placed.file.to_path_buf(), placed.offset));
            }
        }
        self.report.blocks = blocks.len() as u64;
        Ok(blocks)
    }

    /// Checks the signature and every tile; the entries are returned.
    fn merkle_log(&mut self, verifier_key: Option<&str>) -> Verified<Vec<Vec<u8>>> {
        let (published, last) = (checkpoint_path(self.dir), last_signed_path(self.dir));
        self.report.key_given = verifier_key.is_some();
        if !self.disk.exists(&last) && !self.disk.exists(&published) {
            return Ok(Vec::new());
        }
        let key = verifier_key.unwrap_or(&self.manifest.verifier_key);
        let key = VerifyingKey::parse(key)
            .map_err(|err| different(&Manifest::path(self.dir), Place::Whole, "a verifier key", &err.to_string()))?;
        let signed = self.signed_checkpoint(&last, &key)?;
        if self.disk.exists(&published) {
            let checkpoint = self.signed_checkpoint(&published, &key)?;
            // A crash between the two leaves the published one behind; never ahead, and never another tree.
            if checkpoint.size > signed.size || (checkpoint.size == signed.size && checkpoint.root != signed.root) {
                let (expected, found) = (format!("at most size {}", signed.size), format!("size {}", checkpoint.size));
                return Err(different(&published, Place::Whole, &expected, &found));
            }
        }
        self.report.entries = signed.size;
        self.tiles(&signed)
    }

    fn signed_checkpoint(&mut self, path: &Path, key: &VerifyingKey) -> Verified<Checkpoint> {
        self.known.insert(path.to_path_buf());
        let note = read_file(self.disk, path).map_err(|err| from_error(path, &err))?;
        Checkpoint::open(&note, key)
            .map_err(|err| different(path, Place::Whole, "a checkpoint signed with the ledger's key", &err.to_string()))
    }

    fn tiles(&mut self, signed: &Checkpoint) -> Verified<Vec<Vec<u8>>> {
        let log = self.dir.join("log");
        let entries = read_entries(self.disk, self.dir, 0, signed.size)
            .map_err(|err| from_error(&log.join("tile/entries"), &err))?;
        let (root, _) = tree::tiles_of(entries.iter().map(Vec::as_slice))
            .map_err(|err| different(&log.join("tile/entries"), Place::Whole, "entries", &err.to_string()))?;
        // Tiles first: they name the place, which the root does not.
        let mut grown = sekisho_tlog::Tree::new();
        let mut expected: BTreeMap<(Option<u8>, u64), Vec<u8>> = BTreeMap::new();
        for entry in &entries {
            grown.append(entry).map_err(|err| different(&log, Place::Whole, "an entry", &err.to_string()))?;
        }
        for tile in grown.take_changed() {
            expected.insert((tile.path.level, tile.path.number), tile.bytes);
        }
        for tile in TilePath::all(signed.size) {
            let path = log.join(tile.to_string());
            let found = read_file(self.disk, &path).map_err(|err| from_error(&path, &err))?;
            if let Some(place) = first_difference(&expected[&(tile.level, tile.number)], &found) {
                return Err(different(&path, Place::Byte(place), "the hash of the entries", "another byte"));
            }
            self.known.insert(path);
        }
        if root != signed.root {
            let (expected, found) = (signed.root.to_string(), root.to_string());
            return Err(different(&last_signed_path(self.dir), Place::Whole, &format!("root {found}"), &expected));
        }
        self.older_tiles(&log.join("tile"), &expected)?;
        Ok(entries)
    }

    /// Partial tiles of smaller sizes, and tiles that a crash left unsigned: those of smaller sizes must be the
    /// beginning of what is there now.
    fn older_tiles(&mut self, dir: &Path, expected: &BTreeMap<(Option<u8>, u64), Vec<u8>>) -> Verified<()> {
        for path in files_below(self.disk, dir) {
            let log = self.dir.join("log");
            let name = path.strip_prefix(&log).ok().and_then(Path::to_str).unwrap_or_default().to_owned();
            let Some(tile) = TilePath::parse(&name) else { continue };
            let found = read_file(self.disk, &path).map_err(|err| from_error(&path, &err))?;
            let now = expected.get(&(tile.level, tile.number)).map_or(&[][..], Vec::as_slice);
            let shared = now.len().min(found.len());
            if let Some(place) = first_difference(&now[..shared], &found[..shared]) {
                return Err(different(&path, Place::Byte(place), "the beginning of the tile", "another byte"));
            }
            self.known.insert(path);
        }
        Ok(())
    }

    fn segments(&mut self) -> Verified<()> {
        for segment in &self.manifest.segments {
            for file in &segment.files {
                let path = self.dir.join(&file.path);
                let bytes = read_file(self.disk, &path).map_err(|err| from_error(&path, &err))?;
                let found = hex::encode(Sha256::digest(&bytes));
                if found != file.sha256 {
                    return Err(different(&path, Place::Whole, &format!("SHA-256 {}", file.sha256), &found));
                }
                self.known.insert(path);
            }
        }
        self.report.segments = self.manifest.segments.len() as u64;
        Ok(())
    }

    fn entries(&mut self, entries: &[Vec<u8>], blocks: &Blocks) -> Verified<()> {
        let mut heads: BTreeMap<SourceId, Head> = BTreeMap::new();
        let mut segments = 0;
        for (index, bytes) in (0u64..).zip(entries) {
            let file = self.dir.join("log/tile/entries");
            let wrong = |expected: &str, found: &str| different(&file, Place::Entry(index), expected, found);
            match Entry::parse(bytes).ok_or_else(|| wrong("an entry of this ledger", "another text"))? {
                Entry::Blocks(entry) => {
                    self.blocks_entry(index, &entry, blocks, heads.get(&entry.source).copied())?;
                    heads.insert(entry.source, entry.head);
                }
                Entry::Segment { number, text } => {
                    segments += 1;
                    let position = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
                    let segment = position.and_then(|position| self.manifest.segments.get(position));
                    let stated = segment.map(segment_text);
                    if number != segments || stated.as_ref() != Some(&text) {
                        return Err(wrong(
                            &format!("segment {segments} as the MANIFEST states it"),
                            "another statement",
                        ));
                    }
                }
            }
        }
        self.report.unsigned =
            blocks.keys().filter(|(source, number)| heads.get(source).is_none_or(|head| *number > head.number)).count()
                as u64;
        Ok(())
    }

    fn blocks_entry(&self, index: u64, entry: &BlocksEntry, blocks: &Blocks, before: Option<Head>) -> Verified<()> {
        let file = self.dir.join("log/tile/entries");
        let first = before.map_or(0, |head| head.number) + 1;
        if entry.first != first {
            let found = format!("a run from block {}", entry.first);
            return Err(different(&file, Place::Entry(index), &format!("a run from block {first}"), &found));
        }
        let sealed = sealed_head(&self.manifest, self.dir, entry.source).map_err(|err| from_error(self.dir, &err))?;
        if entry.head.number < sealed.number {
            return Ok(()); // The blocks are gone; the segment's entry commits to what they held.
        }
        let number = entry.head.number;
        let there =
            if number == sealed.number { Some(sealed) } else { blocks.get(&(entry.source, number)).map(|b| b.0) };
        match there {
            Some(head) if head == entry.head => Ok(()),
            Some(head) => {
                let (path, place) = blocks
                    .get(&(entry.source, number))
                    .map_or((Manifest::path(self.dir), Place::Whole), |(_, path, at)| (path.clone(), Place::Byte(*at)));
                let expected = format!("block {number} with hash {}", hex::encode(entry.head.hash));
                Err(different(&path, place, &expected, &hex::encode(head.hash)))
            }
            None => {
                let torn = self.report.torn.first();
                let (path, place) = torn
                    .map_or((self.dir.join("wal"), Place::Whole), |torn| (torn.file.clone(), Place::Byte(torn.offset)));
                let expected = format!("block {number} of source {}, which entry {index} commits to", entry.source.0);
                Err(different(&path, place, &expected, "no sound block"))
            }
        }
    }

    /// A file that is none of the ledger's.
    fn strangers(&self, dir: &Path) -> Verified<()> {
        for path in files_below(self.disk, dir) {
            let is_lock = path.parent() == Some(self.dir)
                && path.file_name().is_some_and(|name| name == "LOCK" || name == "LOCK-queries");
            let is_leftover =
                path.extension().is_some_and(|extension| extension == TEMPORARY) || self.is_unfinished_segment(&path);
            if !self.known.contains(&path) && !is_lock && !is_leftover {
                return Err(different(&path, Place::Whole, "no such file", "a file that is none of the ledger's"));
            }
        }
        Ok(())
    }

    /// Whether a seal that did not end, for a full disk or a crash, left this file: it has the next segment's number. The
    /// MANIFEST does not name it, so no answer reads it, and the next seal writes it anew.
    fn is_unfinished_segment(&self, path: &Path) -> bool {
        let next = format!("{:06}.", self.manifest.segments.len() + 1);
        let name = path.file_name().and_then(|name| name.to_str());
        path.starts_with(self.dir.join("segments")) && name.is_some_and(|name| name.starts_with(&next))
    }
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
