//! Adds the ledger's rows up to an answer: `GROUP BY subject, bit_or(fields)` in one pass.
//!
//! The caller gives events first, then rows that match the question, in any order save that the rows of one response
//! stand together.

use crate::gaps::Seen;
use crate::persons::Persons;
use crate::timeline::{Described, Timeline};
use crate::{
    Answer, Combination, Coverage, FieldAnswer, FieldState, GenericAnswer, NotBoundable, Question, Reflected,
    RegisterAnswer, time_text,
};
use sekisho_model::{Exposure, Generic, GenericKind, Inspection, Record, ResponseId, SourceId, Timestamp};
use std::collections::{BTreeMap, HashSet};

/// How a response ended, as far as the ledger knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was closed.
    Closed(Inspection),
    /// It was opened, and its end is not recorded.
    Open,
}

/// An answer in the making.
#[derive(Debug)]
pub struct Tally {
    question: Question,
    timeline: Timeline,
    persons: Vec<Persons>,
    emails: HashSet<[u8; 8]>,
    cards: HashSet<[u8; 8]>,
    my_number_findings: u64,
    generic_reflected: u64,
    coverage: Coverage,
    seen: Seen,
    /// First sequence numbers of runs in the period: all numbers below them were given out.
    runs: Vec<(SourceId, u64)>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    not_boundable: Vec<NotBoundable>,
}

impl Tally {
    /// Begins with the ledger's events, those before the period too: they say which registers were in force.
    #[must_use]
    pub fn new(question: Question, events: &[(SourceId, Record)]) -> Tally {
        let timeline = Timeline::new(events);
        let mut tally = Tally {
            question,
            timeline,
            persons: Vec::new(),
            emails: HashSet::new(),
            cards: HashSet::new(),
            my_number_findings: 0,
            generic_reflected: 0,
            coverage: Coverage::default(),
            seen: Seen::default(),
            runs: Vec::new(),
            first: None,
            last: None,
            not_boundable: Vec::new(),
        };
        for (source, event) in events {
            tally.event(*source, event);
        }
        tally
    }

    fn event(&mut self, source: SourceId, event: &Record) {
        match event {
            Record::Heartbeat(beat) if self.question.covers(beat.at) => {
                self.coverage.records_lost += beat.records_lost;
            }
            Record::Started(started) if self.question.covers(started.at) => {
                self.runs.push((source, started.sequence_first));
            }
            Record::Suspect(suspect) if self.asks_about(suspect) => self.not_boundable.push(NotBoundable {
                client: suspect.client.to_string(),
                session: suspect.session.map(|session| session.to_string()),
                route: suspect.route.clone(),
                requests: suspect.requests,
                reason: suspect.reason,
                first: suspect.first,
                last: suspect.at,
            }),
            _ => {}
        }
    }

    fn asks_about(&self, suspect: &sekisho_model::Suspect) -> bool {
        let question = &self.question;
        let ended_before = question.from.is_some_and(|from| suspect.at < from);
        let began_after = question.to.is_some_and(|to| suspect.first >= to);
        !ended_before
            && !began_after
            && question.client.is_none_or(|network| network.contains(&suspect.client))
            && question.session.is_none_or(|session| suspect.session == Some(session))
            && question.route.as_ref().is_none_or(|route| *route == suspect.route)
    }

    /// A subject's fields in a response that matches the question.
    pub fn exposure(&mut self, response: ResponseId, at: Timestamp, exposure: &Exposure) {
        let (source, id) = (response.source, exposure.subject.register);
        let (register, fields) = self.timeline.resolve(source, at, id, exposure.fields.0);
        let (_, reflected) = self.timeline.resolve(source, at, id, exposure.reflected.0);
        if let Some((name, subject)) = &self.question.subject
            && (*subject != exposure.subject.id || *name != self.timeline.registers[register].name)
        {
            return;
        }
        if register >= self.persons.len() {
            self.persons.resize_with(register + 1, Persons::default);
        }
        self.persons[register].add(exposure.subject.id, fields, reflected, at, response);
        if fields != 0 {
            self.saw(at);
        }
    }

    /// A value without a register, in a response that matches the question.
    pub fn generic(&mut self, at: Timestamp, generic: &Generic) {
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

    /// A response that matches the question.
    pub fn response(&mut self, response: ResponseId, at: Timestamp, outcome: Outcome) {
        let coverage = &mut self.coverage;
        coverage.responses += 1;
        match outcome {
            Outcome::Closed(Inspection::Inspected) => {
                coverage.inspected += 1;
                self.timeline.inspected(response.source, at);
            }
            Outcome::Closed(Inspection::WithoutBody) => coverage.without_body += 1,
            Outcome::Closed(Inspection::NotInspectable(why)) => {
                *coverage.not_inspectable.entry(why).or_default() += 1;
            }
            Outcome::Open => coverage.opened_without_closed += 1,
        }
    }

    /// Any response, whether it matches the question or not: its number exists. Give those of some time before and
    /// after the period too, so that a response that was long on its way does not look like a gap.
    pub fn number(&mut self, response: ResponseId, at: Timestamp) {
        self.seen.add(response, self.question.covers(at));
    }

    fn saw(&mut self, at: Timestamp) {
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
    }

    /// The answer, at this time.
    #[must_use]
    pub fn finish(mut self, now: Timestamp) -> Answer {
        self.persons.resize_with(self.timeline.registers.len(), Persons::default);
        for (source, sequence_first) in &self.runs {
            self.seen.given_out(*source, *sequence_first);
        }
        self.coverage.gaps = self.seen.gaps();
        let registers = self.timeline.registers.iter().zip(&self.persons);
        let (mut answers, mut fields, mut reflected) = (Vec::new(), Vec::new(), 0);
        for (at, (register, persons)) in registers.enumerate() {
            let names = field_names(register, persons);
            answers.push(register_answer(register, persons, &names, now));
            fields.extend(names.iter().enumerate().map(|(field, name)| self.field(at, field, name)));
            reflected += persons.iter().filter(|person| person.reflected != 0).count() as u64;
        }
        Answer {
            registers: answers,
            fields,
            generic: GenericAnswer {
                emails: self.emails.len() as u64,
                cards: self.cards.len() as u64,
                my_number_findings: self.my_number_findings,
            },
            reflected: Reflected { persons: reflected, generic_findings: self.generic_reflected },
            coverage: self.coverage,
            first: self.first,
            last: self.last,
            not_boundable: self.not_boundable,
            persons: self.persons,
        }
    }

    /// SCO-1: `not observed` needs a detector, a register in force, and inspected responses, all the way.
    fn field(&self, register: usize, field: usize, name: &str) -> FieldAnswer {
        let described = &self.timeline.registers[register];
        let persons = self.persons[register].iter().filter(|person| person.fields & (1 << field) != 0).count() as u64;
        let limit = self.limit(register, field);
        let state = match (persons, &limit) {
            (1.., _) => FieldState::Exposed,
            (0, None) => FieldState::NotObserved,
            (0, Some(_)) => FieldState::NotExamined,
        };
        FieldAnswer { register: described.name.clone(), field: name.to_owned(), state, persons, reason: limit }
    }

    /// What keeps the absence of a field from being said; `None` when nothing does.
    fn limit(&self, register: usize, field: usize) -> Option<String> {
        let described = &self.timeline.registers[register];
        let Some(column) = described.fields.get(field) else {
            return Some("no record describes the register".to_owned());
        };
        if let Some(reason) = &column.not_examined {
            return Some(reason.clone());
        }
        let (with, all) = self.timeline.inspected_with(register, field);
        if all == 0 {
            return Some("no response in this scope was inspected".to_owned());
        }
        if with == 0 {
            return Some("the register was not loaded in this period".to_owned());
        }
        if with < all {
            let loaded =
                self.timeline.loaded_at(register).map_or_else(String::new, |at| format!(" at {}", time_text(at)));
            let (missed, all) = (crate::text::count(all - with), crate::text::count(all));
            return Some(format!("{missed} of {all} inspected responses passed without this column (loaded{loaded})"));
        }
        match column.values_not_indexed {
            0 => None,
            1 => Some("1 value could not be indexed and was not looked for".to_owned()),
            more => Some(format!("{} values could not be indexed and were not looked for", crate::text::count(more))),
        }
    }
}

/// The columns' names, and numbers for those that no record describes.
fn field_names(register: &Described, persons: &Persons) -> Vec<String> {
    let bits = persons.iter().fold(0, |all, person| all | person.fields | person.reflected);
    let columns = register.fields.len().max(64 - bits.leading_zeros() as usize);
    (0..columns)
        .map(|at| register.fields.get(at).map_or_else(|| format!("field-{at}"), |field| field.name.clone()))
        .collect()
}

fn register_answer(register: &Described, persons: &Persons, names: &[String], now: Timestamp) -> RegisterAnswer {
    let mut sets: BTreeMap<u64, u64> = BTreeMap::new();
    for person in persons.iter().filter(|person| person.fields != 0) {
        *sets.entry(person.fields).or_default() += 1;
    }
    let named = |set: u64| {
        names.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0).map(|(_, name)| name.clone()).collect()
    };
    let mut combinations: Vec<Combination> =
        sets.iter().map(|(set, persons)| Combination { fields: named(*set), persons: *persons }).collect();
    combinations.sort_by_key(|combination| std::cmp::Reverse(combination.persons));
    RegisterAnswer {
        name: register.name.clone(),
        age_s: now.since(register.built_at).as_secs(),
        persons: sets.values().sum(),
        combinations,
        persons_registered: register.persons,
    }
}
