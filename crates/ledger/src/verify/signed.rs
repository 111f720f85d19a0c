//! What is signed: the checkpoints, the tiles, and what an auditor kept from before.

use super::{Verified, Verifier, different, first_difference, from_error};
use crate::durable::{files_below, read_file};
use crate::entry::Entry;
use crate::log::{ENTRIES_A_SIGNATURE_MAX, checkpoint_path, each_entry, last_signed_path};
use crate::manifest::{Manifest, Segment};
use crate::verify::{Given, Place};
use sekisho_model::SourceId;
use sekisho_tlog::{Checkpoint, Hash, TilePath, Tree, VerifyingKey};
use std::collections::BTreeMap;
use std::path::Path;

/// What the log's signature stands for; nothing when there is none.
#[derive(Default)]
pub(super) struct Signed {
    pub(super) entries: Vec<Entry>,
}

impl Signed {
    /// Whether an entry speaks of this source.
    pub(super) fn has_source(&self, source: SourceId) -> bool {
        self.entries.iter().any(|entry| matches!(entry, Entry::Blocks(blocks) if blocks.source == source))
    }

    pub(super) fn segments(&self) -> Vec<Segment> {
        let segment = |entry: &Entry| if let Entry::Segment(segment) = entry { Some(segment.clone()) } else { None };
        self.entries.iter().filter_map(segment).collect()
    }
}

/// Bytes of each tile, by level and number, as the entries give them.
type Tiles = BTreeMap<(Option<u8>, u64), Vec<u8>>;

impl Verifier<'_> {
    /// Checks the signatures and every tile.
    pub(super) fn merkle_log(&mut self, given: &Given<'_>) -> Verified<Signed> {
        let (published, last) = (checkpoint_path(self.dir), last_signed_path(self.dir));
        self.report.key_given = given.key.is_some();
        if given.since.is_none() && !self.disk.exists(&last) && !self.disk.exists(&published) {
            self.older_tiles(&Tiles::new())?;
            return Ok(Signed::default());
        }
        let own = || {
            VerifyingKey::parse(&self.manifest.verifier_key)
                .map_err(|err| different(&Manifest::path(self.dir), Place::Whole, "a verifier key", &err.to_string()))
        };
        let key = given.key.map_or_else(own, |key| Ok(key.clone()))?;
        let signed = self.checkpoint(&last, &key)?;
        let bytes = self.entry_bytes(&signed)?;
        self.tiles(&signed, &bytes)?;
        self.published(&published, &key, &signed, &bytes)?;
        if let Some((path, note)) = given.since {
            self.since(path, &open(path, note, &key)?, &signed, &bytes)?;
        }
        self.report.entries = signed.size;
        let file = self.dir.join("log/tile/entries");
        let parse = |(index, bytes): (u64, &Vec<u8>)| {
            let stranger = || different(&file, Place::Entry(index), "an entry of this ledger", "another text");
            Entry::parse(bytes).ok_or_else(stranger)
        };
        let entries = (0..).zip(&bytes).map(parse).collect::<Verified<Vec<_>>>()?;
        Ok(Signed { entries })
    }

    fn checkpoint(&mut self, path: &Path, key: &VerifyingKey) -> Verified<Checkpoint> {
        self.known.insert(path.to_path_buf());
        let note = read_file(self.disk, path).map_err(|err| from_error(path, &err))?;
        open(path, &note, key)
    }

    fn entry_bytes(&self, signed: &Checkpoint) -> Verified<Vec<Vec<u8>>> {
        let mut entries = Vec::new();
        let read = each_entry(self.disk, self.dir, signed.size, &mut |bytes| {
            entries.push(bytes.to_vec());
            Ok(())
        });
        read.map_err(|err| from_error(&self.dir.join("log/tile/entries"), &err))?;
        Ok(entries)
    }

    /// A crash between the two leaves the published checkpoint one signature behind, or not there yet after the first; never
    /// ahead, and never of another tree.
    fn published(&mut self, path: &Path, key: &VerifyingKey, signed: &Checkpoint, entries: &[Vec<u8>]) -> Verified<()> {
        if !self.disk.exists(path) && signed.size == 1 {
            return Ok(());
        }
        let checkpoint = self.checkpoint(path, key)?;
        let behind = signed.size.checked_sub(checkpoint.size);
        if behind.is_none_or(|behind| behind > ENTRIES_A_SIGNATURE_MAX) {
            let expected = format!("size {}, which was signed last", signed.size);
            return Err(different(path, Place::Whole, &expected, &format!("size {}", checkpoint.size)));
        }
        let root = root_of(entries, checkpoint.size);
        if checkpoint.root != root {
            let expected = format!("root {root} at size {}", checkpoint.size);
            return Err(different(path, Place::Whole, &expected, &checkpoint.root.to_string()));
        }
        Ok(())
    }

    /// Whether the log goes on from a checkpoint that was kept.
    fn since(&self, path: &Path, kept: &Checkpoint, signed: &Checkpoint, entries: &[Vec<u8>]) -> Verified<()> {
        let kept_in = path.display();
        if kept.size > signed.size {
            let expected = format!("{} signed entries or more, as `{kept_in}` tells", kept.size);
            let found = format!("{}: the ledger was set back", signed.size);
            return Err(different(&last_signed_path(self.dir), Place::Whole, &expected, &found));
        }
        let root = root_of(entries, kept.size);
        if root != kept.root {
            let expected = format!("root {} of the first {} entries, as `{kept_in}` tells", kept.root, kept.size);
            let found = format!("{root}: the ledger is another one");
            return Err(different(&self.dir.join("log/tile/entries"), Place::Whole, &expected, &found));
        }
        Ok(())
    }

    fn tiles(&mut self, signed: &Checkpoint, entries: &[Vec<u8>]) -> Verified<()> {
        let log = self.dir.join("log");
        // Tiles first: they name the place, which the root does not.
        let mut grown = Tree::new();
        for entry in entries {
            grown.append(entry).map_err(|err| different(&log, Place::Whole, "an entry", &err.to_string()))?;
        }
        let tiles = grown.take_changed().into_iter();
        let expected: Tiles = tiles.map(|tile| ((tile.path.level, tile.path.number), tile.bytes)).collect();
        for tile in TilePath::all(signed.size) {
            let path = log.join(tile.to_string());
            let found = read_file(self.disk, &path).map_err(|err| from_error(&path, &err))?;
            if let Some(place) = first_difference(&expected[&(tile.level, tile.number)], &found) {
                return Err(different(&path, Place::Byte(place), "the hash of the entries", "another byte"));
            }
            self.known.insert(path);
        }
        if grown.root() != signed.root {
            let (expected, found) = (format!("root {}", grown.root()), signed.root.to_string());
            return Err(different(&last_signed_path(self.dir), Place::Whole, &expected, &found));
        }
        self.older_tiles(&expected)
    }

    /// Partial tiles of smaller sizes, and tiles that a crash left unsigned: those of smaller sizes must be the
    /// beginning of what is there now.
    fn older_tiles(&mut self, expected: &Tiles) -> Verified<()> {
        let log = self.dir.join("log");
        for path in files_below(self.disk, &log.join("tile")) {
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
}

fn open(path: &Path, note: &[u8], key: &VerifyingKey) -> Verified<Checkpoint> {
    Checkpoint::open(note, key)
        .map_err(|err| different(path, Place::Whole, "a checkpoint signed with the ledger's key", &err.to_string()))
}

/// The root of the first `size` entries, each of which was hashed before.
fn root_of(entries: &[Vec<u8>], size: u64) -> Hash {
    let mut tree = Tree::new();
    for entry in entries.iter().take(usize::try_from(size).unwrap_or(usize::MAX)) {
        tree.append(entry).expect("was appended to the whole tree");
    }
    tree.root()
}
