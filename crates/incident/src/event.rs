//! What is recorded of a case: events that are only ever appended. A correction is a new event that names the old one.

use crate::{Error, card, my_number};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The most characters a free text may have.
pub const TEXT_CHARS_MAX: usize = 4_000;

/// A case's name: lower-case letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CaseId(String);

/// One event, as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The case.
    pub case: CaseId,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Who recorded it.
    pub operator: String,
    /// What.
    pub body: Body,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Body {
    /// The case begins.
    Opened {
        /// What it comes from.
        origin: Origin,
        /// What it is called.
        title: String,
        /// The firm's zone, an IANA name.
        zone: String,
    },
    /// One more intrusion belongs to the case; it may be older than the first.
    Intrusion {
        /// Its name in the case.
        id: String,
        /// When it began, as far as known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Timestamp>,
        /// When it ended, as far as known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Timestamp>,
        /// In words.
        text: String,
    },
    /// An instant from which deadlines run.
    Clock {
        /// Which.
        clock: Clock,
        /// The instant itself, not that of its recording.
        at: Timestamp,
        /// The zone in which its day is counted, an IANA name.
        zone: String,
        /// Whose awareness or decision it is.
        actor: Actor,
        /// Where the evidence lies.
        evidence: String,
        /// The intrusion it belongs to, where there are several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        intrusion: Option<String>,
        /// The number of the event that this one corrects.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        corrects: Option<usize>,
    },
    /// What is known of a question.
    Fact {
        /// The question.
        key: String,
        /// How certain.
        state: Certainty,
        /// The answer; `no` says that it is not so.
        value: String,
        /// As of when.
        at: Timestamp,
    },
    /// How many. Records, persons, accounts and cards are different counts.
    Count {
        /// Of what.
        of: Measure,
        /// Which set: `total`, or a name.
        set: String,
        /// The set of which this one is a part.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        part_of: Option<String>,
        /// The figure.
        value: u64,
        /// How certain.
        state: Certainty,
        /// As of when.
        at: Timestamp,
    },
    /// A report was sent: a dated snapshot.
    Submitted {
        /// Which obligation it meets.
        obligation: String,
        /// The intrusion that it is about, where there are several: for the others the obligation stays open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        intrusion: Option<String>,
        /// 1, 2, … for the obligation and intrusion.
        version: u32,
        /// SHA-256 of the text, in hexadecimal.
        sha256: String,
        /// When it was sent.
        at: Timestamp,
        /// The zone, an IANA name.
        zone: String,
        /// The recipient's receipt number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receipt: Option<String>,
        /// Why it is late.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        late_reason: Option<String>,
    },
    /// Notices to the persons concerned, with what their journal held at that moment: proof of delivery.
    Notified {
        /// What was done.
        step: NoticeStep,
        /// Notices by state.
        notices: BTreeMap<String, u64>,
        /// Lines of the notices' journal.
        lines: u64,
        /// The journal's chain behind them, in hexadecimal.
        head: String,
    },
    /// Anything else worth remembering.
    Note {
        /// In words.
        text: String,
    },
}

/// What was done with notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeStep {
    /// Persons were planned.
    Planned,
    /// An operator approved persons, texts and configuration.
    Approved,
    /// Sending began.
    Begun,
    /// Sending ended.
    Ended,
    /// Letters were written.
    Letters,
    /// A publication stands for letters that came back.
    Substituted,
    /// Delivery reports changed the state of mails.
    Bounces,
    /// Letters are to be written instead of mails.
    Postal,
    /// Letters came back.
    Returned,
    /// A claim was opened, decided or paid.
    Claimed,
}

/// What a case comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The gateway saw it.
    Gateway,
    /// Somebody opened it.
    Hand,
    /// A file with the firm's data was found.
    FoundFile,
    /// The service was interrupted; no data is known to have left.
    Availability,
}

/// Whose awareness or decision an instant is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// Name or function.
    pub name: String,
    /// Their part in it.
    pub role: Role,
}

/// Their part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The firm, or anybody for it.
    Firm,
    /// A processor or vendor.
    Vendor,
    /// Whoever did it: their awareness starts no clock.
    Wrongdoer,
}

/// An instant's kind; its text is `aware`, …, `submitted:<obligation>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Clock {
    /// The firm knew, or had reason to suspect.
    Aware,
    /// It was classified as major (DORA).
    ClassifiedMajor,
    /// It was determined to be material (SEC).
    MaterialityDetermined,
    /// Facts that were missing from a report became known.
    NewFacts,
    /// It was stopped.
    Contained,
    /// The vendor, or the vendor's customer, was told.
    VendorNotified,
    /// A report was sent.
    Submitted(String),
}

/// How certain something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Nobody knows yet.
    Unknown,
    /// It may be so.
    Suspected,
    /// It is so.
    Confirmed,
}

/// What is counted.
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

impl Body {
    /// The free texts, each with its name.
    #[must_use]
    pub fn texts(&self) -> Vec<(&'static str, &str)> {
        match self {
            Body::Opened { title, .. } => vec![("title", title)],
            Body::Intrusion { id, text, .. } => vec![("id", id), ("text", text)],
            Body::Clock { actor, evidence, .. } => vec![("actor", &actor.name), ("evidence", evidence)],
            Body::Fact { key, value, .. } => vec![("key", key), ("value", value)],
            Body::Count { set, part_of, .. } => {
                let part = part_of.iter().map(|text| ("part_of", text.as_str()));
                std::iter::once(("set", set.as_str())).chain(part).collect()
            }
            Body::Submitted { receipt, late_reason, .. } => {
                let receipt = receipt.iter().map(|text| ("receipt", text.as_str()));
                receipt.chain(late_reason.iter().map(|text| ("late_reason", text.as_str()))).collect()
            }
            Body::Note { text } => vec![("text", text)],
            // Counts and a hash of digits and letters.
            Body::Notified { .. } => Vec::new(),
        }
    }

    /// Whether every free text may be kept: no card data, not too long. `index` is the event's number.
    pub fn check_texts(&self, index: usize) -> Result<(), Error> {
        for (place, text) in self.texts() {
            if let Some(what) = card::find(text) {
                return Err(Error::Card { index, place, what });
            }
            if text.chars().count() > TEXT_CHARS_MAX {
                let reason = format!("`{place}` has more than {TEXT_CHARS_MAX} characters");
                return Err(Error::Event { index, reason, remedy: "refer to a document instead".to_owned() });
            }
        }
        Ok(())
    }
}

impl Event {
    /// Checks the operator's name too.
    pub fn check_texts(&self, index: usize) -> Result<(), Error> {
        match card::find(&self.operator) {
            Some(what) => Err(Error::Card { index, place: "operator", what }),
            None => self.body.check_texts(index),
        }
    }

    /// What is asked of an event before it is recorded, besides the above: logs from before this was asked stay readable.
    pub fn check_new(&self, index: usize) -> Result<(), Error> {
        match self.body.texts().into_iter().find(|(_, text)| my_number::find(text)) {
            Some((place, _)) => {
                Err(Error::Card { index, place, what: "an individual number (マイナンバー)".to_owned() })
            }
            None => Ok(()),
        }
    }
}

impl CaseId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CaseId {
    type Error = Error;
    fn try_from(text: String) -> Result<CaseId, Error> {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let usable = (1..=64).contains(&text.len()) && text.chars().all(good) && !text.starts_with('-');
        if usable { Ok(CaseId(text)) } else { Err(Error::CaseId(text)) }
    }
}

impl FromStr for CaseId {
    type Err = Error;
    fn from_str(text: &str) -> Result<CaseId, Error> {
        CaseId::try_from(text.to_owned())
    }
}

impl From<CaseId> for String {
    fn from(id: CaseId) -> String {
        id.0
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Clock::Aware => f.write_str("aware"),
            Clock::ClassifiedMajor => f.write_str("classified_major"),
            Clock::MaterialityDetermined => f.write_str("materiality_determined"),
            Clock::NewFacts => f.write_str("new_facts"),
            Clock::Contained => f.write_str("contained"),
            Clock::VendorNotified => f.write_str("vendor_notified"),
            Clock::Submitted(obligation) => write!(f, "submitted:{obligation}"),
        }
    }
}

impl FromStr for Clock {
    type Err = Error;
    fn from_str(text: &str) -> Result<Clock, Error> {
        Ok(match text {
            "aware" => Clock::Aware,
            "classified_major" => Clock::ClassifiedMajor,
            "materiality_determined" => Clock::MaterialityDetermined,
            "new_facts" => Clock::NewFacts,
            "contained" => Clock::Contained,
            "vendor_notified" => Clock::VendorNotified,
            _ => match text.strip_prefix("submitted:") {
                Some(obligation) if !obligation.is_empty() => Clock::Submitted(obligation.to_owned()),
                _ => return Err(Error::Clock(text.to_owned())),
            },
        })
    }
}

impl TryFrom<String> for Clock {
    type Error = Error;
    fn try_from(text: String) -> Result<Clock, Error> {
        text.parse()
    }
}

impl From<Clock> for String {
    fn from(clock: Clock) -> String {
        clock.to_string()
    }
}
