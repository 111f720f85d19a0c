//! `sekisho case take`: an answer of `sekisho scope` or `sekisho edm scan` becomes counts and facts of a case. A larger
//! answer later adds new figures and keeps the old ones; an equal one adds nothing.

use super::{OriginArg, Place};
use crate::command::Done;
use crate::output::say;
use anyhow::{Context, Result};
use jiff::Timestamp;
use sekisho_incident::{Actor, Body, Case, CaseId, Certainty, Clock, Measure, Role};
use serde::Deserialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What is read of an answer; the contract of `scope --format json`, which only grows.
#[derive(Deserialize)]
struct Answer {
    registers: Vec<Register>,
    fields: Vec<Field>,
    #[serde(default)]
    generic: Generic,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// Those that only `edm scan` tells of.
    #[serde(default)]
    files: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Register {
    name: String,
    persons: u64,
    combinations: Vec<Combination>,
}

#[derive(Deserialize)]
struct Combination {
    fields: Vec<String>,
    persons: u64,
}

#[derive(Deserialize)]
struct Field {
    register: String,
    field: String,
    state: String,
    reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Generic {
    #[serde(default)]
    cards: u64,
    #[serde(default)]
    my_number_findings: u64,
}

/// What `case take` was told.
pub(super) struct Take {
    pub(super) id: CaseId,
    pub(super) file: PathBuf,
    pub(super) title: Option<String>,
    pub(super) origin: Option<OriginArg>,
    pub(super) intrusion: Option<String>,
    pub(super) aware: bool,
    pub(super) zone: String,
}

pub(super) fn take(told: Take, place: &Place) -> Result<Done> {
    let answer = read(&told.file)?;
    let now = Timestamp::now();
    if !place.has(&told.id)? {
        let found = if answer.files.is_empty() { OriginArg::Gateway } else { OriginArg::FoundFile };
        let origin = told.origin.unwrap_or(found).into();
        let title = told.title.context("there is no such case yet: give --title to open it")?;
        place.record(&told.id, |_, _| Ok(Body::Opened { origin, title, zone: told.zone }))?;
    }
    if told.aware {
        let operator = place.operator();
        let evidence = format!("{}, SHA-256 {}", told.file.display(), sha256_of(&told.file)?);
        place.record(&told.id, |case, at| {
            let zone = case.map_or_else(|| "Asia/Tokyo".to_owned(), |case| case.zone.clone());
            let actor = Actor { name: operator, role: Role::Firm };
            Ok(Body::Clock { clock: Clock::Aware, at, zone, actor, evidence, intrusion: None, corrects: None })
        })?;
    }
    if let Some(name) = told.intrusion {
        let (from, to) = (answer.first, answer.last);
        let text = "exposures in the ledger".to_owned();
        let is_known = place.case(&told.id)?.intrusions.iter().any(|known| known.id == name);
        if !is_known {
            place.record(&told.id, |_, _| Ok(Body::Intrusion { id: name, from, to, text }))?;
        }
    }
    let mut added = 0;
    for body in bodies(&answer, now) {
        if !is_there(&place.case(&told.id)?, &body) {
            place.record(&told.id, |_, _| Ok(body))?;
            added += 1;
        }
    }
    if added == 0 {
        say!("{}: nothing new in {}", told.id, told.file.display());
    }
    Ok(Done::Yes)
}

fn read(path: &Path) -> Result<Answer> {
    let cannot = || format!("cannot read `{}`", path.display());
    let text = std::fs::read_to_string(path).with_context(cannot)?;
    serde_json::from_str(&text).with_context(|| {
        format!(
            "`{}` is no answer: make it with `sekisho scope --format json` or `sekisho edm scan --format json`",
            path.display()
        )
    })
}

fn sha256_of(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(sekisho_incident::report::sha256(&bytes))
}

/// What the answer says, as events: counts first, then facts.
fn bodies(answer: &Answer, at: Timestamp) -> Vec<Body> {
    let exposed: Vec<&Register> = answer.registers.iter().filter(|register| register.persons > 0).collect();
    let total: u64 = exposed.iter().map(|register| register.persons).sum();
    // Two registers may list the same human being.
    let certainty = if exposed.len() > 1 { Certainty::Suspected } else { Certainty::Confirmed };
    let mut bodies = Vec::new();
    let mut count = |of, set: &str, part_of: Option<&str>, value, state| {
        let (set, part_of) = (set.to_owned(), part_of.map(str::to_owned));
        bodies.push(Body::Count { of, set, part_of, value, state, at });
    };
    if total > 0 {
        count(Measure::Persons, "total", None, total, certainty);
    }
    for register in &exposed {
        count(Measure::Persons, &register.name, Some("total"), register.persons, Certainty::Confirmed);
    }
    if answer.generic.cards > 0 {
        count(Measure::Cards, "total", None, answer.generic.cards, Certainty::Confirmed);
    }
    let mut fact = |key: &str, state, value: String| {
        bodies.push(Body::Fact { key: key.to_owned(), state, value, at });
    };
    if total > 0 {
        fact("personal_data_leak", Certainty::Confirmed, "yes".to_owned());
        fact("data_items", Certainty::Confirmed, data_items(&exposed));
    }
    if answer.generic.my_number_findings > 0 {
        fact("my_number", Certainty::Suspected, "yes".to_owned());
    }
    for (key, state) in [("not_leaked", "not_observed"), ("not_examined", "not_examined")] {
        let listed = listed(answer, state);
        if !listed.is_empty() {
            fact(key, Certainty::Confirmed, listed);
        }
    }
    bodies
}

/// `account_holders: name, email (2,455); …`, the largest first, as far as a text may be long.
fn data_items(exposed: &[&Register]) -> String {
    let mut text = String::new();
    for register in exposed {
        for combination in &register.combinations {
            let persons = sekisho_scope::text::count(combination.persons);
            let item = format!("{}: {} ({persons})", register.name, combination.fields.join(", "));
            if text.chars().count() + item.chars().count() + 8 > sekisho_incident::event::TEXT_CHARS_MAX {
                return text + "; …";
            }
            let _ = write!(text, "{}{item}", if text.is_empty() { "" } else { "; " });
        }
    }
    text
}

/// Fields in this state, by register, with the reason where there is one.
fn listed(answer: &Answer, state: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for field in answer.fields.iter().filter(|field| field.state == state) {
        let reason = field.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        parts.push(format!("{}.{}{reason}", field.register, field.field));
    }
    let mut text = parts.join("; ");
    if let Some((end, _)) = text.char_indices().nth(sekisho_incident::event::TEXT_CHARS_MAX - 2) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Whether the case says so already.
fn is_there(case: &Case, body: &Body) -> bool {
    match body {
        Body::Count { of, set, value, state, .. } => {
            let last = case.counts.iter().rfind(|count| count.of == *of && count.set == *set);
            last.is_some_and(|last| (last.value, last.state) == (*value, *state))
        }
        Body::Fact { key, state, value, .. } => {
            case.fact(key).is_some_and(|fact| fact.state == *state && fact.value == *value)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{"registers":[{"name":"account_holders","age_s":5,"persons":41,"persons_registered":100,
        "combinations":[{"fields":["name","email"],"persons":40},{"fields":["phone"],"persons":1}]},
        {"name":"seminar_applicants","age_s":5,"persons":0,"persons_registered":9,"combinations":[]}],
        "fields":[{"register":"account_holders","field":"name","state":"exposed","persons":40,"reason":null},
        {"register":"account_holders","field":"card","state":"not_observed","persons":0,"reason":null},
        {"register":"account_holders","field":"address","state":"not_examined","persons":0,"reason":"no detector reads addresses"}],
        "generic":{"emails":3,"cards":2,"my_number_findings":0},"first":"2026-01-02T03:04:05Z","last":null}"#;

    fn told(text: &str) -> Vec<String> {
        let answer: Answer = serde_json::from_str(text).expect("an answer");
        let line = |body: &Body| match body {
            Body::Count { of, set, part_of, value, state, .. } => {
                format!("{of:?} {set} of {part_of:?}: {value} {state:?}")
            }
            Body::Fact { key, state, value, .. } => format!("{key}: {value} {state:?}"),
            _ => unreachable!("counts and facts"),
        };
        bodies(&answer, Timestamp::UNIX_EPOCH).iter().map(line).collect()
    }

    #[test]
    fn an_answer_becomes_counts_and_facts() {
        assert_eq!(
            told(ANSWER),
            [
                "Persons total of None: 41 Confirmed",
                "Persons account_holders of Some(\"total\"): 41 Confirmed",
                "Cards total of None: 2 Confirmed",
                "personal_data_leak: yes Confirmed",
                "data_items: account_holders: name, email (40); account_holders: phone (1) Confirmed",
                "not_leaked: account_holders.card Confirmed",
                "not_examined: account_holders.address (no detector reads addresses) Confirmed",
            ]
        );
    }

    #[test]
    fn persons_of_two_registers_may_be_the_same() {
        let two = ANSWER.replace(
            "\"seminar_applicants\",\"age_s\":5,\"persons\":0",
            "\"seminar_applicants\",\"age_s\":5,\"persons\":9",
        );
        assert_eq!(told(&two)[0], "Persons total of None: 50 Suspected");
    }
}
