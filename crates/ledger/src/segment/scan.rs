//! Questions read segments here: which row groups, which columns of them, and which rows.
//!
//! A condition is put to a row group's statistics first, then to each word of a dictionary, and only then to rows.

use super::column::{Group, TableFile, Text};
use super::whole::{Findings, not_a};
use crate::Error;
use crate::reader::{Filter, Finding, FindingRow, ResponseRow};
use sekisho_model::disk::Disk;
use sekisho_model::*;
use serde_json::Value;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

/// The rows of a row group that are asked for.
enum Rows {
    All,
    Some(Vec<bool>),
}

impl Rows {
    fn have(&self, row: usize) -> bool {
        match self {
            Rows::All => true,
            Rows::Some(rows) => rows[row],
        }
    }

    fn are_none(&self) -> bool {
        matches!(self, Rows::Some(rows) if !rows.contains(&true))
    }

    /// Keeps the rows that another condition admits too.
    fn keep(&mut self, admitted: impl Iterator<Item = bool>) {
        match self {
            Rows::All => *self = Rows::Some(admitted.collect()),
            Rows::Some(rows) => rows.iter_mut().zip(admitted).for_each(|(row, admitted)| *row &= admitted),
        }
    }
}

/// The findings in a file that the filter admits.
pub(crate) fn findings(
    disk: &dyn Disk,
    path: &Path,
    filter: &Filter,
    each: &mut dyn FnMut(&FindingRow),
) -> Result<(), Error> {
    let mut row_first = 0;
    for group in TableFile::open(disk, path)?.groups() {
        let here = row_first;
        row_first += group.rows();
        let subject = filter.subject.map(|subject| i64::from(subject.id.0));
        if !may_have(&group, "at", |min, max| filter.meets(min, max))
            || !may_have(&group, "subject", |min, max| subject.is_none_or(|id| (min..=max).contains(&id)))
        {
            continue;
        }
        let times = group.whole("at")?;
        let rows = asked(&group, filter, &times)?;
        if rows.are_none() {
            continue;
        }
        let (sources, sequences) = (group.whole("source")?, group.whole("sequence")?);
        let columns = Findings::read(&group)?;
        for row in (0..group.rows()).filter(|row| rows.have(*row)) {
            let found = match columns.at(row) {
                Some((Some(exposure), _)) => Finding::Person(exposure),
                Some((_, Some(generic))) => Finding::Value(generic),
                _ => return Err(not_a(path, here + row, "finding")),
            };
            if filter.wants(&found) {
                let response = response(sources[row], sequences[row]);
                each(&FindingRow { response, at: Timestamp(times[row]), found });
            }
        }
    }
    Ok(())
}

/// The ended responses of a file in the filter's period or within `margin` of it.
pub(crate) fn responses(
    disk: &dyn Disk,
    path: &Path,
    filter: &Filter,
    margin: Duration,
    each: &mut dyn FnMut(&ResponseRow),
) -> Result<(), Error> {
    let around = filter.around(margin);
    for group in TableFile::open(disk, path)?.groups() {
        if !may_have(&group, "at", |min, max| around.meets(min, max)) {
            continue;
        }
        let times = group.whole("at")?;
        let rows = asked(&group, filter, &times)?;
        let (sources, sequences) = (group.whole("source")?, group.whole("sequence")?);
        let inspections = if rows.are_none() { None } else { Some(inspections(&group)?) };
        for (row, at) in times.iter().enumerate().filter(|(_, at)| around.covers(Timestamp(**at))) {
            let inspection = match &inspections {
                Some(inspections) if rows.have(row) => {
                    Some(inspections[row].ok_or_else(|| not_a(path, row, "response"))?)
                }
                _ => None,
            };
            each(&ResponseRow { response: response(sources[row], sequences[row]), at: Timestamp(*at), inspection });
        }
    }
    Ok(())
}

/// Records that could not be written in the filter's period, by the heartbeats of a file.
pub(crate) fn records_lost(disk: &dyn Disk, path: &Path, filter: &Filter) -> Result<u64, Error> {
    let mut lost = 0;
    for group in TableFile::open(disk, path)?.groups() {
        if may_have(&group, "at", |min, max| filter.meets(min, max)) {
            let (times, counts) = (group.whole("at")?, group.whole("records_lost")?);
            let in_period = times.iter().zip(counts).filter(|(at, _)| filter.covers(Timestamp(**at)));
            lost += in_period.map(|(_, count)| count.cast_unsigned()).sum::<u64>();
        }
    }
    Ok(lost)
}

fn may_have(group: &Group<'_>, column: &str, is_met: impl Fn(i64, i64) -> bool) -> bool {
    group.range(column).is_none_or(|(min, max)| is_met(min, max))
}

/// The rows that the filter's period, client, session and route admit.
fn asked(group: &Group<'_>, filter: &Filter, times: &[i64]) -> Result<Rows, Error> {
    let mut rows = Rows::All;
    let is_covered = |(min, max)| filter.covers(Timestamp(min)) && filter.covers(Timestamp(max));
    if !group.range("at").is_some_and(is_covered) {
        rows.keep(times.iter().map(|at| filter.covers(Timestamp(*at))));
    }
    let mut keep = |column, admits: &dyn Fn(&str) -> bool| -> Result<(), Error> {
        if !rows.are_none() {
            rows.keep(group.text(column)?.map(|word| word.is_some_and(admits)));
        }
        Ok(())
    };
    if let Some(route) = &filter.route {
        keep("route", &|word| word == route)?;
    }
    if let Some(session) = filter.session {
        let session = session.to_string();
        keep("session", &|word| word == session)?;
    }
    if let Some(network) = filter.client {
        keep("client", &|word| word.parse::<IpAddr>().is_ok_and(|client| network.contains(&client)))?;
    }
    Ok(rows)
}

fn inspections(group: &Group<'_>) -> Result<Vec<Option<Inspection>>, Error> {
    let (inspections, reasons) = (group.text("inspection")?, group.text("reason")?);
    let reasons: Vec<Option<Uninspectable>> = reason_words(&reasons);
    let simple = inspections.map(|word| inspection_of(word, None));
    Ok(simple.zip(reasons).map(|(simple, reason)| simple.or(reason.map(Inspection::NotInspectable))).collect())
}

fn reason_words(reasons: &Text) -> Vec<Option<Uninspectable>> {
    reasons.map(|reason| reason.and_then(from_name)).collect()
}

fn response(source: i64, sequence: i64) -> ResponseId {
    ResponseId { source: SourceId(u32::try_from(source).unwrap_or(0)), sequence: sequence.cast_unsigned() }
}

pub(super) fn inspection_of(name: Option<&str>, reason: Option<&str>) -> Option<Inspection> {
    match name? {
        "inspected" => Some(Inspection::Inspected),
        "without_body" => Some(Inspection::WithoutBody),
        _ => Some(Inspection::NotInspectable(reason.and_then(from_name)?)),
    }
}

/// The value of a plain enum that serde gives this name.
pub(super) fn from_name<T: serde::de::DeserializeOwned>(name: &str) -> Option<T> {
    serde_json::from_value(Value::String(name.to_owned())).ok()
}
