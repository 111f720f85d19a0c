//! Whole files and directories, durably: the order of writes, syncs and renames in one place.

use crate::Error;
use sekisho_model::disk::{Disk, Open};
use std::path::{Path, PathBuf};

/// The ending of files that are not in place yet. Left over by a crash, they mean nothing.
pub(crate) const TEMPORARY: &str = "tmp";

/// Makes `root/below` and all directories on the way durable, from the top down.
pub(crate) fn create_directories(disk: &dyn Disk, root: &Path, below: &Path) -> Result<(), Error> {
    let mut path = root.to_path_buf();
    for part in below.components() {
        let parent = path.clone();
        path.push(part);
        disk.create_dir_all(&path).map_err(Error::disk("make", &path))?;
        disk.sync_dir(&parent).map_err(Error::disk("sync", &parent))?;
    }
    Ok(())
}

/// Makes a directory outside the ledger, or the ledger's own, with every parent that is missing, durably.
pub(crate) fn create_root(disk: &dyn Disk, dir: &Path) -> Result<(), Error> {
    let missing: Vec<&Path> = dir.ancestors().take_while(|path| !disk.exists(path)).collect();
    disk.create_dir_all(dir).map_err(Error::disk("make", dir))?;
    // The parent of a directory that exists is synced too: the run that made it may have been cut before that.
    let made = missing.len().max(1);
    for path in dir.ancestors().take(made) {
        let parent = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => continue,
        };
        disk.sync_dir(parent).map_err(Error::disk("sync", parent))?;
    }
    Ok(())
}

/// Puts a file in place: temporary name, write, sync, rename. The caller syncs the directory.
pub(crate) fn place_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(TEMPORARY);
    let temporary = PathBuf::from(name);
    if disk.exists(&temporary) {
        disk.remove(&temporary).map_err(Error::disk("remove", &temporary))?;
    }
    let file = disk.open(&temporary, Open::Create).map_err(Error::disk("create", &temporary))?;
    file.write_all_at(bytes, 0).map_err(Error::disk("write", &temporary))?;
    file.sync().map_err(Error::disk("sync", &temporary))?;
    disk.rename(&temporary, path).map_err(Error::disk("rename", &temporary))
}

/// Puts a file in place and makes its name durable.
pub(crate) fn replace_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    place_file(disk, path, bytes)?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    disk.sync_dir(directory).map_err(Error::disk("sync", directory))
}

/// All bytes of a file.
pub(crate) fn read_file(disk: &dyn Disk, path: &Path) -> Result<Vec<u8>, Error> {
    read_file_io(disk, path).map_err(Error::disk("read", path))
}

/// All bytes of a file, with the disk's own error.
pub(crate) fn read_file_io(disk: &dyn Disk, path: &Path) -> std::io::Result<Vec<u8>> {
    let file = disk.open(path, Open::Read)?;
    let length = usize::try_from(file.len()?).map_err(std::io::Error::other)?;
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut bytes[filled..], filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Bytes read at a time of a preallocated file.
const STEP_BYTES: usize = 256 * 1024;

/// What a preallocated file holds.
pub(crate) struct Written {
    /// Without whole steps of zeros at the end.
    pub(crate) bytes: Vec<u8>,
    /// How many bytes were read, zeros included: the file's length where all was.
    pub(crate) length: u64,
}

/// How far a preallocated file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// To its end: what a crash left behind the zeros is seen.
    Whole,
    /// To the first step that is all zeros: no block holds that many in a row.
    Written,
}

/// A preallocated file, of whose zeros no more than a step is kept.
pub(crate) fn read_preallocated(disk: &dyn Disk, path: &Path, extent: Extent) -> Result<Written, Error> {
    let read = || -> std::io::Result<Written> {
        let file = disk.open(path, Open::Read)?;
        let preallocated = usize::try_from(file.len()?).map_err(std::io::Error::other)?;
        let (mut bytes, mut length) = (Vec::new(), 0_u64);
        let mut step = vec![0; STEP_BYTES];
        loop {
            let mut filled = 0;
            while filled < STEP_BYTES {
                match file.read_at(&mut step[filled..], length + filled as u64)? {
                    0 => break,
                    count => filled += count,
                }
            }
            let is_zeros = step[..filled].iter().all(|byte| *byte == 0);
            if !is_zeros {
                // At once, so that it is not copied as it grows; pages that are not written to take no memory. Where there is
                // no such room, as for a file of absurd length, it grows.
                let _no_room = bytes.try_reserve_exact(preallocated.saturating_sub(bytes.len()));
                bytes.resize(usize::try_from(length).map_err(std::io::Error::other)?, 0);
                bytes.extend_from_slice(&step[..filled]);
            }
            length += filled as u64;
            if filled < STEP_BYTES || is_zeros && extent == Extent::Written {
                return Ok(Written { bytes, length });
            }
        }
    };
    read().map_err(Error::disk("read", path))
}

/// Every file below a directory, sorted; none where there is no directory.
pub(crate) fn files_below(disk: &dyn Disk, dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut waiting = vec![dir.to_path_buf()];
    while let Some(path) = waiting.pop() {
        // What can be listed is a directory.
        match disk.read_dir(&path) {
            Ok(entries) => waiting.extend(entries),
            Err(_) if disk.exists(&path) => files.push(path),
            Err(_) => {}
        }
    }
    files.sort();
    files
}
