//! One place where blocks can be written: the first log, or the emergency log.
//!
//! A lane has two threads, so that a disk that hangs stops a thread and not the ledger: one writes and syncs
//! blocks, one makes new files with written zeros ahead of their use. A lane whose write failed or was late is not
//! used again before a new file was made.

use crate::durable::{create_directories, create_root};
use crate::wal::file_name;
use crate::{Error, Options};
use sekisho_model::disk::{Disk, File, Lock, Open};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Zeros are written in pieces of this size.
const ZEROS_BYTES: usize = 256 * 1024;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Primary,
    Emergency,
}

/// What the threads tell the committer.
pub(crate) enum Event {
    /// Records wait.
    Wake,
    /// A write has ended.
    Written { lane: Which, ticket: u64, result: std::io::Result<()> },
    /// A new file is there, or not.
    Prepared { lane: Which, result: Result<LogFile, Error> },
    /// Write what waits, then end.
    Close,
    /// End now.
    Abandon,
}

/// A preallocated file and how far it is written.
#[derive(Debug)]
pub(crate) struct LogFile {
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn File>,
    pub(crate) offset: u64,
    pub(crate) records: u64,
    /// When its first block was written.
    pub(crate) since: Option<Duration>,
}

/// What the writing thread does.
enum Job {
    /// Writes and syncs a block.
    Write { ticket: u64, file: Arc<dyn File>, bytes: Arc<Vec<u8>>, offset: u64 },
    /// Cuts the unused end of a finished file, so that every byte that stays is covered by a hash.
    Cut { path: PathBuf, file: Arc<dyn File>, offset: u64 },
}

/// The committer's view of a lane.
pub(crate) struct Lane {
    pub(crate) which: Which,
    pub(crate) current: Option<LogFile>,
    pub(crate) spare: Option<LogFile>,
    pub(crate) preparing: bool,
    /// A write is out on the thread, in time or not.
    pub(crate) busy: bool,
    /// The last thing that was tried succeeded.
    pub(crate) trusted: bool,
    /// Not to be tried before this time.
    pub(crate) retry_at: Duration,
    jobs: Sender<Job>,
    orders: Sender<()>,
}

impl Lane {
    pub(crate) fn start(
        which: Which,
        dir: &Path,
        options: &Options,
        numbers: &Arc<AtomicU64>,
        events: &Sender<Event>,
        lock: &Arc<Lock>,
    ) -> Lane {
        let (jobs, jobs_of_thread) = channel();
        let (orders, orders_of_thread) = channel();
        let (events_of_writer, lock_of_writer) = (events.clone(), Arc::clone(lock));
        spawn("ledger-write", move || write_blocks(which, &jobs_of_thread, &events_of_writer, &lock_of_writer));
        let maker = Maker {
            which,
            dir: dir.to_path_buf(),
            root: options.dir.clone(),
            disk: Arc::clone(&options.disk),
            options: options.clone(),
            numbers: Arc::clone(numbers),
            events: events.clone(),
            _lock: Arc::clone(lock),
        };
        spawn("ledger-prepare", move || maker.run(&orders_of_thread));
        Lane {
            which,
            current: None,
            spare: None,
            preparing: false,
            busy: false,
            trusted: true,
            retry_at: Duration::ZERO,
            jobs,
            orders,
        }
    }

    /// Asks for a new file, unless one is there, on its way, or not to be tried yet.
    pub(crate) fn prepare(&mut self, now: Duration) {
        if self.spare.is_none() && !self.preparing && now >= self.retry_at {
            self.preparing = self.orders.send(()).is_ok();
        }
    }

    /// Takes the spare file into use when the current one is gone or has no room for `bytes`.
    pub(crate) fn make_room(&mut self, bytes: u64, file_bytes: u64) {
        if self.current.as_ref().is_some_and(|file| file.offset + bytes > file_bytes) {
            self.finish();
        }
        if self.current.is_none() {
            self.current = self.spare.take();
        }
    }

    /// Hands a block to the writing thread.
    pub(crate) fn write(&mut self, ticket: u64, bytes: &Arc<Vec<u8>>) {
        let file = self.current.as_ref().expect("the committer chose a lane with a file");
        let job = Job::Write { ticket, file: Arc::clone(&file.file), bytes: Arc::clone(bytes), offset: file.offset };
        self.busy = self.jobs.send(job).is_ok();
    }

    /// The current file gets no more blocks.
    pub(crate) fn finish(&mut self) {
        if let Some(LogFile { path, file, offset, .. }) = self.current.take() {
            // Without its thread the lane is closing, and nobody waits for the cut.
            let _ = self.jobs.send(Job::Cut { path, file, offset });
        }
    }

    /// The write failed or is late: the file is never trusted again.
    pub(crate) fn fail(&mut self, now: Duration, rest: Duration) {
        self.current = None;
        self.spare = None;
        self.trusted = false;
        self.retry_at = now + rest;
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) {
    let spawned = std::thread::Builder::new().name(name.into()).spawn(body);
    drop(spawned.expect("the system starts a few threads when a ledger is opened"));
}

fn write_blocks(lane: Which, jobs: &Receiver<Job>, events: &Sender<Event>, _lock: &Arc<Lock>) {
    for job in jobs {
        match job {
            Job::Write { ticket, file, bytes, offset } => {
                let result = file.write_all_at(&bytes, offset).and_then(|()| file.sync());
                if events.send(Event::Written { lane, ticket, result }).is_err() {
                    return;
                }
            }
            Job::Cut { path, file, offset } => {
                if let Err(err) = file.set_len(offset).and_then(|()| file.sync()) {
                    tracing::warn!("cannot cut `{}`: {err}", path.display());
                }
            }
        }
    }
}

/// Makes new files.
struct Maker {
    which: Which,
    dir: PathBuf,
    root: PathBuf,
    disk: Arc<dyn Disk>,
    options: Options,
    numbers: Arc<AtomicU64>,
    events: Sender<Event>,
    _lock: Arc<Lock>,
}

impl Maker {
    fn run(&self, orders: &Receiver<()>) {
        for () in orders {
            let result = self.make();
            if self.events.send(Event::Prepared { lane: self.which, result }).is_err() {
                return;
            }
        }
    }

    fn make(&self) -> Result<LogFile, Error> {
        let number = self.numbers.fetch_add(1, Ordering::SeqCst);
        let path = self.dir.join(file_name(self.options.source, number));
        self.make_directory()?;
        let file = self.disk.open(&path, Open::Create).map_err(Error::disk("create", &path))?;
        if let Err(err) = self.fill(&*file) {
            // Room that was taken for nothing is given back, as far as the disk lets us.
            let _ = self.disk.remove(&path);
            return Err(Error::Disk { what: "preallocate", path, err });
        }
        self.disk.sync_dir(&self.dir).map_err(Error::disk("sync", &self.dir))?;
        Ok(LogFile { path, file: Arc::from(file), offset: 0, records: 0, since: None })
    }

    fn make_directory(&self) -> Result<(), Error> {
        if self.disk.exists(&self.dir) {
            return Ok(());
        }
        match self.dir.strip_prefix(&self.root) {
            Ok(below) => create_directories(&*self.disk, &self.root, below),
            Err(_) => create_root(&*self.disk, &self.dir),
        }
    }

    /// Written zeros: the file system then has nothing left to allocate when a block is synced. This sync is for
    /// speed; a block's own sync makes it and the length durable.
    fn fill(&self, file: &dyn File) -> std::io::Result<()> {
        let zeros = vec![0; ZEROS_BYTES];
        let mut offset = 0;
        while offset < self.options.wal_file_bytes {
            let count = usize::try_from(self.options.wal_file_bytes - offset).unwrap_or(ZEROS_BYTES).min(ZEROS_BYTES);
            file.write_all_at(&zeros[..count], offset)?;
            offset += count as u64;
        }
        file.sync()
    }
}
