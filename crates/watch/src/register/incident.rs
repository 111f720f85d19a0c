//! An entry of the register, as its file says it: dates, counts, updates, notices and promises, each with its source.
//!
//! Pure. Unknown fields are refused, and so is a fact without a source. What is left out is unknown.

use jiff::civil::{Date, DateTime};
use serde::{Deserialize, Serialize};

/// Words in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Japanese.
    pub ja: String,
    /// English.
    pub en: String,
}

/// An incident.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// The name in addresses: lower-case letters, digits and hyphens.
    pub id: String,
    /// From before this register; nothing was watched, all was taken from publications.
    #[serde(default)]
    pub historical: bool,
    /// Whose incident it is.
    pub firm: Text,
    /// What it was.
    pub title: Text,
    /// What happened, in a few sentences.
    pub summary: Text,
    /// What the facts were taken from.
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
    /// When the exposure or the attack began.
    pub began: Option<Dated>,
    /// When the firm knew.
    pub detected: Option<Dated>,
    /// When the public was told first.
    pub disclosed: Option<Dated>,
    /// How long it went unseen, where a source says so and the dates are not known.
    pub to_detect: Option<StatedSpan>,
    /// From knowing to telling, where a source says so and the dates are not known.
    pub to_disclose: Option<StatedSpan>,
    /// How long customers had no service.
    pub outage: Option<Outage>,
    /// Whose and how much data.
    #[serde(default, rename = "count")]
    pub counts: Vec<Count>,
    /// Whether data left.
    pub leak: Leak,
    /// A source's id; only what is unknown needs none.
    pub leak_source: Option<String>,
    /// Publications and updates, the first notice among them.
    #[serde(default, rename = "update")]
    pub updates: Vec<Dated>,
    /// Where only a least number of updates is known.
    pub updates_at_least: Option<AtLeast>,
    /// The firm's notices.
    #[serde(default, rename = "notice")]
    pub notices: Vec<Notice>,
    /// What the firm said it would do, and when it came.
    #[serde(default, rename = "promise")]
    pub promises: Vec<Promise>,
}

/// What facts were taken from.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The name by which facts refer to it.
    pub id: String,
    /// What it is.
    pub text: Text,
    /// Where it is, when that is known.
    pub url: Option<String>,
}

/// Something that happened at a time.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Dated {
    /// When.
    pub at: When,
    /// What, where more is to be said.
    pub text: Option<Text>,
    /// A source's id.
    pub source: String,
}

/// A time that a source states as a length.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StatedSpan {
    /// Of what the length is counted.
    pub unit: Unit,
    /// The least.
    pub least: i64,
    /// The most.
    pub most: i64,
    /// What is meant, where more is to be said.
    pub text: Option<Text>,
    /// A source's id.
    pub source: String,
}

/// What a stated length is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Days.
    Days,
    /// Months.
    Months,
}

/// A time without service.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// Minutes.
    pub minutes: u32,
    /// The source says "about".
    #[serde(default)]
    pub about: bool,
    /// A source's id.
    pub source: String,
}

/// A number of something; persons, records, cards and accounts are different counts.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// Of what.
    pub measure: Measure,
    /// How many.
    pub value: u64,
    /// The number that this one corrected.
    pub corrected_from: Option<u64>,
    /// Which ones.
    pub text: Text,
    /// How sure it is.
    pub state: CountState,
    /// A source's id.
    pub source: String,
    /// Parts that add up to the value.
    #[serde(default, rename = "part")]
    pub parts: Vec<Part>,
}

/// A part of a count.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Which.
    pub text: Text,
    /// How many.
    pub value: u64,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Natural persons.
    Persons,
    /// Rows of data.
    Records,
    /// Payment cards.
    Cards,
    /// Accounts.
    Accounts,
}

/// How sure a count is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CountState {
    /// The firm published it.
    Published,
    /// It may be so.
    Suspected,
}

/// Whether data left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Leak {
    /// It did, or may have.
    Yes,
    /// None, as the firm said.
    None,
    /// Nobody knows.
    Unknown,
}

/// A least number.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AtLeast {
    /// At least so many.
    pub value: usize,
    /// A source's id.
    pub source: String,
}

/// A notice. One that has an address is looked up in the watch.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// What it was called, or about.
    pub title: Text,
    /// Its address.
    pub url: Option<String>,
    /// When it was published.
    pub published: Option<When>,
    /// When something else stood in its place.
    pub replaced: Option<When>,
    /// What that was.
    pub replaced_by: Option<Text>,
    /// A source's id.
    pub source: String,
}

/// What the firm said it would do.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// What.
    pub text: Text,
    /// By when.
    pub due: When,
    /// When it came; absent while it did not.
    pub came: Option<When>,
    /// A source's id.
    pub source: String,
}

/// A time as exactly as it is known, in Japan: `2017-06-05T13:00`, `2017-06-05`, `2015-11`, `2015-07-13/2015-07-14`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct When {
    text: String,
    /// The first moment that it may be.
    pub(super) earliest: DateTime,
    /// The last day that it may be.
    pub(super) latest: Date,
    /// Known to the minute.
    pub(super) is_exact: bool,
}

impl TryFrom<String> for When {
    type Error = String;

    fn try_from(text: String) -> Result<When, String> {
        let wrong =
            || format!("`{text}` is no time: write 2017-06-05T13:00, 2017-06-05, 2015-11 or 2015-07-13/2015-07-14");
        let date = |text: &str| text.parse::<Date>().map_err(|_| wrong());
        let (earliest, latest, is_exact) = if let Some((from, to)) = text.split_once('/') {
            (date(from)?.at(0, 0, 0, 0), date(to)?, false)
        } else if text.contains('T') {
            let at: DateTime = text.parse().map_err(|_| wrong())?;
            (at, at.date(), true)
        } else if text.len() == 7 {
            let first = date(&format!("{text}-01"))?;
            (first.at(0, 0, 0, 0), first.last_of_month(), false)
        } else {
            let day = date(&text)?;
            (day.at(0, 0, 0, 0), day, false)
        };
        if latest < earliest.date() {
            return Err(wrong());
        }
        Ok(When { text, earliest, latest, is_exact })
    }
}

impl From<When> for String {
    fn from(when: When) -> String {
        when.text
    }
}

impl When {
    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Incident {
    /// Reads an entry's file.
    pub fn parse(text: &str) -> Result<Incident, String> {
        let incident: Incident = toml::from_str(text).map_err(|err| err.to_string())?;
        incident.check()?;
        Ok(incident)
    }

    /// The day by which it is listed: when the firm knew, else when it began, else when the public was told.
    #[must_use]
    pub fn first_date(&self) -> Option<Date> {
        let dates = [&self.detected, &self.began, &self.disclosed].into_iter().flatten();
        dates.map(|dated| dated.at.earliest.date()).next()
    }

    /// The last date that is known of it.
    pub(super) fn last_date(&self) -> Option<Date> {
        let told = [&self.detected, &self.disclosed, &self.began].into_iter().flatten().chain(&self.updates);
        let promised = self.promises.iter().filter_map(|promise| promise.came.as_ref());
        told.map(|dated| dated.at.latest).chain(promised.map(|when| when.latest)).max()
    }

    fn check(&self) -> Result<(), String> {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.id.is_empty() || !self.id.bytes().all(good) {
            return Err(format!("the id `{}` may hold lower-case letters, digits and hyphens only", self.id));
        }
        for used in self.used_sources() {
            if !self.sources.iter().any(|source| source.id == used) {
                return Err(format!("the source `{used}` is not among the entry's sources"));
            }
        }
        if self.leak != Leak::Unknown && self.leak_source.is_none() {
            return Err("whether data left needs a `leak_source`".to_owned());
        }
        for count in self.counts.iter().filter(|count| !count.parts.is_empty()) {
            let sum: u64 = count.parts.iter().map(|part| part.value).sum();
            if sum != count.value {
                return Err(format!("the parts of {} add up to {sum}", count.value));
            }
        }
        Ok(())
    }

    fn used_sources(&self) -> Vec<&str> {
        let dated = [&self.began, &self.detected, &self.disclosed].into_iter().flatten().chain(&self.updates);
        let stated = [&self.to_detect, &self.to_disclose].into_iter().flatten();
        let mut used: Vec<&str> = dated.map(|dated| dated.source.as_str()).collect();
        used.extend(stated.map(|stated| stated.source.as_str()));
        used.extend(self.outage.iter().map(|outage| outage.source.as_str()));
        used.extend(self.leak_source.as_deref());
        used.extend(self.counts.iter().map(|count| count.source.as_str()));
        used.extend(self.updates_at_least.iter().map(|least| least.source.as_str()));
        used.extend(self.notices.iter().map(|notice| notice.source.as_str()));
        used.extend(self.promises.iter().map(|promise| promise.source.as_str()));
        used
    }
}
