//! The journal of one campaign: a file that only grows, each line chained to the one before by SHA-256, synced in groups.
//!
//! What `append` returned for is durable. A tail that a crash tore was never acknowledged and is cut off; any other line
//! that does not fit the chain is an error. A journal is read line by line and nothing of it is kept: who reads folds.
//! [`Writer`] lets many senders share one sync.

use crate::{Entry, Error};
use sha2::{Digest, Sha256};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// The most bytes a journal may have: 4 GiB are twenty million events.
pub const JOURNAL_BYTES_MAX: u64 = 4 << 30;
/// Entries that share one sync at most; more wait for the next.
const GROUP_ENTRIES_MAX: usize = 4_096;
/// Entries that are made into bytes at once; a longer list is written in parts, and synced once.
const PART_ENTRIES_MAX: usize = 4_096;
/// The longest line; the reader holds no more of a file. A longer one was not written by `append`, and is an error.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// Hexadecimal digits of the chain and a space.
const LINE_HEAD_BYTES: usize = 65;

/// Where a journal stands: what is told to the case log, so that a journal that was set back is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Lines.
    pub lines: u64,
    /// The chain behind the last of them.
    pub chain: [u8; 32],
}

/// How far a journal goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where it stands.
    pub head: Head,
    /// Bytes of whole lines.
    pub whole_bytes: u64,
    /// Bytes behind them, torn by a crash.
    pub torn_bytes: u64,
    /// Of the heads that were asked for, one that it did not go through.
    pub missing: Option<Head>,
}

/// An open journal; it holds the lock until it is dropped.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    head: Head,
}

/// Reads the lines of a journal, gives each entry to `each`, and looks for the heads in `known`. `path` is its name in
/// errors. What `each` refuses ends the reading.
pub fn read_lines(
    mut lines: impl BufRead,
    path: &Path,
    known: &[Head],
    mut each: impl FnMut(Entry) -> Result<(), Error>,
) -> Result<Extent, Error> {
    let cannot = |err| Error::Read { path: path.to_owned(), err };
    let mut known = known.to_vec();
    known.sort_unstable_by_key(|head| head.lines);
    let mut known = known.into_iter().peekable();
    let mut head = Head { lines: 0, chain: [0; 32] };
    let mut extent = Extent { head, whole_bytes: 0, torn_bytes: 0, missing: None };
    let mut line = Vec::new();
    loop {
        while let Some(wanted) = known.next_if(|wanted| wanted.lines == head.lines) {
            if wanted.chain != head.chain {
                extent.missing.get_or_insert(wanted);
            }
        }
        line.clear();
        (&mut lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(cannot)?;
        if line.is_empty() {
            break;
        }
        let entry = match read_line(&line, &head.chain) {
            Ok(entry) => entry,
            // Only the end of a file can be torn: a line without its end, or one with pages never written.
            Err(_) if line.contains(&0) || !line.ends_with(b"\n") && (line.len() as u64) < LINE_BYTES_MAX => break,
            Err(what) => return Err(Error::NotWhole { path: path.to_owned(), line: head.lines + 1, what }),
        };
        let chain = next_chain(&head.chain, &line[LINE_HEAD_BYTES..line.len() - 1]);
        head = Head { lines: head.lines + 1, chain };
        extent.whole_bytes += line.len() as u64;
        each(entry)?;
    }
    let behind = io::copy(&mut lines, &mut io::sink()).map_err(cannot)?;
    extent.torn_bytes = line.len() as u64 + behind;
    extent.missing = extent.missing.or(known.next());
    extent.head = head;
    Ok(extent)
}

fn read_line(line: &[u8], chain: &[u8; 32]) -> Result<Entry, String> {
    let line = line.strip_suffix(b"\n").ok_or("was cut off")?;
    let (told, entry) = line.split_at_checked(LINE_HEAD_BYTES).ok_or("is too short")?;
    if told[..64] != *hex::encode(next_chain(chain, entry)).as_bytes() || told[64] != b' ' {
        return Err("was changed after it was written".to_owned());
    }
    serde_json::from_slice(entry).map_err(|err| format!("holds no known event: {err}"))
}

fn next_chain(before: &[u8; 32], entry: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(before).chain_update(entry).finalize().into()
}

impl Journal {
    /// Opens a journal for writing, making it (and its directory) when there is none, and cuts a torn tail off. Nothing is
    /// cut where a head in `known` is missing: that is for whoever opens it to tell.
    pub fn open(
        path: &Path,
        known: &[Head],
        each: impl FnMut(Entry) -> Result<(), Error>,
    ) -> Result<(Journal, Extent), Error> {
        let cannot = |err| Error::Journal { path: path.to_owned(), err };
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(cannot)?;
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse(path.to_owned())),
            Err(TryLockError::Error(err)) => return Err(cannot(err)),
        }
        let extent = Journal::read(path, known, each)?;
        if extent.torn_bytes > 0 && extent.missing.is_none() {
            file.set_len(extent.whole_bytes).map_err(cannot)?;
        }
        file.sync_all().and_then(|()| File::open(dir)?.sync_all()).map_err(cannot)?;
        Ok((Journal { path: path.to_owned(), file, head: extent.head }, extent))
    }

    /// Reads a journal that another process may be writing; one that is not there is empty.
    pub fn read(path: &Path, known: &[Head], each: impl FnMut(Entry) -> Result<(), Error>) -> Result<Extent, Error> {
        let cannot = |err| Error::Read { path: path.to_owned(), err };
        let file = match File::open(path) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => return read_lines(&[][..], path, known, each),
            opened => opened.map_err(cannot)?,
        };
        if file.metadata().map_err(cannot)?.len() > JOURNAL_BYTES_MAX {
            return Err(cannot(io::Error::other(format!("it has more than {JOURNAL_BYTES_MAX} bytes"))));
        }
        read_lines(BufReader::with_capacity(1 << 16, file), path, known, each)
    }

    /// Whether another process is writing the journal.
    #[must_use]
    pub fn is_in_use(path: &Path) -> bool {
        File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Appends entries; when this returns they are durable. After an error the journal must be opened anew.
    pub fn append(&mut self, entries: &[Entry]) -> Result<(), Error> {
        let cannot = |err| Error::Journal { path: self.path.clone(), err };
        let mut head = self.head;
        let mut bytes = Vec::with_capacity(entries.len().min(PART_ENTRIES_MAX) * 256);
        for part in entries.chunks(PART_ENTRIES_MAX) {
            bytes.clear();
            for entry in part {
                let entry = serde_json::to_vec(entry).map_err(|err| cannot(io::Error::other(err)))?;
                head = Head { lines: head.lines + 1, chain: next_chain(&head.chain, &entry) };
                let mut digits = [0; 64];
                // 32 bytes are always 64 digits.
                let _ = hex::encode_to_slice(head.chain, &mut digits);
                bytes.extend_from_slice(&digits);
                bytes.push(b' ');
                bytes.extend_from_slice(&entry);
                bytes.push(b'\n');
            }
            self.file.write_all(&bytes).map_err(cannot)?;
        }
        self.file.sync_data().map_err(cannot)?;
        self.head = head;
        Ok(())
    }

    /// Where it stands.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }
}

/// A thread that appends for many senders; those who wait at the same time share one sync.
#[derive(Debug)]
pub struct Writer {
    requests: mpsc::Sender<Request>,
    thread: Option<JoinHandle<Result<Journal, Error>>>,
}

#[derive(Debug)]
struct Request {
    entry: Entry,
    durable: Option<oneshot::Sender<()>>,
}

impl Writer {
    /// Takes the journal.
    #[must_use]
    pub fn start(journal: Journal) -> Writer {
        let (requests, receiver) = mpsc::channel();
        let thread = std::thread::spawn(move || write(journal, &receiver));
        Writer { requests, thread: Some(thread) }
    }

    /// Appends with the next group, without waiting.
    pub fn note(&self, entry: Entry) {
        // A writer that failed says so when the sender asks for durability, and at the end.
        let _ = self.requests.send(Request { entry, durable: None });
    }

    /// Appends; resolves when it is durable, and to an error when the journal can no longer be written.
    pub fn append(&self, entry: Entry) -> oneshot::Receiver<()> {
        let (durable, wait) = oneshot::channel();
        let _ = self.requests.send(Request { entry, durable: Some(durable) });
        wait
    }

    /// Waits until all is durable and gives the journal back.
    pub fn finish(mut self) -> Result<Journal, Error> {
        drop(self.requests);
        let joined = self.thread.take().map(JoinHandle::join);
        match joined {
            Some(Ok(result)) => result,
            _ => Err(Error::Refused("the journal's writer ended early; open the journal anew".to_owned())),
        }
    }
}

fn write(mut journal: Journal, requests: &mpsc::Receiver<Request>) -> Result<Journal, Error> {
    let mut entries = Vec::new();
    let mut waiting = Vec::new();
    while let Ok(first) = requests.recv() {
        let more = std::iter::from_fn(|| requests.try_recv().ok());
        for request in std::iter::once(first).chain(more).take(GROUP_ENTRIES_MAX) {
            entries.push(request.entry);
            waiting.extend(request.durable);
        }
        journal.append(&entries)?;
        entries.clear();
        for waiter in waiting.drain(..) {
            // Whoever no longer waits has ended, and its attempt will be unknown.
            let _ = waiter.send(());
        }
    }
    Ok(journal)
}
