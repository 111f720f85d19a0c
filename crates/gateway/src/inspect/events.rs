//! What an operator's terminal shows while it happens. No value in clear (PRV-1), and never a reason to wait:
//! what does not fit in the channel is dropped and counted.

use sekisho_model::{
    Alert, Exposure, Generic, SessionKey, Suspect, Timestamp, Uninspectable, WithheldOutcome, WithheldReason,
};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Events that wait for the terminal; beyond, new ones are dropped and counted.
pub const LIVE_EVENTS_MAX: usize = 1024;

/// Something worth a line on the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveEvent {
    /// A part of a response held somebody's data.
    Exposed {
        /// The response.
        sequence: u64,
        /// When it was found.
        at: Timestamp,
        /// The client's address.
        client: IpAddr,
        /// The session, when the request carried one.
        session: Option<SessionKey>,
        /// The route's name.
        route: String,
        /// The response's status.
        status: u16,
        /// Registered subjects.
        exposures: Vec<Exposure>,
        /// Unregistered values.
        generic: Vec<Generic>,
    },
    /// A session whose pattern cannot be bounded by its responses.
    Suspect(Suspect),
    /// A response could not be inspected, or not wholly.
    NotInspectable {
        /// The response.
        sequence: u64,
        /// When it ended.
        at: Timestamp,
        /// The route's name.
        route: String,
        /// Why.
        reason: Uninspectable,
    },
    /// The route's policy forbids what a part of a response held.
    Withheld {
        /// The response.
        sequence: u64,
        /// When.
        at: Timestamp,
        /// The client's address.
        client: IpAddr,
        /// The route's name.
        route: String,
        /// Subjects that the session may not see.
        persons: u64,
        /// Why.
        reason: WithheldReason,
        /// What became of it.
        outcome: WithheldOutcome,
    },
    /// A number passed its limit.
    Alert(Alert),
    /// A request or its response was refused.
    Refused {
        /// The response.
        sequence: u64,
        /// When.
        at: Timestamp,
        /// The route's name.
        route: String,
        /// The status the client got.
        status: u16,
    },
}

/// Where live events come out.
pub type LiveEvents = mpsc::Receiver<LiveEvent>;

/// Where live events go in; clones feed the same channel.
#[derive(Clone, Debug)]
pub struct LiveEventSender {
    channel: mpsc::Sender<LiveEvent>,
    dropped: Arc<AtomicU64>,
}

/// A channel for [`LIVE_EVENTS_MAX`] events.
#[must_use]
pub fn live_events() -> (LiveEventSender, LiveEvents) {
    let (channel, events) = mpsc::channel(LIVE_EVENTS_MAX);
    (LiveEventSender { channel, dropped: Arc::default() }, events)
}

impl LiveEventSender {
    /// Sends, or drops and counts.
    pub fn send(&self, event: LiveEvent) {
        if self.channel.try_send(event).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Events that did not fit.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
