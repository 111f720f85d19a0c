//! Makes the four files of a segment from its records.

use super::table::{self, Values};
use super::{CARRIED, EVENTS, FINDINGS, RESPONSES, kind_of};
use crate::reader::{Finding, OpenResponses};
use crate::seal::time_of;
use sekisho_model::*;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
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
    /// Begins behind a segment whose last records are in `open`, for about so many records, of which most tell of a response's
    /// end.
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
        let of_responses = self.responses.iter().map(|row| row.request.as_deref());
        let clients = Clients::of(of_responses.chain(self.findings.iter().map(|row| row.request.as_deref())));
        self.responses
            .sort_by_cached_key(|row| (clients.order(row.request.as_deref()), row.closed.sequence, row.position));
        let responses = self.responses_file(&clients)?;
        self.findings
            .sort_by_cached_key(|row| (clients.order(row.request.as_deref()), row.sequence, row.position, row.ordinal));
        let by_client = self.findings_file(&clients)?;
        self.findings.sort_by_key(|row| {
            let subject = match &row.found {
                Finding::Person(exposure) => Some(exposure.subject),
                Finding::Value(_) => None,
            };
            (subject, row.sequence, row.position, row.ordinal)
        });
        Ok([by_client, self.findings_file(&clients)?, responses, events])
    }

    fn events_file(&mut self) -> parquet::errors::Result<Vec<u8>> {
        self.events.sort_by_key(|event| (event.records_lost.is_some(), event.position));
        let (rows, source) = (&self.events, i64::from(self.source.0));
        let columns = [
            whole(rows, move |_| source),
            whole(rows, |event| event.position.cast_signed()),
            whole(rows, |event| event.at.0),
            text(rows, |event| Some(event.kind.into())),
            whole_if(rows, |event| event.records_lost.map(u64::cast_signed)),
            text(rows, |event| Some((&event.json).into())),
        ];
        let heartbeats = rows.partition_point(|event| event.records_lost.is_none());
        table::write(EVENTS, &[], &columns, rows.len(), heartbeats)
    }

    fn responses_file(&self, clients: &Clients) -> parquet::errors::Result<Vec<u8>> {
        let (rows, source) = (&self.responses, i64::from(self.source.0));
        let mut columns = vec![
            whole(rows, move |_| source),
            whole(rows, |row| row.closed.sequence.cast_signed()),
            whole(rows, |row| row.position.cast_signed()),
            whole_if(rows, |row| row.opened_position.map(u64::cast_signed)),
            whole(rows, |row| i64::from(row.closed.transaction.is_none())),
            whole(rows, |row| row.closed.at.0),
            text(rows, |row| Some(inspection_name(row.closed.inspection).into())),
            text(rows, |row| match row.closed.inspection {
                Inspection::NotInspectable(reason) => Some(name_of(&reason).into()),
                Inspection::Inspected | Inspection::WithoutBody => None,
            }),
            text(rows, |row| Some(name_of(&row.closed.disposition).into())),
            whole(rows, |row| row.closed.body_bytes_released.cast_signed()),
        ];
        columns.extend(request_columns(rows, clients, |row| row.request.as_deref()));
        table::write(RESPONSES, &[], &columns, rows.len(), 0)
    }

    fn findings_file(&self, clients: &Clients) -> parquet::errors::Result<Vec<u8>> {
        let (rows, source) = (&self.findings, i64::from(self.source.0));
        let person = |row: &FindingRow| if let Finding::Person(exposure) = row.found { Some(exposure) } else { None };
        let generic = |row: &FindingRow| if let Finding::Value(generic) = row.found { Some(generic) } else { None };
        let mut columns = vec![
            whole(rows, move |_| source),
            whole(rows, |row| row.sequence.cast_signed()),
            whole(rows, |row| row.position.cast_signed()),
            whole(rows, |row| row.ordinal),
            whole(rows, |row| row.at.0),
            whole(rows, |row| row.span.start.cast_signed()),
            whole(rows, |row| row.span.end.cast_signed()),
            whole_if(rows, move |row| person(row).map(|exposure| i64::from(exposure.subject.register.0))),
            whole_if(rows, move |row| person(row).map(|exposure| i64::from(exposure.subject.id.0))),
            whole(rows, move |row| person(row).map_or(0, |exposure| exposure.fields.0.cast_signed())),
            whole(rows, |row| match &row.found {
                Finding::Person(exposure) => exposure.reflected.0.cast_signed(),
                Finding::Value(generic) => i64::from(generic.reflected),
            }),
            text(rows, move |row| generic(row).map(|generic| name_of(&generic.kind).into())),
            text(rows, move |row| Some(hex::encode(generic(row)?.value?).into())),
        ];
        columns.extend(request_columns(rows, clients, |row| row.request.as_deref()));
        let registers = serde_json::to_string(&self.registers).expect("registers are plain data");
        let notes = [(REGISTERS_NOTE, registers), (COLUMNS_NOTE, COLUMNS.to_owned())];
        table::write(FINDINGS, &notes, &columns, rows.len(), 0)
    }
}

/// The clients of a segment as text, each once. Rows are sorted by it, as a reader of the file sees it, so that statistics
/// rule row groups out.
struct Clients {
    /// The text, and its place among all in their order.
    texts: HashMap<IpAddr, (usize, String)>,
}

impl Clients {
    fn of<'a>(requests: impl Iterator<Item = Option<&'a Transaction>>) -> Clients {
        let distinct: HashSet<IpAddr> = requests.flatten().map(|request| request.client).collect();
        let mut sorted: Vec<(String, IpAddr)> =
            distinct.into_iter().map(|client| (client.to_string(), client)).collect();
        sorted.sort_unstable();
        let texts = sorted.into_iter().enumerate().map(|(place, (text, client))| (client, (place, text))).collect();
        Clients { texts }
    }

    fn order(&self, request: Option<&Transaction>) -> Option<(usize, Option<SessionKey>)> {
        request.map(|request| (self.texts[&request.client].0, request.session))
    }
}

fn whole<'a, R>(rows: &'a [R], of: impl Fn(&'a R) -> i64 + 'a) -> Values<'a> {
    Values::Whole(Box::new(move |row| of(&rows[row])))
}

fn whole_if<'a, R>(rows: &'a [R], of: impl Fn(&'a R) -> Option<i64> + 'a) -> Values<'a> {
    Values::WholeIf(Box::new(move |row| of(&rows[row])))
}

fn text<'a, R>(rows: &'a [R], of: impl Fn(&'a R) -> Option<Cow<'a, str>> + 'a) -> Values<'a> {
    Values::Text(Box::new(move |row| of(&rows[row])))
}

fn request_columns<'a, R>(
    rows: &'a [R],
    clients: &'a Clients,
    request: fn(&R) -> Option<&Transaction>,
) -> [Values<'a>; 7] {
    [
        whole_if(rows, move |row| request(row).map(|request| request.at.0)),
        text(rows, move |row| request(row).map(|request| (&clients.texts[&request.client].1).into())),
        text(rows, move |row| request(row).map(|request| hex::encode(request.client_key).into())),
        text(rows, move |row| Some(request(row)?.session?.to_string().into())),
        text(rows, move |row| request(row).map(|request| (&request.route).into())),
        text(rows, move |row| request(row).map(|request| (&request.method).into())),
        whole_if(rows, move |row| request(row).map(|request| i64::from(request.status))),
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
