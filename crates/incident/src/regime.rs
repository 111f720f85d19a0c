//! Regimes as data: what triggers them, what they oblige to, and how their clocks run. Files in TOML; those of this
//! crate are in `regimes/`, and a firm may add its own.

use crate::calendar::Calendar;
use crate::{Case, Certainty, Clock, Error, Measure, Origin};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The files that come with this crate.
const FILES: &[(&str, &str)] = &[
    ("regimes/jp.toml", include_str!("../regimes/jp.toml")),
    ("regimes/eu.toml", include_str!("../regimes/eu.toml")),
    ("regimes/other.toml", include_str!("../regimes/other.toml")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    regime: Vec<Regime>,
}

/// One set of duties.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regime {
    /// Such as `jp.appi`.
    pub id: String,
    /// ISO 3166 code, or `EU`, or `contract`.
    pub jurisdiction: String,
    /// Name in Japanese.
    pub name_ja: String,
    /// Name in English.
    pub name_en: String,
    /// The law, with its articles.
    pub basis: String,
    /// Where it can be read; a source in words where no address was recorded.
    pub source: String,
    /// When that was last compared.
    pub checked_on: Date,
    /// Whether counsel has approved it.
    pub review_status: Review,
    /// Whether its figures stand in a source. What does not is guidance, and never drives a hard deadline.
    pub sourced: Sourced,
    /// One of these is enough.
    pub trigger: Vec<Trigger>,
    /// Facts that lift it when they are confirmed.
    #[serde(default)]
    pub exempt: Vec<String>,
    /// What to do.
    pub obligation: Vec<Obligation>,
    /// What a report holds.
    #[serde(default)]
    pub item: Vec<Item>,
}

/// Whether counsel has approved a regime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Review {
    /// Not yet.
    Draft,
    /// Yes.
    CounselApproved,
}

/// Whether a regime's figures stand in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sourced {
    /// They do.
    Yes,
    /// They were seen, but not confirmed.
    Unconfirmed,
}

/// Conditions that must hold together.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Each a fact's key that must be at least suspected.
    pub facts: Vec<String>,
    /// The number of persons must be above this.
    #[serde(default)]
    pub persons_above: Option<u64>,
    /// In English.
    pub label_en: String,
}

/// One report or notice.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Obligation {
    /// Such as `jp.appi.final`.
    pub id: String,
    /// What kind.
    pub kind: Kind,
    /// How binding its date is.
    pub hardness: Hardness,
    /// To whom, in Japanese.
    pub recipient_ja: String,
    /// To whom, in English.
    pub recipient_en: String,
    /// Name in Japanese.
    pub label_ja: String,
    /// Name in English.
    pub label_en: String,
    /// What more there is to know.
    #[serde(default)]
    pub note_en: Option<String>,
    /// Conditions of this obligation alone: facts at least suspected.
    #[serde(default)]
    pub only_if: Vec<String>,
    /// Clock rules; the earliest result counts.
    pub clock: Vec<ClockRule>,
    /// Keys of the report's items.
    #[serde(default)]
    pub items: Vec<String>,
}

/// What kind of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The first.
    Initial,
    /// Between.
    Interim,
    /// The last.
    Final,
    /// To the persons.
    Person,
    /// To the public.
    Public,
    /// To a partner by contract.
    Contract,
}

/// How binding a date is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hardness {
    /// Fixed by law.
    Statute,
    /// A guide.
    Guide,
    /// By contract.
    Contract,
}

/// How one clock runs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockRule {
    /// From which event.
    pub start: Clock,
    /// Which of several.
    #[serde(default)]
    pub which: Which,
    /// How many units.
    #[serde(default)]
    pub offset: u32,
    /// The guide's earlier end, in the same unit.
    #[serde(default)]
    pub offset_from: Option<u32>,
    /// Of what.
    pub unit: Unit,
    /// Whether the first day is day 1.
    #[serde(default)]
    pub day1: Day1,
    /// Whose offices must be open on the last day; or whose days count.
    #[serde(default)]
    pub calendar: Option<Calendar>,
    /// The zone in which days are counted; the event's own where none is given.
    #[serde(default)]
    pub zone: Option<String>,
    /// Only with all of these facts at least suspected.
    #[serde(default)]
    pub only_if: Vec<String>,
    /// Only while none of these facts is at least suspected.
    #[serde(default)]
    pub unless: Vec<String>,
    /// Not when this event came later than so many hours after the start.
    #[serde(default)]
    pub unless_later: Option<UnlessLater>,
}

/// Takes a rule away when an event came late.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnlessLater {
    /// Which event.
    pub event: Clock,
    /// More than so many hours after the start.
    pub hours: u32,
}

/// Which of several events starts a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The first.
    #[default]
    First,
    /// The latest.
    Latest,
}

/// Whether the day of the event is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Day1 {
    /// It is day 0.
    #[default]
    NotCounted,
    /// It is day 1.
    Counted,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Without a figure.
    Promptly,
    /// Hours.
    Hour,
    /// Days.
    CalendarDay,
    /// Days on which offices are open.
    BusinessDay,
    /// Months.
    Month,
}

/// One item of a report.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its key, which is also the fact that fills it.
    pub key: String,
    /// In Japanese.
    pub label_ja: String,
    /// In English.
    pub label_en: String,
    /// Whether the report is incomplete without it.
    #[serde(default)]
    pub required: Required,
}

/// Whether a report is incomplete without an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Required {
    /// It is.
    #[default]
    Yes,
    /// As far as it is known by then.
    AsKnown,
}

/// Whether a regime applies to a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applies {
    /// It does: the trigger in English.
    Yes(String),
    /// That depends on these facts, which nobody has answered.
    Undecided(Vec<String>),
    /// It does not.
    No,
}

/// The regimes of this crate.
pub fn built_in() -> Result<Vec<Regime>, Error> {
    let mut regimes = Vec::new();
    for (name, text) in FILES {
        regimes.extend(parse(name, text)?);
    }
    Ok(regimes)
}

/// Reads a regime file; `file` is its name for errors.
pub fn parse(file: &str, text: &str) -> Result<Vec<Regime>, Error> {
    let wrong = |key: &str, reason: String, remedy: &str| Error::Regime {
        file: file.to_owned(),
        key: key.to_owned(),
        reason,
        remedy: remedy.to_owned(),
    };
    let parsed: File = toml::from_str(text).map_err(|err| {
        let line = err.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        wrong(
            &format!("line {line}"),
            err.message().replace('\n', " "),
            "compare with the files that come with Sekisho",
        )
    })?;
    for regime in &parsed.regime {
        for obligation in &regime.obligation {
            let key = &obligation.id;
            if !key.starts_with(&format!("{}.", regime.id)) && *key != regime.id {
                return Err(wrong(key, format!("does not begin with `{}`", regime.id), "name it after its regime"));
            }
            if obligation.clock.is_empty() {
                return Err(wrong(key, "has no clock".to_owned(), "add one [[regime.obligation.clock]]"));
            }
            for item in &obligation.items {
                if !regime.item.iter().any(|known| known.key == *item) {
                    return Err(wrong(key, format!("has the unknown item `{item}`"), "add one [[regime.item]]"));
                }
            }
            for rule in &obligation.clock {
                if let Some(zone) = &rule.zone {
                    crate::case::check_zone(zone)
                        .map_err(|err| wrong(key, err.to_string(), "use a name of the IANA data"))?;
                }
                if rule.unit == Unit::BusinessDay && rule.calendar.is_none() {
                    return Err(wrong(key, "counts business days without a calendar".to_owned(), "add `calendar`"));
                }
                if rule.unit != Unit::Promptly && rule.offset == 0 {
                    return Err(wrong(key, "has no offset".to_owned(), "add `offset`"));
                }
            }
            if regime.sourced == Sourced::Unconfirmed && obligation.hardness == Hardness::Statute {
                let remedy = "say `hardness = \"guide\"` until a source is confirmed";
                return Err(wrong(key, "is unconfirmed and cannot be statute".to_owned(), remedy));
            }
        }
    }
    Ok(parsed.regime)
}

/// The answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    Yes,
    No,
    Unknown,
}

/// Whether a fact holds; "suspected" counts, and only a confirmed "no" is a no.
pub(crate) fn holds(case: &Case, key: &str) -> Holds {
    if let Some(fact) = case.fact(key) {
        let is_no = matches!(fact.value.trim(), "no" | "No" | "false" | "いいえ" | "なし" | "無");
        return match (fact.state, is_no) {
            (Certainty::Confirmed, true) => Holds::No,
            (Certainty::Unknown, _) | (_, true) => Holds::Unknown,
            (_, false) => Holds::Yes,
        };
    }
    // What the origin says until somebody answers.
    match (key, case.origin) {
        ("personal_data_leak", Origin::Availability) => Holds::No,
        ("personal_data_leak", _) | ("service_outage", Origin::Availability) => Holds::Yes,
        ("service_outage", _) => Holds::No,
        _ => Holds::Unknown,
    }
}

impl Regime {
    /// Whether it applies to a case.
    #[must_use]
    pub fn applies(&self, case: &Case) -> Applies {
        let lifted = |key: &String| {
            holds(case, key) == Holds::Yes && case.fact(key).is_some_and(|fact| fact.state == Certainty::Confirmed)
        };
        if self.exempt.iter().any(lifted) {
            return Applies::No;
        }
        let mut open: Vec<String> = Vec::new();
        for trigger in &self.trigger {
            let (answer, missing) = trigger.holds(case);
            match answer {
                Holds::Yes => return Applies::Yes(trigger.label_en.clone()),
                Holds::Unknown => open.extend(missing),
                Holds::No => {}
            }
        }
        open.dedup();
        if open.is_empty() { Applies::No } else { Applies::Undecided(open) }
    }
}

impl Trigger {
    fn holds(&self, case: &Case) -> (Holds, Vec<String>) {
        let mut missing = Vec::new();
        for key in &self.facts {
            match holds(case, key) {
                Holds::Yes => {}
                Holds::No => return (Holds::No, Vec::new()),
                Holds::Unknown => missing.push(key.clone()),
            }
        }
        if let Some(above) = self.persons_above {
            match case.count(Measure::Persons, "total") {
                Some(count) if count.value > above => {}
                Some(count) if count.state == Certainty::Confirmed => return (Holds::No, Vec::new()),
                _ => missing.push("the number of persons".to_owned()),
            }
        }
        if missing.is_empty() { (Holds::Yes, missing) } else { (Holds::Unknown, missing) }
    }
}
