//! Sealed segments: what a run of blocks held, in Parquet that any tool opens, and back to records without loss.
//!
//! A segment has four files: findings by client (`<n>.parquet`), the same rows by person (`<n>.subject.parquet`),
//! ended responses (`<n>.responses.parquet`), and everything else as JSON (`<n>.events.parquet`). A response that is
//! still open at the end is carried: its `Opened` stands once more in the events, as `carried`, so that the next
//! segment's rows find their request; so do the registers that are in force. The files of findings say in their
//! metadata what the registers' numbers and the bits of the fields mean.
//!
//! Read `builder` for how they are made, `scan` for how questions read them, `whole` for the way back to records,
//! `table`, `column` and `hybrid` for Parquet.

mod builder;
mod column;
mod hybrid;
mod scan;
mod table;
#[cfg(test)]
mod tests;
mod whole;

pub(crate) use builder::Builder;
pub(crate) use scan::{findings, records_lost, responses, routes, shown};
pub(crate) use whole::{events, records};

use sekisho_model::Record;
use table::{Kind, Schema};

/// Findings. A row is a registered person's fields, with `register`, `subject` and `fields`, or a value that was
/// recognised by its form, with `generic` and perhaps `value`; `reflected` is then 1 for an echo.
const FINDINGS: Schema = &[
    ("source", Kind::Whole),
    ("sequence", Kind::Whole),
    ("position", Kind::Whole),
    ("ordinal", Kind::Whole),
    ("at", Kind::Time),
    ("span_start", Kind::Whole),
    ("span_end", Kind::Whole),
    ("register", Kind::WholeIf),
    ("subject", Kind::WholeIf),
    ("fields", Kind::Whole),
    ("reflected", Kind::Whole),
    ("generic", Kind::Word),
    ("value", Kind::Word),
    ("request_at", Kind::TimeIf),
    ("client", Kind::Text),
    ("client_key", Kind::Text),
    ("session", Kind::Key),
    ("route", Kind::Word),
    ("method", Kind::Word),
    ("status", Kind::WholeIf),
];

/// Ended responses. `opened_position` is the place of their `Opened`, when it is in the same segment.
const RESPONSES: Schema = &[
    ("source", Kind::Whole),
    ("sequence", Kind::Whole),
    ("position", Kind::Whole),
    ("opened_position", Kind::WholeIf),
    ("was_opened", Kind::Whole),
    ("at", Kind::Time),
    ("inspection", Kind::Word),
    ("reason", Kind::Word),
    ("disposition", Kind::Word),
    ("body_bytes_released", Kind::Whole),
    ("request_at", Kind::TimeIf),
    ("client", Kind::Text),
    ("client_key", Kind::Text),
    ("session", Kind::Key),
    ("route", Kind::Word),
    ("method", Kind::Word),
    ("status", Kind::WholeIf),
];

/// Everything else. Heartbeats come last, being many.
const EVENTS: Schema = &[
    ("source", Kind::Whole),
    ("position", Kind::Whole),
    ("at", Kind::Time),
    ("kind", Kind::Word),
    ("records_lost", Kind::WholeIf),
    ("record", Kind::Text),
];

/// The kind of what is told again at a segment's end.
pub(crate) const CARRIED: &str = "carried";

/// Which file of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Findings,
    BySubject,
    Responses,
    Events,
}

impl Part {
    pub(crate) const ALL: [Part; 4] = [Part::Findings, Part::BySubject, Part::Responses, Part::Events];

    /// The ending of the file's name.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Part::Findings => "parquet",
            Part::BySubject => "subject.parquet",
            Part::Responses => "responses.parquet",
            Part::Events => "events.parquet",
        }
    }
}

/// The name of a record's kind.
fn kind_of(record: &Record) -> &'static str {
    match record {
        Record::Started(_) => "started",
        Record::Registers(_) => "registers",
        Record::Opened(_) => "opened",
        Record::Exposed(_) => "exposed",
        Record::Closed(_) => "closed",
        Record::Heartbeat(_) => "heartbeat",
        Record::Suspect(_) => "suspect",
        Record::Query(_) => "query",
        Record::Withheld(_) => "withheld",
        Record::Bound(_) => "bound",
        Record::Alert(_) => "alert",
        Record::Contained(_) => "contained",
        Record::Released(_) => "released",
    }
}
