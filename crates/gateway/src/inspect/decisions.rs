//! Who is kept out and who is let in again, as it is decided, for whoever tells the firm's own systems. Never a reason to
//! wait: the ledger holds every decision, so that one which does not fit is read from there.

use sekisho_model::{Contained, Released};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Decisions that wait; beyond, new ones are left out and [`Decisions::take_missed`] says so.
pub const DECISIONS_MAX: usize = 1024;

/// Somebody is kept out, or let in again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Kept out.
    Contained(Contained),
    /// Let in again before the time.
    Released(Released),
}

/// Where decisions go in; clones feed the same channel.
#[derive(Clone, Debug)]
pub struct DecisionSender {
    channel: SyncSender<Decision>,
    missed: Arc<AtomicBool>,
    /// What became of them, for `/metrics`.
    pub deliveries: Arc<Deliveries>,
}

/// Where decisions come out.
#[derive(Debug)]
pub struct Decisions {
    /// In the order in which they were made.
    pub channel: Receiver<Decision>,
    missed: Arc<AtomicBool>,
}

/// What became of the decisions that were to be told.
#[derive(Debug, Default)]
pub struct Deliveries {
    /// Told, and acknowledged.
    pub delivered: AtomicU64,
    /// Attempts that failed.
    pub failed: AtomicU64,
    /// Given up because they were too old.
    pub given_up: AtomicU64,
    /// Not told yet.
    pub waiting: AtomicU64,
}

/// A channel for [`DECISIONS_MAX`] decisions.
#[must_use]
pub fn decisions() -> (DecisionSender, Decisions) {
    let (sender, channel) = sync_channel(DECISIONS_MAX);
    let missed = Arc::new(AtomicBool::new(false));
    let sender = DecisionSender { channel: sender, missed: Arc::clone(&missed), deliveries: Arc::default() };
    (sender, Decisions { channel, missed })
}

impl DecisionSender {
    pub(crate) fn send(&self, decision: Decision) {
        if self.channel.try_send(decision).is_err() {
            self.missed.store(true, Ordering::Release);
        }
    }
}

impl Decisions {
    /// Whether any was left out since this was asked last.
    #[must_use]
    pub fn take_missed(&self) -> bool {
        self.missed.swap(false, Ordering::Acquire)
    }
}
