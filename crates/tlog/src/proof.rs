//! Inclusion and consistency proofs (RFC 6962, sections 2.1.1 and 2.1.2).

use crate::tree::{parse_tile, read_tile};
use crate::{EMPTY_HASH, Error, Hash, TilePath};
use std::io;
use tlog_tiles::{HashReader, Tile};

/// The height of a tile: 2^8 = 256 hashes.
const TILE_HEIGHT: u8 = 8;

/// The proof that the entry `index` is in the log of `size` leaves.
pub fn prove_inclusion(index: u64, size: u64, read: &dyn Fn(&str) -> io::Result<Vec<u8>>) -> Result<Vec<Hash>, Error> {
    if index >= size {
        return Err(Error::Beyond { what: "entry", asked: index, size });
    }
    let tiles = Tiles { size, read };
    tlog_tiles::prove_record(size, index, &tiles).map_err(|_| Error::Proof { which: "inclusion" })
}

/// Checks that `leaf` is the entry `index` of the log of `size` leaves with this root.
pub fn verify_inclusion(proof: &[Hash], size: u64, root: Hash, index: u64, leaf: Hash) -> Result<(), Error> {
    let failed = Error::Proof { which: "inclusion" };
    if index >= size {
        return Err(failed);
    }
    tlog_tiles::check_record(&proof.to_vec(), size, root, index, leaf).map_err(|_| failed)
}

/// The proof that the log of `size` leaves begins with that of `size_old`. Empty when there is nothing to prove:
/// from the empty log, or from the same one.
pub fn prove_consistency(
    size_old: u64,
    size: u64,
    read: &dyn Fn(&str) -> io::Result<Vec<u8>>,
) -> Result<Vec<Hash>, Error> {
    if size_old > size {
        return Err(Error::Beyond { what: "size", asked: size_old, size });
    }
    if size_old == 0 || size_old == size {
        return Ok(Vec::new());
    }
    let tiles = Tiles { size, read };
    tlog_tiles::prove_tree(size, size_old, &tiles).map_err(|_| Error::Proof { which: "consistency" })
}

/// Checks that the log of `size` leaves begins with that of `size_old`.
pub fn verify_consistency(proof: &[Hash], size: u64, root: Hash, size_old: u64, root_old: Hash) -> Result<(), Error> {
    let failed = Error::Proof { which: "consistency" };
    let holds = if size_old == 0 {
        // The empty log is the beginning of every log, and has one root.
        proof.is_empty() && root_old == EMPTY_HASH && (size > 0 || root == EMPTY_HASH)
    } else if size_old == size {
        proof.is_empty() && root == root_old
    } else {
        size_old < size && tlog_tiles::check_tree(&proof.to_vec(), size, root, size_old, root_old).is_ok()
    };
    holds.then_some(()).ok_or(failed)
}

/// Stored hashes by their index, from tiles in the C2SP layout.
struct Tiles<'a> {
    size: u64,
    read: &'a dyn Fn(&str) -> io::Result<Vec<u8>>,
}

impl HashReader for Tiles<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        indexes.iter().map(|index| self.hash(*index)).collect()
    }
}

impl Tiles<'_> {
    fn hash(&self, index: u64) -> Result<Hash, tlog_tiles::Error> {
        let tile = Tile::from_index(TILE_HEIGHT, index);
        let path = TilePath::in_log(Some(tile.level()), tile.level_index(), self.size)
            .ok_or(tlog_tiles::Error::IndexesNotInTree)?;
        let bytes = read_tile(&path, self.read).map_err(|err| tlog_tiles::Error::InvalidInput(err.to_string()))?;
        parse_tile(&path, &bytes).map_err(|err| tlog_tiles::Error::InvalidInput(err.to_string()))?;
        tile.hash_at_index(&bytes, index)
    }
}
