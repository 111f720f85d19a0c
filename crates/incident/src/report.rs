//! Drafts of reports: each item with what is known, how certainly, and what is still missing. A draft is data; its
//! Markdown is what a submission hashes.

use crate::case::{certainty, measure};
use crate::regime::{Regime, Required};
use crate::{Case, Certainty, Error, Language, Measure};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// A draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Draft {
    /// The obligation it would meet.
    pub obligation: String,
    /// Its title.
    pub title: String,
    /// To whom.
    pub recipient: String,
    /// The law.
    pub basis: String,
    /// Its items, in order.
    pub items: Vec<DraftItem>,
    /// Labels of the items that nobody has filled.
    pub missing: Vec<String>,
}

/// An item of a draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DraftItem {
    /// The fact that fills it.
    pub key: String,
    /// What it is called.
    pub label: String,
    /// Whether the report is incomplete without it.
    pub required: Required,
    /// What is known; none where nothing is.
    pub text: Option<String>,
}

/// The draft for an obligation.
pub fn draft(case: &Case, regimes: &[Regime], obligation: &str, language: Language) -> Result<Draft, Error> {
    let found = regimes.iter().find_map(|regime| {
        let found = regime.obligation.iter().find(|known| known.id == obligation);
        found.map(|known| (regime, known))
    });
    let (regime, known) = found.ok_or_else(|| Error::Obligation(obligation.to_owned()))?;
    let pick = |ja: &str, en: &str| if language == Language::Ja { ja.to_owned() } else { en.to_owned() };
    let items = known.items.iter().filter_map(|key| regime.item.iter().find(|item| item.key == *key));
    let items: Vec<DraftItem> = items
        .map(|item| DraftItem {
            key: item.key.clone(),
            label: pick(&item.label_ja, &item.label_en),
            required: item.required,
            text: known_text(case, &item.key, language),
        })
        .collect();
    let missing = items.iter().filter(|item| item.text.is_none()).map(|item| item.label.clone()).collect();
    Ok(Draft {
        obligation: obligation.to_owned(),
        title: pick(&known.label_ja, &known.label_en),
        recipient: pick(&known.recipient_ja, &known.recipient_en),
        basis: regime.basis.clone(),
        items,
        missing,
    })
}

/// What the case knows of an item.
fn known_text(case: &Case, key: &str, language: Language) -> Option<String> {
    let counted = match key {
        "persons" => counts(case, Measure::Persons, language),
        "records" => counts(case, Measure::Records, language),
        _ => None,
    };
    let fact = case.fact(key).filter(|fact| fact.state != Certainty::Unknown).map(|fact| match language {
        Language::Ja => format!("{}({})", fact.value, state_ja(fact.state)),
        Language::En => format!("{} ({})", fact.value, certainty(fact.state)),
    });
    match (counted, fact) {
        (Some(counted), Some(fact)) => Some(format!("{counted}; {fact}")),
        (counted, fact) => counted.or(fact),
    }
}

/// The total, with the figures it replaced.
fn counts(case: &Case, of: Measure, language: Language) -> Option<String> {
    let all: Vec<_> = case.counts.iter().filter(|count| count.of == of && count.set == "total").collect();
    let (last, before) = all.split_last()?;
    let figures: Vec<String> = before.iter().map(|count| count.value.to_string()).collect();
    let zone = crate::case::check_zone(&case.zone).ok()?;
    let day = last.at.to_zoned(zone).date();
    Some(match (language, figures.is_empty()) {
        (Language::Ja, true) => format!("{} {}({}、{day} 時点)", last.value, unit_ja(of), state_ja(last.state)),
        (Language::Ja, false) => format!(
            "{} {}({}、{day} 時点。従前の数値: {})",
            last.value,
            unit_ja(of),
            state_ja(last.state),
            figures.join("、")
        ),
        (Language::En, true) => format!("{} {} ({}, as of {day})", last.value, measure(of), certainty(last.state)),
        (Language::En, false) => format!(
            "{} {} ({}, as of {day}; before: {})",
            last.value,
            measure(of),
            certainty(last.state),
            figures.join(", ")
        ),
    })
}

fn unit_ja(of: Measure) -> &'static str {
    match of {
        Measure::Records => "レコード",
        Measure::Persons => "人",
        Measure::Accounts => "口座",
        Measure::Cards => "枚",
    }
}

fn state_ja(state: Certainty) -> &'static str {
    match state {
        Certainty::Unknown => "不明",
        Certainty::Suspected => "疑い",
        Certainty::Confirmed => "確認済み",
    }
}

impl Draft {
    /// As Markdown, which reads as plain text too.
    #[must_use]
    pub fn markdown(&self, case: &Case, language: Language) -> String {
        let ja = language == Language::Ja;
        let mut out = format!("# {}\n\n", self.title);
        let head = match language {
            Language::Ja => [("件名", &case.title), ("宛先", &self.recipient), ("根拠", &self.basis)],
            Language::En => [("Subject", &case.title), ("To", &self.recipient), ("Basis", &self.basis)],
        };
        for (name, value) in head {
            let _ = writeln!(out, "- {name}: {}", one_line(value));
        }
        let nothing = if ja { "(現時点で未確認)" } else { "(not known yet)" };
        for (number, item) in (1..).zip(&self.items) {
            let text = item.text.as_deref().map_or_else(|| nothing.to_owned(), one_line);
            let _ = write!(out, "\n## {number}. {}\n\n{text}\n", item.label);
        }
        if !self.missing.is_empty() {
            let title = if ja { "今後確認する事項" } else { "Still missing" };
            let _ = write!(out, "\n## {title}\n\n");
            for label in &self.missing {
                let _ = writeln!(out, "- {label}");
            }
        }
        out
    }
}

/// The SHA-256 of a text that is sent, in hexadecimal.
#[must_use]
pub fn sha256(text: &[u8]) -> String {
    hex::encode(Sha256::digest(text))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
