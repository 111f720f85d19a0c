//! What happens to a response between the upstream and the client: inspection, ledger, release.

mod events;
mod metrics;

pub use events::{LIVE_EVENTS_MAX, LiveEvent, LiveEventSender, LiveEvents, live_events};
pub use metrics::{Counter, InspectionCounters, REASONS, reason_name};

use crate::config::{Deadlines, Limits};
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Response, request};
use http_body::{Body, Frame, SizeHint};
use sekisho_edm::{HashKey, Index};
use sekisho_ledger::{Ledger, NotDurable};
use sekisho_model::{Clock, SessionKey};
use std::error::Error;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What an [`Inspector`] is made of.
pub struct InspectorParts {
    /// Where exposures are recorded.
    pub ledger: Ledger,
    /// The registers; swapped from outside.
    pub index: Arc<ArcSwap<Index>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The key of client addresses.
    pub key: Arc<HashKey>,
    /// `decoded_body_bytes_max` and `held_bytes_max` are read.
    pub limits: Limits,
    /// `idle_flush` is read.
    pub deadlines: Deadlines,
    /// Where a terminal listens.
    pub events: Option<LiveEventSender>,
}

/// What the routing layer knows of a request before the upstream is contacted.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The client's address, after trusted proxies.
    pub client: IpAddr,
    /// The route's name for the ledger.
    pub route: String,
    /// How the route treats inspection.
    pub policy: RoutePolicy,
    /// The session, when the request carried one.
    pub session: Option<SessionKey>,
}

/// How a route is inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoutePolicy {
    /// Whether responses are inspected at all.
    pub inspect: bool,
    /// GW-1: passes when the ledger cannot be written, leaving a visible gap.
    pub continuity: bool,
    /// Compression to the client, where no subject is on the route (BREACH).
    pub compress: bool,
}

/// Inspects the responses of one gateway.
pub struct Inspector {
    _parts: InspectorParts,
    counters: Arc<InspectionCounters>,
}

/// A request under inspection; made before the upstream is contacted.
pub struct Inspection {
    _private: (),
}

/// The request was refused before the upstream was contacted (GW-1).
#[derive(Debug, PartialEq, Eq)]
pub struct Refused;

/// Why a body ends with an error: the client sees a broken response, never a complete one that is not.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The upstream's body ended early.
    #[error("the upstream's body ended early")]
    Upstream(#[source] Box<dyn Error + Send + Sync>),
    /// A finding could not be recorded (LED-1).
    #[error("a finding could not be recorded")]
    Ledger(#[source] NotDurable),
    /// The content encoding is broken.
    #[error("the body's content encoding is broken")]
    Decode(#[source] std::io::Error),
}

/// A body that releases bytes only as the ledger allows.
pub struct InspectedBody<B> {
    body: B,
}

impl<B> Body for InspectedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx).map_err(|err| BodyError::Upstream(err.into()))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Inspector {
    /// An inspector that records in this ledger.
    #[must_use]
    pub fn new(parts: InspectorParts) -> Inspector {
        Inspector { _parts: parts, counters: Arc::default() }
    }

    /// Puts other limits and deadlines in force for the requests that follow; `held_bytes_max` stays.
    pub fn reload(&self, _limits: Limits, _deadlines: Deadlines) {}

    /// The counters for `/metrics`.
    #[must_use]
    pub fn counters(&self) -> &Arc<InspectionCounters> {
        &self.counters
    }

    /// Numbers the request and notes what it contains. Refuses when the ledger is unhealthy (GW-1).
    pub fn begin(&self, _head: &request::Parts, _exchange: Exchange) -> Result<Inspection, Refused> {
        Ok(Inspection { _private: () })
    }
}

impl Inspection {
    /// Notes a part of the request's body on its way to the upstream.
    pub fn request_body(&mut self, _chunk: &[u8]) {}

    /// Wraps the upstream's response: the body that comes back releases bytes only as the ledger allows. The response
    /// that comes back may be another one: 503 when a finding cannot be recorded, 502 for a part or a broken encoding.
    pub async fn response<B>(self, response: Response<B>) -> Response<InspectedBody<B>>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        response.map(|body| InspectedBody { body })
    }

    /// The upstream gave no response; `status` is what the client is told.
    pub fn failed(self, _status: http::StatusCode) {}
}
