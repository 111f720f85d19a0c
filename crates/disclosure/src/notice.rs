//! What is told, in Japanese and English: one version of a notice. Mandatory parts are those without which a reader cannot
//! act; a notice that lacks one is a draft.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Characters of one text.
pub const TEXT_CHARS_MAX: usize = 4_000;
/// Items of one list.
pub const ITEMS_MAX: usize = 100;
/// What a draft has where somebody must still write.
pub const MISSING: &str = "TODO";

/// A text in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// 日本語
    pub ja: String,
    /// English
    pub en: String,
}

/// How certain a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody knows yet.
    Unknown,
    /// It may be so.
    Suspected,
    /// It is so.
    Confirmed,
}

/// What is counted. Records, persons, accounts and cards are different counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Rows.
    Records,
    /// Human beings.
    Persons,
    /// Accounts.
    Accounts,
    /// Payment cards.
    Cards,
}

/// A figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// Of what.
    pub of: Measure,
    /// Which set; `None` is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<Text>,
    /// How many; `None` is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// How certain.
    pub state: State,
    /// Figures that were told before, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<u64>,
}

/// A period, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// Its begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

/// A notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// What it is called.
    pub title: Text,
    /// What happened, and what was done.
    pub happened: Text,
    /// When it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_at: Option<Timestamp>,
    /// When data were exposed: another question than when it was found. Several intrusions have several periods.
    #[serde(default)]
    pub exposed: Vec<Period>,
    /// How many.
    #[serde(default)]
    pub counts: Vec<Count>,
    /// Data that left.
    #[serde(default)]
    pub left: Vec<Text>,
    /// Data that were looked for in every answer of the site, and did not leave.
    #[serde(default)]
    pub not_left: Vec<Text>,
    /// Data of which that cannot be said, and why.
    #[serde(default)]
    pub not_examined: Vec<Text>,
    /// What readers should do now.
    #[serde(default)]
    pub to_do: Vec<Text>,
    /// What the firm does so that it does not happen again.
    #[serde(default)]
    pub measures: Vec<Text>,
    /// When the next update comes; `None` with a reason in `next_note`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_update: Option<Timestamp>,
    /// Of the next update, in words.
    #[serde(default)]
    pub next_note: Text,
}

impl Text {
    /// Both languages.
    #[must_use]
    pub fn new(ja: &str, en: &str) -> Text {
        Text { ja: ja.to_owned(), en: en.to_owned() }
    }

    fn is_empty(&self) -> bool {
        self.ja.trim().is_empty() && self.en.trim().is_empty()
    }
}

impl Notice {
    /// Everything that keeps it from being published, each with its part's name.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (part, text) in self.texts() {
            problems.extend(problems_of(&part, text));
            let is_one_line = !["happened", "next_note"].contains(&part.as_str());
            if is_one_line && [&text.ja, &text.en].into_iter().any(|words| words.trim().contains('\n')) {
                problems.push(format!("`{part}` is one line: write another item, or a space"));
            }
        }
        let lists = [
            ("left", self.left.len()),
            ("not_left", self.not_left.len()),
            ("not_examined", self.not_examined.len()),
            ("to_do", self.to_do.len()),
            ("measures", self.measures.len()),
            ("counts", self.counts.len()),
            ("exposed", self.exposed.len()),
        ];
        for (part, len) in lists {
            if len > ITEMS_MAX {
                problems.push(format!("`{part}` has more than {ITEMS_MAX} items"));
            }
        }
        if self.to_do.is_empty() {
            problems.push("`to_do` is empty: say what readers should do now, even if it is nothing".to_owned());
        }
        if self.next_update.is_none() && self.next_note.is_empty() {
            problems.push("neither `next_update` nor `next_note` says when more is told".to_owned());
        }
        if self.counts.iter().any(|count| count.state == State::Confirmed && count.value.is_none()) {
            problems.push("a count is `confirmed` and has no `value`".to_owned());
        }
        for (at, count) in self.counts.iter().enumerate() {
            if self.counts[..at].iter().any(|other| other.of == count.of && other.set == count.set) {
                problems.push(format!("`counts[{}]` counts what another one counts", at + 1));
            }
            // A set can have persons of another, so sets need not sum to all; but none has more.
            let all = self.counts.iter().find(|all| all.of == count.of && all.set.is_none());
            if let (Some(part), Some(all)) = (count.value, all.and_then(|all| all.value))
                && part > all
            {
                problems.push(format!("`counts[{}]` is a part, and more than all: {part} of {all}", at + 1));
            }
        }
        if self.exposed.iter().any(|period| matches!((period.from, period.to), (Some(from), Some(to)) if to < from)) {
            problems.push("`exposed` ends before it begins".to_owned());
        }
        problems
    }

    /// Whether it is of an outage in which nothing is known to have left, nor to be open: there is nothing to count.
    #[must_use]
    pub fn is_without_leak(&self) -> bool {
        self.counts.is_empty() && self.left.is_empty() && self.not_examined.is_empty() && self.exposed.is_empty()
    }

    /// What a reader would stumble over, and may be right all the same.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let totals = self.counts.iter().filter(|count| count.set.is_none());
        let warning = |all: &Count| {
            let parts = self.counts.iter().filter(|part| part.of == all.of && part.set.is_some());
            let parts: Vec<u64> = parts.filter_map(|part| part.value).collect();
            let (sum, all_value) = (parts.iter().fold(0u64, |sum, part| sum.saturating_add(*part)), all.value?);
            let name = all.of.name();
            (!parts.is_empty() && sum != all_value).then(|| {
                format!("the sets of {name} sum to {sum}, not to {all_value}: right only if some are in two of them")
            })
        };
        totals.filter_map(warning).collect()
    }

    /// Every text, with the name of its part.
    fn texts(&self) -> Vec<(String, &Text)> {
        let mut texts = vec![("title".to_owned(), &self.title), ("happened".to_owned(), &self.happened)];
        let lists = [
            ("left", &self.left),
            ("not_left", &self.not_left),
            ("not_examined", &self.not_examined),
            ("to_do", &self.to_do),
            ("measures", &self.measures),
        ];
        for (part, list) in lists {
            texts.extend(list.iter().enumerate().map(|(at, text)| (format!("{part}[{}]", at + 1), text)));
        }
        let sets = self.counts.iter().enumerate().filter_map(|(at, count)| Some((at, count.set.as_ref()?)));
        texts.extend(sets.map(|(at, set)| (format!("counts[{}].set", at + 1), set)));
        if !self.next_note.is_empty() {
            texts.push(("next_note".to_owned(), &self.next_note));
        }
        texts
    }

    /// Keeps the figures that the version before told, where they are others now.
    pub(crate) fn keep_figures(&mut self, before: &Notice) {
        for count in &mut self.counts {
            let told = before.counts.iter().find(|told| told.of == count.of && told.set == count.set);
            let Some(told) = told else { continue };
            let mut figures = told.before.clone();
            figures.extend(told.value.filter(|value| Some(*value) != count.value));
            count.before = figures;
        }
    }
}

impl Measure {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Measure::Records => "records",
            Measure::Persons => "persons",
            Measure::Accounts => "accounts",
            Measure::Cards => "cards",
        }
    }
}

/// Everything that keeps a text from being published.
pub(crate) fn problems_of(part: &str, text: &Text) -> Vec<String> {
    let mut problems = Vec::new();
    for (language, words) in [("ja", &text.ja), ("en", &text.en)] {
        if words.trim().is_empty() {
            problems.push(format!("`{part}` has no text in `{language}`"));
        } else if words.contains(MISSING) {
            problems.push(format!("`{part}` is still to be written in `{language}`: it has `{MISSING}`"));
        }
        if words.chars().any(|c| c.is_control() && c != '\n') {
            problems.push(format!("`{part}` holds a control character in `{language}`, which nobody can read"));
        }
        if words.chars().count() > TEXT_CHARS_MAX {
            problems.push(format!("`{part}` has more than {TEXT_CHARS_MAX} characters in `{language}`"));
        }
        if let Some(what) = sekisho_incident::card::find(words) {
            problems.push(format!("`{part}` holds {what} in `{language}`: a public record never does"));
        }
        if sekisho_incident::my_number::find(words) {
            let what = "twelve digits that are an individual number (マイナンバー)";
            problems.push(format!("`{part}` holds {what} in `{language}`: a public record never does"));
        }
    }
    problems
}
