//! A notice begun from a case and an answer of `sekisho scope`: what left, what did not and what was not examined is computed,
//! never typed. What only a person can write is marked.

use crate::notice::{Count, MISSING, Measure, Notice, Period, State, Text};
use crate::site::grouped;
use jiff::Timestamp;
use sekisho_incident::{Case, Certainty, Clock, Role};
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
    // The first of those who look for the firm; a corrected instant is none, and whoever did it knew all along.
    let aware = case.clocks.iter().filter(|clock| {
        clock.clock == Clock::Aware && clock.corrected_by.is_none() && clock.actor.role != Role::Wrongdoer
    });
    let intrusions = case.intrusions.iter().map(|one| Period { from: one.from, to: one.to });
    let exposed = match scope.map(|scope| Period { from: scope.first, to: scope.last }) {
        Some(seen) if seen != Period::default() => vec![seen],
        _ => intrusions.filter(|period| *period != Period::default()).collect(),
    };
    let fact =
        |key: &str| case.fact(key).filter(|fact| fact.state != Certainty::Unknown).map(|fact| fact.value.clone());
    let todo = || Text::new(MISSING, MISSING);
    let words = |key: &str| fact(key).map_or_else(todo, |value| Text { ja: value, en: MISSING.to_owned() });
    let listed = |state: &str| scope.map_or_else(Vec::new, |scope| fields(scope, state, labels));
    Notice {
        title: Text { ja: case.title.clone(), en: MISSING.to_owned() },
        happened: words("summary"),
        found_at: aware.map(|clock| clock.at).min(),
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

/// Where a notice's computed parts are not as an answer of `scope` says; empty when they are.
///
/// A person may add to what left and to what was not examined: that errs on the right side. What did not leave is exactly
/// what was computed, or less.
#[must_use]
pub fn deviations(notice: &Notice, scope: &Scope, labels: &Labels) -> Vec<String> {
    let mut told = Vec::new();
    for (part, state, list) in
        [("left", "exposed", &notice.left), ("not_examined", "not_examined", &notice.not_examined)]
    {
        let gone = fields(scope, state, labels).into_iter().filter(|text| !list.contains(text));
        told.extend(gone.map(|text| format!("`{part}` lacks \"{}\", which was computed", text.ja)));
    }
    let computed = fields(scope, "not_observed", labels);
    let typed = notice.not_left.iter().filter(|text| !computed.contains(text));
    told.extend(typed.map(|text| format!("`not_left` has \"{}\", which the answer does not say", text.ja)));
    let begins = notice.exposed.iter().filter_map(|period| period.from).min();
    // An open end may be any time.
    let is_open = notice.exposed.iter().any(|period| period.to.is_none());
    let ends = notice.exposed.iter().filter_map(|period| period.to).max().filter(|_| !is_open);
    if scope.first.is_some_and(|first| begins.is_none_or(|begins| begins > first)) {
        told.push("`exposed` does not reach back to the first exposure of the answer".to_owned());
    }
    if scope.last.is_some_and(|last| ends.is_some_and(|ends| ends < last)) {
        told.push("`exposed` ends before the last exposure of the answer".to_owned());
    }
    told
}

/// Where a notice's figures are not those of its case; empty when they are.
#[must_use]
pub fn deviations_from_case(notice: &Notice, case: &Case) -> Vec<String> {
    let known = counts(case);
    let differs = |count: &Count| {
        let told = notice.counts.iter().find(|told| told.of == count.of && told.set == count.set);
        match told {
            Some(told) if (told.value, told.state) == (count.value, count.state) => None,
            Some(_) => Some(format!("`counts` tells other {} than the case", count.of.name())),
            None => Some(format!("`counts` lacks {} that the case has", count.of.name())),
        }
    };
    known.iter().filter_map(differs).collect()
}

/// The reasons of `scope`, in Japanese; one that is not known here stays as it is.
fn reason_ja(reason: &str) -> String {
    let count = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
    let passed = |text: &str| Some((count(text), text.split(" of ").nth(1)?.split(' ').next()?.to_owned()));
    let known = match reason {
        "no detector reads addresses" | "no detector for `address` yet" => "住所は照合の対象外のため",
        "no detector reads dates of birth" | "no detector for `birth_date` yet" => "生年月日は照合の対象外のため",
        "no detector for `text` yet" => "自由記載の項目は照合の対象外のため",
        "no response in this scope was inspected" => "対象期間に検査した応答がないため",
        "the register was not loaded in this period" => "対象期間に照合用の名簿が読み込まれていなかったため",
        "no record describes the register" => "照合に用いた名簿の記録がないため",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    if reason.contains("could not be indexed") {
        return format!("{} 件の値は照合できない形式のため", count(reason));
    }
    match passed(reason).filter(|_| reason.contains("inspected responses passed without this column")) {
        Some((missed, all)) => format!("検査した応答 {all} 件のうち {missed} 件は、この項目と照合していないため"),
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
