//! Reading a ledger, also while a writer runs: sealed segments first, then the log behind them, nothing twice.

use crate::Error;
use crate::manifest::{Manifest, Segment};
use crate::recover::sealed_head;
use crate::seal::part_path;
use crate::segment::{self, Part};
use crate::wal::{WalFile, chain, list_files};
use ipnet::IpNet;
use sekisho_model::disk::Disk;
use sekisho_model::{
    ByteRange, Closed, FieldSet, Generic, Record, ResponseId, SessionKey, SourceId, Subject, Timestamp, Transaction,
};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How often a snapshot is tried again when the writer seals in the middle of it.
const SNAPSHOT_TRIES_MAX: usize = 16;

/// Which rows are asked for. A part that is `None` asks for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Not before this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// Clients in this network.
    pub client: Option<IpNet>,
    /// This session.
    pub session: Option<SessionKey>,
    /// This route.
    pub route: Option<String>,
    /// This person; of no meaning for responses.
    pub subject: Option<Subject>,
}

/// One person's fields in one part of one response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposureRow {
    /// The response.
    pub response: ResponseId,
    /// When the finding was made.
    pub at: Timestamp,
    /// The part of the body.
    pub span: ByteRange,
    /// Whose.
    pub subject: Subject,
    /// Which fields left.
    pub fields: FieldSet,
    /// Which were in the request already.
    pub reflected: FieldSet,
    /// Who asked; `None` when the record of it was lost.
    pub transaction: Option<Arc<Transaction>>,
}

/// A value recognised by its form, in one part of one response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenericRow {
    /// The response.
    pub response: ResponseId,
    /// When the finding was made.
    pub at: Timestamp,
    /// What it is.
    pub generic: Generic,
    /// Who asked; `None` when the record of it was lost.
    pub transaction: Option<Arc<Transaction>>,
}

/// A response that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseRow {
    /// The response.
    pub response: ResponseId,
    /// Its end.
    pub closed: Closed,
    /// Who asked; `None` when the record of it was lost.
    pub transaction: Option<Arc<Transaction>>,
}

/// A reader of a ledger directory.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    /// What is read, when it is the ledger of one moment.
    pinned: Option<Arc<Snapshot>>,
}

impl Filter {
    /// Whether a row at this time and of this transaction is asked for. A row whose transaction was lost is asked
    /// for when nothing about the transaction is.
    #[must_use]
    pub fn admits(&self, at: Timestamp, transaction: Option<&Transaction>) -> bool {
        if self.from.is_some_and(|from| at < from) || self.to.is_some_and(|to| at >= to) {
            return false;
        }
        let Some(transaction) = transaction else {
            return self.client.is_none() && self.session.is_none() && self.route.is_none();
        };
        self.client.is_none_or(|net| net.contains(&transaction.client))
            && self.session.is_none_or(|session| transaction.session == Some(session))
            && self.route.as_ref().is_none_or(|route| *route == transaction.route)
    }
}

impl Filter {
    /// Whether a segment can have rows of the asked time.
    fn touches(&self, segment: &Segment) -> bool {
        self.from.is_none_or(|from| segment.to >= from) && self.to.is_none_or(|to| segment.from < to)
    }
}

impl Reader {
    /// A reader; nothing is read yet.
    pub fn open(dir: impl Into<PathBuf>, disk: Arc<dyn Disk>) -> Result<Reader, Error> {
        let reader = Reader { dir: dir.into(), disk, pinned: None };
        Manifest::read(&*reader.disk, &reader.dir)?;
        Ok(reader)
    }

    /// A reader of the ledger as it is now: the log is read once, and all questions are answered from one moment.
    pub fn pin(&self) -> Result<Reader, Error> {
        let pinned = Some(self.snapshot()?);
        Ok(Reader { dir: self.dir.clone(), disk: Arc::clone(&self.disk), pinned })
    }

    /// Every record, in the order of its source. Sources come one after another.
    pub fn records(&self, each: &mut dyn FnMut(SourceId, Record)) -> Result<(), Error> {
        let snapshot = self.snapshot()?;
        for segment in &snapshot.manifest.segments {
            let path = |part| part_path(&self.dir, segment, part);
            segment::records(&*self.disk, &path, &mut |record| each(segment.source, record))?;
        }
        snapshot.log_records(each)
    }

    /// The exposures that the filter admits.
    pub fn exposures(&self, filter: &Filter, each: &mut dyn FnMut(&ExposureRow)) -> Result<(), Error> {
        let snapshot = self.snapshot()?;
        let part = if filter.subject.is_some() { Part::BySubject } else { Part::Exposures };
        for segment in snapshot.manifest.segments.iter().filter(|segment| filter.touches(segment)) {
            segment::exposures(&*self.disk, &part_path(&self.dir, segment, part), filter, each)?;
        }
        let mut open = self.carried(&snapshot.manifest)?;
        snapshot.log_records(&mut |source, record| {
            open.follow(source, &record);
            let Record::Exposed(exposed) = record else { return };
            let response = ResponseId { source, sequence: exposed.sequence };
            let transaction = open.transaction(response);
            if !filter.admits(exposed.at, transaction.as_deref()) {
                return;
            }
            for exposure in
                exposed.exposures.iter().filter(|exposure| filter.subject.is_none_or(|s| s == exposure.subject))
            {
                each(&ExposureRow {
                    response,
                    at: exposed.at,
                    span: exposed.span,
                    subject: exposure.subject,
                    fields: exposure.fields,
                    reflected: exposure.reflected,
                    transaction: transaction.clone(),
                });
            }
        })
    }

    /// The values recognised by their form that the filter admits.
    pub fn generics(&self, filter: &Filter, each: &mut dyn FnMut(&GenericRow)) -> Result<(), Error> {
        if filter.subject.is_some() {
            return Ok(());
        }
        let mut open = OpenResponses::default();
        let mut pick = |source, record: Record| {
            open.follow(source, &record);
            let Record::Exposed(exposed) = record else { return };
            let response = ResponseId { source, sequence: exposed.sequence };
            let transaction = open.transaction(response);
            if !filter.admits(exposed.at, transaction.as_deref()) {
                return;
            }
            for generic in exposed.generic {
                each(&GenericRow { response, at: exposed.at, generic, transaction: transaction.clone() });
            }
        };
        // The events of all segments are followed: a response may have been opened before the asked time.
        let snapshot = self.snapshot()?;
        for segment in &snapshot.manifest.segments {
            let path = part_path(&self.dir, segment, Part::Events);
            segment::events(&*self.disk, &path, &mut |_, kind, record| {
                if kind != "carried" {
                    pick(segment.source, record);
                }
            })?;
        }
        snapshot.log_records(&mut pick)
    }

    /// The responses that the filter admits, by the time of their end.
    pub fn responses(&self, filter: &Filter, each: &mut dyn FnMut(&ResponseRow)) -> Result<(), Error> {
        let snapshot = self.snapshot()?;
        for segment in snapshot.manifest.segments.iter().filter(|segment| filter.touches(segment)) {
            let path = part_path(&self.dir, segment, Part::Responses);
            segment::responses(&*self.disk, &path, &mut |_, closed, transaction| {
                if filter.admits(closed.at, transaction.as_deref()) {
                    let response = ResponseId { source: segment.source, sequence: closed.sequence };
                    each(&ResponseRow { response, closed, transaction });
                }
            })?;
        }
        let mut open = self.carried(&snapshot.manifest)?;
        snapshot.log_records(&mut |source, record| {
            let transaction = open.follow(source, &record);
            let Record::Closed(closed) = record else { return };
            if filter.admits(closed.at, transaction.as_deref()) {
                let response = ResponseId { source, sequence: closed.sequence };
                each(&ResponseRow { response, closed, transaction });
            }
        })
    }

    /// All records that are about no single response: starts, registers, heartbeats, suspects, queries.
    pub fn events(&self, each: &mut dyn FnMut(SourceId, &Record)) -> Result<(), Error> {
        let mut pick = |source, record: &Record| match record {
            Record::Opened(_) | Record::Exposed(_) | Record::Closed(_) => {}
            _ => each(source, record),
        };
        let snapshot = self.snapshot()?;
        for segment in &snapshot.manifest.segments {
            let path = part_path(&self.dir, segment, Part::Events);
            segment::events(&*self.disk, &path, &mut |_, _, record| pick(segment.source, &record))?;
        }
        snapshot.log_records(&mut |source, record| pick(source, &record))
    }

    /// The responses that were open when each source was sealed last.
    fn carried(&self, manifest: &Manifest) -> Result<OpenResponses, Error> {
        let mut open = OpenResponses::default();
        let last: HashMap<SourceId, &Segment> =
            manifest.segments.iter().map(|segment| (segment.source, segment)).collect();
        for (source, segment) in last {
            let path = part_path(&self.dir, segment, Part::Events);
            segment::events(&*self.disk, &path, &mut |_, kind, record| {
                if kind == "carried" {
                    open.follow(source, &record);
                }
            })?;
        }
        Ok(open)
    }

    /// The log's files and the MANIFEST that fits them: a seal in between removes files, so it is tried again.
    fn snapshot(&self) -> Result<Arc<Snapshot>, Error> {
        if let Some(pinned) = &self.pinned {
            return Ok(Arc::clone(pinned));
        }
        let mut last = None;
        for _ in 0..SNAPSHOT_TRIES_MAX {
            let manifest = Manifest::read(&*self.disk, &self.dir)?;
            match read_files(&*self.disk, &manifest.wal_dirs(&self.dir)) {
                Ok(files) if Manifest::read(&*self.disk, &self.dir)? == manifest => {
                    return Ok(Arc::new(Snapshot { dir: self.dir.clone(), manifest, files }));
                }
                Ok(_) => {}
                Err(err) => last = Some(err),
            }
        }
        let path = Manifest::path(&self.dir);
        Err(last.unwrap_or_else(|| Error::corrupt(&path, 0, "the writer seals faster than a reader can follow")))
    }
}

/// The log at one moment.
#[derive(Debug)]
struct Snapshot {
    dir: PathBuf,
    manifest: Manifest,
    files: BTreeMap<SourceId, Vec<WalFile>>,
}

impl Snapshot {
    fn log_records(&self, each: &mut dyn FnMut(SourceId, Record)) -> Result<(), Error> {
        for (source, files) in &self.files {
            let source = *source;
            let sealed = sealed_head(&self.manifest, &self.dir, source)?;
            for placed in chain(files, sealed)? {
                let what = || format!("block {} is not records", placed.block.header.number);
                let records =
                    placed.block.records().ok_or_else(|| Error::corrupt(placed.file, placed.offset, what()))?;
                records.into_iter().for_each(|record| each(source, record));
            }
        }
        Ok(())
    }
}

fn read_files(disk: &dyn Disk, dirs: &[PathBuf]) -> Result<BTreeMap<SourceId, Vec<WalFile>>, Error> {
    let mut files: BTreeMap<SourceId, Vec<WalFile>> = BTreeMap::new();
    for (source, number, path) in list_files(disk, dirs)? {
        files.entry(source).or_default().push(WalFile::read_written(disk, source, number, Path::new(&path))?);
    }
    Ok(files)
}

/// Responses that are open, so that a part or an end finds its request.
#[derive(Debug, Default)]
pub(crate) struct OpenResponses {
    by_id: HashMap<ResponseId, Arc<Transaction>>,
}

impl OpenResponses {
    /// Follows a record; for a `Closed` the transaction is returned, and forgotten.
    pub(crate) fn follow(&mut self, source: SourceId, record: &Record) -> Option<Arc<Transaction>> {
        match record {
            Record::Opened(opened) => {
                let id = ResponseId { source, sequence: opened.sequence };
                self.by_id.insert(id, Arc::new(opened.transaction.clone()));
                None
            }
            Record::Closed(closed) => {
                let before = self.by_id.remove(&ResponseId { source, sequence: closed.sequence });
                closed.transaction.clone().map(Arc::new).or(before)
            }
            // A new run: what was open will never be closed.
            Record::Started(_) => {
                self.by_id.retain(|id, _| id.source != source);
                None
            }
            _ => None,
        }
    }

    /// Every open response of a source, in order.
    pub(crate) fn all(&self, source: SourceId) -> Vec<(ResponseId, Arc<Transaction>)> {
        let mut all: Vec<_> = self.by_id.iter().filter(|(id, _)| id.source == source).collect();
        all.sort_by_key(|(id, _)| **id);
        all.into_iter().map(|(id, transaction)| (*id, Arc::clone(transaction))).collect()
    }

    pub(crate) fn transaction(&self, response: ResponseId) -> Option<Arc<Transaction>> {
        self.by_id.get(&response).cloned()
    }
}
