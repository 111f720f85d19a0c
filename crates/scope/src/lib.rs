//! The questions asked of the ledger: whose data left, which fields, since when, and what was not examined.
//!
//! Not a store and not a reader of files: rows come from the ledger's reader, and an [`Answer`] is what they add up
//! to. Read in this order: [`Question`], [`ask()`], `tally` with `found` and `ended` (adding up), [`Answer`] (the contract), `timeline` (which register
//! was in force when), [`table`] and [`rows`] (the answer for people and for the firm's own systems).

mod answer;
mod ask;
mod canaries;
mod ended;
mod found;
mod gaps;
mod persons;
pub mod policy;
mod records;
pub mod rows;
mod sessions;
pub mod table;
mod tally;
#[cfg(test)]
mod tests;
pub mod text;
mod timeline;

pub use answer::{
    AlertAnswer, Answer, CanaryAnswer, Combination, Coverage, FieldAnswer, FieldState, Gap, GenericAnswer,
    NotBoundable, OpenEnd, Reflected, RegisterAnswer, SessionAnswer, time_text,
};
pub use ask::ask;
pub use persons::Person;
pub use records::answer_records;

use ipnet::IpNet;
use sekisho_ledger::Filter;
use sekisho_model::{SessionKey, SubjectId, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How long before and after the period a response may have ended whose number would otherwise look like a gap.
const ON_THE_WAY_MAX: Duration = Duration::from_secs(3600);

/// What is asked. Every condition that is given must hold; none means the whole ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Not before this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// Clients in this network.
    pub client: Option<IpNet>,
    /// This session.
    pub session: Option<SessionKey>,
    /// One of these sessions: those of an account.
    pub sessions: Option<Arc<BTreeSet<SessionKey>>>,
    /// The route of this name.
    pub route: Option<String>,
    /// One person, by the register's name and the number in it.
    pub subject: Option<(String, SubjectId)>,
    /// Whether the answer lists the sessions that persons' fields went to.
    pub lists_sessions: bool,
}

impl Question {
    /// Whether a time lies in the period asked about.
    #[must_use]
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }

    /// Whether a session, or having none, is asked about.
    fn wants_session(&self, session: Option<SessionKey>) -> bool {
        self.session.is_none_or(|wanted| session == Some(wanted))
            && self.sessions.as_ref().is_none_or(|wanted| session.is_some_and(|session| wanted.contains(&session)))
    }

    /// The same to the ledger's reader; a person is not named, since the number of a register may change between
    /// rebuilds.
    fn filter(&self) -> Filter {
        let Question { from, to, client, session, sessions, route, subject: _, lists_sessions: _ } = self.clone();
        Filter { from, to, client, session, sessions, route, subject: None }
    }
}

/// What could not be done for an answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The firm's file cannot be read.
    #[error("cannot read the register file")]
    ReadRegister(#[source] csv::Error),
    /// The file lacks the column of the row keys.
    #[error("the register file has no column `{column}`; it has: {has}")]
    NoRowKey {
        /// The column that was looked for.
        column: String,
        /// The file's columns.
        has: String,
    },
    /// The answer cannot be written.
    #[error("cannot write the answer")]
    Write(#[source] csv::Error),
}
