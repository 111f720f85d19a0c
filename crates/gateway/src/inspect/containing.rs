//! Between the responses and [`Containment`]: who asks, and after what somebody is kept out.

use super::journal::Journal;
use super::{Inspector, Shared};
use crate::config::ContainCause;
use crate::containment::{Asker, Containment};
use sekisho_ledger::NotDurable;
use sekisho_model::{
    AccountKey, Alert, ContainReason, Contained, Record, Released, SessionKey, Target, Timestamp, WithheldReason,
};
use std::net::IpAddr;
use std::time::Duration;

/// Who decides what nobody decided.
const GATEWAY: &str = "gateway";

impl Inspector {
    /// Who is kept out.
    pub(crate) fn containment(&self) -> &Containment {
        &self.shared.containment
    }

    /// Keeps somebody out, by an operator's decision, which is in the ledger before it is in force. Whether anything
    /// changed.
    pub(crate) fn contain(&self, contained: Contained) -> Result<bool, NotDurable> {
        self.shared.recorder.append(Record::Contained(contained.clone()))?;
        Ok(self.shared.containment.contain(contained))
    }

    /// Lets somebody in again. Whether they were kept out.
    pub(crate) fn release(&self, released: Released) -> Result<bool, NotDurable> {
        let (target, at) = (released.target, released.at);
        self.shared.recorder.append(Record::Released(released))?;
        Ok(self.shared.containment.release(target, at))
    }

    /// Whether whoever has this session was cut off: kept out without an end, and at once.
    pub(crate) fn is_cut_off(&self, session: SessionKey) -> bool {
        let now = self.shared.clock.now();
        let account = self.shared.bindings.owner(session, now).and_then(|owner| owner.account);
        // An address is none of a session's.
        let asker = Asker { session: Some(session), account, client: IpAddr::from([0, 0, 0, 0]) };
        self.shared.containment.find(&asker, now).is_some_and(|contained| contained.until.is_none())
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }
}

impl Shared {
    /// Whether whoever asks is kept out.
    pub(super) fn is_contained(
        &self,
        session: Option<SessionKey>,
        by_token: Option<AccountKey>,
        client: IpAddr,
    ) -> bool {
        if self.containment.is_empty() {
            return false;
        }
        let now = self.clock.now();
        let account = by_token.or_else(|| session.and_then(|session| self.bindings.owner(session, now)?.account));
        self.containment.find(&Asker { session, account, client }, now).is_some()
    }

    /// A number is too high: the account, or the session, is kept out where the configuration says so.
    pub(super) fn alarmed(&self, alert: &Alert) {
        let target = alert.account.map(Target::Account).or(alert.session.map(Target::Session));
        let target = target.unwrap_or(Target::Client(alert.client));
        self.contain_after(ContainCause::Alert, ContainReason::Alert(alert.kind), target, None);
    }

    fn contain_after(&self, cause: ContainCause, reason: ContainReason, target: Target, sequence: Option<u64>) {
        let bounds = self.bounds.load();
        let rules = &bounds.contain;
        let is_safe = |client: &IpAddr| rules.never.iter().any(|network| network.contains(client));
        let length = match &target {
            Target::Client(client) if is_safe(client) => return,
            Target::Client(_) => rules.client_for,
            Target::Session(_) | Target::Account(_) => rules.session_for,
        };
        if !rules.on.contains(&cause) {
            return;
        }
        let at = self.clock.now();
        let contained =
            Contained { at, target, until: Some(at.after(length)), reason, by: GATEWAY.to_owned(), sequence };
        if self.containment.contain(contained.clone()) {
            tracing::warn!(contain.target = %target, contain.for_s = Duration::as_secs(&length), "kept out {target}");
            if self.recorder.append(Record::Contained(contained)).is_err() {
                self.counters.records_lost.add(1);
            }
        }
    }
}

impl Journal {
    /// A part held what a rule forbids: its session is kept out before the response ends, where the configuration says
    /// so; without a session, its address. The response itself goes on as its route's rules say.
    pub(super) fn contain(&mut self, reason: WithheldReason) {
        let target = self.session().map_or(Target::Client(self.transaction.client), Target::Session);
        let cause = ContainCause::Rule(reason);
        self.shared.contain_after(cause, ContainReason::Rule(reason), target, Some(self.sequence));
        self.generation = self.shared.containment.generation();
    }

    /// Whether whoever receives this was kept out since it began.
    pub(super) fn was_contained(&mut self) -> bool {
        let generation = self.shared.containment.generation();
        if generation == self.generation || self.is_continuity() {
            return false;
        }
        self.generation = generation;
        self.shared.is_contained(self.session(), self.account(), self.transaction.client)
    }
}
