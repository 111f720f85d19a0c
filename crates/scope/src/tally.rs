//! Adds the ledger's rows up to an answer: `GROUP BY subject, bit_or(fields)` in one pass.
//!
//! Events come first; then `found` takes the findings that match the question, and `ended` the responses. The two
//! share nothing that changes, so that each has a thread.

use crate::canaries::Canaries;
use crate::ended::Ended;
use crate::found::{Found, undescribed_name};
use crate::persons::Combined;
use crate::timeline::{Described, Examined, Timeline, Without};
use crate::{
    AlertAnswer, Answer, Combination, FieldAnswer, FieldState, GenericAnswer, NotBoundable, OpenEnd, Question,
    Reflected, RegisterAnswer, time_text,
};
use sekisho_ledger::Filter;
use sekisho_model::{
    Field, FieldKind, Heartbeat, Record, SourceId, Subject, Timestamp, WithheldOutcome, WithheldReason,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An answer in the making.
#[derive(Debug)]
pub(crate) struct Tally {
    question: Arc<Question>,
    timeline: Arc<Timeline>,
    /// Takes findings.
    pub(crate) found: Found,
    /// Takes responses.
    pub(crate) ended: Ended,
    /// First sequence numbers of runs in the period: all numbers below them were given out.
    runs: Vec<(SourceId, u64)>,
    /// All starts, by source.
    starts: BTreeMap<SourceId, Vec<Timestamp>>,
    not_boundable: Vec<NotBoundable>,
    alerts: Vec<AlertAnswer>,
    canaries: Canaries,
}

/// One run of a gateway, from its start to the next one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) source: SourceId,
    began: Timestamp,
    next: Option<Timestamp>,
}

impl Run {
    /// The time in which it may have written.
    pub(crate) fn filter(&self) -> Filter {
        Filter { from: Some(self.began), to: self.next, ..Filter::default() }
    }
}

impl Tally {
    /// Begins with the ledger's events, those before the period too: they say which registers were in force.
    pub(crate) fn new(question: Question, events: &[(SourceId, Record)]) -> Tally {
        let (question, timeline) = (Arc::new(question), Arc::new(Timeline::new(events)));
        let mut tally = Tally {
            found: Found::new(Arc::clone(&question), Arc::clone(&timeline)),
            ended: Ended::new(Arc::clone(&timeline)),
            question,
            timeline,
            runs: Vec::new(),
            starts: BTreeMap::new(),
            not_boundable: Vec::new(),
            alerts: Vec::new(),
            canaries: Canaries::default(),
        };
        for (source, event) in events {
            tally.event(*source, event);
        }
        tally
    }

    fn event(&mut self, source: SourceId, event: &Record) {
        if let Record::Withheld(withheld) = event
            && withheld.reason == WithheldReason::Canary
            && self.question.subject.is_none()
            && self.question.covers(withheld.at)
            && self.is_of(withheld)
        {
            self.canaries.add(source, withheld);
        }
        if let Record::Started(started) = event {
            self.starts.entry(source).or_default().push(started.at);
        }
        match event {
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
            // Of one subject only what left is told.
            Record::Alert(alert) if self.question.subject.is_none() && self.is_about(alert) => {
                self.alerts.push(alert.into());
            }
            Record::Withheld(withheld)
                if withheld.outcome != WithheldOutcome::Passed
                    && self.question.subject.is_none()
                    && self.question.covers(withheld.at)
                    && self.is_of(withheld) =>
            {
                self.ended.coverage.withheld += 1;
            }
            _ => {}
        }
    }

    fn is_of(&self, withheld: &sekisho_model::Withheld) -> bool {
        let (question, transaction) = (&self.question, &withheld.transaction);
        question.client.is_none_or(|network| network.contains(&transaction.client))
            && question.wants_session(transaction.session)
            && question.route.as_ref().is_none_or(|route| *route == transaction.route)
    }

    fn is_about(&self, alert: &sekisho_model::Alert) -> bool {
        let question = &self.question;
        question.covers(alert.at)
            && question.client.is_none_or(|network| network.contains(&alert.client))
            && question.wants_session(alert.session)
            && question.route.as_ref().is_none_or(|route| *route == alert.route)
    }

    fn asks_about(&self, suspect: &sekisho_model::Suspect) -> bool {
        let question = &self.question;
        let ended_before = question.from.is_some_and(|from| suspect.at < from);
        let began_after = question.to.is_some_and(|to| suspect.first >= to);
        !ended_before
            && !began_after
            && question.client.is_none_or(|network| network.contains(&suspect.client))
            && question.wants_session(suspect.session)
            && question.route.as_ref().is_none_or(|route| *route == suspect.route)
    }

    /// The person asked about as the ledger numbers them, when their register had one number all the time.
    pub(crate) fn subject(&self) -> Option<Subject> {
        let (name, id) = self.question.subject.as_ref()?;
        Some(Subject { register: self.timeline.only_number(name)?, id: *id })
    }

    /// Of each gateway the run that was the last one when the period ended.
    pub(crate) fn last_runs(&self) -> Vec<Run> {
        let of_source = |(source, starts): (&SourceId, &Vec<Timestamp>)| {
            let (before, after): (Vec<Timestamp>, Vec<Timestamp>) =
                starts.iter().copied().partition(|at| self.question.to.is_none_or(|to| *at < to));
            let (began, next) = (before.into_iter().max()?, after.into_iter().min());
            Some(Run { source: *source, began, next })
        };
        self.starts.iter().filter_map(of_source).collect()
    }

    /// How a run ended, by the last heartbeat in it: without one that says so, it ended abruptly or runs still.
    pub(crate) fn ended(&mut self, run: &Run, last: Option<&Heartbeat>) {
        let last_sign = last.map_or(run.began, |beat| beat.at);
        let ran_on = self.question.to.is_some_and(|to| last_sign >= to);
        if !ran_on && last.is_none_or(|beat| !beat.is_last) {
            let (source, ended) = (run.source.0, run.next.is_some());
            self.ended.coverage.open_ends.push(OpenEnd { source, last_sign, ended });
        }
    }

    /// Records that the gateway could not write in the period.
    pub(crate) fn lost(&mut self, records: u64) {
        self.ended.coverage.records_lost += records;
    }

    /// The answer, at this time.
    pub(crate) fn finish(mut self, now: Timestamp) -> Answer {
        self.ended.find_open();
        self.alerts.sort_by_key(|alert| alert.at);
        for (source, sequence_first) in &self.runs {
            self.ended.seen.given_out(*source, *sequence_first);
        }
        self.ended.coverage.gaps = self.ended.seen.gaps();
        for gap in &mut self.ended.coverage.gaps {
            let begins_behind = |(source, first): &(SourceId, u64)| source.0 == gap.source && *first == gap.last + 1;
            gap.abrupt_end = self.runs.iter().any(begins_behind);
        }
        let mut registers = self.timeline.registers.clone();
        let mut persons = std::mem::take(&mut self.found.persons);
        for (id, of_it) in std::mem::take(&mut self.found.persons_undescribed) {
            registers.push(Described::unknown(undescribed_name(id)));
            persons.push(of_it);
        }
        let (mut answers, mut fields, mut reflected) = (Vec::new(), Vec::new(), 0);
        // Planted customers are no persons: they are told apart.
        let is_asked = self.question.subject.is_some();
        let kept = |register: &Described| is_asked || !register.is_canary;
        let mut at = 0;
        persons.retain(|_| {
            at += 1;
            kept(&registers[at - 1])
        });
        for (at, register) in registers.iter().enumerate().filter(|(_, register)| kept(register)) {
            let persons = &persons[answers.len()];
            let combined = persons.combined();
            let names = field_names(register, &combined);
            answers.push(register_answer(register, &combined, &names, now));
            let field = |(field, name)| self.field(at, register, &combined, field, name);
            fields.extend(names.iter().map(String::as_str).enumerate().map(field));
            reflected += combined.reflected;
        }
        let (sessions, sessions_findings_more) = std::mem::take(&mut self.found.sessions).told();
        let Found { emails, cards, my_number_findings, generic_reflected, first, last, .. } = self.found;
        Answer {
            registers: answers,
            fields,
            generic: GenericAnswer { emails: emails.len() as u64, cards: cards.len() as u64, my_number_findings },
            reflected: Reflected { persons: reflected, generic_findings: generic_reflected },
            coverage: self.ended.coverage,
            first,
            last,
            not_boundable: self.not_boundable,
            alerts: self.alerts,
            canaries: self.canaries.told(),
            sessions,
            sessions_findings_more,
            persons,
        }
    }

    /// SCO-1: `not observed` needs a detector, a register in force, and inspected responses, all the way.
    fn field(&self, at: usize, register: &Described, persons: &Combined, field: usize, name: &str) -> FieldAnswer {
        let persons = persons.with(field);
        let limit = self.limit(at, register, field);
        let (state, reason) = match (persons, limit) {
            (1.., limit) => (FieldState::Exposed, limit),
            (0, Some(limit)) => (FieldState::NotExamined, Some(limit)),
            (0, None) => (FieldState::NotObserved, register.fields.get(field).and_then(near_an_anchor)),
        };
        FieldAnswer { register: register.name.clone(), field: name.to_owned(), state, persons, reason }
    }

    /// What keeps the absence of a field from being said; `None` when nothing does.
    fn limit(&self, at: usize, register: &Described, field: usize) -> Option<String> {
        let Some(column) = register.fields.get(field) else {
            return Some("no record describes the register".to_owned());
        };
        if let Err(reason) = register.tells_apart(field) {
            return Some(reason.to_owned());
        }
        let person = match &self.question.subject {
            Some((asked, _)) if *asked != register.name => return Some("not asked about".to_owned()),
            asked => asked.as_ref().map(|(_, id)| *id),
        };
        let examined = self.timeline.examined(&self.ended.inspected, (at, field), person);
        if examined.all == 0 {
            let reason = column.not_examined.clone();
            return Some(reason.unwrap_or_else(|| "no response in this scope was inspected".to_owned()));
        }
        if examined.with < examined.all {
            return Some(self.missed(at, &examined));
        }
        match examined.values_not_indexed {
            0 => None,
            1 => Some("1 value could not be indexed and was not looked for".to_owned()),
            more => Some(format!("{} values could not be indexed and were not looked for", crate::text::count(more))),
        }
    }

    /// Why the column was not looked for in all inspected responses.
    fn missed(&self, at: usize, examined: &Examined) -> String {
        let only = examined.without.first_key_value().filter(|(_, count)| **count == examined.all);
        match only {
            Some((Without::Absent, _)) => return "the register was not loaded in this period".to_owned(),
            Some((Without::NotYet, _)) => return "the person was not in the register yet".to_owned(),
            Some((Without::NotExamined(reason), _)) => return reason.clone(),
            None => {}
        }
        let all = crate::text::count(examined.all);
        let told = examined.without.iter().map(|(without, missed)| {
            let missed = format!("{} of {all} inspected responses passed", crate::text::count(*missed));
            match without {
                Without::Absent => {
                    let loaded = self.timeline.loaded_at(at);
                    let loaded = loaded.map_or_else(String::new, |at| format!(" at {}", time_text(at)));
                    format!("{missed} without this column (loaded{loaded})")
                }
                Without::NotYet => format!("{missed} before the person was in the register"),
                Without::NotExamined(reason) => format!("{missed} while it was not examined: {reason}"),
            }
        });
        told.collect::<Vec<_>>().join("; ")
    }
}

/// What a name's absence rests on: alone on a page, a name is not looked for.
fn near_an_anchor(field: &Field) -> Option<String> {
    let is_name = matches!(field.kind, FieldKind::Name | FieldKind::Kana | FieldKind::Romaji);
    is_name.then(|| "looked for only near a mail, account number, card or phone of the same person".to_owned())
}

/// The columns' names, and numbers for those that no record describes.
fn field_names(register: &Described, persons: &Combined) -> Vec<String> {
    let columns = register.fields.len().max(64 - persons.bits.leading_zeros() as usize);
    (0..columns)
        .map(|at| register.fields.get(at).map_or_else(|| format!("field-{at}"), |field| field.name.clone()))
        .collect()
}

fn register_answer(register: &Described, persons: &Combined, names: &[String], now: Timestamp) -> RegisterAnswer {
    let named = |set: u64| {
        names.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0).map(|(_, name)| name.clone()).collect()
    };
    let mut combinations: Vec<Combination> =
        persons.sets.iter().map(|(set, persons)| Combination { fields: named(*set), persons: *persons }).collect();
    combinations.sort_by_key(|combination| std::cmp::Reverse(combination.persons));
    RegisterAnswer {
        name: register.name.clone(),
        age_s: now.since(register.built_at).as_secs(),
        persons: persons.sets.values().sum(),
        combinations,
        persons_registered: register.persons,
    }
}
