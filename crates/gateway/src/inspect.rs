//! What happens to a response between the upstream and the client: inspection, ledger, release.
//!
//! [`Inspector::begin`] numbers a request and notes its values; [`Inspection::response`] turns the upstream's response
//! into one that leaves only as the ledger allows (LED-1), and every number ends in one `Closed` record (LED-4). It
//! does not route, connect, or compress; it withholds what cannot be recorded (GW-1) and what the route's policy forbids
//! (POL-1).
//!
//! Read in this order: `response` (what becomes of a response, by its head), `flow` (scan, record, wait, release) under `body`,
//! `journal` (one response's records), `policy` (what may leave; `crowd` and `mask` beside it), `following`, `binding`, `login` and `issued` (whose a session is; `conflict` when
//! that has two answers). Beside them: `media` (is it text, in which character set), `decode` (content
//! encodings), `head` (header values and cache hygiene), `known` (findings that need no wait), `blind` (sessions that
//! responses cannot bound), [`watch`] (numbers that are too high; `watching` feeds it), `recorder` (the ledger as a trait), `events` and `metrics`.

mod asserted;
mod binding;
mod blind;
mod body;
mod conflict;
mod containing;
mod crowd;
mod decisions;
mod decode;
mod events;
mod flow;
mod following;
mod head;
mod issued;
mod journal;
mod known;
mod login;
mod mask;
mod media;
mod metrics;
mod policy;
mod recorder;
mod request;
mod response;
#[cfg(test)]
mod tests;
pub mod watch;
mod watching;

pub use binding::REMEMBERED;
pub use body::InspectedBody;
pub use decisions::{DECISIONS_MAX, Decision, DecisionSender, Decisions, Deliveries, decisions};
pub use events::{LIVE_EVENTS_MAX, LiveEvent, LiveEventSender, LiveEvents, live_events};
pub use issued::Reading;
pub use media::{SNIFF_BYTES, text_forms};
pub use metrics::{Counter, InspectionCounters, REASONS, reason_name};
pub use policy::{Action, Policy, Ramp, RouteClass};

use crate::config::{Config, ContainRules, Deadlines, Limits, Login};
use crate::containment::Containment;
use crate::token::Told;
use arc_swap::ArcSwap;
use asserted::Asserted;
use binding::{Bindings, Owner};
use blind::BlindWatch;
use bytes::Bytes;
use conflict::Conflicts;
use crowd::Crowd;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use journal::Journal;
use known::Known;
use login::Attempt;
use recorder::Recorder;
use request::RequestValues;
use response::Examiner;
use sekisho_edm::{HashKey, Index};
use sekisho_ledger::{Health, Ledger, NotDurable};
use sekisho_model::{Bound, Clock, Contained, Disposition, RegisterId, SessionKey, Transaction};
use std::error::Error;
use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use watch::{Case, Watch};
use watching::Watching;

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
    /// `idle_flush` and `held_wait` are read.
    pub deadlines: Deadlines,
    /// Where a terminal listens.
    pub events: Option<LiveEventSender>,
    /// Names of the registers of planted customers.
    pub canaries: Vec<String>,
    /// What counts, with its past.
    pub watch: Watch,
    /// After what somebody is kept out.
    pub contain: ContainRules,
    /// Who was kept out before a restart.
    pub contained: Vec<Contained>,
    /// Whoever tells the firm's own systems of that.
    pub decisions: Option<DecisionSender>,
}

/// What the routing layer knows of a request before the upstream is contacted.
#[derive(Debug)]
pub struct Exchange {
    /// The client's address, after trusted proxies.
    pub client: IpAddr,
    /// The address under the installation's key.
    pub client_key: [u8; 16],
    /// The route's name for the ledger.
    pub route: String,
    /// How the route treats inspection.
    pub policy: RoutePolicy,
    /// The session, when the request carried one.
    pub session: Option<SessionKey>,
    /// The log-in that this request may be.
    pub login: Option<Arc<Login>>,
    /// Whom its tokens name.
    pub(crate) told: Told,
    /// Whether this request logs out.
    pub is_logout: bool,
    /// Whether it names a case.
    pub case: Case,
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
    /// What the route may show to whom.
    pub rules: Policy,
}

/// Inspects the responses of one gateway. Shared by all its workers.
pub struct Inspector {
    shared: Arc<Shared>,
}

/// What all responses share.
struct Shared {
    recorder: Box<dyn Recorder>,
    index: Arc<ArcSwap<Index>>,
    clock: Arc<dyn Clock>,
    key: Arc<HashKey>,
    bounds: ArcSwap<Bounds>,
    held: HeldBytes,
    known: Known,
    blind: Mutex<BlindWatch>,
    bindings: Bindings,
    crowd: Crowd,
    containment: Containment,
    watching: Watching,
    conflicts: Conflicts,
    counters: Arc<InspectionCounters>,
    events: Option<LiveEventSender>,
    decisions: Option<DecisionSender>,
}

/// What a reload changes.
struct Bounds {
    decoded_bytes_max: u64,
    idle_flush: Duration,
    held_wait: Duration,
    canaries: Vec<String>,
    contain: ContainRules,
}

/// Body bytes that all responses together hold while they wait for the ledger.
struct HeldBytes {
    semaphore: Arc<Semaphore>,
    bytes_max: u32,
}

/// A request under inspection; made before the upstream is contacted.
pub struct Inspection {
    /// Boxed, as it goes from hand to hand.
    journal: Box<Journal>,
    method: http::Method,
    policy: RoutePolicy,
    index: Arc<Index>,
    values: RequestValues,
    attempt: Option<Attempt>,
    is_logout: bool,
    /// Whether the response is one person's, whatever it holds: no cache may keep it.
    is_personal: bool,
    /// The session that the response gives the client.
    issued: Option<SessionKey>,
    /// What the upstream signed in its answer.
    signed: Told,
}

/// The request was refused before the upstream was contacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The ledger cannot be written (GW-1).
    Ledger,
    /// Whoever asks is kept out.
    Contained,
}

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
    /// Too much is held for others.
    #[error("no room was left for the body within its deadline")]
    Held,
    /// The route's policy forbids what comes next.
    #[error("the rest is withheld: it holds data that this session may not see")]
    Withheld,
}

impl Inspector {
    /// An inspector that records in this ledger.
    #[must_use]
    pub fn new(parts: InspectorParts) -> Inspector {
        let InspectorParts {
            ledger,
            index,
            clock,
            key,
            limits,
            deadlines,
            events,
            canaries,
            watch,
            contain,
            contained,
            decisions,
        } = parts;
        let bounds = Bounds::of(&limits, &deadlines, canaries, contain);
        let held = HeldBytes::new(limits.held_bytes_max);
        let watching = Watching::new(watch, Arc::clone(&key));
        Inspector::with_recorder(
            Box::new(ledger),
            index,
            clock,
            key,
            (bounds, held, watching, Containment::new(contained)),
            (events, decisions),
        )
    }

    fn with_recorder(
        recorder: Box<dyn Recorder>,
        index: Arc<ArcSwap<Index>>,
        clock: Arc<dyn Clock>,
        key: Arc<HashKey>,
        (bounds, held, watching, containment): (Bounds, HeldBytes, Watching, Containment),
        (events, decisions): (Option<LiveEventSender>, Option<DecisionSender>),
    ) -> Inspector {
        let shared = Shared {
            recorder,
            index,
            clock,
            key,
            bounds: ArcSwap::from_pointee(bounds),
            held,
            known: Known::default(),
            blind: Mutex::default(),
            bindings: Bindings::default(),
            crowd: Crowd::default(),
            containment,
            watching,
            conflicts: Conflicts::default(),
            counters: Arc::default(),
            events,
            decisions,
        };
        Inspector { shared: Arc::new(shared) }
    }

    /// Whose sessions were before a restart, as the ledger tells it, oldest first. What is older than sessions are kept
    /// needs not be told.
    pub fn restore(&self, bound: &[Bound]) {
        let index = self.shared.index.load();
        for bound in bound {
            self.shared.bindings.bind(bound.session, Owner::recorded(&index, bound), bound.at);
        }
    }

    /// Puts other limits, deadlines, registers of planted customers and thresholds in force for the requests that
    /// follow; `held_bytes_max` stays.
    pub fn reload(&self, config: &Config) {
        self.shared.watching.reload(config.watch.clone());
        let (canaries, contain) = (config.canaries.clone(), config.contain_rules());
        self.shared.bounds.store(Arc::new(Bounds::of(&config.limits, &config.deadlines, canaries, contain)));
    }

    /// The counters for `/metrics`.
    #[must_use]
    pub fn counters(&self) -> &Arc<InspectionCounters> {
        &self.shared.counters
    }

    /// Body bytes held now, of `held_bytes_max`.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let held = &self.shared.held;
        (held.bytes_max as usize).saturating_sub(held.semaphore.available_permits())
    }

    /// Numbers the request and notes what it contains.
    ///
    /// # Errors
    /// The ledger is unhealthy and the route is inspected and not `continuity` (GW-1): answer 503 and do not contact
    /// the upstream. The refusal is closed in the ledger where that can still be written, and counted in any case.
    pub fn begin(&self, head: &http::request::Parts, exchange: Exchange) -> Result<Inspection, Refused> {
        let Exchange { client, client_key, route, policy, session, login, told, is_logout, case } = exchange;
        let transaction = Transaction {
            at: self.shared.clock.now(),
            client,
            client_key,
            session,
            route,
            method: method_name(&head.method).to_owned(),
            status: 0,
        };
        let sequence = self.shared.recorder.next_sequence();
        let index = self.shared.index.load_full();
        let asserted = Asserted::of(&self.shared, &index, told);
        let journal = Journal::new(Arc::clone(&self.shared), sequence, transaction, (policy, case, asserted));
        if policy.inspect && !policy.continuity && self.shared.recorder.health() == Health::Unhealthy {
            journal.refused_at_begin(StatusCode::SERVICE_UNAVAILABLE);
            return Err(Refused::Ledger);
        }
        if journal.is_kept_out() {
            self.shared.counters.contained.add(1);
            journal.refused_at_begin(StatusCode::FORBIDDEN);
            return Err(Refused::Contained);
        }
        let journal = Box::new(journal);
        let attempt = login.map(|login| Attempt::new(login, head));
        let values = match policy.inspect || attempt.is_some() {
            true => RequestValues::of(&index, head),
            false => RequestValues::default(),
        };
        let method = head.method.clone();
        let is_personal = session.is_some() || policy.rules.class.is_personal() || has_credentials(&head.headers);
        let (issued, signed) = (None, Told::Nothing);
        Ok(Inspection { journal, method, policy, index, values, attempt, is_logout, is_personal, issued, signed })
    }
}

impl Inspection {
    /// Notes a part of the request's body on its way to the upstream.
    pub fn request_body(&mut self, chunk: &[u8]) {
        if self.policy.inspect || self.attempt.is_some() {
            self.values.body(chunk);
        }
    }

    /// The response gives the client this session.
    pub fn issued(&mut self, session: SessionKey) {
        self.issued = Some(session);
    }

    /// The upstream signed this in its answer.
    pub(crate) fn signed(&mut self, told: Told) {
        self.signed = told;
    }

    /// Wraps the upstream's response: the body that comes back releases bytes only as the ledger allows. The response
    /// may be replaced: by a 503 when a finding cannot be recorded and nothing was sent yet, by a 502 for a part that
    /// was not asked for, or for a body that breaks before its first byte.
    pub fn response<B>(mut self, response: Response<B>) -> impl Future<Output = Response<InspectedBody<Reading<B>>>>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let awaited = self.follow_session(response.status(), response.headers());
        let response = response.map(|body| Reading::new(body, awaited));
        let Inspection { journal, method, policy, index, values, is_personal, .. } = self;
        let (reflected, conditions) = values.finish(&index);
        journal.watch(&conditions);
        let bounds = journal.bounds();
        let reflected = Arc::new(reflected);
        Examiner { journal, method, policy, is_personal, reflected, bounds }.examine(response)
    }

    /// The upstream gave no response; `status` is what the client is told: 4xx when the request was refused, 5xx when
    /// the upstream failed.
    pub fn failed(mut self, status: StatusCode) {
        let disposition = match status.is_client_error() {
            true => Disposition::Refused,
            false => Disposition::UpstreamFailed,
        };
        let (_, conditions) = std::mem::take(&mut self.values).finish(&self.index);
        self.journal.watch(&conditions);
        self.journal.without_body();
        self.journal.transaction.status = status.as_u16();
        self.journal.dispose(disposition);
        self.journal.close();
    }
}

impl Shared {
    /// Tells the terminal, where one listens.
    fn tell(&self, event: impl FnOnce() -> LiveEvent) {
        if let Some(events) = &self.events {
            events.send(event());
        }
    }
}

impl Bounds {
    fn of(limits: &Limits, deadlines: &Deadlines, canaries: Vec<String>, contain: ContainRules) -> Bounds {
        let Deadlines { idle_flush, held_wait, .. } = *deadlines;
        Bounds { decoded_bytes_max: limits.decoded_body_bytes_max, idle_flush, held_wait, canaries, contain }
    }

    /// The registers of planted customers, as this index numbers them.
    fn canaries_in(&self, index: &Index) -> Vec<RegisterId> {
        if self.canaries.is_empty() {
            return Vec::new();
        }
        let registers = index.registers();
        registers.iter().filter(|known| self.canaries.contains(&known.name)).map(|known| known.id).collect()
    }
}

impl HeldBytes {
    fn new(bytes_max: usize) -> HeldBytes {
        let bytes_max = u32::try_from(bytes_max.clamp(1, Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        HeldBytes { semaphore: Arc::new(Semaphore::new(bytes_max as usize)), bytes_max }
    }

    /// A piece counts its bytes; one larger than the whole semaphore takes all of it.
    fn permits_for(&self, bytes: usize) -> u32 {
        u32::try_from(bytes).unwrap_or(u32::MAX).min(self.bytes_max)
    }
}

/// Whether a request says who sent it, in any way that a site may answer to.
fn has_credentials(headers: &HeaderMap) -> bool {
    headers.contains_key(COOKIE) || headers.contains_key(AUTHORIZATION)
}

/// The ledger's name of a method.
fn method_name(method: &http::Method) -> &str {
    match method.as_str() {
        name @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "PATCH" | "TRACE" | "CONNECT") => name,
        _ => "OTHER",
    }
}
