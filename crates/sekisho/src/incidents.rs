//! The gateway's events begin a case by themselves: somebody else's data, a planted customer, a number that is too high.
//!
//! One case a day at most; what follows within it is a note, once an hour for each kind and route. Legal clocks are not started
//! here: whether and when the firm knew is for a person to say (`sekisho case event … aware`).

use crate::case_log::CaseLog;
use crate::config;
use anyhow::{Context, Result};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sekisho_gateway::inspect::{LiveEvent, LiveEventSender, LiveEvents, live_events};
use sekisho_incident::{Body, CaseId, Event, Origin};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// What is recorded as the operator.
const GATEWAY: &str = "gateway";
/// Cases that begin by themselves have this before their day.
const PREFIX: &str = "auto-";
/// How long a case that began by itself takes what follows.
const CASE_LENGTH: SignedDuration = SignedDuration::from_hours(24);
/// One note of a kind and route in this time.
const NOTE_PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// Kinds and routes that are remembered; beyond, all are forgotten and may be noted again.
const NOTED_MAX: usize = 1_000;

/// The thread that opens cases; it ends when the gateway has ended.
pub(crate) struct Incidents {
    thread: JoinHandle<()>,
}

struct Opener {
    directory: PathBuf,
    keys: PathBuf,
    zone: String,
    noted: HashMap<String, Timestamp>,
}

impl Incidents {
    /// Begins to listen. Give the sender to the gateway.
    pub(crate) fn start(config: &config::Incidents, keys: &Path) -> Result<(Incidents, LiveEventSender)> {
        let (sender, events) = live_events();
        let (directory, zone) = (config.directory.clone(), config.zone.clone());
        // A log that cannot be written is told now, not at the first incident.
        drop(CaseLog::create(&directory, keys)?);
        let opener = Opener { directory, keys: keys.to_owned(), zone, noted: HashMap::new() };
        let thread = std::thread::Builder::new().name("incidents".to_owned()).spawn(move || opener.run(events));
        Ok((Incidents { thread: thread.context("cannot start the thread of incidents")? }, sender))
    }

    /// Waits for the thread, whose gateway has ended.
    pub(crate) fn stop(self) {
        if self.thread.join().is_err() {
            tracing::error!("the thread of incidents panicked");
        }
    }
}

impl Opener {
    fn run(mut self, mut events: LiveEvents) {
        while let Some(event) = events.blocking_recv() {
            let Some(sign) = Sign::of(&event) else { continue };
            let now = Timestamp::now();
            if !self.is_new(&sign, now) {
                continue;
            }
            match self.record(&sign, now) {
                Ok(id) => tracing::warn!(case.id = %id, "{}", sign.text),
                Err(err) => tracing::error!("cannot record an incident ({}): {err:#}", sign.text),
            }
        }
    }

    fn is_new(&mut self, sign: &Sign, now: Timestamp) -> bool {
        if self.noted.get(&sign.kind).is_some_and(|before| now.duration_since(*before) < NOTE_PAUSE) {
            return false;
        }
        if self.noted.len() >= NOTED_MAX {
            self.noted.clear();
        }
        self.noted.insert(sign.kind.clone(), now);
        true
    }

    /// Into the case of the day, which begins with it.
    fn record(&self, sign: &Sign, now: Timestamp) -> Result<CaseId> {
        let mut log = CaseLog::create(&self.directory, &self.keys)?;
        let opened = log.events.iter().rfind(|event| {
            let is_ours = event.case.as_str().starts_with(PREFIX) && matches!(event.body, Body::Opened { .. });
            is_ours && now.duration_since(event.recorded_at) < CASE_LENGTH
        });
        let id = match opened {
            Some(event) => event.case.clone(),
            None => {
                let id = self.id(now)?;
                let (origin, title, zone) = (Origin::Gateway, sign.title.clone(), self.zone.clone());
                self.append(&mut log, &id, now, Body::Opened { origin, title, zone })?;
                id
            }
        };
        self.append(&mut log, &id, now, Body::Note { text: sign.text.clone() })?;
        Ok(id)
    }

    fn append(&self, log: &mut CaseLog, id: &CaseId, now: Timestamp, body: Body) -> Result<()> {
        log.append(Event { case: id.clone(), recorded_at: now, operator: GATEWAY.to_owned(), body })
    }

    fn id(&self, now: Timestamp) -> Result<CaseId> {
        let zone = TimeZone::get(&self.zone)?;
        Ok(format!("{PREFIX}{}", now.to_zoned(zone).strftime("%Y%m%d-%H%M%S")).parse()?)
    }
}

/// What a live event says of an incident.
#[derive(Debug, PartialEq, Eq)]
struct Sign {
    /// What is noted once an hour.
    kind: String,
    title: String,
    text: String,
}

impl Sign {
    fn of(event: &LiveEvent) -> Option<Sign> {
        match event {
            LiveEvent::Withheld { sequence, route, persons, reason, outcome, client, .. } => {
                let reason = word(reason);
                let text = format!(
                    "{reason} in response {sequence} of route {route} to {client}: {persons} persons; {}",
                    word(outcome)
                );
                Some(Sign {
                    kind: format!("{reason} {route}"),
                    title: format!("{reason} in responses of {route}"),
                    text,
                })
            }
            LiveEvent::Alert(alert) => {
                let (kind, route) = (alert.kind.name(), &alert.route);
                let text = format!("{kind} on {route}: {alert}. {}", alert.next_step());
                Some(Sign { kind: format!("{kind} {route}"), title: format!("alert {kind} on {route}"), text })
            }
            _ => None,
        }
    }
}

fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sekisho_model::{WithheldOutcome, WithheldReason};

    fn opener(at: &Path) -> Opener {
        let (directory, keys) = (at.join("cases"), at.join("keys"));
        drop(CaseLog::create(&directory, &keys).expect("a log"));
        Opener { directory, keys, zone: "Asia/Tokyo".to_owned(), noted: HashMap::new() }
    }

    fn withheld(route: &str) -> LiveEvent {
        LiveEvent::Withheld {
            sequence: 7,
            at: sekisho_model::Timestamp(0),
            client: "203.0.113.9".parse().unwrap(),
            route: route.to_owned(),
            persons: 3,
            reason: WithheldReason::ForeignSubject,
            outcome: WithheldOutcome::Ended,
        }
    }

    fn at(hours: i64) -> Timestamp {
        "2026-11-23T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
    }

    #[test]
    fn the_first_sign_of_a_day_opens_a_case_and_others_are_notes_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let opener = opener(directory.path());
        let sign = |route| Sign::of(&withheld(route)).expect("a sign");
        let first = opener.record(&sign("/my"), at(0)).unwrap();
        assert_eq!(first.as_str(), "auto-20261123-090000");
        assert_eq!(opener.record(&sign("/api"), at(23)).unwrap(), first);
        assert_ne!(opener.record(&sign("/my"), at(24)).unwrap(), first);
        let log = CaseLog::open(&opener.directory, &opener.keys).unwrap();
        let mine: Vec<Event> = log.events.into_iter().filter(|event| event.case == first).collect();
        let case = sekisho_incident::Case::fold(&mine).expect("a case");
        assert_eq!((case.origin, case.timeline.len()), (Origin::Gateway, 3));
        assert!(case.clocks.is_empty(), "whether the firm knew is for a person to say");
    }

    #[test]
    fn a_kind_is_noted_once_an_hour() {
        let directory = tempfile::tempdir().unwrap();
        let mut opener = opener(directory.path());
        let sign = |route| Sign::of(&withheld(route)).expect("a sign");
        assert!(opener.is_new(&sign("/my"), at(0)));
        assert!(!opener.is_new(&sign("/my"), at(0)));
        assert!(opener.is_new(&sign("/api"), at(0)));
        assert!(opener.is_new(&sign("/my"), at(1)));
    }
}
