//! Stub: what happens to a response between the upstream and the client: inspection, ledger, release.

use bytes::Bytes;
use http::{Response, request};
use sekisho_edm::Index;
use sekisho_ledger::Ledger;
use sekisho_model::{Clock, SessionKey};
use std::net::IpAddr;
use std::sync::Arc;

/// What the routing layer knows of a request before the upstream is contacted.
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
    _ledger: Ledger,
    _index: Arc<arc_swap::ArcSwap<Index>>,
    _clock: Arc<dyn Clock>,
}

/// A request under inspection; made before the upstream is contacted.
pub struct Inspection {
    _private: (),
}

/// The request was refused before the upstream was contacted (GW-1).
#[derive(Debug, PartialEq, Eq)]
pub struct Refused;

impl Inspector {
    /// An inspector that records in this ledger.
    #[must_use]
    pub fn new(ledger: Ledger, index: Arc<arc_swap::ArcSwap<Index>>, clock: Arc<dyn Clock>) -> Inspector {
        Inspector { _ledger: ledger, _index: index, _clock: clock }
    }

    /// Numbers the request and notes what it contains. Refuses when the ledger is unhealthy (GW-1).
    pub fn begin(&self, _head: &request::Parts, _exchange: Exchange) -> Result<Inspection, Refused> {
        Ok(Inspection { _private: () })
    }
}

impl Inspection {
    /// Notes a part of the request's body on its way to the upstream.
    pub fn request_body(&mut self, _chunk: &Bytes) {}

    /// Wraps the upstream's response: the body that comes back releases bytes only as the ledger allows.
    pub async fn response<B>(self, response: Response<B>) -> Response<B> {
        response
    }

    /// The upstream gave no response; `status` is what the client is told.
    pub fn failed(self, _status: http::StatusCode) {}
}
