//! A notice begun from a case and an answer of `sekisho scope`: what left, what did not and what was not examined is computed,
//! never typed. What only a person can write is marked.

use crate::notice::{Count, MISSING, Measure, Notice, Period, State, Text};
use crate::site::grouped;
use jiff::Timestamp;
use sekisho_incident::{Case, Certainty, Clock};
use serde::Deserialize;

/// What is read of an answer; the contract of `scope --format json`, which only grows.
#[derive(Debug, Deserialize)]
pub struct Scope {
    fields: Vec<Field>,
    #[serde(default)]
    first: Option<Timestamp>,
    #[serde(default)]
    last: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct Field {
    register: String,
    field: String,
    state: String,
    #[serde(default)]
    persons: u64,
    reason: Option<String>,
}

/// What the public calls a column: `[[field]]` of the firm's file of labels; without one, the column's own name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// Each column.
    #[serde(default)]
    pub field: Vec<Label>,
}

/// A column's public name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The column.
    pub name: String,
    /// Its register; without it, every register's.
    #[serde(default)]
    pub register: Option<String>,
    /// お名前
    pub ja: String,
    /// name
    pub en: String,
}

/// The draft of a case.
#[must_use]
pub fn notice(case: &Case, scope: Option<&Scope>, labels: &Labels) -> Notice {
    let aware = case.clocks.iter().find(|clock| clock.clock == Clock::Aware);
    let intrusion =
        |pick: fn(&sekisho_incident::IntrusionEntry) -> Option<Timestamp>| case.intrusions.iter().filter_map(pick);
    let exposed = Period {
        from: scope.and_then(|scope| scope.first).or_else(|| intrusion(|one| one.from).min()),
        to: scope.and_then(|scope| scope.last).or_else(|| intrusion(|one| one.to).max()),
    };
    let fact =
        |key: &str| case.fact(key).filter(|fact| fact.state != Certainty::Unknown).map(|fact| fact.value.clone());
    let todo = || Text::new(MISSING, MISSING);
    let words = |key: &str| fact(key).map_or_else(todo, |value| Text { ja: value, en: MISSING.to_owned() });
    let listed = |state: &str| scope.map_or_else(Vec::new, |scope| fields(scope, state, labels));
    Notice {
        title: Text { ja: case.title.clone(), en: MISSING.to_owned() },
        happened: words("summary"),
        found_at: aware.map(|clock| clock.at),
        exposed,
        counts: counts(case),
        left: listed("exposed"),
        not_left: listed("not_observed"),
        not_examined: listed("not_examined"),
        to_do: vec![todo()],
        measures: vec![words("prevention")],
        next_update: None,
        next_note: todo(),
    }
}

/// The last figure of each count, with the figures before it.
fn counts(case: &Case) -> Vec<Count> {
    let mut counts: Vec<Count> = Vec::new();
    for told in &case.counts {
        let of = match told.of {
            sekisho_incident::Measure::Records => Measure::Records,
            sekisho_incident::Measure::Persons => Measure::Persons,
            sekisho_incident::Measure::Accounts => Measure::Accounts,
            sekisho_incident::Measure::Cards => Measure::Cards,
        };
        let state = match told.state {
            Certainty::Unknown => State::Unknown,
            Certainty::Suspected => State::Suspected,
            Certainty::Confirmed => State::Confirmed,
        };
        let set = (told.set != "total").then(|| Text::new(&told.set, &told.set));
        match counts.iter_mut().find(|count| count.of == of && count.set == set) {
            Some(count) => {
                let earlier = count.value.replace(told.value).filter(|value| *value != told.value);
                count.before.extend(earlier);
                count.state = state;
            }
            None => counts.push(Count { of, set, value: Some(told.value), state, before: Vec::new() }),
        }
    }
    // A part that is all of it would only be read twice.
    let totals: Vec<(Measure, Option<u64>)> =
        counts.iter().filter(|count| count.set.is_none()).map(|count| (count.of, count.value)).collect();
    counts.retain(|count| count.set.is_none() || !totals.contains(&(count.of, count.value)));
    counts
}

/// Fields in a state, by their public names; equal ones of several registers once.
fn fields(scope: &Scope, state: &str, labels: &Labels) -> Vec<Text> {
    let mut texts: Vec<Text> = Vec::new();
    for field in scope.fields.iter().filter(|field| field.state == state) {
        // What left in one register is not among what did not leave in another.
        let left_elsewhere = |other: &&Field| other.state == "exposed" && label(other, labels) == label(field, labels);
        if state != "exposed" && scope.fields.iter().any(|other| left_elsewhere(&other)) {
            continue;
        }
        let mut text = label(field, labels);
        if state == "exposed" && field.persons > 0 {
            let persons = grouped(field.persons);
            text = Text::new(&format!("{}（{persons} 名）", text.ja), &format!("{} ({persons} persons)", text.en));
        }
        if let Some(reason) = field.reason.as_ref().filter(|_| state == "not_examined") {
            text = Text::new(&format!("{}（{}）", text.ja, reason_ja(reason)), &format!("{} ({reason})", text.en));
        }
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

fn label(field: &Field, labels: &Labels) -> Text {
    let is_this = |label: &&Label| {
        label.name == field.field && label.register.as_ref().is_none_or(|register| *register == field.register)
    };
    labels
        .field
        .iter()
        .find(is_this)
        .map_or_else(|| Text::new(&field.field, &field.field), |label| Text::new(&label.ja, &label.en))
}

/// The reasons of `scope`, in Japanese; one that is not known here stays as it is.
fn reason_ja(reason: &str) -> &str {
    match reason {
        "no detector reads addresses" => "住所は検知の対象外のため",
        "no detector reads dates of birth" => "生年月日は検知の対象外のため",
        "no response in this scope was inspected" => "対象期間に検査した応答がないため",
        other => other,
    }
}
