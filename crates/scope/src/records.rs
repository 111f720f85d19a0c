//! An answer from plain records, in the order in which a source wrote them: for tests and small ledgers, and what
//! [`crate::ask()`] must equal. Ledgers of any size are asked through the ledger's reader, which filters before it
//! decodes.

use crate::tally::Tally;
use crate::{Answer, ON_THE_WAY_MAX, Question};
use sekisho_ledger::{ResponseRow, Told};
use sekisho_model::{Record, ResponseId, SourceId, Timestamp, Transaction};
use std::collections::BTreeMap;

/// Answers `question` from all records of a ledger, as asked at `now`.
#[must_use]
pub fn answer_records(question: &Question, records: &[(SourceId, Record)], now: Timestamp) -> Answer {
    let filter = question.filter();
    let around = Question {
        from: question.from.map(|from| Timestamp(from.0 - ON_THE_WAY_MAX.as_micros() as i64)),
        to: question.to.map(|to| to.after(ON_THE_WAY_MAX)),
        ..Question::default()
    };
    let mut tally = Tally::new(question.clone(), records);
    let mut open: BTreeMap<ResponseId, &Transaction> = BTreeMap::new();
    for (source, record) in records {
        let of = |sequence| ResponseId { source: *source, sequence };
        match record {
            // A new run: what was open will never be closed.
            Record::Started(_) => open.retain(|response, _| response.source != *source),
            Record::Opened(opened) => {
                let (response, request) = (of(opened.sequence), &opened.transaction);
                open.insert(response, request);
                if around.covers(request.at) {
                    let told = if filter.admits(request.at, Some(request)) { Told::Open } else { Told::Number };
                    tally.ended.response(&ResponseRow { response, in_period: false, told });
                }
            }
            Record::Exposed(exposed) => {
                let response = of(exposed.sequence);
                if filter.admits(exposed.at, open.get(&response).copied()) {
                    let found = &mut tally.found;
                    let to = (response, open.get(&response).and_then(|request| request.session));
                    exposed.exposures.iter().for_each(|exposure| found.exposure(to, exposed.at, exposure));
                    exposed.generic.iter().for_each(|generic| found.generic(exposed.at, generic));
                }
            }
            Record::Closed(closed) => {
                let response = of(closed.sequence);
                let before = open.remove(&response);
                if around.covers(closed.at) {
                    let request = closed.transaction.as_ref().or(before);
                    let (at, inspection) = (closed.at, closed.inspection);
                    let began = request.map_or(at, |request| request.at);
                    let is_asked = filter.admits(at, request);
                    let told = if is_asked { Told::Ended { began, at, inspection } } else { Told::Number };
                    let in_period = question.covers(closed.at);
                    tally.ended.response(&ResponseRow { response, in_period, told });
                }
            }
            Record::Heartbeat(beat) if question.covers(beat.at) => tally.lost(beat.records_lost),
            _ => {}
        }
    }
    for run in tally.last_runs() {
        let filter = run.filter();
        let beats = records.iter().filter_map(|(source, record)| match record {
            Record::Heartbeat(beat) if *source == run.source && filter.covers(beat.at) => Some(beat),
            _ => None,
        });
        tally.ended(&run, beats.max_by_key(|beat| (beat.at, beat.is_last)));
    }
    tally.finish(now)
}
