//! Makes the four files of a segment from its records.

use super::table::{self, Values};
use super::{CARRIED, EVENTS, FINDINGS, RESPONSES, kind_of};
use crate::reader::{Finding, OpenResponses};
use crate::seal::time_of;
use sekisho_model::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The files' metadata: registers as they were described, those in force at the begin first.
const REGISTERS_NOTE: &str = "sekisho.registers";
/// The files' metadata: how to read the columns with it.
const COLUMNS_NOTE: &str = "sekisho.columns";
const COLUMNS: &str = "A row with `subject` is a registered person: `register` is an `id` in sekisho.registers, in the \
    last entry whose `at` is not after the row's; bit n of `fields` is that register's n-th field, from 0, which left; \
    `reflected` likewise, for fields that the request itself contained. A row with `generic` is a value recognised by its \
    form, `value` its keyed hash. Times are in UTC.";

/// A segment's rows while it is made.
pub(crate) struct Builder {
    source: SourceId,
    findings: Vec<FindingRow>,
    responses: Vec<ResponseRow>,
    events: Vec<Event>,
    /// `Opened` of this segment, by sequence, until they are told with their `Closed`.
    opened: BTreeMap<u64, (u64, Opened)>,
    registers: Vec<Registers>,
    position_next: u64,
}

struct FindingRow {
    position: u64,
    ordinal: i64,
    sequence: u64,
    at: Timestamp,
    span: ByteRange,
    found: Finding,
    request: Option<Arc<Transaction>>,
}

struct ResponseRow {
    position: u64,
    opened_position: Option<u64>,
    closed: Closed,
    request: Option<Arc<Transaction>>,
}

struct Event {
    position: u64,
    at: Timestamp,
    kind: &'static str,
    records_lost: Option<u64>,
    json: String,
}

impl Builder {
    /// Begins behind a segment whose last records are in `open`.
    /// For about so many records, of which most tell of a response's end.
    pub(crate) fn new(source: SourceId, open: &OpenResponses, records: usize) -> Builder {
        Builder {
            source,
            findings: Vec::new(),
            responses: Vec::with_capacity(records),
            events: Vec::new(),
            opened: BTreeMap::new(),
            registers: open.registers(source).cloned().into_iter().collect(),
            position_next: 0,
        }
    }

    /// Adds a record. `open` must have followed all records before it.
    pub(crate) fn add(&mut self, position: u64, record: Record, open: &mut OpenResponses) {
        let followed = open.follow(self.source, &record);
        self.position_next = position + 1;
        match record {
            Record::Opened(opened) => {
                if let Some((before, twice)) = self.opened.insert(opened.sequence, (position, opened)) {
                    self.event(before, "opened", &Record::Opened(twice));
                }
            }
            Record::Closed(closed) => {
                // A `Closed` with a transaction of its own does not tell that of its `Opened`.
                let opened = if closed.transaction.is_none() { self.opened.remove(&closed.sequence) } else { None };
                let opened_position = opened.map(|(position, _)| position);
                self.responses.push(ResponseRow { position, opened_position, closed, request: followed });
            }
            Record::Exposed(exposed) if !(exposed.exposures.is_empty() && exposed.generic.is_empty()) => {
                let response = ResponseId { source: self.source, sequence: exposed.sequence };
                self.found(position, &exposed, open.transaction(response).as_ref());
            }
            other => {
                match &other {
                    // What was open will never be closed.
                    Record::Started(_) => self.tell_opened(),
                    Record::Registers(registers) => self.registers.push(registers.clone()),
                    _ => {}
                }
                self.event(position, kind_of(&other), &other);
            }
        }
    }

    fn found(&mut self, position: u64, exposed: &Exposed, request: Option<&Arc<Transaction>>) {
        let persons = exposed.exposures.iter().map(|exposure| Finding::Person(*exposure));
        let values = exposed.generic.iter().map(|generic| Finding::Value(*generic));
        for (ordinal, found) in (0i64..).zip(persons.chain(values)) {
            let Exposed { sequence, at, span, .. } = *exposed;
            self.findings.push(FindingRow { position, ordinal, sequence, at, span, found, request: request.cloned() });
        }
    }

    fn tell_opened(&mut self) {
        for (position, opened) in std::mem::take(&mut self.opened).into_values() {
            self.event(position, "opened", &Record::Opened(opened));
        }
    }

    fn event(&mut self, position: u64, kind: &'static str, record: &Record) {
        let json = serde_json::to_string(record).expect("a record is plain data");
        let records_lost = if let Record::Heartbeat(beat) = record { Some(beat.records_lost) } else { None };
        self.events.push(Event { position, at: time_of(record), kind, records_lost, json });
    }

    /// The files' bytes, in the order of [`super::Part::ALL`].
    pub(crate) fn finish(mut self, open: &OpenResponses) -> parquet::errors::Result<[Vec<u8>; 4]> {
        self.tell_opened();
        let position_next = self.position_next;
        for record in open.carried(self.source) {
            self.event(position_next, CARRIED, &record);
        }
        let events = self.events_file()?;
        self.responses.sort_by_cached_key(|row| (client_of(row.request.as_deref()), row.closed.sequence, row.position));
        let responses = self.responses_file()?;
        self.findings
            .sort_by_cached_key(|row| (client_of(row.request.as_deref()), row.sequence, row.position, row.ordinal));
        let by_client = self.findings_file()?;
        self.findings.sort_by_key(|row| {
            let subject = match &row.found {
                Finding::Person(exposure) => Some(exposure.subject),
                Finding::Value(_) => None,
            };
            (subject, row.sequence, row.position, row.ordinal)
        });
        Ok([by_client, self.findings_file()?, responses, events])
    }

    fn events_file(&mut self) -> parquet::errors::Result<Vec<u8>> {
        self.events.sort_by_key(|event| (event.records_lost.is_some(), event.position));
        let rows = &self.events;
        let columns = [
            whole(rows, |_| i64::from(self.source.0)),
            whole(rows, |event| event.position.cast_signed()),
            whole(rows, |event| event.at.0),
            text(rows, |event| Some(event.kind.to_owned())),
            Values::WholeIf(rows.iter().map(|event| event.records_lost.map(u64::cast_signed)).collect()),
            text(rows, |event| Some(event.json.clone())),
        ];
        let heartbeats = rows.partition_point(|event| event.records_lost.is_none());
        table::write(EVENTS, &[], &columns, heartbeats)
    }

    fn responses_file(&self) -> parquet::errors::Result<Vec<u8>> {
        let rows = &self.responses;
        let mut columns = vec![
            whole(rows, |_| i64::from(self.source.0)),
            whole(rows, |row| row.closed.sequence.cast_signed()),
            whole(rows, |row| row.position.cast_signed()),
            Values::WholeIf(rows.iter().map(|row| row.opened_position.map(u64::cast_signed)).collect()),
            whole(rows, |row| i64::from(row.closed.transaction.is_none())),
            whole(rows, |row| row.closed.at.0),
            text(rows, |row| Some(inspection_name(row.closed.inspection).to_owned())),
            text(rows, |row| match row.closed.inspection {
                Inspection::NotInspectable(reason) => Some(name_of(&reason)),
                Inspection::Inspected | Inspection::WithoutBody => None,
            }),
            text(rows, |row| Some(name_of(&row.closed.disposition))),
            whole(rows, |row| row.closed.body_bytes_released.cast_signed()),
        ];
        columns.extend(request_columns(rows, |row| row.request.as_deref()));
        table::write(RESPONSES, &[], &columns, 0)
    }

    fn findings_file(&self) -> parquet::errors::Result<Vec<u8>> {
        let rows = &self.findings;
        let person = |row: &FindingRow| if let Finding::Person(exposure) = row.found { Some(exposure) } else { None };
        let generic = |row: &FindingRow| if let Finding::Value(generic) = row.found { Some(generic) } else { None };
        let whole_if =
            |of: &dyn Fn(Exposure) -> i64| Values::WholeIf(rows.iter().map(|row| person(row).map(of)).collect());
        let mut columns = vec![
            whole(rows, |_| i64::from(self.source.0)),
            whole(rows, |row| row.sequence.cast_signed()),
            whole(rows, |row| row.position.cast_signed()),
            whole(rows, |row| row.ordinal),
            whole(rows, |row| row.at.0),
            whole(rows, |row| row.span.start.cast_signed()),
            whole(rows, |row| row.span.end.cast_signed()),
            whole_if(&|exposure| i64::from(exposure.subject.register.0)),
            whole_if(&|exposure| i64::from(exposure.subject.id.0)),
            whole(rows, |row| person(row).map_or(0, |exposure| exposure.fields.0.cast_signed())),
            whole(rows, |row| match &row.found {
                Finding::Person(exposure) => exposure.reflected.0.cast_signed(),
                Finding::Value(generic) => i64::from(generic.reflected),
            }),
            text(rows, |row| generic(row).map(|generic| name_of(&generic.kind))),
            text(rows, |row| generic(row)?.value.map(hex::encode)),
        ];
        columns.extend(request_columns(rows, |row| row.request.as_deref()));
        let registers = serde_json::to_string(&self.registers).expect("registers are plain data");
        table::write(FINDINGS, &[(REGISTERS_NOTE, registers), (COLUMNS_NOTE, COLUMNS.to_owned())], &columns, 0)
    }
}

/// Rows are sorted by the client's text, as a reader of the file sees it, so that statistics rule row groups out.
fn client_of(request: Option<&Transaction>) -> Option<(String, Option<SessionKey>)> {
    request.map(|request| (request.client.to_string(), request.session))
}

fn whole<R>(rows: &[R], of: impl Fn(&R) -> i64) -> Values {
    Values::Whole(rows.iter().map(of).collect())
}

fn text<R>(rows: &[R], of: impl Fn(&R) -> Option<String>) -> Values {
    Values::Text(rows.iter().map(of).collect())
}

fn request_columns<R>(rows: &[R], request: impl Fn(&R) -> Option<&Transaction>) -> [Values; 7] {
    let texts = |of: &dyn Fn(&Transaction) -> Option<String>| text(rows, |row| request(row).and_then(of));
    let whole_if =
        |of: &dyn Fn(&Transaction) -> i64| Values::WholeIf(rows.iter().map(|row| request(row).map(of)).collect());
    [
        whole_if(&|request| request.at.0),
        texts(&|request| Some(request.client.to_string())),
        texts(&|request| Some(hex::encode(request.client_key))),
        texts(&|request| request.session.map(|session| session.to_string())),
        texts(&|request| Some(request.route.clone())),
        texts(&|request| Some(request.method.clone())),
        whole_if(&|request| i64::from(request.status)),
    ]
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
