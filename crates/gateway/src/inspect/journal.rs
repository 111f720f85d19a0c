//! One response's records: `Opened` at its first finding, `Exposed` for each part, and `Closed` exactly once, whatever
//! happens (LED-4): a journal that is dropped closes itself.

use super::asserted::Asserted;
use super::binding::Owner;
use super::crowd;
use super::events::LiveEvent;
use super::known::{Fact, Item, Receiver};
use super::policy::{self, Action, Forbidden};
use super::recorder::Wait;
use super::watch::Case;
use super::{Bounds, RouteClass, RoutePolicy, Shared, blind};
use http::StatusCode;
use sekisho_edm::{Finding, Found};
use sekisho_ledger::{NotDurable, Position};
use sekisho_model::{
    ByteRange, Closed, Disposition, Exposed, Exposure, FieldSet, Generic, Inspection, Opened, Record, SessionKey,
    Transaction, Uninspectable, Withheld, WithheldOutcome, WithheldReason,
};
use std::sync::{Arc, PoisonError};

/// The records of one response.
pub(super) struct Journal {
    pub(super) shared: Arc<Shared>,
    pub(super) sequence: u64,
    pub(super) transaction: Transaction,
    policy: RoutePolicy,
    /// Whether the request names a case.
    pub(super) case: Case,
    /// Whom the request's tokens name.
    pub(super) asserted: Asserted,
    inspection: Inspection,
    disposition: Option<Disposition>,
    body_bytes_released: u64,
    /// The status that `Opened` told, once it is in the ledger's queue.
    opened_with: Option<u16>,
    has_closed: bool,
    /// The session that this exchange logged in, in place of the request's.
    logged_in: Option<SessionKey>,
    /// Whom it logged in, while the session's name is still to come.
    pub(super) named: Option<Owner>,
    /// Another name that the response gives the request's session.
    pub(super) renewed: Option<SessionKey>,
    /// Whether a part would have been withheld.
    would_withhold: bool,
    /// Who was kept out when this was last looked at.
    pub(super) generation: u64,
    /// Whether a planted customer in it was recorded.
    has_told_canary: bool,
}

/// Whether a part holds somebody's data: decides what happens when it cannot be recorded (GW-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stake {
    /// A registered subject's fields, not only an echo.
    Subject,
    /// Unregistered or reflected values only.
    NoSubject,
}

/// Findings on their way into the ledger.
pub(super) struct Batch {
    pub(super) stake: Stake,
    /// `None`: durable already, no need to wait.
    pub(super) wait: Option<Wait>,
    facts: Vec<Fact>,
}

impl Journal {
    pub(super) fn new(
        shared: Arc<Shared>,
        sequence: u64,
        transaction: Transaction,
        how: (RoutePolicy, Case, Asserted),
    ) -> Journal {
        let (policy, case, asserted) = how;
        let generation = shared.containment.generation();
        Journal {
            shared,
            sequence,
            transaction,
            policy,
            case,
            asserted,
            inspection: Inspection::Inspected,
            disposition: None,
            body_bytes_released: 0,
            opened_with: None,
            has_closed: false,
            logged_in: None,
            named: None,
            renewed: None,
            would_withhold: false,
            generation,
            has_told_canary: false,
        }
    }

    /// This exchange logged a session in: its persons may be in the response.
    pub(super) fn logged_in(&mut self, session: SessionKey) {
        self.logged_in = Some(session);
    }

    /// Whose the response is: the session that it logged in, else the request's.
    pub(super) fn session(&self) -> Option<SessionKey> {
        self.logged_in.or(self.transaction.session)
    }

    /// Whether the route stays open to those who are kept out, and when the ledger cannot be written.
    pub(super) fn is_continuity(&self) -> bool {
        self.policy.continuity
    }

    /// Whom the route serves.
    pub(super) fn class(&self) -> RouteClass {
        self.policy.rules.class
    }

    /// Whether the route's policy can end or change a response.
    pub(super) fn withholds(&self) -> bool {
        self.policy.rules.can_withhold()
    }

    /// What the route's policy forbids of a part, before it is recorded; `None` when it may leave as it is. What is
    /// recorded only, or not enforced for this session, is noted here.
    pub(super) fn judge(&mut self, findings: &[Finding]) -> Option<Forbidden> {
        let rules = self.policy.rules;
        let index = self.shared.index.load();
        let canaries = self.bounds().canaries_in(&index);
        if rules.is_idle(&canaries) {
            return None;
        }
        let now = self.shared.clock.now();
        let session = self.session();
        let client = self.transaction.client_key;
        let receiver = session.map_or(crowd::Receiver::Client(client), crowd::Receiver::Session);
        let case = policy::Case { policy: &rules, index: &index, canaries: &canaries, findings };
        let owner = || self.owner();
        let admits = |subject, max| self.shared.crowd.admits(receiver, subject, max, now);
        let forbidden = policy::judge(&case, owner, admits);
        let is_enforced = forbidden.as_ref().is_some_and(|forbidden| {
            forbidden.action >= Action::Mask && rules.ramp.reaches(session.map_or(client, |key| key.0))
        });
        if let Some(mut planted) = policy::planted(&case) {
            planted.rules.extend(forbidden.iter().flat_map(|forbidden| &forbidden.rules));
            self.canary(planted, forbidden.as_ref().filter(|_| is_enforced));
        }
        let forbidden = forbidden?;
        if is_enforced {
            return Some(forbidden);
        }
        if forbidden.reason != WithheldReason::Canary && !std::mem::replace(&mut self.would_withhold, true) {
            self.shared.counters.would_withhold.add(1);
            self.withheld(forbidden, WithheldOutcome::Passed);
        }
        None
    }

    /// An incident of its own, once a response: planted customers that leave, or that are about to. Where the policy acts
    /// on them as such, what it does is recorded with the part.
    fn canary(&mut self, planted: Forbidden, enforced: Option<&Forbidden>) {
        if std::mem::replace(&mut self.has_told_canary, true) {
            return;
        }
        self.shared.counters.canaries.add(1);
        let Transaction { client, session, route, .. } = &self.transaction;
        let shown = session.map_or_else(String::new, |session| session.to_string());
        tracing::error!(response = self.sequence, %client, session = shown, route, "planted customer in a response");
        let is_among = |forbidden: &Forbidden| {
            let masked = |one: &Exposure| forbidden.exposures.iter().any(|other| other.subject == one.subject);
            planted.exposures.iter().all(masked)
        };
        let outcome = match enforced {
            Some(forbidden) if forbidden.reason == WithheldReason::Canary => return,
            Some(forbidden) if forbidden.action == Action::Block => WithheldOutcome::Ended,
            Some(forbidden) if is_among(forbidden) => WithheldOutcome::Masked,
            _ => WithheldOutcome::Passed,
        };
        self.withheld(planted, outcome);
    }

    /// Records what the policy did with a part.
    pub(super) fn withheld(&mut self, forbidden: Forbidden, outcome: WithheldOutcome) {
        let at = self.shared.clock.now();
        let Forbidden { exposures, generic, reason, rules, .. } = forbidden;
        let persons = exposures.len() as u64;
        let transaction = self.transaction.clone();
        let (client, route) = (transaction.client, transaction.route.clone());
        let sequence = self.sequence;
        let withheld = Withheld { sequence, at, transaction, exposures, generic, reason, outcome };
        // Counted when it is lost; nothing more leaves for that.
        let _position = self.append(Record::Withheld(withheld));
        self.shared.tell(|| LiveEvent::Withheld { sequence, at, client, route, persons, reason, outcome });
        self.contain(&rules);
    }

    /// The response has no body of the upstream's.
    pub(super) fn without_body(&mut self) {
        if self.inspection == Inspection::Inspected {
            self.inspection = Inspection::WithoutBody;
        }
    }

    /// The response is not inspected, or not wholly. The first reason stays.
    pub(super) fn not_inspectable(&mut self, reason: Uninspectable) {
        if !matches!(self.inspection, Inspection::NotInspectable(_)) {
            self.inspection = Inspection::NotInspectable(reason);
        }
    }

    /// How the response will end; the first word stays.
    pub(super) fn dispose(&mut self, disposition: Disposition) {
        self.disposition.get_or_insert(disposition);
    }

    /// Bytes were handed to the client's connection.
    pub(super) fn released(&mut self, bytes: usize) {
        self.body_bytes_released += bytes as u64;
    }

    /// GW-1: the request was refused before the upstream was contacted.
    pub(super) fn refused_at_begin(mut self, status: StatusCode) {
        self.transaction.status = status.as_u16();
        self.without_body();
        self.dispose(Disposition::Refused);
        self.close();
    }

    /// The bounds in force.
    pub(super) fn bounds(&self) -> Arc<Bounds> {
        self.shared.bounds.load_full()
    }

    /// Counts a request's values that read like a query's condition.
    pub(super) fn watch(&self, conditions: &[Vec<u8>]) {
        if conditions.is_empty() {
            return;
        }
        let Transaction { at, client, session, .. } = self.transaction;
        let key = blind::Key { client, session, route: self.transaction.route.clone() };
        let suspect = self.shared.blind.lock().unwrap_or_else(PoisonError::into_inner).note(at, key, conditions);
        if let Some(suspect) = suspect {
            self.shared.counters.suspects.add(1);
            self.shared.tell(|| LiveEvent::Suspect(suspect.clone()));
            // Counted when it is lost.
            let _position = self.append(Record::Suspect(suspect));
        }
    }

    /// GW-1: what happens to a part that cannot be recorded.
    pub(super) fn may_pass(&self, stake: Stake) -> bool {
        self.policy.continuity || stake == Stake::NoSubject
    }

    /// Whether nothing so far kept the response from being inspected.
    pub(super) fn is_inspected(&self) -> bool {
        self.inspection == Inspection::Inspected
    }

    /// Whether somebody's data was found.
    pub(super) fn has_findings(&self) -> bool {
        self.opened_with.is_some()
    }

    /// Records what a part holds. Never waits itself.
    pub(super) fn expose(&mut self, findings: &[Finding]) -> Result<Batch, (Stake, NotDurable)> {
        let (exposures, generic) = merge(findings);
        let stake = match exposures.iter().any(|exposure| !exposure.fields.is_empty()) {
            true => Stake::Subject,
            false => Stake::NoSubject,
        };
        let facts = self.facts(&exposures, &generic);
        let is_known = facts.as_deref().is_some_and(|facts| self.shared.known.has_all(facts));
        let position = self.append_exposed(findings, exposures.clone(), generic).map_err(|err| (stake, err))?;
        self.count_exposed(&exposures);
        let counters = &self.shared.counters;
        let wait = match is_known || self.shared.recorder.is_durable(position) {
            true => {
                counters.waits_saved.add(1);
                None
            }
            false => {
                counters.waits.add(1);
                Some(self.shared.recorder.durable(position))
            }
        };
        Ok(Batch { stake, wait, facts: facts.unwrap_or_default() })
    }

    /// A batch has become durable: the same findings need no wait from now on.
    pub(super) fn durable(&self, batch: &Batch) {
        self.shared.known.add(&batch.facts);
    }

    fn append_exposed(
        &mut self,
        findings: &[Finding],
        exposures: Vec<Exposure>,
        generic: Vec<Generic>,
    ) -> Result<Position, NotDurable> {
        let at = self.shared.clock.now();
        if self.opened_with.is_none() {
            let opened = Opened { sequence: self.sequence, transaction: self.transaction.clone() };
            self.append(Record::Opened(opened))?;
            self.opened_with = Some(self.transaction.status);
        }
        let span = ByteRange {
            start: findings.iter().map(|finding| finding.span.start).min().unwrap_or(0),
            end: findings.iter().map(|finding| finding.span.end).max().unwrap_or(0),
        };
        let event = self.shared.events.is_some().then(|| LiveEvent::Exposed {
            sequence: self.sequence,
            at,
            client: self.transaction.client,
            session: self.transaction.session,
            route: self.transaction.route.clone(),
            status: self.transaction.status,
            exposures: exposures.clone(),
            generic: generic.clone(),
        });
        let exposed = Exposed { sequence: self.sequence, at, span, exposures, generic };
        let position = self.append(Record::Exposed(exposed))?;
        self.shared.counters.exposed.add(1);
        if let Some(event) = event {
            self.shared.tell(|| event);
        }
        Ok(position)
    }

    fn append(&self, record: Record) -> Result<Position, NotDurable> {
        let appended = self.shared.recorder.append(record);
        if appended.is_err() {
            self.shared.counters.records_lost.add(1);
        }
        appended
    }

    /// What will be known once the part is durable; `None` when it must wait each time: a subject's data without a
    /// session to know the receiver by, or a value without a hash.
    fn facts(&self, exposures: &[Exposure], generic: &[Generic]) -> Option<Vec<Fact>> {
        let receiver = Receiver { client: self.transaction.client, session: self.transaction.session };
        if !exposures.is_empty() && receiver.session.is_none() {
            return None;
        }
        let mut facts = Vec::with_capacity(exposures.len() + generic.len());
        for exposure in exposures {
            let both = [
                (Item::Subject(exposure.subject), exposure.fields),
                (Item::Reflected(exposure.subject), exposure.reflected),
            ];
            facts.extend(both.into_iter().filter(|(_, set)| !set.is_empty()).map(|(item, set)| (receiver, item, set)));
        }
        for value in generic {
            let item = Item::Generic { kind: value.kind, value: value.value?, reflected: value.reflected };
            facts.push((receiver, item, FieldSet::EMPTY));
        }
        Some(facts)
    }

    /// Writes `Closed`, once.
    pub(super) fn close(&mut self) {
        if std::mem::replace(&mut self.has_closed, true) {
            return;
        }
        let at = self.shared.clock.now();
        let disposition = self.disposition.unwrap_or(Disposition::Released);
        let is_told = self.opened_with == Some(self.transaction.status);
        let closed = Closed {
            sequence: self.sequence,
            at,
            transaction: (!is_told).then(|| self.transaction.clone()),
            inspection: self.inspection,
            disposition,
            body_bytes_released: self.body_bytes_released,
        };
        // Nothing waits for this record; one that is lost is counted, and leaves a gap in the sequence (LED-4).
        let _lost_is_counted = self.append(Record::Closed(closed));
        self.shared.counters.closed(self.inspection, disposition);
        let (sequence, route) = (self.sequence, &self.transaction.route);
        if disposition == Disposition::Refused {
            let status = self.transaction.status;
            self.shared.tell(|| LiveEvent::Refused { sequence, at, route: route.clone(), status });
        }
        if let Inspection::NotInspectable(reason) = self.inspection
            && reason != Uninspectable::RouteExcluded
        {
            self.shared.tell(|| LiveEvent::NotInspectable { sequence, at, route: route.clone(), reason });
        }
    }
}

impl Drop for Journal {
    /// Whoever forgets to close, panics or is dropped by a client that went away: the response still ends.
    fn drop(&mut self) {
        if !self.has_closed {
            self.dispose(match std::thread::panicking() {
                true => Disposition::Refused,
                false => Disposition::ClientGone,
            });
            self.close();
        }
    }
}

/// Each subject once, with all its fields of the part; each unregistered value once.
fn merge(findings: &[Finding]) -> (Vec<Exposure>, Vec<Generic>) {
    let mut exposures: Vec<Exposure> = Vec::new();
    let mut by_subject = std::collections::HashMap::new();
    let mut generic = Vec::new();
    for finding in findings {
        match finding.found {
            Found::Subject { subject, fields, reflected } => {
                let at = *by_subject.entry(subject).or_insert_with(|| {
                    exposures.push(Exposure { subject, fields: FieldSet::EMPTY, reflected: FieldSet::EMPTY });
                    exposures.len() - 1
                });
                exposures[at].fields = exposures[at].fields.union(fields);
                exposures[at].reflected = exposures[at].reflected.union(reflected);
            }
            Found::Generic(value) => {
                // Few in a part; a My Number has no hash, so each one stays.
                if value.value.is_none() || !generic.contains(&value) {
                    generic.push(value);
                }
            }
        }
    }
    (exposures, generic)
}
