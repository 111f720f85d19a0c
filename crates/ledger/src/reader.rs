//! Reading a ledger, also while a writer runs: sealed segments first, then the log behind them, nothing twice.

mod overview;
mod shown;

pub use shown::ShownRow;
pub(crate) use shown::left;

use crate::Error;
use crate::manifest::{Manifest, Segment};
use crate::recover::sealed_head;
use crate::seal::part_path;
use crate::segment::{self, Part};
use crate::wal::{WalFile, chain, list_files};
use ipnet::IpNet;
use sekisho_model::disk::Disk;
use sekisho_model::{
    Bound, Contained, Exposure, Generic, Inspection, Opened, Record, Registers, ResponseId, SessionKey, SourceId,
    Subject, Target, Timestamp, Transaction,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

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
    /// One of these sessions: those of an account.
    pub sessions: Option<Arc<BTreeSet<SessionKey>>>,
    /// This route.
    pub route: Option<String>,
    /// This person; of no meaning for responses.
    pub subject: Option<Subject>,
}

/// What a part of a response held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A registered person's fields.
    Person(Exposure),
    /// A value recognised by its form.
    Value(Generic),
}

/// A finding in one part of one response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindingRow {
    /// The response.
    pub response: ResponseId,
    /// When the finding was made.
    pub at: Timestamp,
    /// Whom it went to, where the request carried a session.
    pub session: Option<SessionKey>,
    /// What it is.
    pub found: Finding,
}

/// A response that ended in a period or near it, or that did not end in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseRow {
    /// The response.
    pub response: ResponseId,
    /// Whether it ended in the period asked for.
    pub in_period: bool,
    /// What the filter asks for.
    pub told: Told,
}

/// What is told of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Only that it exists: the filter does not admit it.
    Number,
    /// How far it was inspected.
    Ended {
        /// When it was asked for; when it ended, where that is not known.
        began: Timestamp,
        /// When it ended.
        at: Timestamp,
        /// How far.
        inspection: Inspection,
    },
    /// It held something, and had not ended in time. It may be told once more, as ended.
    Open,
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
    /// Whether a time lies in the period.
    #[must_use]
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to)
    }

    /// Whether a row at this time and of this transaction is asked for. A row whose transaction was lost is asked
    /// for when nothing about the transaction is.
    #[must_use]
    pub fn admits(&self, at: Timestamp, transaction: Option<&Transaction>) -> bool {
        let Some(transaction) = transaction else {
            let is_any = self.client.is_none() && self.session.is_none() && self.sessions.is_none();
            return self.covers(at) && is_any && self.route.is_none();
        };
        self.covers(at)
            && self.client.is_none_or(|net| net.contains(&transaction.client))
            && self.wants_session(transaction.session)
            && self.route.as_ref().is_none_or(|route| *route == transaction.route)
    }

    /// Whether a session, or having none, is asked for.
    #[must_use]
    pub fn wants_session(&self, session: Option<SessionKey>) -> bool {
        self.session.is_none_or(|wanted| session == Some(wanted))
            && self.sessions.as_ref().is_none_or(|wanted| session.is_some_and(|session| wanted.contains(&session)))
    }

    /// Whether a finding is of the person asked for. A value without a register is of nobody.
    pub(crate) fn wants(&self, found: &Finding) -> bool {
        match (self.subject, found) {
            (None, _) => true,
            (Some(subject), Finding::Person(exposure)) => exposure.subject == subject,
            (Some(_), Finding::Value(_)) => false,
        }
    }

    /// What an `Opened` tells, when its request came in the time around the period.
    fn opened(&self, around: &Filter, source: SourceId, record: &Record) -> Option<ResponseRow> {
        let Record::Opened(Opened { sequence, transaction }) = record else { return None };
        let response = ResponseId { source, sequence: *sequence };
        let told = if self.admits(transaction.at, Some(transaction)) { Told::Open } else { Told::Number };
        around.covers(transaction.at).then_some(ResponseRow { response, in_period: false, told })
    }

    /// Whether rows of which the first and last times are these can lie in the period.
    pub(crate) fn meets(&self, first: i64, last: i64) -> bool {
        self.from.is_none_or(|from| last >= from.0) && self.to.is_none_or(|to| first < to.0)
    }

    /// The period alone, longer by `margin` at both ends.
    pub(crate) fn around(&self, margin: Duration) -> Filter {
        let before = i64::try_from(margin.as_micros()).unwrap_or(i64::MAX);
        Filter {
            from: self.from.map(|from| Timestamp(from.0.saturating_sub(before))),
            to: self.to.map(|to| to.after(margin)),
            ..Filter::default()
        }
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

    /// The findings that the filter admits, in no order of time. Those of one person in one response stand together,
    /// unless a seal came between them.
    pub fn findings(&self, filter: &Filter, mut each: impl FnMut(FindingRow)) -> Result<(), Error> {
        let snapshot = self.snapshot()?;
        // Rows of a client or session lie together in the one, those of a person in the other: adding up persons is
        // much faster when each comes once.
        let by_client = filter.subject.is_none()
            && (filter.client.is_some() || filter.session.is_some() || filter.sessions.is_some());
        let part = if by_client { Part::Findings } else { Part::BySubject };
        for segment in snapshot.segments(filter) {
            segment::findings(&*self.disk, &part_path(&self.dir, segment, part), filter, &mut each)?;
        }
        let mut open = self.carried(&snapshot.manifest)?;
        snapshot.log_records(&mut |source, record| {
            open.follow(source, &record);
            let Record::Exposed(exposed) = record else { return };
            let response = ResponseId { source, sequence: exposed.sequence };
            let request = open.transaction(response);
            if !filter.admits(exposed.at, request.as_deref()) {
                return;
            }
            let session = request.and_then(|request| request.session);
            let persons = exposed.exposures.into_iter().map(Finding::Person);
            let values = exposed.generic.into_iter().map(Finding::Value);
            for found in persons.chain(values).filter(|found| filter.wants(found)) {
                each(FindingRow { response, at: exposed.at, session, found });
            }
        })
    }

    /// The responses that ended in the filter's period or within `margin` of it, whatever else the filter asks for; and
    /// those that held something, were asked for in that time, and ended later or never.
    pub fn responses(&self, filter: &Filter, margin: Duration, mut each: impl FnMut(ResponseRow)) -> Result<(), Error> {
        let snapshot = self.snapshot()?;
        let around = filter.around(margin);
        for segment in snapshot.segments(&around) {
            let path = |part| part_path(&self.dir, segment, part);
            segment::responses(&*self.disk, &path(Part::Responses), filter, margin, &mut each)?;
            segment::events(&*self.disk, &path(Part::Events), &|kind| kind == "opened", &mut |_, _, record| {
                filter.opened(&around, segment.source, &record).into_iter().for_each(&mut each);
            })?;
        }
        let mut open = self.carried(&snapshot.manifest)?;
        snapshot.log_records(&mut |source, record| {
            let request = open.follow(source, &record);
            filter.opened(&around, source, &record).into_iter().for_each(&mut each);
            let Record::Closed(closed) = record else { return };
            if around.covers(closed.at) {
                let response = ResponseId { source, sequence: closed.sequence };
                let is_asked = filter.admits(closed.at, request.as_deref());
                let began = request.as_deref().map_or(closed.at, |request| request.at);
                let ended = Told::Ended { began, at: closed.at, inspection: closed.inspection };
                let told = if is_asked { ended } else { Told::Number };
                each(ResponseRow { response, in_period: filter.covers(closed.at), told });
            }
        })
    }

    /// Starts, registers, suspects, queries, alerts and what was withheld. Not heartbeats, which are many.
    pub fn events(&self, each: &mut dyn FnMut(SourceId, Record)) -> Result<(), Error> {
        let snapshot = self.snapshot()?;
        for segment in &snapshot.manifest.segments {
            let path = part_path(&self.dir, segment, Part::Events);
            let wanted = |kind: &str| ["started", "registers", "suspect", "query", "withheld", "alert"].contains(&kind);
            segment::events(&*self.disk, &path, &wanted, &mut |_, _, record| each(segment.source, record))?;
        }
        snapshot.log_records(&mut |source, record| match record {
            Record::Opened(_) | Record::Exposed(_) | Record::Closed(_) | Record::Heartbeat(_) => {}
            other => each(source, other),
        })
    }

    /// Whose sessions were from when, in the filter's period, in the order of each source.
    pub fn bindings(&self, filter: &Filter, mut each: impl FnMut(Bound)) -> Result<(), Error> {
        let snapshot = self.snapshot()?;
        let mut give = |record| match record {
            Record::Bound(bound) if filter.covers(bound.at) => each(bound),
            _ => {}
        };
        for segment in snapshot.segments(filter) {
            let path = part_path(&self.dir, segment, Part::Events);
            segment::events(&*self.disk, &path, &|kind| kind == "bound", &mut |_, _, record| give(record))?;
        }
        snapshot.log_records(&mut |_, record| give(record))
    }

    /// Who was kept out and who was let in again in the filter's period: [`Record::Contained`] and [`Record::Released`].
    pub fn decisions(&self, filter: &Filter, mut each: impl FnMut(Record)) -> Result<(), Error> {
        let snapshot = self.snapshot()?;
        let mut give = |record| match &record {
            Record::Contained(contained) if filter.covers(contained.at) => each(record),
            Record::Released(released) if filter.covers(released.at) => each(record),
            _ => {}
        };
        for segment in snapshot.segments(filter) {
            let path = part_path(&self.dir, segment, Part::Events);
            let wanted = |kind: &str| kind == "contained" || kind == "released";
            segment::events(&*self.disk, &path, &wanted, &mut |_, _, record| give(record))?;
        }
        snapshot.log_records(&mut |_, record| give(record))
    }

    /// Who is kept out at this time, from the whole ledger: an entry without an end may be old.
    pub fn contained(&self, now: Timestamp) -> Result<Vec<Contained>, Error> {
        let snapshot = self.snapshot()?;
        let mut held: BTreeMap<Target, Contained> = BTreeMap::new();
        let mut follow = |record| match record {
            // As in the gateway, one that lasts longer stays.
            Record::Contained(contained)
                if held.get(&contained.target).is_none_or(|known| known.ends_us() < contained.ends_us()) =>
            {
                drop(held.insert(contained.target, contained));
            }
            Record::Released(released) => drop(held.remove(&released.target)),
            _ => {}
        };
        for segment in &snapshot.manifest.segments {
            let path = part_path(&self.dir, segment, Part::Events);
            let wanted = |kind: &str| kind == "contained" || kind == "released";
            segment::events(&*self.disk, &path, &wanted, &mut |_, _, record| follow(record))?;
        }
        snapshot.log_records(&mut |_, record| follow(record))?;
        held.retain(|_, contained| contained.until.is_none_or(|until| now < until));
        Ok(held.into_values().collect())
    }

    /// Records that could not be written in the filter's period, as heartbeats count them.
    pub fn records_lost(&self, filter: &Filter) -> Result<u64, Error> {
        let snapshot = self.snapshot()?;
        let mut lost = 0;
        for segment in snapshot.segments(filter) {
            lost += segment::records_lost(&*self.disk, &part_path(&self.dir, segment, Part::Events), filter)?;
        }
        snapshot.log_records(&mut |_, record| match record {
            Record::Heartbeat(beat) if filter.covers(beat.at) => lost += beat.records_lost,
            _ => {}
        })?;
        Ok(lost)
    }

    /// The responses that were open when each source was sealed last.
    fn carried(&self, manifest: &Manifest) -> Result<OpenResponses, Error> {
        let mut open = OpenResponses::default();
        let last: HashMap<SourceId, &Segment> =
            manifest.segments.iter().map(|segment| (segment.source, segment)).collect();
        for (source, segment) in last {
            let path = part_path(&self.dir, segment, Part::Events);
            open.follow_carried(&*self.disk, &path, source)?;
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
    /// The segments that can have rows of the asked time.
    fn segments(&self, filter: &Filter) -> impl Iterator<Item = &Segment> {
        self.manifest.segments.iter().filter(|segment| filter.meets(segment.from.0, segment.to.0))
    }

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
    // The newest first: what is written meanwhile then never stands behind a block that was not read.
    for (source, number, path) in list_files(disk, dirs)?.into_iter().rev() {
        files.entry(source).or_default().push(WalFile::read_written(disk, source, number, Path::new(&path))?);
    }
    Ok(files)
}

/// Responses that are open, so that a part or an end finds its request, and the registers in force.
#[derive(Debug, Default)]
pub(crate) struct OpenResponses {
    by_id: HashMap<ResponseId, Arc<Transaction>>,
    registers: HashMap<SourceId, Registers>,
}

impl OpenResponses {
    /// Follows a record; for a `Closed` the transaction is returned, and forgotten.
    pub(crate) fn follow(&mut self, source: SourceId, record: &Record) -> Option<Arc<Transaction>> {
        match record {
            Record::Opened(opened) => {
                let id = ResponseId { source, sequence: opened.sequence };
                self.by_id.insert(id, Arc::new(opened.transaction.clone()));
            }
            Record::Closed(closed) => {
                let before = self.by_id.remove(&ResponseId { source, sequence: closed.sequence });
                return closed.transaction.clone().map(Arc::new).or(before);
            }
            // A new run: what was open will never be closed, and no register is in force yet.
            Record::Started(_) => {
                self.by_id.retain(|id, _| id.source != source);
                self.registers.remove(&source);
            }
            Record::Registers(registers) => _ = self.registers.insert(source, registers.clone()),
            _ => {}
        }
        None
    }

    /// Follows what a segment's events carry on.
    pub(crate) fn follow_carried(&mut self, disk: &dyn Disk, events: &Path, source: SourceId) -> Result<(), Error> {
        segment::events(disk, events, &|kind| kind == segment::CARRIED, &mut |_, _, record| {
            self.follow(source, &record);
        })
    }

    /// What the next segment of a source must know: registers in force, then every open response in order.
    pub(crate) fn carried(&self, source: SourceId) -> Vec<Record> {
        let mut open: Vec<_> = self.by_id.iter().filter(|(id, _)| id.source == source).collect();
        open.sort_by_key(|(id, _)| **id);
        let opened = open.into_iter().map(|(id, transaction)| {
            Record::Opened(Opened { sequence: id.sequence, transaction: (**transaction).clone() })
        });
        self.registers.get(&source).cloned().map(Record::Registers).into_iter().chain(opened).collect()
    }

    pub(crate) fn registers(&self, source: SourceId) -> Option<&Registers> {
        self.registers.get(&source)
    }

    pub(crate) fn transaction(&self, response: ResponseId) -> Option<Arc<Transaction>> {
        self.by_id.get(&response).cloned()
    }
}
