//! An answer from plain records, in the order in which a source wrote them: for tests and small ledgers. Ledgers of
//! any size are read through the ledger's reader, which filters before it decodes.

use crate::{Answer, Outcome, Question, Tally};
use sekisho_model::{Closed, Record, ResponseId, SourceId, Timestamp, Transaction};
use std::collections::BTreeMap;

/// What is known of a response.
#[derive(Default)]
struct Gathered<'a> {
    transaction: Option<&'a Transaction>,
    closed: Option<&'a Closed>,
}

/// Answers `question` from all records of a ledger, as asked at `now`.
#[must_use]
pub fn answer_records(question: &Question, records: &[(SourceId, Record)], now: Timestamp) -> Answer {
    let responses = gather(records);
    let asked = |response: &ResponseId| {
        responses.get(response).and_then(|known| known.transaction).is_some_and(|head| question.matches(head))
    };
    let mut tally = Tally::new(question.clone(), records);
    for (source, record) in records {
        let Record::Exposed(exposed) = record else { continue };
        let response = ResponseId { source: *source, sequence: exposed.sequence };
        if asked(&response) {
            exposed.exposures.iter().for_each(|exposure| tally.exposure(response, exposed.at, exposure));
            exposed.generic.iter().for_each(|generic| tally.generic(exposed.at, generic));
        }
    }
    for (response, known) in &responses {
        let Some(head) = known.transaction else { continue };
        tally.number(*response, head.at);
        if asked(response) {
            let outcome = known.closed.map_or(Outcome::Open, |closed| Outcome::Closed(closed.inspection));
            tally.response(*response, head.at, outcome);
        }
    }
    tally.finish(now)
}

fn gather(records: &[(SourceId, Record)]) -> BTreeMap<ResponseId, Gathered<'_>> {
    let mut responses: BTreeMap<ResponseId, Gathered<'_>> = BTreeMap::new();
    for (source, record) in records {
        match record {
            Record::Opened(opened) => {
                let response = ResponseId { source: *source, sequence: opened.sequence };
                responses.entry(response).or_default().transaction = Some(&opened.transaction);
            }
            Record::Closed(closed) => {
                let response = ResponseId { source: *source, sequence: closed.sequence };
                let known = responses.entry(response).or_default();
                known.transaction = known.transaction.or(closed.transaction.as_ref());
                known.closed = Some(closed);
            }
            _ => {}
        }
    }
    responses
}
