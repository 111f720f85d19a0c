//! A disk whose syncs take longer, for benchmarks alone: built with the feature `bench-faults`, never by default.

use sekisho_ledger::RealDisk;
use sekisho_model::disk::{Disk, File, Lock, Open};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The machine's disk, each sync of a file delayed by this.
pub(crate) fn slow(sync_delay: Option<Duration>) -> Arc<dyn Disk> {
    match sync_delay {
        Some(sync_delay) => Arc::new(SlowDisk { sync_delay }),
        None => Arc::new(RealDisk),
    }
}

#[derive(Debug)]
struct SlowDisk {
    sync_delay: Duration,
}

#[derive(Debug)]
struct SlowFile {
    file: Box<dyn File>,
    sync_delay: Duration,
}

impl Disk for SlowDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>> {
        Ok(Box::new(SlowFile { file: RealDisk.open(path, how)?, sync_delay: self.sync_delay }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        RealDisk.read_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_dir(path)
    }

    fn exists(&self, path: &Path) -> bool {
        RealDisk.exists(path)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        RealDisk.try_lock(path)
    }
}

impl File for SlowFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        std::thread::sleep(self.sync_delay);
        self.file.sync()
    }
}
