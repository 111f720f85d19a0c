//! The questions asked of the ledger: whose data left, which fields, since when, and what was not examined.
//!
//! Not a store and not a reader of files: rows come from the ledger's reader, and an [`Answer`] is what they add up
//! to. Read in this order: [`Question`], [`Tally`] (adding up), [`Answer`] (the contract), `timeline` (which register
//! was in force when), [`table`] and [`rows`] (the answer for people and for the firm's own systems).

mod answer;
mod ask;
mod gaps;
mod persons;
mod records;
pub mod rows;
pub mod table;
mod tally;
#[cfg(test)]
mod tests;
pub mod text;
mod timeline;

pub use answer::{
    Answer, Combination, Coverage, FieldAnswer, FieldState, Gap, GenericAnswer, NotBoundable, Reflected,
    RegisterAnswer, time_text,
};
pub use ask::ask;
pub use persons::Person;
pub use records::answer_records;
pub use tally::{Outcome, Tally};

use ipnet::IpNet;
use sekisho_model::{SessionKey, SubjectId, Timestamp, Transaction};

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
    /// The route of this name.
    pub route: Option<String>,
    /// One person, by the register's name and the number in it.
    pub subject: Option<(String, SubjectId)>,
}

impl Question {
    /// Whether a time lies in the period asked about.
    #[must_use]
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }

    /// Whether a transaction is asked about.
    #[must_use]
    pub fn matches(&self, transaction: &Transaction) -> bool {
        self.covers(transaction.at)
            && self.client.is_none_or(|network| network.contains(&transaction.client))
            && self.session.is_none_or(|session| transaction.session == Some(session))
            && self.route.as_ref().is_none_or(|route| *route == transaction.route)
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
