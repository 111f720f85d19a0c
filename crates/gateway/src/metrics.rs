//! Counters of the whole process, in the text form that Prometheus reads.
//! Labels are bounded: configured routes, status classes and closed sets of reasons; never a path or an address.

use crate::access_log::Entry;
use crate::inspect::{REASONS, reason_name};
use crate::server::Shared;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use sekisho_ledger::Health;
use sekisho_model::AlertKind;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Responses by configured route and class of status.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    status: &'static str,
}

/// A closed set of words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// The counters.
pub(crate) struct Metrics {
    responses: Family<Answered, Counter>,
    outcomes: Family<Reason, Counter>,
    body_bytes: Counter,
    duration: Histogram,
    connections: Counter,
    connections_ended: Family<Reason, Counter>,
    pub(crate) upstream_connects: Counter,
    pub(crate) upstream_retries: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        Metrics {
            responses: Family::default(),
            outcomes: Family::default(),
            body_bytes: Counter::default(),
            duration: Histogram::new(exponential_buckets(0.001, 4.0, 8)),
            connections: Counter::default(),
            connections_ended: Family::default(),
            upstream_connects: Counter::default(),
            upstream_retries: Counter::default(),
        }
    }

    /// Names everything for `/metrics`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let r = registry;
        r.register("responses", "Responses by configured route and status", self.responses.clone());
        r.register("outcomes", "Responses by what became of the request", self.outcomes.clone());
        r.register_with_unit("body", "Body bytes sent to clients", Unit::Bytes, self.body_bytes.clone());
        r.register_with_unit("response", "Request head to response end", Unit::Seconds, self.duration.clone());
        r.register("connections", "Client connections accepted", self.connections.clone());
        r.register("connections_ended", "Client connections by end", self.connections_ended.clone());
        r.register("upstream_connects", "Connections made to upstreams", self.upstream_connects.clone());
        r.register("upstream_retries", "Requests sent again", self.upstream_retries.clone());
    }

    /// A response has ended.
    pub(crate) fn responded(&self, entry: &Entry) {
        let status = match entry.status / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            5 => "5xx",
            _ => "none",
        };
        self.responses.get_or_create(&Answered { route: entry.class.clone(), status }).inc();
        self.outcomes.get_or_create(&Reason { reason: entry.outcome }).inc();
        self.body_bytes.inc_by(entry.body_bytes);
        self.duration.observe(entry.total_us as f64 / 1e6);
    }

    /// A client connected.
    pub(crate) fn connected(&self) {
        self.connections.inc();
    }

    /// A client's connection ended.
    pub(crate) fn ended(&self, reason: &'static str) {
        self.connections_ended.get_or_create(&Reason { reason }).inc();
    }
}

/// What is read when the page is asked for.
pub(crate) struct Live {
    shared: Arc<Shared>,
}

impl Live {
    pub(crate) fn new(shared: Arc<Shared>) -> Live {
        Live { shared }
    }

    fn ledger(&self) -> i64 {
        match self.shared.parts.ledger.health() {
            Health::Healthy => 0,
            Health::Emergency => 1,
            Health::Unhealthy => 2,
        }
    }

    /// Seconds until each listener's certificate expires; negative once it has.
    fn certificates(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let now = crate::system_time(&*self.shared.parts.clock);
        let serving = self.shared.serving.load();
        let listeners = serving.config.listeners.iter().zip(&serving.tls);
        let mut certificates = encoder.encode_descriptor(
            "certificate_expires_seconds",
            "Seconds until a listener's certificate expires",
            None,
            MetricType::Gauge,
        )?;
        for (listener, tls) in listeners.filter_map(|(listener, tls)| Some((listener, tls.as_ref()?))) {
            let left_s = match tls.not_after().duration_since(now) {
                Ok(left) => i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                Err(over) => -i64::try_from(over.duration().as_secs()).unwrap_or(i64::MAX),
            };
            let labels = [("listener", listener.address.to_string())];
            ConstGauge::new(left_s).encode(certificates.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// What the inspection counts.
    fn inspection(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let counters = self.shared.inspector.counters();
        let counted = [
            ("responses_inspected", "Responses wholly inspected", &counters.inspected),
            ("responses_without_body", "Responses without a body", &counters.without_body),
            ("responses_refused", "Requests and responses refused by the inspection", &counters.refused),
            ("responses_broken_off", "Responses that the upstream broke off", &counters.upstream_failed),
            ("responses_abandoned", "Responses whose client went away", &counters.client_gone),
            ("bytes_scanned", "Body bytes scanned", &counters.bytes_scanned),
            ("exposures_recorded", "Parts of responses that held data of subjects", &counters.exposed),
            ("ledger_waits", "Parts that waited for the ledger", &counters.waits),
            ("ledger_waits_saved", "Parts whose findings were durable already", &counters.waits_saved),
            ("held_waits_ended", "Responses that `held_bytes_max` left no room for in time", &counters.held_too_long),
            ("ledger_records_lost", "Records that could not be appended", &counters.records_lost),
            ("suspects", "Sessions that cannot be bounded by their responses", &counters.suspects),
            ("logins_bound", "Log-ins that bound a session to a person", &counters.logins_bound),
            ("logins_unbound", "Log-ins that succeeded and bound nobody", &counters.logins_unbound),
            ("responses_with_canaries", "Responses that held planted customers", &counters.canaries),
            ("tokens_of_nobody", "Requests whose token names nobody", &counters.tokens_of_nobody),
            (
                "identities_disagree",
                "Parts for requests whose session and token disagree",
                &counters.identities_disagree,
            ),
            ("responses_withheld", "Responses ended by their route's policy", &counters.withheld),
            ("requests_contained", "Requests of those who are kept out", &counters.contained),
            ("responses_masked", "Responses in which values were masked", &counters.masked),
            (
                "responses_would_withhold",
                "Responses that rules would have ended or masked, had they been enforced",
                &counters.would_withhold,
            ),
        ];
        for (name, help, counter) in counted {
            count(encoder, name, help, counter.value())?;
        }
        let help = "Responses not inspectable, by reason";
        let mut by_reason = encoder.encode_descriptor("responses_not_inspectable", help, None, MetricType::Counter)?;
        for reason in REASONS {
            let labels = Reason { reason: reason_name(reason) };
            ConstCounter::new(counters.not_inspectable(reason)).encode(by_reason.encode_family(&labels)?)?;
        }
        let mut by_kind = encoder.encode_descriptor("alerts", "Alerts, by kind", None, MetricType::Counter)?;
        for (kind, counter) in AlertKind::ALL.iter().zip(&counters.alerts) {
            ConstCounter::new(counter.value()).encode(by_kind.encode_family(&[("kind", kind.name())])?)?;
        }
        Ok(())
    }

    fn registers_age_s(&self) -> Option<i64> {
        let now = self.shared.parts.clock.now();
        let index = self.shared.parts.index.load();
        let oldest = index.registers().iter().map(|register| register.built_at).min()?;
        i64::try_from(now.since(oldest).as_secs()).ok()
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live")
    }
}

impl Collector for Live {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let open = i64::try_from(self.shared.admission.open()).unwrap_or(i64::MAX);
        gauge(&mut encoder, "connections_open", "Open client connections", open)?;
        gauge(&mut encoder, "ledger_health", "0 healthy, 1 emergency log, 2 cannot be written", self.ledger())?;
        let held_bytes = i64::try_from(self.shared.inspector.held_bytes()).unwrap_or(i64::MAX);
        gauge(&mut encoder, "held_bytes", "Body bytes held by the inspection", held_bytes)?;
        if let Some(age_s) = self.registers_age_s() {
            gauge(&mut encoder, "registers_age_seconds", "Age of the oldest register's index", age_s)?;
        }
        self.certificates(&mut encoder)?;
        let dropped = self.shared.log.as_ref().map_or(0, crate::access_log::AccessLog::dropped);
        count(&mut encoder, "access_log_dropped", "Log lines not written", dropped)?;
        let dropped = self.shared.parts.events.as_ref().map_or(0, crate::inspect::LiveEventSender::dropped);
        count(&mut encoder, "live_events_dropped", "Live events that did not fit", dropped)?;
        if let Some(decisions) = &self.shared.parts.decisions {
            let deliveries = &decisions.deliveries;
            let value = |number: &AtomicU64| number.load(Ordering::Relaxed);
            count(&mut encoder, "webhook_delivered", "Decisions that the webhook took", value(&deliveries.delivered))?;
            count(&mut encoder, "webhook_failed", "Attempts that it did not take", value(&deliveries.failed))?;
            count(&mut encoder, "webhook_given_up", "Decisions given up as too old", value(&deliveries.given_up))?;
            let waiting = i64::try_from(value(&deliveries.waiting)).unwrap_or(i64::MAX);
            gauge(&mut encoder, "webhook_waiting", "Decisions that the webhook has not taken yet", waiting)?;
        }
        let mut refusals =
            encoder.encode_descriptor("heads_refused", "Request heads refused by reason", None, MetricType::Counter)?;
        for (reason, count) in self.shared.refusals.iter() {
            ConstCounter::new(count).encode(refusals.encode_family(&Reason { reason: reason.name() })?)?;
        }
        self.inspection(&mut encoder)
    }
}

fn count(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    ConstCounter::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> fmt::Result {
    ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}
