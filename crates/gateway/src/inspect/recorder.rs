//! The ledger as the inspection needs it. A trait of its own, so that a test can stall or fail each call on purpose.

use sekisho_ledger::{Health, Ledger, NotDurable, Position};
use sekisho_model::Record;
use std::future::Future;
use std::pin::Pin;

/// Ends when a record is durable, or cannot become so.
pub(super) type Wait = Pin<Box<dyn Future<Output = Result<(), NotDurable>> + Send>>;

/// Takes records and says when they are durable.
pub(super) trait Recorder: Send + Sync {
    /// See [`Ledger::next_sequence`].
    fn next_sequence(&self) -> u64;
    /// See [`Ledger::append`].
    fn append(&self, record: Record) -> Result<Position, NotDurable>;
    /// See [`Ledger::is_durable`].
    fn is_durable(&self, position: Position) -> bool;
    /// See [`Ledger::durable`].
    fn durable(&self, position: Position) -> Wait;
    /// See [`Ledger::health`].
    fn health(&self) -> Health;
}

impl Recorder for Ledger {
    fn next_sequence(&self) -> u64 {
        Ledger::next_sequence(self)
    }

    fn append(&self, record: Record) -> Result<Position, NotDurable> {
        Ledger::append(self, record)
    }

    fn is_durable(&self, position: Position) -> bool {
        Ledger::is_durable(self, position)
    }

    fn durable(&self, position: Position) -> Wait {
        let ledger = self.clone();
        Box::pin(async move { ledger.durable(position).await })
    }

    fn health(&self) -> Health {
        Ledger::health(self)
    }
}
