//! One record by another process, while the gateway writes the ledger: the questions asked of it (LED-5).
//!
//! Queries are a source of their own, with their own files (`wal/q-<n>.wal`), chain and lock. They are read and
//! verified as any other source; they are not sealed, being few. The gateway signs them, or the next one when it starts: whoever
//! asks has no key for that.

use crate::block::{self, Header};
use crate::durable::create_directories;
use crate::manifest::Manifest;
use crate::recover::{read_source, sealed_head};
use crate::wal::{Head, Tail, chain, file_name};
use crate::{Error, NotDurable, RECORD_BYTES_MAX};
use sekisho_model::disk::{Disk, Lock, Open};
use sekisho_model::{Clock, Query, Record, SourceId};
use std::path::Path;
use std::time::Duration;

/// The source of queries. No gateway may have this number.
pub const QUERY_SOURCE: SourceId = SourceId(u32::MAX);

/// A file of queries grows to this many bytes, then a new one begins.
const QUERY_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How long a question waits for others that are being recorded; beyond, [`Error::QuestionsLocked`].
pub const QUESTION_WAIT_MAX: Duration = Duration::from_secs(5);
/// How often the lock is tried meanwhile.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// Appends a question durably. It waits for nobody but other questions that are being written at this moment.
pub fn append_query(dir: &Path, disk: &dyn Disk, clock: &dyn Clock, query: Query) -> Result<(), Error> {
    let dirs = [dir.join("wal")];
    create_directories(disk, dir, Path::new("wal"))?;
    let _lock = lock(dir, disk, clock)?;
    let files = read_source(disk, &dirs, QUERY_SOURCE)?;
    let sealed = if disk.exists(&Manifest::path(dir)) {
        sealed_head(&Manifest::read(disk, dir)?, dir, QUERY_SOURCE)?
    } else {
        Head::START
    };
    let head = chain(&files, sealed)?.last().map_or(sealed, |placed| Head::of(&placed.block));
    let payload = postcard::to_stdvec(&Record::Query(query)).expect("a query can always be encoded");
    if payload.len() > RECORD_BYTES_MAX {
        return Err(Error::NotDurable { what: "the question", err: NotDurable::TooLong });
    }
    let header = Header {
        source: QUERY_SOURCE,
        records: 1,
        number: head.number + 1,
        position_first: head.position_next,
        at: clock.now(),
        previous: head.hash,
    };
    let bytes = block::encode(&header, &payload);
    // A torn file is never written again: a new one begins.
    let last = files.last().filter(|file| file.tail == Tail::Clean && (file.end as u64) < QUERY_FILE_BYTES_MAX);
    let (path, offset, how) = match last {
        Some(file) => (file.path.clone(), file.end as u64, Open::Write),
        None => {
            let number = files.iter().map(|file| file.number + 1).max().unwrap_or(1);
            (dirs[0].join(file_name(QUERY_SOURCE, number)), 0, Open::Create)
        }
    };
    let file = disk.open(&path, how).map_err(Error::disk("open", &path))?;
    file.write_all_at(&bytes, offset).map_err(Error::disk("write", &path))?;
    file.sync().map_err(Error::disk("sync", &path))?;
    disk.sync_dir(&dirs[0]).map_err(Error::disk("sync", &dirs[0]))
}

fn lock(dir: &Path, disk: &dyn Disk, clock: &dyn Clock) -> Result<Lock, Error> {
    let path = dir.join("LOCK-queries");
    let started = clock.elapsed();
    loop {
        if let Some(lock) = disk.try_lock(&path).map_err(Error::disk("lock", &path))? {
            return Ok(lock);
        }
        let waited = clock.elapsed().saturating_sub(started);
        if waited >= QUESTION_WAIT_MAX {
            return Err(Error::QuestionsLocked { dir: dir.to_path_buf(), waited: QUESTION_WAIT_MAX });
        }
        std::thread::park_timeout(LOCK_POLL);
    }
}
