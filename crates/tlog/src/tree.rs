//! A growing log: append entries, learn the root, and get the tiles that changed.
//! In memory is the right edge only: at most 255 hashes a level and 255 entries.

use crate::{EMPTY_HASH, ENTRY_BYTES_MAX, Error, HASH_SIZE, Hash, TILE_WIDTH, TilePath, leaf_hash};
use std::collections::BTreeMap;
use std::io;
use tlog_tiles::{Tile, node_hash};

/// The right edge of a log.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    size: u64,
    /// Per level the hashes of the tile that is not full yet.
    edge: Vec<Vec<Hash>>,
    /// The entries of the bundle that is not full yet, each with its u16 length.
    bundle: Vec<u8>,
    /// Full tiles since the last call of [`Tree::take_changed`].
    full: Vec<ChangedTile>,
    /// The size at that call.
    size_taken: u64,
}

/// A tile to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedTile {
    /// Where.
    pub path: TilePath,
    /// What.
    pub bytes: Vec<u8>,
}

impl Tree {
    /// The empty log.
    #[must_use]
    pub fn new() -> Tree {
        Tree::default()
    }

    /// The log of `size` leaves whose tiles `read` gives. Only the right edge is read; compare [`Tree::root`] with
    /// a signed checkpoint before trusting it.
    pub fn load(size: u64, read: &dyn Fn(&str) -> io::Result<Vec<u8>>) -> Result<Tree, Error> {
        let mut tree = Tree { size, size_taken: size, ..Tree::default() };
        for level in 0..8u8 {
            let nodes = size >> (u32::from(level) * 8);
            if nodes == 0 {
                break;
            }
            let mut hashes = Vec::new();
            if let Some(path) = TilePath::in_log(Some(level), nodes / TILE_WIDTH, size) {
                hashes = parse_tile(&path, &read_tile(&path, read)?)?;
            }
            tree.edge.push(hashes);
        }
        if let Some(path) = TilePath::in_log(None, size / TILE_WIDTH, size) {
            tree.bundle = read_tile(&path, read)?;
            parse_bundle(&path, &tree.bundle)?;
        }
        Ok(tree)
    }

    /// Leaves in the log.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds an entry; its index is returned.
    pub fn append(&mut self, entry: &[u8]) -> Result<u64, Error> {
        let length = u16::try_from(entry.len()).map_err(|_| Error::EntryTooLong { bytes: entry.len() })?;
        self.bundle.extend_from_slice(&length.to_be_bytes());
        self.bundle.extend_from_slice(entry);
        let index = self.size;
        self.size += 1;
        if self.size.is_multiple_of(TILE_WIDTH) {
            let path = TilePath { level: None, number: index / TILE_WIDTH, width: TILE_WIDTH };
            self.full.push(ChangedTile { path, bytes: std::mem::take(&mut self.bundle) });
        }
        self.push(0, leaf_hash(entry));
        Ok(index)
    }

    /// The Merkle tree hash (RFC 6962, section 2.1).
    #[must_use]
    pub fn root(&self) -> Hash {
        // From the left: ever smaller perfect subtrees, as the bits of the size say.
        let mut subtrees = Vec::new();
        for hashes in self.edge.iter().rev() {
            let mut rest = hashes.as_slice();
            while !rest.is_empty() {
                let width = 1 << rest.len().ilog2();
                subtrees.push(perfect_root(&rest[..width]));
                rest = &rest[width..];
            }
        }
        subtrees.into_iter().rev().reduce(|right, left| node_hash(left, right)).unwrap_or(EMPTY_HASH)
    }

    /// The tiles to store since the last call: full ones and the partial ones at the right edge.
    pub fn take_changed(&mut self) -> Vec<ChangedTile> {
        let mut changed = std::mem::take(&mut self.full);
        if self.size == self.size_taken {
            return changed;
        }
        for (level, hashes) in (0u8..).zip(&self.edge) {
            let shift = u32::from(level) * 8;
            let nodes = self.size >> shift;
            if nodes == self.size_taken >> shift || hashes.is_empty() {
                continue;
            }
            let path = TilePath { level: Some(level), number: nodes / TILE_WIDTH, width: hashes.len() as u64 };
            changed.push(ChangedTile { path, bytes: tile_bytes(hashes) });
        }
        if !self.bundle.is_empty() {
            let path = TilePath { level: None, number: self.size / TILE_WIDTH, width: self.size % TILE_WIDTH };
            changed.push(ChangedTile { path, bytes: self.bundle.clone() });
        }
        self.size_taken = self.size;
        changed
    }

    fn push(&mut self, level: usize, hash: Hash) {
        if self.edge.len() == level {
            self.edge.push(Vec::new());
        }
        self.edge[level].push(hash);
        if self.edge[level].len() as u64 == TILE_WIDTH {
            let hashes = std::mem::take(&mut self.edge[level]);
            let shift = u32::try_from(level * 8).expect("a log has few levels");
            let number = (self.size >> shift) / TILE_WIDTH - 1;
            let level_number = u8::try_from(level).expect("a log has few levels");
            let path = TilePath { level: Some(level_number), number, width: TILE_WIDTH };
            self.full.push(ChangedTile { path, bytes: tile_bytes(&hashes) });
            self.push(level + 1, perfect_root(&hashes));
        }
    }
}

/// All tiles of a log by path, recomputed from its entries: what a verifier compares the stored ones with.
pub fn tiles_of<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<(Hash, BTreeMap<String, Vec<u8>>), Error> {
    let mut tree = Tree::new();
    for entry in entries {
        tree.append(entry)?;
    }
    let root = tree.root();
    Ok((root, tree.take_changed().into_iter().map(|tile| (tile.path.to_string(), tile.bytes)).collect()))
}

/// The entries of a bundle.
pub fn parse_bundle<'a>(path: &TilePath, bytes: &'a [u8]) -> Result<Vec<&'a [u8]>, Error> {
    let broken = |offset| Error::Bundle { path: path.to_string(), offset };
    let mut entries = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let offset = bytes.len() - rest.len();
        let (length, after) = rest.split_first_chunk::<2>().ok_or_else(|| broken(offset))?;
        let length = usize::from(u16::from_be_bytes(*length));
        let entry = after.get(..length).ok_or_else(|| broken(offset))?;
        rest = &after[length..];
        entries.push(entry);
        debug_assert!(entry.len() <= ENTRY_BYTES_MAX);
    }
    if entries.len() as u64 != path.width {
        return Err(broken(bytes.len()));
    }
    Ok(entries)
}

/// The hashes of a tile.
pub fn parse_tile(path: &TilePath, bytes: &[u8]) -> Result<Vec<Hash>, Error> {
    let expected = path.width * HASH_SIZE as u64;
    if bytes.len() as u64 != expected {
        return Err(Error::TileLength { path: path.to_string(), expected, found: bytes.len() as u64 });
    }
    Ok(bytes.as_chunks::<HASH_SIZE>().0.iter().map(|hash| Hash(*hash)).collect())
}

pub(crate) fn read_tile(path: &TilePath, read: &dyn Fn(&str) -> io::Result<Vec<u8>>) -> Result<Vec<u8>, Error> {
    let path = path.to_string();
    read(&path).map_err(|err| Error::ReadTile { path, err })
}

fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

fn perfect_root(hashes: &[Hash]) -> Hash {
    debug_assert!(hashes.len().is_power_of_two());
    Tile::subtree_hash(&tile_bytes(hashes))
}
