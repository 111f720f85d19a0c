//! Adds findings up: whose fields left, and which values without a register. It goes on beside `ended`, on a thread
//! of its own.

use crate::Question;
use crate::persons::Persons;
use crate::sessions::Sessions;
use crate::timeline::{Place, Recent, Timeline};
use sekisho_model::{Exposure, Generic, GenericKind, RegisterId, ResponseId, SessionKey, Timestamp};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What was found so far.
#[derive(Debug)]
pub(crate) struct Found {
    question: Arc<Question>,
    timeline: Arc<Timeline>,
    recent: Recent,
    /// By the register's place in the timeline.
    pub(crate) persons: Vec<Persons>,
    /// Persons of registers that no record describes.
    pub(crate) persons_undescribed: BTreeMap<RegisterId, Persons>,
    pub(crate) sessions: Sessions,
    pub(crate) emails: HashSet<[u8; 8]>,
    pub(crate) cards: HashSet<[u8; 8]>,
    pub(crate) my_number_findings: u64,
    pub(crate) generic_reflected: u64,
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
}

impl Found {
    pub(crate) fn new(question: Arc<Question>, timeline: Arc<Timeline>) -> Found {
        let mut persons = Vec::new();
        persons.resize_with(timeline.registers.len(), Persons::default);
        Found {
            question,
            timeline,
            recent: Recent::default(),
            persons,
            persons_undescribed: BTreeMap::new(),
            sessions: Sessions::default(),
            emails: HashSet::new(),
            cards: HashSet::new(),
            my_number_findings: 0,
            generic_reflected: 0,
            first: None,
            last: None,
        }
    }

    /// A person's fields in a response that matches the question. Those of one person in one response stand together.
    pub(crate) fn exposure(
        &mut self,
        (response, session): (ResponseId, Option<SessionKey>),
        at: Timestamp,
        exposure: &Exposure,
    ) {
        let subject = exposure.subject;
        if self.question.subject.as_ref().is_some_and(|(_, id)| *id != subject.id) {
            return;
        }
        let place = self.timeline.resolve(response.source, at, subject.register, &mut self.recent);
        if !self.asks_about_register(place, subject.register) {
            return;
        }
        if place.is_some_and(|place| self.is_planted(place)) {
            return;
        }
        let (persons, fields, reflected) = match place {
            Some(place) => {
                let of = |fields| place.fields(fields);
                (&mut self.persons[place.register()], of(exposure.fields.0), of(exposure.reflected.0))
            }
            None => {
                let persons = self.persons_undescribed.entry(subject.register).or_default();
                (persons, exposure.fields.0, exposure.reflected.0)
            }
        };
        persons.add(subject.id, fields, reflected, at, response);
        if fields != 0 {
            self.saw(at);
            if let Some(session) = session.filter(|_| self.question.lists_sessions) {
                self.sessions.add(session, at);
            }
        }
    }

    /// Whether the register's are no persons but planted customers; asked about by name, one is told all the same.
    fn is_planted(&self, place: &Place) -> bool {
        self.question.subject.is_none() && self.timeline.registers[place.register()].is_canary
    }

    fn asks_about_register(&self, place: Option<&Place>, id: RegisterId) -> bool {
        let Some((name, _)) = &self.question.subject else { return true };
        match place {
            Some(place) => *name == self.timeline.registers[place.register()].name,
            None => *name == undescribed_name(id),
        }
    }

    /// A value without a register, in a response that matches the question.
    pub(crate) fn generic(&mut self, at: Timestamp, generic: &Generic) {
        if self.question.subject.is_some() {
            return;
        }
        if generic.reflected {
            self.generic_reflected += 1;
            return;
        }
        self.saw(at);
        match (generic.kind, generic.value) {
            (GenericKind::Email, Some(value)) => _ = self.emails.insert(value),
            (GenericKind::Pan, Some(value)) => _ = self.cards.insert(value),
            (GenericKind::MyNumber, _) => self.my_number_findings += 1,
            // A value without its hash cannot be told from another: it counts as one value in all.
            (GenericKind::Email, None) => _ = self.emails.insert([0; 8]),
            (GenericKind::Pan, None) => _ = self.cards.insert([0; 8]),
        }
    }

    fn saw(&mut self, at: Timestamp) {
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
    }
}

/// A register that no record describes goes by its number, so that nothing exposed is lost.
pub(crate) fn undescribed_name(id: RegisterId) -> String {
    format!("register-{}", id.0)
}
