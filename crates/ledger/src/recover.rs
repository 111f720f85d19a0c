//! Recovery: reads what a writer left behind, compares it with what was signed, cuts torn tails, and says where to go on
//! (LED-2). Nothing is changed before it is known to be what was signed, so that nobody else's change is signed over.

use crate::durable::{TEMPORARY, create_directories};
use crate::log::{Log, checkpoint_path};
use crate::manifest::Manifest;
use crate::wal::{Head, Placed, Tail, WalFile, chain, list_files};
use crate::{Error, Options, QUERY_SOURCE};
use sekisho_model::disk::{Disk, Open};
use sekisho_model::{Heartbeat, Record, SourceId};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Sequence numbers that are left out after a restart: more than a gateway can give out, at 40,000 a second,
/// in a day without one durable record. So none is ever given out twice.
pub const SEQUENCE_ROOM: u64 = 1 << 32;

/// What was found when the ledger was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Records found in the unsealed log.
    pub records: u64,
    /// Blocks found in the unsealed log.
    pub blocks: u64,
    /// Torn tails that were cut: their records were never acknowledged.
    pub torn: Vec<TornTail>,
    /// The first sequence number of this run.
    pub sequence_first: u64,
}

/// A block whose write did not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// In which file.
    pub file: PathBuf,
    /// From where.
    pub offset: u64,
    /// Bytes that were cut.
    pub bytes: u64,
}

/// What the writer goes on from.
pub(crate) struct Recovered {
    pub(crate) log: Log,
    pub(crate) head: Head,
    pub(crate) file_number_next: u64,
    pub(crate) report: Recovery,
}

/// Makes the directories on first use, then reads the ledger and mends what a crash may leave.
pub(crate) fn recover(options: &Options) -> Result<Recovered, Error> {
    let (disk, dir) = (&*options.disk, options.dir.as_path());
    for below in ["wal", "segments", "log/tile", "state"] {
        create_directories(disk, dir, Path::new(below))?;
    }
    let mut log = Log::open(options.log_place())?;
    let manifest = open_manifest(options, &log)?;
    let dirs = manifest.wal_dirs(dir);
    for (dir, ending) in dirs.iter().map(|dir| (dir.clone(), TEMPORARY)).chain([(dir.to_path_buf(), TEMPORARY)]) {
        remove_leftovers(disk, &dir, ending)?;
    }
    let files = read_source(disk, &dirs, options.source)?;
    let sealed = sealed_head(&manifest, dir, options.source)?;
    let blocks = chain(&files, sealed)?;
    let last = manifest.segments.iter().rev().find(|segment| segment.source == options.source);
    let mut sequence_highest = last.map_or(0, |segment| segment.sequence_highest);
    let mut sequence_next = last.and_then(|segment| segment.sequence_next);
    let mut records = 0;
    for placed in &blocks {
        let found = placed.block.records().ok_or_else(|| {
            Error::corrupt(placed.file, placed.offset, format!("block {} is not records", placed.block.header.number))
        })?;
        records += found.len() as u64;
        sequence_highest = found.iter().filter_map(highest_sequence).fold(sequence_highest, u64::max);
        sequence_next = found.last().map_or(sequence_next, sequence_after);
    }
    let head = blocks.last().map_or(sealed, |placed| Head::of(&placed.block));
    log.mend()?;
    let report = Recovery {
        records,
        blocks: blocks.len() as u64,
        torn: mend(disk, &files)?,
        sequence_first: match sequence_next {
            Some(next) => next,
            None if sequence_highest == 0 => 1,
            None => sequence_highest + SEQUENCE_ROOM,
        },
    };
    let file_number_next = files.iter().map(|file| file.number + 1).max().unwrap_or(1);
    Ok(Recovered { log, head, file_number_next, report })
}

/// The MANIFEST, when it and the log's files are what was signed, as it is from now on.
fn open_manifest(options: &Options, log: &Log) -> Result<Manifest, Error> {
    let (disk, dir) = (&*options.disk, options.dir.as_path());
    let mut manifest = if disk.exists(&Manifest::path(dir)) { Manifest::read(disk, dir)? } else { Manifest::default() };
    let before = manifest.to_bytes();
    log.complete(&mut manifest)?;
    manifest.move_emergency(disk, dir, options.emergency_dir.as_ref())?;
    check_signed(options, &manifest, log)?;
    options.signing_key.verifier().clone_into(&mut manifest.verifier_key);
    if manifest.to_bytes() != before {
        manifest.write(disk, dir)?;
    }
    Ok(manifest)
}

/// Whether the log's files hold what was signed of them, of every source. Questions are compared by whoever signs them: a
/// gateway does not stay closed for them.
fn check_signed(options: &Options, manifest: &Manifest, log: &Log) -> Result<(), Error> {
    let (disk, dir) = (&*options.disk, options.dir.as_path());
    let dirs = manifest.wal_dirs(dir);
    let written = list_files(disk, &dirs)?.into_iter().map(|(source, _, _)| source);
    let sources: BTreeSet<SourceId> = written.chain(log.sources()).filter(|source| *source != QUERY_SOURCE).collect();
    for source in sources {
        let files = read_source(disk, &dirs, source)?;
        let sealed = sealed_head(manifest, dir, source)?;
        let blocks = chain(&files, sealed)?;
        check_head(&dir.join("wal"), &blocks, sealed, log.head(source))?;
        let is_unsigned = log.head(source) == Head::START;
        if is_unsigned && blocks.iter().any(|placed| tells_something(placed)) {
            let holds = format!("{} blocks of records of source {}", blocks.len(), source.0);
            return Err(Error::NothingSigned { dir: dir.to_path_buf(), holds });
        }
    }
    if !log.is_signed() && disk.exists(&checkpoint_path(dir)) {
        return Err(Error::NothingSigned { dir: dir.to_path_buf(), holds: "a published checkpoint".into() });
    }
    Ok(())
}

/// Whether the blocks behind the sealed ones hold the one that was signed last, as it was signed: it commits to all before it.
pub(crate) fn check_head(wal: &Path, blocks: &[Placed<'_>], sealed: Head, signed: Head) -> Result<(), Error> {
    if signed.number <= sealed.number {
        return Ok(()); // The segment's entry commits to what they held.
    }
    let remedy =
        "put the log's files back from a copy, or keep the directory as evidence and begin a ledger in another one";
    match blocks.iter().find(|placed| placed.block.header.number == signed.number) {
        Some(placed) if Head::of(&placed.block) == signed => Ok(()),
        Some(placed) => {
            let what = format!("block {} is not the one that was signed; {remedy}", signed.number);
            Err(Error::corrupt(placed.file, placed.offset, what))
        }
        None => Err(Error::corrupt(wal, 0, format!("block {} was signed and is missing; {remedy}", signed.number))),
    }
}

/// Whether a block holds more than a writer writes before its first signature, when it has not answered anybody yet: that it
/// began.
pub(crate) fn tells_something(placed: &Placed<'_>) -> bool {
    let is_begin = |record: &Record| match record {
        Record::Started(_) => true,
        // Of a disk so slow that a minute went by.
        Record::Heartbeat(Heartbeat { inspected: 0, without_body: 0, not_inspectable, .. }) => {
            not_inspectable.is_empty()
        }
        _ => false,
    };
    placed.block.records().is_none_or(|records| !records.iter().all(is_begin))
}

pub(crate) fn sealed_head(manifest: &Manifest, dir: &Path, source: SourceId) -> Result<Head, Error> {
    manifest.head(source).ok_or_else(|| Error::corrupt(&Manifest::path(dir), 0, "a block hash is not 32 bytes in hex"))
}

/// All WAL files of one source. One that vanishes between listing and reading was an empty one that its writer removed;
/// were it another, its blocks would be missed in the chain.
pub(crate) fn read_source(disk: &dyn Disk, dirs: &[PathBuf], source: SourceId) -> Result<Vec<WalFile>, Error> {
    let mut files = Vec::new();
    for (source, number, path) in list_files(disk, dirs)?.into_iter().filter(|(of, _, _)| *of == source) {
        match WalFile::read(disk, source, number, &path) {
            Ok(file) => files.push(file),
            Err(err) if err.is_not_found() => {}
            Err(err) => return Err(err),
        }
    }
    Ok(files)
}

/// Cuts tails and syncs, so that what was read now will be read again: a process that was killed may have left
/// blocks that the disk never got. Files without a block are removed.
fn mend(disk: &dyn Disk, files: &[WalFile]) -> Result<Vec<TornTail>, Error> {
    let mut torn = Vec::new();
    for file in files {
        if file.end == 0 {
            disk.remove(&file.path).map_err(Error::disk("remove", &file.path))?;
        } else {
            let open = disk.open(&file.path, Open::Write).map_err(Error::disk("open", &file.path))?;
            if file.tail_bytes() > 0 {
                open.set_len(file.end as u64).map_err(Error::disk("cut", &file.path))?;
            }
            open.sync().map_err(Error::disk("sync", &file.path))?;
        }
        if file.tail == Tail::Torn {
            torn.push(TornTail { file: file.path.clone(), offset: file.end as u64, bytes: file.tail_bytes() });
        }
    }
    let mut dirs: Vec<_> = files.iter().filter_map(|file| file.path.parent()).collect();
    dirs.dedup();
    for dir in dirs {
        disk.sync_dir(dir).map_err(Error::disk("sync", dir))?;
    }
    Ok(torn)
}

fn remove_leftovers(disk: &dyn Disk, dir: &Path, ending: &str) -> Result<(), Error> {
    if !disk.exists(dir) {
        return Ok(());
    }
    for path in disk.read_dir(dir).map_err(Error::disk("list", dir))? {
        if path.extension().is_some_and(|extension| extension == ending) {
            disk.remove(&path).map_err(Error::disk("remove", &path))?;
        }
    }
    Ok(())
}

/// The next sequence number, when the writer ended with this record.
pub(crate) fn sequence_after(record: &Record) -> Option<u64> {
    match record {
        Record::Heartbeat(heartbeat) if heartbeat.is_last => Some(heartbeat.sequence_next),
        _ => None,
    }
}

/// The highest sequence number that a record shows to have been given out.
pub(crate) fn highest_sequence(record: &Record) -> Option<u64> {
    match record {
        Record::Opened(opened) => Some(opened.sequence),
        Record::Exposed(exposed) => Some(exposed.sequence),
        Record::Withheld(withheld) => Some(withheld.sequence),
        Record::Closed(closed) => Some(closed.sequence),
        Record::Started(started) => Some(started.sequence_first),
        Record::Heartbeat(heartbeat) => Some(heartbeat.sequence_next),
        Record::Registers(_)
        | Record::Suspect(_)
        | Record::Query(_)
        | Record::Bound(_)
        | Record::Alert(_)
        | Record::Contained(_)
        | Record::Released(_) => None,
    }
}
