//! The write-ahead log's files: reading them, putting their blocks in order, and telling a torn tail from damage.
//!
//! One block is in flight at a time, and a file is never written again after an error. So in each file sound
//! blocks come first; behind them is at most one torn block, then the zeros of preallocation. A sound block
//! behind an unsound one is damage, and so is a number missing between files.
//! The same block may stand in two files, byte for byte, when the first one failed after writing it.

use crate::block::{self, Block, HEADER_BYTES, Sha256Hash};
use crate::durable::{Extent, Written, read_preallocated};
use crate::{Error, QUERY_SOURCE};
use sekisho_model::SourceId;
use sekisho_model::disk::Disk;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What disks write wholly or not at all; larger units are multiples of it.
const SECTOR_BYTES: usize = 512;

/// A WAL file in memory.
#[derive(Debug)]
pub(crate) struct WalFile {
    pub(crate) path: PathBuf,
    pub(crate) number: u64,
    bytes: Vec<u8>,
    /// Of the file, with what is zeros.
    length: u64,
    /// Where each sound block begins.
    offsets: Vec<usize>,
    /// Where sound blocks end.
    pub(crate) end: usize,
    pub(crate) tail: Tail,
}

/// What lies behind a file's last sound block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing, or zeros.
    Clean,
    /// The rest of a block whose write did not end.
    Torn,
}

/// Where a source's chain stands: what the next block must continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The last block's number; 0 before the first.
    pub(crate) number: u64,
    /// Its hash; zeros before the first.
    pub(crate) hash: Sha256Hash,
    /// The position after its last record.
    pub(crate) position_next: u64,
}

impl Head {
    pub(crate) const START: Head = Head { number: 0, hash: [0; 32], position_next: 0 };

    pub(crate) fn of(block: &Block<'_>) -> Head {
        Head { number: block.header.number, hash: block.hash, position_next: block.header.position_next() }
    }
}

/// The name of a source's file: `1-000004.wal`; queries have `q-000001.wal`.
pub(crate) fn file_name(source: SourceId, number: u64) -> String {
    if source == QUERY_SOURCE { format!("q-{number:06}.wal") } else { format!("{}-{number:06}.wal", source.0) }
}

/// The source and number in a file's name.
pub(crate) fn parse_file_name(path: &Path) -> Option<(SourceId, u64)> {
    let (source, number) = path.file_name()?.to_str()?.strip_suffix(".wal")?.split_once('-')?;
    let source = if source == "q" { QUERY_SOURCE } else { SourceId(source.parse().ok()?) };
    let number = number.parse().ok()?;
    (path.file_name()?.to_str()? == file_name(source, number)).then_some((source, number))
}

/// The WAL files in the directories that exist, as source, number and path, sorted.
pub(crate) fn list_files(disk: &dyn Disk, dirs: &[PathBuf]) -> Result<Vec<(SourceId, u64, PathBuf)>, Error> {
    let mut files = Vec::new();
    for dir in dirs.iter().filter(|dir| disk.exists(dir)) {
        for path in disk.read_dir(dir).map_err(Error::disk("list", dir))? {
            if let Some((source, number)) = parse_file_name(&path) {
                files.push((source, number, path));
            }
        }
    }
    files.sort();
    Ok(files)
}

impl WalFile {
    /// Reads a file and checks each block for itself.
    pub(crate) fn read(disk: &dyn Disk, source: SourceId, number: u64, path: &Path) -> Result<WalFile, Error> {
        WalFile::parse(source, number, path, read_preallocated(disk, path, Extent::Whole)?)
    }

    /// Reads a file for an answer: the blocks, and of the preallocated zeros behind them no more than a step. Recovery and
    /// verification read whole files.
    pub(crate) fn read_written(disk: &dyn Disk, source: SourceId, number: u64, path: &Path) -> Result<WalFile, Error> {
        WalFile::parse(source, number, path, read_preallocated(disk, path, Extent::Written)?)
    }

    fn parse(source: SourceId, number: u64, path: &Path, written: Written) -> Result<WalFile, Error> {
        let Written { bytes, length } = written;
        let mut offsets = Vec::new();
        let mut end = 0;
        while let Some(block) = block::parse(&bytes[end..]) {
            if block.header.source != source {
                return Err(Error::corrupt(path, end as u64, "a block of another source"));
            }
            offsets.push(end);
            end += block.bytes();
        }
        let rest = &bytes[end..];
        let tail = if rest.iter().all(|byte| *byte == 0) { Tail::Clean } else { Tail::Torn };
        if tail == Tail::Torn
            && let Some(later) = sound_block_in(rest)
        {
            let what = format!("an unsound block before the sound one at byte {}", end + later);
            return Err(Error::corrupt(path, end as u64, what));
        }
        if tail == Tail::Torn && source == QUERY_SOURCE && !is_cut_off(&bytes, end) {
            return Err(Error::corrupt(path, end as u64, "a question that was changed since it was recorded"));
        }
        Ok(WalFile { path: path.to_path_buf(), number, bytes, length, offsets, end, tail })
    }

    /// The sound blocks, each with where it begins.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (u64, Block<'_>)> {
        self.offsets.iter().map(|offset| {
            let block = block::parse(&self.bytes[*offset..]).expect("was parsed when the file was read");
            (*offset as u64, block)
        })
    }

    /// Bytes behind the sound blocks.
    pub(crate) fn tail_bytes(&self) -> u64 {
        self.length - self.end as u64
    }

    /// The number of the last block.
    pub(crate) fn last_block(&self) -> Option<u64> {
        self.blocks().last().map(|(_, block)| block.header.number)
    }
}

/// Whether bytes behind the sound blocks of a file without preallocation may be what a cut-off write left: a disk writes whole
/// sectors or none, so one is missing at the end, or is zeros.
fn is_cut_off(bytes: &[u8], end: usize) -> bool {
    let first = (SECTOR_BYTES - end % SECTOR_BYTES).min(bytes.len() - end);
    let (begun, rest) = bytes[end..].split_at(first);
    let is_zeros = |sector: &[u8]| sector.iter().all(|byte| *byte == 0);
    bytes.len().is_multiple_of(SECTOR_BYTES) || is_zeros(begun) || rest.chunks(SECTOR_BYTES).any(is_zeros)
}

/// Where a sound block begins in bytes that do not begin with one.
fn sound_block_in(bytes: &[u8]) -> Option<usize> {
    (1..bytes.len().saturating_sub(HEADER_BYTES)).find(|at| block::parse(&bytes[*at..]).is_some())
}

/// A block and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed<'a> {
    pub(crate) file: &'a Path,
    pub(crate) offset: u64,
    pub(crate) block: Block<'a>,
}

/// The blocks of one source after `from`, in order, each once. Blocks up to `from` are sealed and left out.
/// An error names where the chain is broken.
pub(crate) fn chain<'a>(files: &'a [WalFile], from: Head) -> Result<Vec<Placed<'a>>, Error> {
    let mut by_number: BTreeMap<u64, Placed<'a>> = BTreeMap::new();
    for file in files {
        for (offset, block) in file.blocks().filter(|(_, block)| block.header.number > from.number) {
            let placed = Placed { file: &file.path, offset, block };
            if let Some(other) = by_number.insert(block.header.number, placed)
                && other.block.hash != block.hash
            {
                let what = format!("block {} differs from the one in `{}`", block.header.number, other.file.display());
                return Err(Error::corrupt(&file.path, offset, what));
            }
        }
    }
    let mut head = from;
    for placed in by_number.values() {
        let header = &placed.block.header;
        let expected = head.number + 1;
        if header.number != expected {
            let lost = lost_block(files, expected);
            let (file, offset) = lost.unwrap_or((placed.file, placed.offset));
            let what = format!("block {expected} is missing; the next sound one is block {}", header.number);
            return Err(Error::corrupt(file, offset, what));
        }
        if header.previous != head.hash || header.position_first != head.position_next {
            let what = format!("block {} does not continue the block before it", header.number);
            return Err(Error::corrupt(placed.file, placed.offset, what));
        }
        head = Head::of(&placed.block);
    }
    Ok(by_number.into_values().collect())
}

/// Where a missing block should stand: behind the sound blocks of the file that has the one before it.
fn lost_block(files: &[WalFile], number: u64) -> Option<(&Path, u64)> {
    let file = files.iter().find(|file| file.last_block() == number.checked_sub(1) && file.tail == Tail::Torn);
    let file = file.or_else(|| files.iter().find(|file| file.tail == Tail::Torn))?;
    Some((&file.path, file.end as u64))
}
