//! Sessions, clients and clients' networks within the last hour: what they were shown, and as whom they are signed in.
//!
//! A session that is shown its own person only is not counted as one that is shown somebody.
//!
//! Credential stuffing looks like this: each session sees its own person only, and one client is signed in as many.
//! Windows slide in steps of five minutes. Bounded by two generations, as elsewhere: when the younger is full or an hour
//! old it becomes the older, and the older is forgotten; whoever was forgotten begins anew, so an attacker with more
//! addresses than [`RECEIVERS_MAX`] is counted by network only as far as those are remembered.

use super::recent::Recent;
use super::rules::{ClientLimits, PREFIX_FACTOR};
use super::told::Told;
use super::{HOUR_S, Reading, ticks};
use sekisho_model::{Alert, AlertKind, SessionKey, Subject, Timestamp, alert::network_of};
use std::collections::HashMap;
use std::net::IpAddr;

/// Sessions, clients and networks of one generation; there are two.
pub const RECEIVERS_MAX: usize = 65_536;

/// Keys that a generation keeps over all of them; there are two.
pub const GENERATION_KEYS_MAX: usize = 1_000_000;

/// Distinct subjects, sessions or persons that are kept for one of them, of which 7/8 are counted exactly; beyond, the
/// count has a standard error of 5.3 %.
pub const RECEIVER_KEYS_MAX: usize = 1_024;

const TICK_S: u32 = 5 * 60;

/// The receivers of the last hour.
#[derive(Debug, Default)]
pub(super) struct Receivers {
    younger: HashMap<Who, Box<Receiver>>,
    older: HashMap<Who, Box<Receiver>>,
    since: Timestamp,
    keys: usize,
}

/// Who receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    Session(SessionKey),
    Client(IpAddr),
    Prefix(IpAddr),
}

#[derive(Debug)]
struct Receiver {
    subjects: Recent<Subject, 12>,
    sessions: Recent<SessionKey, 12>,
    persons: Recent<Subject, 12>,
    told: [Told; 3],
}

impl Receivers {
    /// Counts what a response shows, and as whom its session is signed in. What passed its limit and was not told yet.
    pub(super) fn see(&mut self, reading: &Reading<'_>, subjects: &[Subject], limits: &ClientLimits) -> Vec<Alert> {
        let mut alerts = Vec::new();
        if let Some(session) = reading.session
            && limits.subjects_per_hour_max.is_some()
            && subjects.iter().any(|subject| Some(*subject) != reading.person)
        {
            let of_session = ClientLimits { subjects_per_hour_max: limits.subjects_per_hour_max, ..Default::default() };
            alerts.extend(self.receive(Who::Session(session), reading, subjects, &of_session));
        }
        let client = reading.client.to_canonical();
        if !limits.never.iter().any(|network| network.contains(&client)) {
            alerts.extend(self.receive(Who::Client(client), reading, subjects, limits));
            alerts.extend(self.receive(Who::Prefix(network_of(client).0), reading, subjects, limits));
        }
        alerts
    }

    /// Sessions, clients and networks that are remembered.
    pub(super) fn len(&self) -> usize {
        self.younger.len() + self.older.len()
    }

    fn receive(&mut self, who: Who, reading: &Reading<'_>, subjects: &[Subject], limits: &ClientLimits) -> Vec<Alert> {
        self.grow_old(reading.at);
        if !self.younger.contains_key(&who) {
            let known = self.older.remove(&who).unwrap_or_else(|| Box::new(Receiver::new()));
            self.keys += known.keys();
            self.younger.insert(who, known);
        }
        let Some(receiver) = self.younger.get_mut(&who) else { return Vec::new() };
        let before = receiver.keys();
        receiver.see(reading, subjects, limits);
        self.keys += receiver.keys().saturating_sub(before);
        receiver.alerts(who, reading, limits)
    }

    fn grow_old(&mut self, now: Timestamp) {
        let is_old = now.0 - self.since.0 >= i64::from(HOUR_S) * 1_000_000;
        if is_old || self.younger.len() >= RECEIVERS_MAX || self.keys >= GENERATION_KEYS_MAX {
            self.older = std::mem::take(&mut self.younger);
            (self.since, self.keys) = (now, 0);
        }
    }
}

impl Receiver {
    fn new() -> Receiver {
        Receiver {
            subjects: Recent::new(RECEIVER_KEYS_MAX),
            sessions: Recent::new(RECEIVER_KEYS_MAX),
            persons: Recent::new(RECEIVER_KEYS_MAX),
            told: Default::default(),
        }
    }

    fn keys(&self) -> usize {
        self.subjects.keys() + self.sessions.keys() + self.persons.keys()
    }

    fn see(&mut self, reading: &Reading<'_>, subjects: &[Subject], limits: &ClientLimits) {
        let tick = ticks(reading.at, TICK_S);
        if limits.subjects_per_hour_max.is_some() {
            subjects.iter().for_each(|subject| _ = self.subjects.see(*subject, tick));
        }
        let Some(person) = reading.person else { return };
        if limits.persons_per_hour_max.is_some() {
            self.persons.see(person, tick);
        }
        if let Some(session) = reading.session.filter(|_| limits.sessions_per_hour_max.is_some()) {
            self.sessions.see(session, tick);
        }
    }

    fn alerts(&mut self, who: Who, reading: &Reading<'_>, limits: &ClientLimits) -> Vec<Alert> {
        let tick = ticks(reading.at, TICK_S);
        let kinds = match who {
            Who::Session(_) => [AlertKind::SessionSubjects, AlertKind::ClientSessions, AlertKind::ClientPersons],
            Who::Client(_) => [AlertKind::ClientSubjects, AlertKind::ClientSessions, AlertKind::ClientPersons],
            Who::Prefix(_) => [AlertKind::PrefixSubjects, AlertKind::PrefixSessions, AlertKind::PrefixPersons],
        };
        let counts = [self.subjects.count(tick), self.sessions.count(tick), self.persons.count(tick)];
        let limits = [limits.subjects_per_hour_max, limits.sessions_per_hour_max, limits.persons_per_hour_max];
        let factor = if matches!(who, Who::Prefix(_)) { PREFIX_FACTOR } else { 1 };
        let mut alerts = Vec::new();
        for at in 0..kinds.len() {
            let Some(limit) = limits[at].map(|limit| limit.saturating_mul(factor)) else { continue };
            if self.told[at].is_news(counts[at], limit, HOUR_S, reading.at) {
                alerts.push(reading.alert(kinds[at], HOUR_S, counts[at], limit));
            }
        }
        alerts
    }
}
