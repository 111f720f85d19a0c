//! Sealed segments: what a run of blocks held, in Parquet that any tool opens, and back to records without loss.
//!
//! A segment has four files: exposures by client (`<n>.parquet`), the same rows by subject
//! (`<n>.subject.parquet`), ended responses (`<n>.responses.parquet`), and everything else as JSON
//! (`<n>.events.parquet`). A response that is still open at the end is carried: its `Opened` stands once more in
//! the events, as `carried`, so that the next segment's rows find their request.

mod table;

use crate::Error;
use crate::reader::{ExposureRow, Filter, OpenResponses};
use sekisho_model::disk::Disk;
use sekisho_model::*;
use serde_json::Value;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use table::{Column, Kind, Schema, TableFile, whole_range};

const EXPOSURES: Schema = &[
    ("source", Kind::Whole),
    ("sequence", Kind::Whole),
    ("position", Kind::Whole),
    ("ordinal", Kind::Whole),
    ("at", Kind::Time),
    ("span_start", Kind::Whole),
    ("span_end", Kind::Whole),
    ("register", Kind::Whole),
    ("subject", Kind::Whole),
    ("fields", Kind::Whole),
    ("reflected", Kind::Whole),
    ("request_at", Kind::Time),
    ("client", Kind::Text),
    ("client_key", Kind::Text),
    ("session", Kind::Text),
    ("route", Kind::Text),
    ("method", Kind::Text),
    ("status", Kind::Whole),
];
const EXPOSURES_REQUEST: usize = 11;

const RESPONSES: Schema = &[
    ("source", Kind::Whole),
    ("sequence", Kind::Whole),
    ("position", Kind::Whole),
    ("at", Kind::Time),
    ("inspection", Kind::Text),
    ("reason", Kind::Text),
    ("disposition", Kind::Text),
    ("body_bytes_released", Kind::Whole),
    ("was_opened", Kind::Whole),
    ("request_at", Kind::Time),
    ("client", Kind::Text),
    ("client_key", Kind::Text),
    ("session", Kind::Text),
    ("route", Kind::Text),
    ("method", Kind::Text),
    ("status", Kind::Whole),
];
const RESPONSES_REQUEST: usize = 9;

const EVENTS: Schema =
    &[("source", Kind::Whole), ("position", Kind::Whole), ("kind", Kind::Text), ("record", Kind::Text)];

/// Which file of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Exposures,
    BySubject,
    Responses,
    Events,
}

impl Part {
    pub(crate) const ALL: [Part; 4] = [Part::Exposures, Part::BySubject, Part::Responses, Part::Events];

    /// The ending of the file's name.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Part::Exposures => "parquet",
            Part::BySubject => "subject.parquet",
            Part::Responses => "responses.parquet",
            Part::Events => "events.parquet",
        }
    }
}

/// A segment's rows while it is made.
pub(crate) struct Builder {
    source: SourceId,
    exposures: Vec<(u64, i64, ExposureRow)>,
    responses: Vec<(u64, Closed, Option<Arc<Transaction>>)>,
    events: Vec<(u64, &'static str, String)>,
    position_next: u64,
}

impl Builder {
    pub(crate) fn new(source: SourceId) -> Builder {
        Builder { source, exposures: Vec::new(), responses: Vec::new(), events: Vec::new(), position_next: 0 }
    }

    /// Adds a record. `open` must have followed all records before it.
    pub(crate) fn add(&mut self, position: u64, record: Record, open: &mut OpenResponses) {
        let followed = open.follow(self.source, &record);
        self.position_next = position + 1;
        match record {
            Record::Closed(closed) => self.responses.push((position, closed, followed)),
            Record::Exposed(mut exposed) => {
                let response = ResponseId { source: self.source, sequence: exposed.sequence };
                let transaction = open.transaction(response);
                for (ordinal, exposure) in (0i64..).zip(std::mem::take(&mut exposed.exposures)) {
                    let row = ExposureRow {
                        response,
                        at: exposed.at,
                        span: exposed.span,
                        subject: exposure.subject,
                        fields: exposure.fields,
                        reflected: exposure.reflected,
                        transaction: transaction.clone(),
                    };
                    self.exposures.push((position, ordinal, row));
                }
                self.event(position, "exposed", &Record::Exposed(exposed));
            }
            other => {
                let kind = match other {
                    Record::Started(_) => "started",
                    Record::Registers(_) => "registers",
                    Record::Opened(_) => "opened",
                    Record::Heartbeat(_) => "heartbeat",
                    Record::Suspect(_) => "suspect",
                    Record::Withheld(_) => "withheld",
                    _ => "query",
                };
                self.event(position, kind, &other);
            }
        }
    }

    fn event(&mut self, position: u64, kind: &'static str, record: &Record) {
        let json = serde_json::to_string(record).expect("a record is plain data");
        self.events.push((position, kind, json));
    }

    /// The files' bytes, in the order of [`Part::ALL`].
    pub(crate) fn finish(mut self, open: &OpenResponses) -> parquet::errors::Result<[Vec<u8>; 4]> {
        let position_next = self.position_next;
        for (response, transaction) in open.all(self.source) {
            let opened = Opened { sequence: response.sequence, transaction: (*transaction).clone() };
            self.event(position_next, "carried", &Record::Opened(opened));
        }
        let events = table::write(
            EVENTS,
            &[
                Column::whole(self.events.iter().map(|_| Some(i64::from(self.source.0)))),
                Column::whole(self.events.iter().map(|event| Some(event.0.cast_signed()))),
                Column::text(self.events.iter().map(|event| Some(event.1.to_owned()))),
                Column::text(self.events.iter().map(|event| Some(event.2.clone()))),
            ],
        )?;
        let responses = self.responses_file()?;
        self.exposures.sort_by_key(|(position, ordinal, row)| {
            let transaction = row.transaction.as_ref();
            let client = transaction.map(|transaction| transaction.client);
            (
                client,
                transaction.and_then(|transaction| transaction.session),
                row.response.sequence,
                *position,
                *ordinal,
            )
        });
        let by_client = exposures_file(&self.exposures)?;
        self.exposures.sort_by_key(|(position, ordinal, row)| (row.subject, row.at, *position, *ordinal));
        Ok([by_client, exposures_file(&self.exposures)?, responses, events])
    }

    fn responses_file(&self) -> parquet::errors::Result<Vec<u8>> {
        let rows = &self.responses;
        let mut columns = vec![
            Column::whole(rows.iter().map(|_| Some(i64::from(self.source.0)))),
            Column::whole(rows.iter().map(|row| Some(row.1.sequence.cast_signed()))),
            Column::whole(rows.iter().map(|row| Some(row.0.cast_signed()))),
            Column::whole(rows.iter().map(|row| Some(row.1.at.0))),
            Column::text(rows.iter().map(|row| Some(inspection_name(row.1.inspection).to_owned()))),
            Column::text(rows.iter().map(|row| match row.1.inspection {
                Inspection::NotInspectable(reason) => Some(name_of(&reason)),
                Inspection::Inspected | Inspection::WithoutBody => None,
            })),
            Column::text(rows.iter().map(|row| Some(name_of(&row.1.disposition)))),
            Column::whole(rows.iter().map(|row| Some(row.1.body_bytes_released.cast_signed()))),
            Column::whole(rows.iter().map(|row| Some(i64::from(row.1.transaction.is_none())))),
        ];
        columns.extend(request_columns(&rows.iter().map(|row| row.2.as_deref()).collect::<Vec<_>>()));
        table::write(RESPONSES, &columns)
    }
}

fn exposures_file(rows: &[(u64, i64, ExposureRow)]) -> parquet::errors::Result<Vec<u8>> {
    let whole = |value: &dyn Fn(&ExposureRow) -> i64| Column::whole(rows.iter().map(|(_, _, row)| Some(value(row))));
    let mut columns = vec![
        whole(&|row| i64::from(row.response.source.0)),
        whole(&|row| row.response.sequence.cast_signed()),
        Column::whole(rows.iter().map(|row| Some(row.0.cast_signed()))),
        Column::whole(rows.iter().map(|row| Some(row.1))),
        whole(&|row| row.at.0),
        whole(&|row| row.span.start.cast_signed()),
        whole(&|row| row.span.end.cast_signed()),
        whole(&|row| i64::from(row.subject.register.0)),
        whole(&|row| i64::from(row.subject.id.0)),
        whole(&|row| row.fields.0.cast_signed()),
        whole(&|row| row.reflected.0.cast_signed()),
    ];
    columns.extend(request_columns(&rows.iter().map(|row| row.2.transaction.as_deref()).collect::<Vec<_>>()));
    table::write(EXPOSURES, &columns)
}

fn request_columns(rows: &[Option<&Transaction>]) -> Vec<Column> {
    let text = |value: &dyn Fn(&Transaction) -> Option<String>| {
        Column::text(rows.iter().map(|transaction| transaction.and_then(value)))
    };
    vec![
        Column::whole(rows.iter().map(|transaction| transaction.map(|transaction| transaction.at.0))),
        text(&|transaction| Some(transaction.client.to_string())),
        text(&|transaction| Some(hex::encode(transaction.client_key))),
        text(&|transaction| transaction.session.map(|session| session.to_string())),
        text(&|transaction| Some(transaction.route.clone())),
        text(&|transaction| Some(transaction.method.clone())),
        Column::whole(rows.iter().map(|transaction| transaction.map(|transaction| i64::from(transaction.status)))),
    ]
}

/// The request of a row, from the columns that begin at `first`.
fn request_at(columns: &[Column], first: usize, row: usize) -> Option<Arc<Transaction>> {
    let text = |column: usize| columns[first + column].text_if(row);
    let key = |text: &str| hex::decode(text).ok()?.try_into().ok();
    Some(Arc::new(Transaction {
        at: Timestamp(columns[first].whole_if(row)?),
        client: text(1)?.parse::<IpAddr>().ok()?,
        client_key: key(text(2)?)?,
        session: text(3).and_then(key).map(SessionKey),
        route: text(4)?.to_owned(),
        method: text(5)?.to_owned(),
        status: u16::try_from(columns[first + 6].whole_at(row)).ok()?,
    }))
}

/// The exposures in a file that the filter admits.
pub(crate) fn exposures(
    disk: &dyn Disk,
    path: &Path,
    filter: &Filter,
    each: &mut dyn FnMut(&ExposureRow),
) -> Result<(), Error> {
    let file = TableFile::open(disk, path)?;
    let wanted = |group: &parquet::file::metadata::RowGroupMetaData| {
        let times = whole_range(group, 4).is_none_or(|(min, max)| {
            filter.from.is_none_or(|from| max >= from.0) && filter.to.is_none_or(|to| min < to.0)
        });
        let subjects = whole_range(group, 8).is_none_or(|(min, max)| {
            filter.subject.is_none_or(|subject| (min..=max).contains(&i64::from(subject.id.0)))
        });
        times && subjects
    };
    // Rows of one response lie together: their request is put together once.
    let mut last: Option<(ResponseId, Option<Arc<Transaction>>)> = None;
    file.row_groups(&wanted, &mut |columns, rows| {
        for row in 0..rows {
            let exposure = exposure_at(columns, row);
            if filter.subject.is_some_and(|subject| subject != exposure.subject) {
                continue;
            }
            let response = response_at(columns, row);
            let transaction = match &last {
                Some((id, transaction)) if *id == response => transaction.clone(),
                _ => request_at(columns, EXPOSURES_REQUEST, row),
            };
            last = Some((response, transaction.clone()));
            let at = Timestamp(columns[4].whole_at(row));
            if filter.admits(at, transaction.as_deref()) {
                let span = ByteRange {
                    start: columns[5].whole_at(row).cast_unsigned(),
                    end: columns[6].whole_at(row).cast_unsigned(),
                };
                let Exposure { subject, fields, reflected } = exposure;
                each(&ExposureRow { response, at, span, subject, fields, reflected, transaction });
            }
        }
    })
}

fn response_at(columns: &[Column], row: usize) -> ResponseId {
    let source = SourceId(u32::try_from(columns[0].whole_at(row)).unwrap_or(0));
    ResponseId { source, sequence: columns[1].whole_at(row).cast_unsigned() }
}

fn exposure_at(columns: &[Column], row: usize) -> Exposure {
    Exposure {
        subject: Subject {
            register: RegisterId(u16::try_from(columns[7].whole_at(row)).unwrap_or(0)),
            id: SubjectId(u32::try_from(columns[8].whole_at(row)).unwrap_or(0)),
        },
        fields: FieldSet(columns[9].whole_at(row).cast_unsigned()),
        reflected: FieldSet(columns[10].whole_at(row).cast_unsigned()),
    }
}

/// The ended responses of a file, with their requests.
pub(crate) fn responses(
    disk: &dyn Disk,
    path: &Path,
    each: &mut dyn FnMut(u64, Closed, Option<Arc<Transaction>>),
) -> Result<(), Error> {
    let mut broken = None;
    TableFile::open(disk, path)?.row_groups(&|_| true, &mut |columns, rows| {
        for row in 0..rows {
            let request = request_at(columns, RESPONSES_REQUEST, row);
            match closed_at(columns, row, request.as_deref()) {
                Some(closed) => each(columns[2].whole_at(row).cast_unsigned(), closed, request),
                None => broken = Some(row as u64),
            }
        }
    })?;
    broken.map_or(Ok(()), |row| Err(Error::corrupt(path, 0, format!("row {row} is no response"))))
}

fn closed_at(columns: &[Column], row: usize, request: Option<&Transaction>) -> Option<Closed> {
    let was_opened = columns[8].whole_at(row) != 0;
    Some(Closed {
        sequence: columns[1].whole_at(row).cast_unsigned(),
        at: Timestamp(columns[3].whole_at(row)),
        transaction: if was_opened { None } else { request.cloned() },
        inspection: match columns[4].text_if(row)? {
            "inspected" => Inspection::Inspected,
            "without_body" => Inspection::WithoutBody,
            _ => Inspection::NotInspectable(from_name(columns[5].text_if(row)?)?),
        },
        disposition: from_name(columns[6].text_if(row)?)?,
        body_bytes_released: columns[7].whole_at(row).cast_unsigned(),
    })
}

/// The events of a file as position, kind and record.
pub(crate) fn events(disk: &dyn Disk, path: &Path, each: &mut dyn FnMut(u64, &str, Record)) -> Result<(), Error> {
    let mut broken = None;
    TableFile::open(disk, path)?.row_groups(&|_| true, &mut |columns, rows| {
        for row in 0..rows {
            let record = columns[3].text_if(row).and_then(|json| serde_json::from_str(json).ok());
            match (columns[2].text_if(row), record) {
                (Some(kind), Some(record)) => each(columns[1].whole_at(row).cast_unsigned(), kind, record),
                _ => broken = Some(row as u64),
            }
        }
    })?;
    broken.map_or(Ok(()), |row| Err(Error::corrupt(path, 0, format!("row {row} is no event"))))
}

/// Every record of a segment in its order. `path` gives the place of each part.
pub(crate) fn records(
    disk: &dyn Disk,
    path: &dyn Fn(Part) -> std::path::PathBuf,
    each: &mut dyn FnMut(Record),
) -> Result<(), Error> {
    let mut found: Vec<(u64, Record)> = Vec::new();
    events(disk, &path(Part::Events), &mut |position, kind, record| {
        if kind != "carried" {
            found.push((position, record));
        }
    })?;
    responses(disk, &path(Part::Responses), &mut |position, closed, _| found.push((position, Record::Closed(closed))))?;
    found.sort_by_key(|(position, _)| *position);
    let mut parts: Vec<(u64, i64, Exposure)> = Vec::new();
    TableFile::open(disk, &path(Part::Exposures))?.row_groups(&|_| true, &mut |columns, rows| {
        parts.extend((0..rows).map(|row| {
            (columns[2].whole_at(row).cast_unsigned(), columns[3].whole_at(row), exposure_at(columns, row))
        }));
    })?;
    parts.sort_by_key(|(position, ordinal, _)| (*position, *ordinal));
    let mut parts = parts.into_iter().peekable();
    for (position, mut record) in found {
        if let Record::Exposed(exposed) = &mut record {
            while let Some((_, _, exposure)) = parts.next_if(|(of, _, _)| *of == position) {
                exposed.exposures.push(exposure);
            }
        }
        each(record);
    }
    Ok(())
}

fn inspection_name(inspection: Inspection) -> &'static str {
    match inspection {
        Inspection::Inspected => "inspected",
        Inspection::WithoutBody => "without_body",
        Inspection::NotInspectable(_) => "not_inspectable",
    }
}

/// The name that serde gives to a value of a plain enum.
fn name_of<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}

fn from_name<T: serde::de::DeserializeOwned>(name: &str) -> Option<T> {
    serde_json::from_value(Value::String(name.to_owned())).ok()
}
