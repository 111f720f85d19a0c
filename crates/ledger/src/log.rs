//! The ledger's Merkle log: entries, tiles on disk, and the signed checkpoint (LED-3).
//!
//! Order of writing, so that a crash leaves a log that can be continued and never one that is behind what was
//! signed: tiles, their names, read them again and recompute the root, `state/last-signed`, `log/checkpoint`, and last the
//! copy outside the ledger ([`crate::Options::last_signed_copy`]).

use crate::Error;
use crate::durable::{create_directories, files_below, place_file, read_file, read_file_io, replace_file};
use crate::entry::{BlocksEntry, Entry, segment_text};
use crate::manifest::{Manifest, Segment};
use crate::wal::Head;
use sekisho_model::disk::Disk;
use sekisho_model::{SourceId, Timestamp};
use sekisho_tlog::{Checkpoint, SigningKey, TILE_WIDTH, TilePath, Tree, VerifyingKey, tree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A signature covers so many new entries at most: a run of the gateway's blocks and one of questions, or a segment.
pub(crate) const ENTRIES_A_SIGNATURE_MAX: u64 = 2;

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

/// The entries of a log of `size` leaves, one after another.
pub(crate) fn each_entry(
    disk: &dyn Disk,
    dir: &Path,
    size: u64,
    each: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    for number in 0.. {
        let Some(tile) = TilePath::in_log(None, number, size) else { break };
        let bytes = read_file(disk, &dir.join("log").join(tile.to_string()))?;
        let bundle = tree::parse_bundle(&tile, &bytes).map_err(|err| Error::log(dir, err))?;
        bundle.into_iter().try_for_each(&mut *each)?;
    }
    Ok(())
}

/// Where a log is kept, and with what it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) key: SigningKey,
    /// Where a copy of what was signed last lies, outside the ledger.
    pub(crate) copy: Option<PathBuf>,
}

/// The log as its only writer has it.
#[derive(Debug)]
pub(crate) struct Log {
    place: Place,
    tree: Tree,
    /// What was signed last; `None` before the first time.
    signed: Option<Checkpoint>,
    heads: BTreeMap<SourceId, Head>,
    segments: Vec<Segment>,
    /// The copy could not be written; it is told once.
    is_copy_refused: bool,
}

impl Log {
    /// Continues the log from what was signed last; nothing is written yet. A log that is shorter than that, or another one, is
    /// an error: it was restored from an old copy, or changed.
    pub(crate) fn open(place: Place) -> Result<Log, Error> {
        let path = last_signed_path(&place.dir);
        let mut log = Log {
            place,
            tree: Tree::new(),
            signed: None,
            heads: BTreeMap::new(),
            segments: Vec::new(),
            is_copy_refused: false,
        };
        let copy = log.copy()?;
        if log.place.disk.exists(&path) {
            let signed = log.checkpoint(&path)?;
            log.tree = log.stored_tree(signed.size)?;
            if log.tree.root() != signed.root {
                return Err(Error::corrupt(&path, 0, "the tiles do not give the root that was signed last"));
            }
            log.read_signed(&signed, copy.as_ref())?;
            log.signed = Some(signed);
        }
        let signed = log.size_signed();
        match (copy, &log.place.copy) {
            (Some(newer), Some(copy)) if newer.size > signed => {
                Err(Error::SetBack { dir: log.place.dir, found: signed, copy: copy.clone(), expected: newer.size })
            }
            _ => Ok(log),
        }
    }

    /// Reads the entries from the front, once; they must give the root that was signed, and on their way the one that `copy`
    /// tells.
    fn read_signed(&mut self, signed: &Checkpoint, copy: Option<&Checkpoint>) -> Result<(), Error> {
        let Place { disk, dir, copy: copy_path, .. } = self.place.clone();
        let file = dir.join("log/tile/entries");
        let mut grown = Tree::new();
        each_entry(&*disk, &dir, signed.size, &mut |bytes| {
            let place = grown.append(bytes).map_err(|err| Error::log(&dir, err))?;
            if grown.size().is_multiple_of(TILE_WIDTH) {
                // Full tiles are not kept: there may be thousands.
                drop(grown.take_changed());
            }
            if let (Some(copy), Some(path)) = (copy, &copy_path)
                && copy.size == grown.size()
                && copy.root != grown.root()
            {
                return Err(Error::AnotherLog { dir: dir.clone(), copy: path.clone(), size: copy.size });
            }
            match Entry::parse(bytes) {
                Some(Entry::Blocks(blocks)) => _ = self.heads.insert(blocks.source, blocks.head),
                Some(Entry::Segment(segment)) => self.segments.push(segment),
                None => return Err(Error::corrupt(&file, 0, format!("entry {place} is none of a ledger's"))),
            }
            Ok(())
        })?;
        if grown.root() != signed.root {
            return Err(Error::corrupt(&file, 0, "the entries do not give the root that was signed last"));
        }
        Ok(())
    }

    /// What was signed last as the copy outside the ledger tells it.
    fn copy(&self) -> Result<Option<Checkpoint>, Error> {
        match &self.place.copy {
            Some(path) if self.place.disk.exists(path) => self.checkpoint(path).map(Some),
            _ => Ok(None),
        }
    }

    fn checkpoint(&self, path: &Path) -> Result<Checkpoint, Error> {
        let note = read_file(&*self.place.disk, path)?;
        let verifier =
            VerifyingKey::parse(self.place.key.verifier()).map_err(|err| Error::log(&self.place.dir, err))?;
        Checkpoint::open(&note, &verifier).map_err(|err| Error::Checkpoint { path: path.to_path_buf(), err })
    }

    fn stored_tree(&self, size: u64) -> Result<Tree, Error> {
        Tree::load(size, &tile_reader(&*self.place.disk, &self.place.dir))
            .map_err(|err| Error::log(&self.place.dir, err))
    }

    /// Mends what a kill may have left: tiles that were never signed, and a checkpoint that was signed and not published, or not
    /// copied.
    pub(crate) fn mend(&mut self) -> Result<(), Error> {
        let Place { disk, dir, .. } = self.place.clone();
        self.remove_unsigned(self.size_signed())?;
        if self.signed.is_none() {
            return Ok(());
        }
        let note = read_file(&*disk, &last_signed_path(&dir))?;
        let published = checkpoint_path(&dir);
        if !disk.exists(&published) || read_file(&*disk, &published)? != note {
            replace_file(&*disk, &published, &note)?;
        }
        self.renew_copy(&note);
        Ok(())
    }

    /// How many entries were signed.
    pub(crate) fn size_signed(&self) -> u64 {
        self.signed.as_ref().map_or(0, |signed| signed.size)
    }

    /// Whether anything was ever signed.
    pub(crate) fn is_signed(&self) -> bool {
        self.signed.is_some()
    }

    /// Removes the tiles that were stored for a size that was never signed: a kill came between. What is appended now may
    /// differ from what they hold, and no checkpoint ever promised them.
    fn remove_unsigned(&self, signed: u64) -> Result<(), Error> {
        let Place { disk, dir, .. } = &self.place;
        let root = dir.join("log");
        let mut directories = BTreeSet::new();
        for path in files_below(&**disk, &root.join("tile")) {
            let name = path.strip_prefix(&root).ok().and_then(Path::to_str).unwrap_or_default();
            if TilePath::parse(name).is_some_and(|tile| !tile.belongs_to(signed)) {
                disk.remove(&path).map_err(Error::disk("remove", &path))?;
                directories.extend(path.parent().map(Path::to_path_buf));
            }
        }
        for directory in directories {
            disk.sync_dir(&directory).map_err(Error::disk("sync", &directory))?;
        }
        Ok(())
    }

    /// The last block of a source that a blocks entry commits to.
    pub(crate) fn head(&self, source: SourceId) -> Head {
        self.heads.get(&source).copied().unwrap_or(Head::START)
    }

    /// Sources that an entry speaks of.
    pub(crate) fn sources(&self) -> impl Iterator<Item = SourceId> {
        self.heads.keys().copied()
    }

    /// Compares the MANIFEST with what was signed. A segment is signed before the MANIFEST names it, so a crash may leave one
    /// that is to be made up for; a segment without an entry was put there by somebody else. Whether one was added is returned.
    pub(crate) fn complete(&self, manifest: &mut Manifest) -> Result<bool, Error> {
        let path = Manifest::path(&self.place.dir);
        manifest.compare(&self.segments).map_err(|what| {
            let what = format!("{what}; put the MANIFEST back from a copy, and keep this one as evidence");
            Error::corrupt(&path, 0, what)
        })?;
        let is_complete = manifest.segments.len() == self.segments.len();
        manifest.segments.clone_from(&self.segments);
        Ok(!is_complete)
    }

    /// Commits to the blocks up to `head`, when there are new ones.
    pub(crate) fn add_blocks(&mut self, source: SourceId, head: Head, at: Timestamp) -> Result<(), Error> {
        let before = self.head(source);
        if head.number > before.number {
            let entry = BlocksEntry { source, first: before.number + 1, head, at };
            self.append(&entry.text())?;
            self.heads.insert(source, head);
        }
        Ok(())
    }

    /// Commits to a segment.
    pub(crate) fn add_segment(&mut self, segment: Segment) -> Result<(), Error> {
        self.append(&segment_text(&segment))?;
        self.segments.push(segment);
        Ok(())
    }

    /// Stores the tiles, signs, and publishes, when there is something new.
    pub(crate) fn sign(&mut self) -> Result<(), Error> {
        let size = self.tree.size();
        if self.signed.as_ref().is_some_and(|signed| signed.size == size) {
            return Ok(());
        }
        self.store_tiles()?;
        let root = self.tree.root();
        if self.stored_tree(size)?.root() != root {
            let tiles = self.place.dir.join("log/tile");
            return Err(Error::corrupt(&tiles, 0, "the tiles read back give another root"));
        }
        assert!(self.signed.as_ref().is_none_or(|signed| signed.size < size), "a log only grows");
        let checkpoint = Checkpoint { origin: self.place.key.name().to_owned(), size, root };
        let note = checkpoint.sign(&self.place.key).map_err(|err| Error::log(&self.place.dir, err))?;
        replace_file(&*self.place.disk, &last_signed_path(&self.place.dir), &note)?;
        self.signed = Some(checkpoint);
        replace_file(&*self.place.disk, &checkpoint_path(&self.place.dir), &note)?;
        self.renew_copy(&note);
        Ok(())
    }

    /// Writes the copy outside the ledger. It comes last, when `last-signed` is durable: so a crash leaves a copy that is older
    /// than the ledger or the same, never a newer one, and a ledger that is honest is never taken for one that was set back.
    /// A place that cannot be written (keys are often read-only) keeps nobody from signing.
    fn renew_copy(&mut self, note: &[u8]) {
        let Some(path) = &self.place.copy else { return };
        let disk = &*self.place.disk;
        if disk.exists(path) && read_file(disk, path).is_ok_and(|there| there == note) {
            return;
        }
        let outcome = replace_file(disk, path, note);
        let is_told = std::mem::replace(&mut self.is_copy_refused, outcome.is_err());
        if let (Err(err), false) = (&outcome, is_told) {
            tracing::warn!("an earlier copy of the ledger would not be noticed: {err}, outside the ledger");
        }
    }

    fn append(&mut self, text: &str) -> Result<(), Error> {
        let appended = self.tree.append(text.as_bytes());
        appended.map(|_| ()).map_err(|err| Error::log(&self.place.dir, err))
    }

    fn store_tiles(&mut self) -> Result<(), Error> {
        let Place { disk, dir, .. } = &self.place;
        let mut directories = BTreeSet::new();
        for tile in self.tree.take_changed() {
            let path = dir.join("log").join(tile.path.to_string());
            let parent = path.parent().expect("a tile lies in a directory").to_path_buf();
            if !disk.exists(&parent) || !directories.contains(&parent) {
                let below = parent.strip_prefix(dir).expect("tiles lie below the ledger");
                create_directories(&**disk, dir, below)?;
            }
            place_file(&**disk, &path, &tile.bytes)?;
            directories.insert(parent);
        }
        for directory in directories {
            disk.sync_dir(&directory).map_err(Error::disk("sync", &directory))?;
        }
        Ok(())
    }
}
