//! Everything that can be wrong with events and regimes, with the remedy where there is one.

/// What could not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There are no events.
    #[error("a case without events; open it first")]
    Empty,
    /// The events do not form a case.
    #[error("event {index} of the case: {reason}; {remedy}")]
    Event {
        /// The event's number, from 1.
        index: usize,
        /// What is wrong.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// A free text holds card data.
    #[error("event {index} of the case: `{place}` holds {what}; write at most the last four digits")]
    Card {
        /// The event's number, from 1.
        index: usize,
        /// Which text.
        place: &'static str,
        /// What was found, without its value.
        what: String,
    },
    /// A clock's name is unknown.
    #[error(
        "`{0}` is no clock event; there are aware, classified_major, materiality_determined, new_facts, contained, vendor_notified and submitted:<obligation>"
    )]
    Clock(String),
    /// A case's name is unusable.
    #[error("`{0}` is no case id; use 1 to 64 lower-case letters, digits and hyphens")]
    CaseId(String),
    /// A regime file is wrong.
    #[error("{file}: `{key}`: {reason}; {remedy}")]
    Regime {
        /// The file.
        file: String,
        /// Where in it.
        key: String,
        /// What is wrong.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// A zone is unknown.
    #[error("`{0}` is no IANA time zone; write a name such as Asia/Tokyo")]
    Zone(String),
    /// Holidays are not known for this year.
    #[error("holidays are known for 2015 to 2035 only, not for {0}; count this deadline by hand")]
    Year(i16),
    /// A time lies outside what can be computed.
    #[error("the time lies outside the calendar")]
    Range,
    /// The obligation is in no regime.
    #[error("no regime has the obligation `{0}`; `sekisho case deadlines` lists them")]
    Obligation(String),
}
