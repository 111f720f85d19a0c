//! The disk as a trait: what the ledger may ask of it, and no more.
//!
//! The product's implementation is a thin layer over `std::fs`; `testkit` has one that loses or tears
//! everything that was not synced, so that a missing sync is a failing test.
//!
//! Durability rules of the trait, as on POSIX: written bytes survive a crash only after [`File::sync`] on
//! their file; a created, renamed or removed name survives only after [`Disk::sync_dir`] on its directory.

use std::io;
use std::path::{Path, PathBuf};

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// Must exist; may be read only.
    Read,
    /// Must exist; may be read and written.
    Write,
    /// Must not exist; is made with mode 0600, to be read and written.
    Create,
}

/// A lock that is held until this is dropped.
pub type Lock = Box<dyn std::any::Any + Send + Sync>;

/// A directory tree that can be synced.
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// Opens a file.
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>>;
    /// Makes a directory and its parents, mode 0700; existing ones are kept.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// The entries of a directory as full paths, sorted by name.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>>;
    /// Gives a file another name, replacing what had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file's name.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Whether something has this name.
    fn exists(&self, path: &Path) -> bool;
    /// Takes the only writer's lock on a file that is made where it is missing; `None` when another has it.
    /// The lock ends when the value is dropped.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Lock>>;
}

/// An open file with positioned reads and writes.
pub trait File: Send + Sync + std::fmt::Debug {
    /// Reads at most `buffer.len()` bytes at `offset`; 0 at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all bytes at `offset`.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// The file's length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Cuts or extends the file; the extension reads as zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes the file's bytes and length durable.
    fn sync(&self) -> io::Result<()>;
}
