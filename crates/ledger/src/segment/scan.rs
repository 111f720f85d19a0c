//! Questions read segments here: which row groups, which columns of them, and which rows.
//!
//! A condition is put to a row group's statistics first, then to each word of a dictionary, and only then to rows.

use super::column::{Group, TableFile, Text};
use super::whole::{Findings, not_a};
use crate::Error;
use crate::reader::{Filter, FindingRow, ResponseRow, Told, left};
use ipnet::IpNet;
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
    None,
}

impl Rows {
    fn have(&self, row: usize) -> bool {
        match self {
            Rows::All => true,
            Rows::Some(rows) => rows[row],
            Rows::None => false,
        }
    }

    fn are_none(&self) -> bool {
        match self {
            Rows::All => false,
            Rows::Some(rows) => !rows.contains(&true),
            Rows::None => true,
        }
    }

    /// Keeps the rows that another condition admits too.
    fn keep(&mut self, admitted: impl Iterator<Item = bool>) {
        match self {
            Rows::All => *self = Rows::Some(admitted.collect()),
            Rows::Some(rows) => rows.iter_mut().zip(admitted).for_each(|(row, admitted)| *row &= admitted),
            Rows::None => {}
        }
    }
}

/// The findings in a file that the filter admits.
pub(crate) fn findings(
    disk: &dyn Disk,
    path: &Path,
    filter: &Filter,
    each: &mut impl FnMut(FindingRow),
) -> Result<(), Error> {
    for group in TableFile::open(disk, path)?.groups() {
        let subject = filter.subject.map(|subject| i64::from(subject.id.0));
        let is_there = |(min, max)| subject.is_none_or(|id| (min..=max).contains(&id));
        if group.range("subject").is_some_and(|range| !is_there(range)) {
            continue;
        }
        let rows = asked(&group, filter, "at")?;
        if rows.are_none() {
            continue;
        }
        let (sources, sequences, times) = (group.whole("source")?, group.whole("sequence")?, group.whole("at")?);
        let (columns, sessions) = (Findings::read(&group)?, group.text("session")?);
        // Findings of one session stand together.
        let mut last = (None, None);
        for row in (0..group.rows()).filter(|row| rows.have(*row)) {
            let found = columns.at(row).ok_or_else(|| not_a(path, row, "finding"))?;
            if filter.wants(&found) {
                let response = response(sources[row], sequences[row]);
                let word = sessions.at(row);
                if word != last.0 {
                    last = (word, word.and_then(session_key));
                }
                let session = last.1;
                each(FindingRow { response, at: Timestamp(times[row]), session, found });
            }
        }
    }
    Ok(())
}

/// The persons' findings of a file in the filter's period that went to wanted sessions, echoes left out.
pub(crate) fn shown(
    disk: &dyn Disk,
    path: &Path,
    filter: &Filter,
    is_wanted: &dyn Fn(SessionKey) -> bool,
    each: &mut dyn FnMut(Timestamp, SessionKey, &str, Subject),
) -> Result<(), Error> {
    for group in TableFile::open(disk, path)?.groups() {
        let mut rows = asked(&group, filter, "at")?;
        if rows.are_none() {
            continue;
        }
        let sessions = group.text("session")?;
        rows.keep(sessions.map(|word| word.and_then(session_key).is_some_and(is_wanted)));
        if rows.are_none() {
            continue;
        }
        let (times, routes, columns) = (group.whole("at")?, group.text("route")?, Findings::read(&group)?);
        for row in (0..group.rows()).filter(|row| rows.have(*row)) {
            let found = columns.at(row).ok_or_else(|| not_a(path, row, "finding"))?;
            if let (Some(subject), Some(session)) = (left(&found), sessions.at(row).and_then(session_key)) {
                each(Timestamp(times[row]), session, routes.at(row).unwrap_or_default(), subject);
            }
        }
    }
    Ok(())
}

/// The ended responses of a file in the filter's period or within `margin` of it, and those that held something, were
/// asked for in that time, and ended later.
pub(crate) fn responses(
    disk: &dyn Disk,
    path: &Path,
    filter: &Filter,
    margin: Duration,
    each: &mut impl FnMut(ResponseRow),
) -> Result<(), Error> {
    let around = filter.around(margin);
    for group in TableFile::open(disk, path)?.groups() {
        if around.to.is_some_and(|to| group.range("at").is_none_or(|(_, last)| last >= to.0)) {
            open_responses(&group, filter, &around, each)?;
        }
        if group.range("at").is_some_and(|(min, max)| !around.meets(min, max)) {
            continue;
        }
        let rows = asked(&group, filter, "at")?;
        let ids = ids(&group)?;
        if rows.are_none() && lies_in(&group, filter, "at") {
            // Their numbers exist; nothing else of them is asked for.
            ids.for_each(|response| each(ResponseRow { response, in_period: true, told: Told::Number }));
            continue;
        }
        let times = group.whole("at")?;
        let (inspections, requests) = match rows.are_none() {
            true => (Vec::new(), Vec::new()),
            false => (inspections(&group)?, group.whole_if("request_at")?),
        };
        for (row, response) in ids.enumerate() {
            let at = Timestamp(times[row]);
            if around.covers(at) {
                let told = match inspections.get(row) {
                    Some(inspection) if rows.have(row) => {
                        let inspection = inspection.ok_or_else(|| not_a(path, row, "response"))?;
                        Told::Ended { began: requests[row].map_or(at, Timestamp), at, inspection }
                    }
                    _ => Told::Number,
                };
                each(ResponseRow { response, in_period: filter.covers(at), told });
            }
        }
    }
    Ok(())
}

/// Responses that held something, were asked for around the period, and ended after that.
fn open_responses(
    group: &Group<'_>,
    filter: &Filter,
    around: &Filter,
    each: &mut impl FnMut(ResponseRow),
) -> Result<(), Error> {
    if group.range("request_at").is_some_and(|(min, max)| !around.meets(min, max)) {
        return Ok(());
    }
    let rows = asked(group, filter, "request_at")?;
    let (times, requests, was_opened) = (group.whole("at")?, group.whole_if("request_at")?, group.whole("was_opened")?);
    for (row, response) in ids(group)?.enumerate() {
        let is_later = around.to.is_some_and(|to| times[row] >= to.0);
        let is_around = requests[row].is_some_and(|at| around.covers(Timestamp(at)));
        if is_later && is_around && was_opened[row] != 0 {
            let told = if rows.have(row) { Told::Open } else { Told::Number };
            each(ResponseRow { response, in_period: false, told });
        }
    }
    Ok(())
}

fn ids(group: &Group<'_>) -> Result<impl Iterator<Item = ResponseId>, Error> {
    let (sources, sequences) = (group.whole("source")?, group.whole("sequence")?);
    Ok(sources.into_iter().zip(sequences).map(|(source, sequence)| response(source, sequence)))
}

/// Gives the route of each response of a file.
pub(crate) fn routes(disk: &dyn Disk, path: &Path, each: &mut dyn FnMut(&str)) -> Result<(), Error> {
    for group in TableFile::open(disk, path)?.groups() {
        let routes = group.text("route")?;
        (0..group.rows()).filter_map(|row| routes.at(row)).for_each(&mut *each);
    }
    Ok(())
}

/// Records that could not be written in the filter's period, by the heartbeats of a file.
pub(crate) fn records_lost(disk: &dyn Disk, path: &Path, filter: &Filter) -> Result<u64, Error> {
    let mut lost = 0;
    for group in TableFile::open(disk, path)?.groups() {
        if group.range("at").is_none_or(|(min, max)| filter.meets(min, max)) {
            let (times, counts) = (group.whole("at")?, group.whole("records_lost")?);
            let in_period = times.iter().zip(counts).filter(|(at, _)| filter.covers(Timestamp(**at)));
            lost += in_period.map(|(_, count)| count.cast_unsigned()).sum::<u64>();
        }
    }
    Ok(lost)
}

/// Whether all rows are in the filter's period, by the statistics of this column.
fn lies_in(group: &Group<'_>, filter: &Filter, time: &str) -> bool {
    let is_covered = |(min, max)| filter.covers(Timestamp(min)) && filter.covers(Timestamp(max));
    group.range(time).is_some_and(is_covered)
}

/// The rows that the filter's period, by this column, and its client, session and route admit.
fn asked(group: &Group<'_>, filter: &Filter, time: &str) -> Result<Rows, Error> {
    if group.range(time).is_some_and(|(min, max)| !filter.meets(min, max)) || !may_have_client(group, filter)? {
        return Ok(Rows::None);
    }
    let mut rows = Rows::All;
    if !lies_in(group, filter, time) {
        rows.keep(group.whole(time)?.into_iter().map(|at| filter.covers(Timestamp(at))));
    }
    let mut keep = |column, admits: &dyn Fn(&str) -> bool| -> Result<(), Error> {
        if !rows.are_none() {
            rows.keep(group.text(column)?.map(|word| word.is_some_and(admits)));
        }
        Ok(())
    };
    if let Some(network) = filter.client {
        keep("client", &|word| word.parse::<IpAddr>().is_ok_and(|client| network.contains(&client)))?;
    }
    if let Some(session) = filter.session {
        let session = session.to_string();
        keep("session", &|word| word == session)?;
    }
    if let Some(sessions) = &filter.sessions {
        keep("session", &|word| session_key(word).is_some_and(|session| sessions.contains(&session)))?;
    }
    if let Some(route) = &filter.route {
        keep("route", &|word| word == route)?;
    }
    Ok(rows)
}

fn session_key(word: &str) -> Option<SessionKey> {
    let mut key = [0; 16];
    hex::decode_to_slice(word, &mut key).ok()?;
    Some(SessionKey(key))
}

/// Whether a row group can have rows of the filter's client and session.
fn may_have_client(group: &Group<'_>, filter: &Filter) -> Result<bool, Error> {
    if filter.client.is_some_and(|network| !group.may_begin("client", &text_begin(network))) {
        return Ok(false);
    }
    filter.session.map_or(Ok(true), |session| group.may_have("session", &session.to_string()))
}

/// How every address of a network begins when it is written out: with the bytes or groups that are the same in all.
/// In IPv6 only up to the first group that is zero, for zeros can be left out of the text.
pub(super) fn text_begin(network: IpNet) -> String {
    match network {
        IpNet::V4(net) => {
            let whole = usize::from(net.prefix_len() / 8);
            let end = |at| if at < 3 { "." } else { "" };
            let octets = net.network().octets();
            octets.iter().take(whole).enumerate().map(|(at, octet)| format!("{octet}{}", end(at))).collect()
        }
        IpNet::V6(net) => {
            let whole = usize::from(net.prefix_len() / 16).min(7);
            let groups = net.network().segments();
            groups.iter().take(whole).take_while(|group| **group != 0).map(|group| format!("{group:x}:")).collect()
        }
    }
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
