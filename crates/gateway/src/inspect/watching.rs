//! Between the responses and [`Watch`]: what is counted of each, and what becomes of an alert.

use super::binding::Owner;
use super::events::LiveEvent;
use super::journal::Journal;
use super::watch::{AccountKind, Case, Reading, Watch, WatchRules};
use super::{RouteClass, Shared};
use sekisho_edm::HashKey;
use sekisho_model::{Alert, Exposure, Record, SessionKey, Subject, Transaction};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The watch of a gateway.
pub(super) struct Watching {
    key: Arc<HashKey>,
    /// So that a gateway without limits takes no lock.
    is_on: AtomicBool,
    watch: Mutex<Watch>,
}

impl Watching {
    pub(super) fn new(watch: Watch, key: Arc<HashKey>) -> Watching {
        Watching { key, is_on: AtomicBool::new(!watch.is_idle()), watch: Mutex::new(watch) }
    }

    pub(super) fn reload(&self, rules: WatchRules) {
        self.is_on.store(!rules.is_idle(), Ordering::Relaxed);
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.reload(rules, |name| self.key.account(name));
    }

    fn note(&self, reading: &Reading<'_>, subjects: &[Subject]) -> Vec<Alert> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner).note(reading, subjects)
    }
}

impl Journal {
    /// A part was recorded and may leave: counts it. Echoes do not count.
    pub(super) fn count_exposed(&self, exposures: &[Exposure]) {
        let is_counted = |exposure: &&Exposure| !exposure.fields.is_empty();
        if !self.shared.watching.is_on.load(Ordering::Relaxed) || !exposures.iter().any(|it| is_counted(&it)) {
            return;
        }
        let subjects: Vec<Subject> = exposures.iter().filter(is_counted).map(|exposure| exposure.subject).collect();
        let session = self.session();
        let owner = self.owner();
        self.count(session, owner.as_ref(), &subjects);
    }

    fn count(&self, session: Option<SessionKey>, owner: Option<&Owner>, subjects: &[Subject]) {
        let kind = match self.class() {
            RouteClass::Partner => AccountKind::Partner,
            _ => AccountKind::Staff,
        };
        self.shared.count((session, owner), &self.transaction, (kind, self.case), subjects);
    }
}

impl Shared {
    /// A log-in bound a session to somebody.
    pub(super) fn count_login(&self, session: SessionKey, owner: &Owner, transaction: &Transaction) {
        if self.watching.is_on.load(Ordering::Relaxed) {
            self.count((Some(session), Some(owner)), transaction, (AccountKind::Staff, Case::NotAsked), &[]);
        }
    }

    fn count(
        &self,
        (session, owner): (Option<SessionKey>, Option<&Owner>),
        transaction: &Transaction,
        (kind, case): (AccountKind, Case),
        subjects: &[Subject],
    ) {
        let reading = Reading {
            at: self.clock.now(),
            client: transaction.client,
            session,
            account: owner.and_then(|owner| owner.account),
            kind,
            person: owner.and_then(|owner| owner.subjects.first().copied()),
            route: &transaction.route,
            case,
        };
        self.watching.note(&reading, subjects).iter().for_each(|alert| self.alert(alert));
    }

    /// Records an alert and tells everybody who should know.
    pub(super) fn alert(&self, alert: &Alert) {
        if self.recorder.append(Record::Alert(alert.clone())).is_err() {
            self.counters.records_lost.add(1);
        }
        self.counters.alerted(alert.kind);
        tracing::warn!(
            alert.kind = alert.kind.name(),
            alert.route = alert.route,
            alert.account = alert.account.map(|key| key.to_string()),
            alert.session = alert.session.map(|key| key.to_string()),
            "{alert}"
        );
        self.tell(|| LiveEvent::Alert(alert.clone()));
        self.alarmed(alert);
    }
}
