//! Asks a ledger's reader: events first, then exposures, values without a register, and responses, one pass each.

use crate::{Answer, Outcome, Question, Tally};
use sekisho_ledger::{Error, Filter, Reader};
use sekisho_model::{Exposure, ResponseId, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long before and after the period a response may have ended whose number would otherwise look like a gap.
const ON_THE_WAY_MAX: Duration = Duration::from_secs(3600);

/// The answer to `question`, as asked at `now`.
pub fn ask(reader: &Reader, question: &Question, now: Timestamp) -> Result<Answer, Error> {
    let reader = reader.pin()?;
    let mut events = Vec::new();
    reader.events(&mut |source, record| events.push((source, record.clone())))?;
    let mut tally = Tally::new(question.clone(), &events);
    let filter = filter(question);
    let mut exposed: BTreeMap<ResponseId, Timestamp> = BTreeMap::new();
    reader.exposures(&filter, &mut |row| {
        exposed.insert(row.response, row.at);
        let exposure = Exposure { subject: row.subject, fields: row.fields, reflected: row.reflected };
        tally.exposure(row.response, row.at, &exposure);
    })?;
    reader.generics(&filter, &mut |row| {
        exposed.insert(row.response, row.at);
        tally.generic(row.at, &row.generic);
    })?;
    reader.responses(&around(question), &mut |row| {
        tally.number(row.response, row.closed.at);
        exposed.remove(&row.response);
        if filter.admits(row.closed.at, row.transaction.as_deref()) {
            tally.response(row.response, row.closed.at, Outcome::Closed(row.closed.inspection));
        }
    })?;
    for (response, at) in exposed {
        tally.number(response, at);
        tally.response(response, at, Outcome::Open);
    }
    Ok(tally.finish(now))
}

fn filter(question: &Question) -> Filter {
    Filter {
        from: question.from,
        to: question.to,
        client: question.client,
        session: question.session,
        route: question.route.clone(),
        // By the register's name, which the tally resolves: its number may change between rebuilds.
        subject: None,
    }
}

/// The period with what was on the way at its ends, over all clients and routes.
fn around(question: &Question) -> Filter {
    let margin = i64::try_from(ON_THE_WAY_MAX.as_micros()).expect("an hour fits");
    Filter {
        from: question.from.map(|from| Timestamp(from.0.saturating_sub(margin))),
        to: question.to.map(|to| to.after(ON_THE_WAY_MAX)),
        ..Filter::default()
    }
}
