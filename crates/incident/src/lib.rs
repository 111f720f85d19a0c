//! An incident from its first sign to its last report: a case is the fold of its events (INC-1), and the regimes'
//! deadlines are computed from it, never stored.
//!
//! Pure: no I/O, no clock, no storage, no templates. Who keeps the events, and how, is the caller's business. Read in
//! this order: [`event`] (what is recorded), [`case`](Case) (the fold), [`regime`] (rules as data), [`deadline`]
//! (when what is due, and why), [`calendar`] (holidays), [`report`] and [`ics`] (what is handed out), [`card`] and
//! [`my_number`] (what is never taken in).

pub mod calendar;
pub mod card;
mod case;
pub mod deadline;
mod error;
pub mod event;
pub mod ics;
pub mod my_number;
pub mod regime;
pub mod report;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod tests;

pub use case::{Case, ClockEntry, CountEntry, FactEntry, IntrusionEntry, TimelineEntry};
pub use error::Error;
pub use event::{Actor, Body, CaseId, Certainty, Clock, Event, Measure, NoticeStep, Origin, Role};

/// The language of a text that is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// 日本語
    Ja,
    /// English
    En,
}
