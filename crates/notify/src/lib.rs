//! Notices to affected persons: who is told what, by whose approval, by mail or letter, and what became of it.
//!
//! Persons come from a scope and are joined with the firm's register file at the moment of use (PRV-1): the journal holds
//! keyed hashes only. Decisions are pure (`campaign`, `throttle`, `template`, `check`, `dsn`); `send` alone
//! speaks to a relay. Not here: the command line, the case log, and the making of PDF files.
//!
//! Read in this order: [`Event`], [`Campaign`], [`Journal`], [`register`], [`template`], [`compose`], [`check`], [`send`].

mod campaign;
pub mod check;
mod claim;
pub mod compose;
pub mod config;
pub mod desk;
pub mod dkim;
pub mod dsn;
mod error;
mod event;
mod journal;
mod key;
pub mod letter;
pub mod plan;
pub mod register;
#[cfg(test)]
mod scenarios;
pub mod send;
pub mod single;
mod smtp;
pub mod template;
#[cfg(test)]
mod tests;
pub mod throttle;

pub use campaign::{APPROVERS_MIN, CLOCK_BACK_MAX, Campaign, Counts, Notice, State};
pub use claim::Claim;
pub use error::Error;
pub use event::{Bounce, ClaimKind, Decision, Doubt, Entry, Event, Way};
pub use journal::{Extent, Head, JOURNAL_BYTES_MAX, Journal, Writer, read_lines};
pub use key::{NoticeKey, PersonKey};
