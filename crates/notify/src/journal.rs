//! The journal of one campaign: a file that only grows, each line chained to the one before by SHA-256, synced in groups.
//!
//! What `append` returned for is durable. A tail that a crash tore was never acknowledged and is cut off; any other line
//! that does not fit the chain is an error. [`Writer`] lets many senders share one sync.

use crate::{Entry, Error};
use sha2::{Digest, Sha256};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// The most bytes a journal may have: 4 GiB are twenty million events.
pub const JOURNAL_BYTES_MAX: u64 = 4 << 30;
/// Entries that share one sync at most; more wait for the next.
const GROUP_ENTRIES_MAX: usize = 4_096;
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

/// What was read.
#[derive(Debug)]
pub struct Contents {
    /// The entries.
    pub entries: Vec<Entry>,
    /// The chain behind each line.
    chains: Vec<[u8; 32]>,
    /// Bytes of whole lines.
    length: u64,
    /// Bytes behind them, torn by a crash.
    pub torn: u64,
}

/// An open journal; it holds the lock until it is dropped.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    head: Head,
}

impl Contents {
    /// Whether the journal went through this head.
    #[must_use]
    pub fn holds(&self, head: Head) -> bool {
        let at = usize::try_from(head.lines).ok().and_then(|lines| lines.checked_sub(1));
        at.map_or(head.chain == [0; 32], |at| self.chains.get(at) == Some(&head.chain))
    }

    /// Where it stands.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { lines: self.chains.len() as u64, chain: self.chains.last().copied().unwrap_or_default() }
    }

    /// The bytes of a journal. Pure; `path` is its name in errors.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Contents, Error> {
        let mut contents = Contents { entries: Vec::new(), chains: Vec::new(), length: 0, torn: 0 };
        let mut chain = [0; 32];
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let entry = match read_line(line, &chain) {
                Ok(entry) => entry,
                // Only the end of a file can be torn: a line without its end, or one with pages never written.
                Err(_) if !line.ends_with(b"\n") || line.contains(&0) => break,
                Err(what) => {
                    let line = contents.chains.len() as u64 + 1;
                    return Err(Error::NotWhole { path: path.to_owned(), line, what });
                }
            };
            chain = next_chain(&chain, &line[LINE_HEAD_BYTES..line.len() - 1]);
            contents.chains.push(chain);
            contents.entries.push(entry);
            contents.length += line.len() as u64;
        }
        contents.torn = bytes.len() as u64 - contents.length;
        Ok(contents)
    }

    /// Reads a journal that another process may be writing; one that is not there is empty.
    pub fn read(path: &Path) -> Result<Contents, Error> {
        let cannot = |err| Error::Read { path: path.to_owned(), err };
        match std::fs::metadata(path) {
            Ok(known) if known.len() > JOURNAL_BYTES_MAX => {
                return Err(cannot(io::Error::other(format!("it has more than {JOURNAL_BYTES_MAX} bytes"))));
            }
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Contents::parse(&[], path),
            Err(err) => return Err(cannot(err)),
            Ok(_) => {}
        }
        Contents::parse(&std::fs::read(path).map_err(cannot)?, path)
    }
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
    /// Opens a journal for writing, making it (and its directory) when there is none, and cuts a torn tail off.
    pub fn open(path: &Path) -> Result<(Journal, Contents), Error> {
        let cannot = |err| Error::Journal { path: path.to_owned(), err };
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(cannot)?;
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse(path.to_owned())),
            Err(TryLockError::Error(err)) => return Err(cannot(err)),
        }
        let contents = Contents::read(path)?;
        if contents.torn > 0 {
            file.set_len(contents.length).map_err(cannot)?;
        }
        file.sync_all().and_then(|()| File::open(dir)?.sync_all()).map_err(cannot)?;
        let head = contents.head();
        Ok((Journal { path: path.to_owned(), file, head }, contents))
    }

    /// Whether another process is writing the journal.
    #[must_use]
    pub fn is_in_use(path: &Path) -> bool {
        File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Appends entries; when this returns they are durable. After an error the journal must be opened anew.
    pub fn append(&mut self, entries: &[Entry]) -> Result<(), Error> {
        let cannot = |err| Error::Journal { path: self.path.clone(), err };
        let mut bytes = Vec::with_capacity(entries.len() * 256);
        let mut head = self.head;
        for entry in entries {
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
        self.file.write_all(&bytes).and_then(|()| self.file.sync_data()).map_err(cannot)?;
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
