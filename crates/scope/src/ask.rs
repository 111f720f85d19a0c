//! Asks a ledger's reader: events first, then findings and responses at once, a thread each. Nothing is kept of a row
//! but what it adds to the answer, so memory grows with persons, not with exposures.

use crate::tally::Tally;
use crate::{Answer, ON_THE_WAY_MAX, Question};
use sekisho_ledger::{Error, Filter, Finding, Reader};
use sekisho_model::Timestamp;

/// The answer to `question`, as asked at `now`.
///
/// A finding belongs to the period by its own time, a response by the time of its end, and one whose end is not
/// recorded by that of its request.
pub fn ask(reader: &Reader, question: &Question, now: Timestamp) -> Result<Answer, Error> {
    let reader = reader.pin()?;
    let filter = question.filter();
    let mut events = Vec::new();
    reader.events(&mut |source, record| events.push((source, record)))?;
    let mut tally = Tally::new(question.clone(), &events);
    tally.lost(reader.records_lost(&filter)?);
    for run in tally.last_runs() {
        tally.ended(&run, reader.heartbeat_last(run.source, &run.filter())?.as_ref());
    }
    let of_person = Filter { subject: tally.subject(), ..filter.clone() };
    let Tally { found, ended, .. } = &mut tally;
    std::thread::scope(|threads| {
        let findings = threads.spawn(|| {
            reader.findings(&of_person, |row| match &row.found {
                Finding::Person(exposure) => found.exposure((row.response, row.session), row.at, exposure),
                Finding::Value(generic) => found.generic(row.at, generic),
            })
        });
        reader.responses(&filter, ON_THE_WAY_MAX, |row| ended.response(&row))?;
        findings.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    Ok(tally.finish(now))
}
