//! From a segment back to its records, each as it was written and in its order.

use super::column::{Group, TableFile, Text};
use super::scan::{from_name, inspection_of};
use super::{CARRIED, Part};
use crate::Error;
use crate::reader::Finding;
use sekisho_model::disk::Disk;
use sekisho_model::*;
use std::path::{Path, PathBuf};

/// The events of a file whose kind is wanted, as position, kind and record.
pub(crate) fn events(
    disk: &dyn Disk,
    path: &Path,
    wanted: &dyn Fn(&str) -> bool,
    each: &mut dyn FnMut(u64, &str, Record),
) -> Result<(), Error> {
    for group in TableFile::open(disk, path)?.groups() {
        let kinds = group.text("kind")?;
        if !kinds.map(|kind| kind.is_none_or(wanted)).any(|wanted| wanted) {
            continue;
        }
        let (positions, records) = (group.whole("position")?, group.text("record")?);
        for (row, position) in positions.iter().enumerate() {
            let kind = kinds.at(row).ok_or_else(|| not_a(path, row, "event"))?;
            if wanted(kind) {
                let record = records.at(row).and_then(|json| serde_json::from_str(json).ok());
                each(position.cast_unsigned(), kind, record.ok_or_else(|| not_a(path, row, "event"))?);
            }
        }
    }
    Ok(())
}

/// Every record of a segment in its order. `path` gives the place of each part.
pub(crate) fn records(
    disk: &dyn Disk,
    path: &dyn Fn(Part) -> PathBuf,
    each: &mut dyn FnMut(Record),
) -> Result<(), Error> {
    let mut found: Vec<(u64, Record)> = Vec::new();
    events(disk, &path(Part::Events), &|kind| kind != CARRIED, &mut |position, _, record| {
        found.push((position, record));
    })?;
    responses(disk, &path(Part::Responses), &mut found)?;
    exposed(disk, &path(Part::Findings), &mut found)?;
    found.sort_by_key(|(position, _)| *position);
    found.into_iter().for_each(|(_, record)| each(record));
    Ok(())
}

/// Each `Closed`, and the `Opened` of those that were opened in the same segment.
fn responses(disk: &dyn Disk, path: &Path, found: &mut Vec<(u64, Record)>) -> Result<(), Error> {
    for group in TableFile::open(disk, path)?.groups() {
        let requests = Requests::read(&group)?;
        let (sequences, positions, times) = (group.whole("sequence")?, group.whole("position")?, group.whole("at")?);
        let (opened, was_opened) = (group.whole_if("opened_position")?, group.whole("was_opened")?);
        let (inspections, reasons) = (group.text("inspection")?, group.text("reason")?);
        let (dispositions, bytes) = (group.text("disposition")?, group.whole("body_bytes_released")?);
        for row in 0..group.rows() {
            let lost = || not_a(path, row, "response");
            let sequence = sequences[row].cast_unsigned();
            let request = requests.at(row);
            if let Some(position) = opened[row] {
                let transaction = request.clone().ok_or_else(lost)?;
                found.push((position.cast_unsigned(), Record::Opened(Opened { sequence, transaction })));
            }
            let closed = Closed {
                sequence,
                at: Timestamp(times[row]),
                transaction: if was_opened[row] == 0 { request } else { None },
                inspection: inspection_of(inspections.at(row), reasons.at(row)).ok_or_else(lost)?,
                disposition: dispositions.at(row).and_then(from_name).ok_or_else(lost)?,
                body_bytes_released: bytes[row].cast_unsigned(),
            };
            found.push((positions[row].cast_unsigned(), Record::Closed(closed)));
        }
    }
    Ok(())
}

/// Each `Exposed` with findings, put together from its rows.
fn exposed(disk: &dyn Disk, path: &Path, found: &mut Vec<(u64, Record)>) -> Result<(), Error> {
    let mut rows: Vec<(u64, i64, Exposed)> = Vec::new();
    for group in TableFile::open(disk, path)?.groups() {
        let (sequences, times) = (group.whole("sequence")?, group.whole("at")?);
        let (positions, ordinals) = (group.whole("position")?, group.whole("ordinal")?);
        let (starts, ends) = (group.whole("span_start")?, group.whole("span_end")?);
        let findings = Findings::read(&group)?;
        for row in 0..group.rows() {
            let (exposures, generic) = match findings.at(row).ok_or_else(|| not_a(path, row, "finding"))? {
                Finding::Person(exposure) => (vec![exposure], Vec::new()),
                Finding::Value(generic) => (Vec::new(), vec![generic]),
            };
            let part = Exposed {
                sequence: sequences[row].cast_unsigned(),
                at: Timestamp(times[row]),
                span: ByteRange { start: starts[row].cast_unsigned(), end: ends[row].cast_unsigned() },
                exposures,
                generic,
            };
            rows.push((positions[row].cast_unsigned(), ordinals[row], part));
        }
    }
    rows.sort_by_key(|(position, ordinal, _)| (*position, *ordinal));
    let mut whole: Vec<(u64, Exposed)> = Vec::new();
    for (position, _, part) in rows {
        match whole.last_mut() {
            Some((last, exposed)) if *last == position => {
                exposed.exposures.extend(part.exposures);
                exposed.generic.extend(part.generic);
            }
            _ => whole.push((position, part)),
        }
    }
    found.extend(whole.into_iter().map(|(position, exposed)| (position, Record::Exposed(exposed))));
    Ok(())
}

/// The columns of what was found.
pub(crate) struct Findings {
    registers: Vec<i64>,
    subjects: Vec<i64>,
    fields: Vec<i64>,
    reflected: Vec<i64>,
    /// Of values without a register, when there are some.
    kinds: Vec<Option<GenericKind>>,
    values: Text,
}

impl Findings {
    pub(crate) fn read(group: &Group<'_>) -> Result<Findings, Error> {
        let (mut kinds, mut values) = (Vec::new(), Text::default());
        if !group.is_blank("generic") {
            kinds = group.text("generic")?.map(|kind| kind.and_then(from_name)).collect();
            values = group.text("value")?;
        }
        Ok(Findings {
            registers: group.whole("register")?,
            subjects: group.whole("subject")?,
            fields: group.whole("fields")?,
            reflected: group.whole("reflected")?,
            kinds,
            values,
        })
    }

    /// What was found in a row; `None` when the row is no finding.
    pub(crate) fn at(&self, row: usize) -> Option<Finding> {
        if let Some(Some(kind)) = self.kinds.get(row).copied() {
            let value = match self.values.at(row) {
                Some(text) => Some(hex::decode(text).ok()?.try_into().ok()?),
                None => None,
            };
            return Some(Finding::Value(Generic { kind, value, reflected: self.reflected[row] != 0 }));
        }
        let subject = Subject {
            register: RegisterId(u16::try_from(self.registers[row]).ok()?),
            id: SubjectId(u32::try_from(self.subjects[row]).ok()?),
        };
        let (fields, reflected) = (self.fields[row].cast_unsigned(), self.reflected[row].cast_unsigned());
        Some(Finding::Person(Exposure { subject, fields: FieldSet(fields), reflected: FieldSet(reflected) }))
    }
}

/// The columns of a request.
struct Requests {
    at: Vec<Option<i64>>,
    texts: [Text; 5],
    status: Vec<i64>,
}

impl Requests {
    fn read(group: &Group<'_>) -> Result<Requests, Error> {
        let text = |column| group.text(column);
        let texts = [text("client")?, text("client_key")?, text("session")?, text("route")?, text("method")?];
        Ok(Requests { at: group.whole_if("request_at")?, texts, status: group.whole("status")? })
    }

    fn at(&self, row: usize) -> Option<Transaction> {
        let [client, client_key, session, route, method] = self.texts.each_ref().map(|text| text.at(row));
        let key = |text: &str| hex::decode(text).ok()?.try_into().ok();
        Some(Transaction {
            at: Timestamp(self.at[row]?),
            client: client?.parse().ok()?,
            client_key: key(client_key?)?,
            session: session.and_then(key).map(SessionKey),
            route: route?.to_owned(),
            method: method?.to_owned(),
            status: u16::try_from(self.status[row]).ok()?,
        })
    }
}

/// What is said of a row that does not hold what its file is for.
pub(crate) fn not_a(path: &Path, row: usize, what: &str) -> Error {
    Error::corrupt(path, 0, format!("row {row} of a row group is no {what}"))
}
