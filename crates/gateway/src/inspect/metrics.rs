//! Counters of the inspection, for `/metrics`. They are for watching; the ledger is the evidence.

use sekisho_model::{AlertKind, Disposition, Inspection, Uninspectable};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start of the process.
#[derive(Debug, Default)]
pub struct InspectionCounters {
    /// Responses wholly inspected.
    pub inspected: Counter,
    /// Responses without a body.
    pub without_body: Counter,
    /// Responses not inspectable, by [`reason_name`]'s order.
    pub not_inspectable: [Counter; REASONS.len()],
    /// Requests and responses refused.
    pub refused: Counter,
    /// Responses that the upstream broke off.
    pub upstream_failed: Counter,
    /// Responses whose client went away.
    pub client_gone: Counter,
    /// Body bytes scanned.
    pub bytes_scanned: Counter,
    /// `Exposed` records written.
    pub exposed: Counter,
    /// Parts that waited for the ledger.
    pub waits: Counter,
    /// Parts whose findings were durable already and did not wait.
    pub waits_saved: Counter,
    /// Bodies for which no room was left within `held_wait`.
    pub held_too_long: Counter,
    /// Records that could not be appended.
    pub records_lost: Counter,
    /// Suspect records.
    pub suspects: Counter,
    /// Log-ins that bound a session to a person.
    pub logins_bound: Counter,
    /// Log-ins that succeeded and bound nobody: no new session, or a person whom no register knows.
    pub logins_unbound: Counter,
    /// Requests whose token does not verify, or names nobody whom a register knows.
    pub tokens_of_nobody: Counter,
    /// Parts of responses to requests whose session and token name different persons.
    pub identities_disagree: Counter,
    /// Responses that ended because the route's policy forbids what came next.
    pub withheld: Counter,
    /// Responses in which values were masked.
    pub masked: Counter,
    /// Requests that were refused because whoever asked is kept out.
    pub contained: Counter,
    /// Responses that held planted customers.
    pub canaries: Counter,
    /// Responses that passed, and that enforced rules would have ended or masked.
    pub would_withhold: Counter,
    /// Alerts, in the order of [`AlertKind::ALL`].
    pub alerts: [Counter; AlertKind::ALL.len()],
}

/// Every reason, in the order of [`InspectionCounters::not_inspectable`].
pub const REASONS: [Uninspectable; 11] = [
    Uninspectable::ContentType,
    Uninspectable::Container,
    Uninspectable::ContentEncoding,
    Uninspectable::DecodeFailed,
    Uninspectable::DecodeLimit,
    Uninspectable::Charset,
    Uninspectable::Upgraded,
    Uninspectable::Partial,
    Uninspectable::IdleFlush,
    Uninspectable::LedgerUnavailable,
    Uninspectable::RouteExcluded,
];

/// A reason's name, as in the ledger's files.
#[must_use]
pub fn reason_name(reason: Uninspectable) -> &'static str {
    match reason {
        Uninspectable::ContentType => "content_type",
        Uninspectable::Container => "container",
        Uninspectable::ContentEncoding => "content_encoding",
        Uninspectable::DecodeFailed => "decode_failed",
        Uninspectable::DecodeLimit => "decode_limit",
        Uninspectable::Charset => "charset",
        Uninspectable::Upgraded => "upgraded",
        Uninspectable::Partial => "partial",
        Uninspectable::IdleFlush => "idle_flush",
        Uninspectable::LedgerUnavailable => "ledger_unavailable",
        Uninspectable::RouteExcluded => "route_excluded",
    }
}

impl InspectionCounters {
    /// Responses not inspectable for this reason.
    #[must_use]
    pub fn not_inspectable(&self, reason: Uninspectable) -> u64 {
        let at = REASONS.iter().position(|other| *other == reason);
        at.map_or(0, |at| self.not_inspectable[at].value())
    }

    pub(crate) fn alerted(&self, kind: AlertKind) {
        if let Some(counter) = AlertKind::ALL.iter().position(|other| *other == kind).map(|at| &self.alerts[at]) {
            counter.add(1);
        }
    }

    pub(crate) fn closed(&self, inspection: Inspection, disposition: Disposition) {
        match inspection {
            Inspection::Inspected => self.inspected.add(1),
            Inspection::WithoutBody => self.without_body.add(1),
            Inspection::NotInspectable(reason) => {
                if let Some(at) = REASONS.iter().position(|other| *other == reason) {
                    self.not_inspectable[at].add(1);
                }
            }
        }
        match disposition {
            Disposition::Refused => self.refused.add(1),
            Disposition::UpstreamFailed => self.upstream_failed.add(1),
            Disposition::ClientGone => self.client_gone.add(1),
            Disposition::Blocked => self.withheld.add(1),
            Disposition::Masked => self.masked.add(1),
            Disposition::Released => {}
        }
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The count so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}
