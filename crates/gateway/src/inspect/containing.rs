//! Between the responses and [`Containment`]: who asks, and after what somebody is kept out.

use super::decisions::Decision;
use super::journal::Journal;
use super::{Inspector, Shared};
use crate::config::ContainCause;
use crate::containment::{Asker, Containment};
use sekisho_ledger::NotDurable;
use sekisho_model::{
    AccountKey, Alert, ContainReason, Contained, Record, Released, SessionKey, Target, Timestamp, WithheldReason,
};
use std::net::IpAddr;

/// Who decides what nobody decided.
const GATEWAY: &str = "gateway";

impl Inspector {
    /// Who is kept out.
    pub(crate) fn containment(&self) -> &Containment {
        &self.shared.containment
    }

    /// Keeps somebody out, by an operator's decision. Whether anything changed. It is in force at once, a failing ledger
    /// or not, and durable when this returns.
    ///
    /// # Errors
    /// The ledger does not take it: a restart forgets it.
    pub(crate) async fn contain(&self, contained: Contained) -> Result<bool, NotDurable> {
        let has_changed = self.shared.containment.contain(contained.clone());
        self.shared.decided(has_changed, || Decision::Contained(contained.clone()));
        self.record(Record::Contained(contained)).await?;
        Ok(has_changed)
    }

    /// Lets somebody in again, as [`Inspector::contain`] keeps them out. Whether they were kept out.
    pub(crate) async fn release(&self, released: Released) -> Result<bool, NotDurable> {
        let has_changed = self.shared.containment.release(released.target, released.at);
        self.shared.decided(has_changed, || Decision::Released(released.clone()));
        self.record(Record::Released(released)).await?;
        Ok(has_changed)
    }

    async fn record(&self, record: Record) -> Result<(), NotDurable> {
        let position = self.shared.recorder.append(record)?;
        self.shared.recorder.durable(position).await
    }

    /// Whether whoever has this session was cut off: kept out without an end, and at once.
    pub(crate) fn is_cut_off(&self, session: SessionKey) -> bool {
        self.keeps_out(session).is_some_and(|contained| contained.until.is_none())
    }

    /// Why whoever has this session is kept out, if so.
    pub(crate) fn keeps_out(&self, session: SessionKey) -> Option<Contained> {
        if self.shared.containment.is_empty() {
            return None;
        }
        let now = self.shared.clock.now();
        let account = self.shared.bindings.owner(session, now).and_then(|owner| owner.account);
        // An address is none of a session's.
        let asker = Asker { session: Some(session), account, client: IpAddr::from([0, 0, 0, 0]) };
        self.shared.containment.find(&asker, now)
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }
}

impl Shared {
    /// Why whoever asks is kept out, if so.
    fn contained(
        &self,
        session: Option<SessionKey>,
        by_token: Option<AccountKey>,
        client: IpAddr,
    ) -> Option<Contained> {
        if self.containment.is_empty() {
            return None;
        }
        let now = self.clock.now();
        let account = by_token.or_else(|| session.and_then(|session| self.bindings.owner(session, now)?.account));
        self.containment.find(&Asker { session, account, client }, now)
    }

    /// A number is too high: the account, or the session, is kept out where the configuration says so.
    pub(super) fn alarmed(&self, alert: &Alert) {
        let target = alert.account.map(Target::Account).or(alert.session.map(Target::Session));
        let target = target.unwrap_or(Target::Client(alert.client));
        if self.bounds.load().contain.on.contains(&ContainCause::Alert) {
            self.contain_after(ContainReason::Alert(alert.kind), target, None);
        }
    }

    fn contain_after(&self, reason: ContainReason, target: Target, sequence: Option<u64>) {
        let bounds = self.bounds.load();
        let rules = &bounds.contain;
        let is_safe = |client: &IpAddr| rules.never.iter().any(|network| network.contains(client));
        let length = match &target {
            Target::Client(client) if is_safe(client) => return,
            Target::Client(_) => rules.client_for,
            Target::Session(_) | Target::Account(_) => rules.session_for,
        };
        let at = self.clock.now();
        let until = Some(at.after(length));
        self.keep_out(Contained { at, target, until, reason, by: GATEWAY.to_owned(), sequence });
    }

    fn decided(&self, has_changed: bool, decision: impl FnOnce() -> Decision) {
        if let Some(decisions) = self.decisions.as_ref().filter(|_| has_changed) {
            decisions.send(decision());
        }
    }

    pub(super) fn keep_out(&self, contained: Contained) {
        if self.containment.contain(contained.clone()) {
            let target = contained.target;
            tracing::warn!(contain.target = %target, "kept out {target}");
            self.decided(true, || Decision::Contained(contained.clone()));
            if self.recorder.append(Record::Contained(contained)).is_err() {
                self.counters.records_lost.add(1);
            }
        }
    }
}

impl Journal {
    /// A part held what a rule forbids: its session is kept out before the response ends, where the configuration says
    /// so; without a session, its address. The response itself goes on as its route's rules say.
    pub(super) fn contain(&mut self, rules: &[WithheldReason]) {
        let on = &self.bounds().contain.on;
        let Some(rule) = rules.iter().find(|rule| on.contains(&ContainCause::Rule(**rule))) else { return };
        let target = self.session().map_or(Target::Client(self.transaction.client), Target::Session);
        for target in [Some(target), self.renewed.map(Target::Session)].into_iter().flatten() {
            self.shared.contain_after(ContainReason::Rule(*rule), target, Some(self.sequence));
        }
        self.generation = self.shared.containment.generation();
    }

    /// The response gives its session another name: who is kept out under one is kept out under both. A name that is
    /// somebody else's already stays theirs: a cache that mixes answers up hands it out.
    pub(super) fn renewed(&mut self, issued: SessionKey) {
        let now = self.shared.clock.now();
        let Some(before) = self.transaction.session.filter(|before| *before != issued) else { return };
        let bindings = &self.shared.bindings;
        let owner = bindings.owner(issued, now);
        if owner.is_some() && owner != bindings.owner(before, now) {
            return;
        }
        self.renewed = Some(issued);
        if let Some(known) = self.shared.containment.entry(Target::Session(before), now) {
            self.shared.keep_out(Contained { at: now, target: Target::Session(issued), ..known });
        }
    }

    /// Whether whoever receives this was kept out since it began.
    pub(super) fn was_contained(&mut self) -> bool {
        let generation = self.shared.containment.generation();
        if generation == self.generation {
            return false;
        }
        self.generation = generation;
        self.is_kept_out()
    }

    /// Whether whoever asks is kept out of this route. `continuity` stays open, but not to an account that was cut off:
    /// it has no position to close.
    pub(super) fn is_kept_out(&self) -> bool {
        let contained = self.shared.contained(self.session(), self.account(), self.transaction.client);
        contained.is_some_and(|contained| {
            let is_cut_off = contained.until.is_none() && matches!(contained.target, Target::Account(_));
            is_cut_off || !self.is_continuity()
        })
    }
}
