//! The ledger's Merkle log: entries, tiles on disk, and the signed checkpoint (LED-3).
//!
//! An entry commits to a run of blocks of one source: since each block holds the hash of the one before, the last
//! block's hash commits to the run. Another kind of entry commits to a sealed segment and its files. Entries are
//! text, and hold no personal data.
//!
//! Order of writing, so that a crash leaves a log that can be continued and never one that is behind what was
//! signed: tiles, their names, read them again and recompute the root, `state/last-signed`, `log/checkpoint`.

use crate::Error;
use crate::durable::{create_directories, files_below, place_file, read_file, read_file_io, replace_file};
use crate::manifest::Segment;
use crate::wal::Head;
use sekisho_model::disk::Disk;
use sekisho_model::{SourceId, Timestamp};
use sekisho_tlog::{Checkpoint, SigningKey, TilePath, Tree, VerifyingKey, tree};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const BLOCKS_TAG: &str = "sekisho-ledger/v1 blocks";
const SEGMENT_TAG: &str = "sekisho-ledger/v1 segment";

/// What an entry says of a run of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlocksEntry {
    pub(crate) source: SourceId,
    /// The first block of the run.
    pub(crate) first: u64,
    /// The last block and the position after it.
    pub(crate) head: Head,
    pub(crate) at: Timestamp,
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Blocks(BlocksEntry),
    /// The segment's number, and the whole text for comparison.
    Segment {
        number: u64,
        text: String,
    },
}

impl BlocksEntry {
    pub(crate) fn text(&self) -> String {
        format!(
            "{BLOCKS_TAG}\nsource {}\nblocks {} {}\nposition {}\nat {}\nhead {}\n",
            self.source.0,
            self.first,
            self.head.number,
            self.head.position_next,
            self.at.0,
            hex::encode(self.head.hash)
        )
    }
}

/// The entry of a segment: everything the MANIFEST says of it.
pub(crate) fn segment_text(segment: &Segment) -> String {
    let mut text = format!(
        "{SEGMENT_TAG}\nsegment {}\nsource {}\nblocks {} {}\nposition {}\nrecords {}\nsequence {}\nfrom {}\nto {}\nhead {}\n",
        segment.number,
        segment.source.0,
        segment.block_first,
        segment.block_last,
        segment.position_next,
        segment.records,
        segment.sequence_highest,
        segment.from.0,
        segment.to.0,
        segment.block_last_hash
    );
    for file in &segment.files {
        let _ = writeln!(text, "file {} {} {}", file.sha256, file.bytes, file.path.display());
    }
    text
}

impl Entry {
    /// Reads an entry; `None` when it is none of ours.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Entry> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.lines();
        match lines.next()? {
            BLOCKS_TAG => {
                let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
                let source = SourceId(value("source")?.parse().ok()?);
                let (first, last) = value("blocks")?.split_once(' ')?;
                let position_next = value("position")?.parse().ok()?;
                let at = Timestamp(value("at")?.parse().ok()?);
                let hash = hex::decode(value("head")?).ok()?.try_into().ok()?;
                let head = Head { number: last.parse().ok()?, hash, position_next };
                let entry = BlocksEntry { source, first: first.parse().ok()?, head, at };
                (entry.text() == text).then_some(Entry::Blocks(entry))
            }
            SEGMENT_TAG => {
                let number = lines.next()?.strip_prefix("segment ")?.parse().ok()?;
                Some(Entry::Segment { number, text: text.to_owned() })
            }
            _ => None,
        }
    }
}

/// Where the log's parts lie.
pub(crate) fn checkpoint_path(dir: &Path) -> PathBuf {
    dir.join("log/checkpoint")
}

pub(crate) fn last_signed_path(dir: &Path) -> PathBuf {
    dir.join("state/last-signed")
}

/// Reads tiles below a ledger's directory.
pub(crate) fn tile_reader<'a>(disk: &'a dyn Disk, dir: &'a Path) -> impl Fn(&str) -> std::io::Result<Vec<u8>> + 'a {
    move |path| read_file_io(disk, &dir.join("log").join(path))
}

/// The entries from `from` on.
pub(crate) fn read_entries(disk: &dyn Disk, dir: &Path, from: u64, size: u64) -> Result<Vec<Vec<u8>>, Error> {
    let failed = |err| Error::Log { dir: dir.to_path_buf(), err };
    let mut entries = Vec::new();
    let mut number = from / sekisho_tlog::TILE_WIDTH;
    while let Some(tile) = TilePath::in_log(None, number, size) {
        let bytes = read_file(disk, &dir.join("log").join(tile.to_string()))?;
        let bundle = tree::parse_bundle(&tile, &bytes).map_err(failed)?;
        let skip = from.saturating_sub(number * sekisho_tlog::TILE_WIDTH);
        entries.extend(bundle.into_iter().skip(usize::try_from(skip).unwrap_or(usize::MAX)).map(<[u8]>::to_vec));
        number += 1;
    }
    Ok(entries)
}

/// The log as its only writer has it.
#[derive(Debug)]
pub(crate) struct Log {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    key: SigningKey,
    tree: Tree,
    /// The size that was signed last; `None` before the first time.
    signed: Option<u64>,
    heads: Vec<BlocksEntry>,
    segments: u64,
}

impl Log {
    /// Continues the log from what was signed last. A log that is shorter than that, or another one, is an error:
    /// it was restored from an old copy, or changed.
    pub(crate) fn open(disk: Arc<dyn Disk>, dir: &Path, key: SigningKey) -> Result<Log, Error> {
        let failed = |err| Error::Log { dir: dir.to_path_buf(), err };
        let path = last_signed_path(dir);
        let mut log =
            Log { disk, dir: dir.to_path_buf(), key, tree: Tree::new(), signed: None, heads: Vec::new(), segments: 0 };
        if !log.disk.exists(&path) {
            log.remove_unsigned(0)?;
            return Ok(log);
        }
        let note = read_file(&*log.disk, &path)?;
        let verifier = VerifyingKey::parse(log.key.verifier()).map_err(failed)?;
        let signed = Checkpoint::open(&note, &verifier).map_err(failed)?;
        log.tree = Tree::load(signed.size, &tile_reader(&*log.disk, dir)).map_err(failed)?;
        if log.tree.root() != signed.root {
            return Err(Error::corrupt(&path, 0, "the tiles do not give the root that was signed last"));
        }
        log.signed = Some(signed.size);
        log.remove_unsigned(signed.size)?;
        // Entries from the front: a log of a year has some millions, and is read once.
        for entry in read_entries(&*log.disk, dir, 0, signed.size)? {
            match Entry::parse(&entry) {
                Some(Entry::Blocks(blocks)) => log.note_blocks(blocks),
                Some(Entry::Segment { number, .. }) => log.segments = number,
                None => {}
            }
        }
        let published = checkpoint_path(dir);
        if !log.disk.exists(&published) || read_file(&*log.disk, &published)? != note {
            replace_file(&*log.disk, &published, &note)?;
        }
        Ok(log)
    }

    /// Removes the tiles that were stored for a size that was never signed: a kill came between. What is appended now may
    /// differ from what they hold, and no checkpoint ever promised them.
    fn remove_unsigned(&self, signed: u64) -> Result<(), Error> {
        let root = self.dir.join("log");
        let mut directories = BTreeSet::new();
        for path in files_below(&*self.disk, &root.join("tile")) {
            let name = path.strip_prefix(&root).ok().and_then(Path::to_str).unwrap_or_default();
            if TilePath::parse(name).is_some_and(|tile| !tile.belongs_to(signed)) {
                self.disk.remove(&path).map_err(Error::disk("remove", &path))?;
                directories.extend(path.parent().map(Path::to_path_buf));
            }
        }
        for directory in directories {
            self.disk.sync_dir(&directory).map_err(Error::disk("sync", &directory))?;
        }
        Ok(())
    }

    /// The last block of a source that an entry commits to.
    pub(crate) fn head(&self, source: SourceId) -> Head {
        self.heads.iter().find(|entry| entry.source == source).map_or(Head::START, |entry| entry.head)
    }

    /// Segments that have their entry.
    pub(crate) fn segments(&self) -> u64 {
        self.segments
    }

    /// Commits to the blocks up to `head`, when there are new ones.
    pub(crate) fn add_blocks(&mut self, source: SourceId, head: Head, at: Timestamp) -> Result<(), Error> {
        let before = self.head(source);
        if head.number > before.number {
            let entry = BlocksEntry { source, first: before.number + 1, head, at };
            self.append(&entry.text())?;
            self.note_blocks(entry);
        }
        Ok(())
    }

    /// Commits to a segment.
    pub(crate) fn add_segment(&mut self, segment: &Segment) -> Result<(), Error> {
        self.append(&segment_text(segment))?;
        self.segments = segment.number;
        Ok(())
    }

    /// Stores the tiles, signs, and publishes, when there is something new.
    pub(crate) fn sign(&mut self) -> Result<(), Error> {
        let size = self.tree.size();
        if self.signed == Some(size) {
            return Ok(());
        }
        self.store_tiles()?;
        let failed = |err| Error::Log { dir: self.dir.clone(), err };
        let root = self.tree.root();
        let stored = Tree::load(size, &tile_reader(&*self.disk, &self.dir)).map_err(failed)?;
        if stored.root() != root {
            return Err(Error::corrupt(&self.dir.join("log/tile"), 0, "the tiles read back give another root"));
        }
        assert!(self.signed.is_none_or(|signed| signed < size), "a log only grows");
        let checkpoint = Checkpoint { origin: self.key.name().to_owned(), size, root };
        let note = checkpoint.sign(&self.key).map_err(failed)?;
        replace_file(&*self.disk, &last_signed_path(&self.dir), &note)?;
        self.signed = Some(size);
        replace_file(&*self.disk, &checkpoint_path(&self.dir), &note)
    }

    fn append(&mut self, text: &str) -> Result<(), Error> {
        let appended = self.tree.append(text.as_bytes());
        appended.map(|_| ()).map_err(|err| Error::Log { dir: self.dir.clone(), err })
    }

    fn note_blocks(&mut self, entry: BlocksEntry) {
        match self.heads.iter_mut().find(|known| known.source == entry.source) {
            Some(known) => *known = entry,
            None => self.heads.push(entry),
        }
    }

    fn store_tiles(&mut self) -> Result<(), Error> {
        let mut directories = BTreeSet::new();
        for tile in self.tree.take_changed() {
            let path = self.dir.join("log").join(tile.path.to_string());
            let parent = path.parent().expect("a tile lies in a directory").to_path_buf();
            if !self.disk.exists(&parent) || !directories.contains(&parent) {
                let below = parent.strip_prefix(&self.dir).expect("tiles lie below the ledger");
                create_directories(&*self.disk, &self.dir, below)?;
            }
            place_file(&*self.disk, &path, &tile.bytes)?;
            directories.insert(parent);
        }
        for directory in directories {
            self.disk.sync_dir(&directory).map_err(Error::disk("sync", &directory))?;
        }
        Ok(())
    }
}
