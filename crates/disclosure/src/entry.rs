//! One step of the record: a leaf of the public log, and what it says.
//!
//! A leaf holds no text: only the kind of the step, when, and the hash of its document. The texts are in the document, whose
//! parts can be withheld one by one (see [`sekisho_anchor::document`]): so a court can have a text taken away, and a person's
//! name that stood in one, and everybody still sees that nothing else was changed. Who did the step is such a part, too; it is
//! never shown, and an auditor can have it proven.

use crate::Firm;
use crate::notice::{Notice, Text};
use jiff::Timestamp;
use sekisho_anchor::document::Document;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What the leaves call themselves.
pub const FORMAT: &str = "sekisho-disclosure-entry/2";
/// The part of a document that says who did the step; never shown.
pub const OPERATOR: &str = "operator";
/// Parts that can be taken away from view. Figures and times are not among them.
pub const REDACTABLE: [&str; 12] = [
    "title",
    "happened",
    "left",
    "not_left",
    "not_examined",
    "to_do",
    "measures",
    "next_note",
    "changed",
    "reason",
    "requester",
    "text",
];
/// Parts of those that are lists of texts.
const LISTS: [&str; 5] = ["left", "not_left", "not_examined", "to_do", "measures"];

/// A leaf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// [`FORMAT`].
    pub format: String,
    /// When it was recorded.
    pub at: Timestamp,
    /// The incident, by the name that the firm gives it in public.
    pub incident: String,
    /// What.
    pub kind: Kind,
    /// The hash of its document, in hexadecimal.
    pub document: String,
    /// What it takes away from view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redacts: Option<Target>,
}

/// The kinds of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Who publishes, and where people ask.
    Publisher,
    /// Nothing is said yet. It becomes public with the first version.
    Embargo,
    /// The first version.
    Published,
    /// Another version in its place; the ones before stay.
    Updated,
    /// The firm takes it back. The versions stay, below this statement.
    Withdrawn,
    /// A part of a document is not shown any more. Its hash stays.
    Redacted,
    /// How a service is.
    Status,
}

/// A part of an earlier step's document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The step's leaf.
    pub leaf: u64,
    /// The part: one of [`REDACTABLE`].
    pub part: String,
}

/// What a step says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Who publishes, and where people ask.
    Publisher(Firm),
    /// Nothing is said yet.
    Embargo {
        /// Why.
        reason: Text,
        /// Until when at the latest.
        until: Timestamp,
    },
    /// The first version.
    Published {
        /// Its text.
        notice: Notice,
        /// Where its lists come from.
        basis: Basis,
    },
    /// Another version in its place.
    Updated {
        /// Its text.
        notice: Notice,
        /// Where its lists come from.
        basis: Basis,
        /// What changed, in words.
        changed: Text,
    },
    /// The firm takes it back.
    Withdrawn {
        /// Who asked for it.
        requester: Text,
        /// Why.
        reason: Text,
    },
    /// A part of a document is not shown any more.
    Redacted {
        /// Which.
        target: Target,
        /// On what ground.
        ground: Ground,
        /// The order's number, or what was weighed.
        reference: Text,
    },
    /// How a service is.
    Status {
        /// The service.
        service: Text,
        /// How it is.
        state: Service,
        /// In words.
        text: Text,
        /// Since when.
        since: Timestamp,
    },
}

/// Where a notice's lists of what left, what did not and what was not examined come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub enum Basis {
    /// From an answer of `sekisho scope`, and they are as it says.
    Scope {
        /// SHA-256 of the answer, in hexadecimal.
        sha256: String,
    },
    /// A person stated them.
    Stated,
}

/// Why a part is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    /// A court's order. The firm keeps the text.
    CourtOrder,
    /// It would tell of a person. The firm erases the text.
    Privacy,
}

/// How a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// It does not answer.
    Down,
    /// It answers slowly, or in part.
    Degraded,
    /// It answers again; the cause is being looked into.
    Recovered,
    /// It is as it should be.
    Operational,
}

impl Kind {
    /// As the leaf and the document have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Publisher => "publisher",
            Kind::Embargo => "embargo",
            Kind::Published => "published",
            Kind::Updated => "updated",
            Kind::Withdrawn => "withdrawn",
            Kind::Redacted => "redacted",
            Kind::Status => "status",
        }
    }
}

impl Step {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Step::Publisher(_) => Kind::Publisher,
            Step::Embargo { .. } => Kind::Embargo,
            Step::Published { .. } => Kind::Published,
            Step::Updated { .. } => Kind::Updated,
            Step::Withdrawn { .. } => Kind::Withdrawn,
            Step::Redacted { .. } => Kind::Redacted,
            Step::Status { .. } => Kind::Status,
        }
    }

    /// The parts of its document.
    fn parts(&self) -> Map<String, Value> {
        let fields = match self {
            Step::Publisher(firm) => json!(firm),
            Step::Embargo { reason, until } => json!({ "reason": reason, "until": until }),
            Step::Published { notice, .. } | Step::Updated { notice, .. } => json!(notice),
            Step::Withdrawn { requester, reason } => json!({ "requester": requester, "reason": reason }),
            Step::Redacted { ground, reference, .. } => json!({ "ground": ground, "reference": reference }),
            Step::Status { service, state, text, since } => {
                json!({ "service": service, "state": state, "text": text, "since": since })
            }
        };
        let mut parts = match fields {
            Value::Object(parts) => parts,
            _ => Map::new(),
        };
        match self {
            Step::Published { basis, .. } => drop(parts.insert("basis".to_owned(), json!(basis))),
            Step::Updated { basis, changed, .. } => {
                parts.insert("basis".to_owned(), json!(basis));
                parts.insert("changed".to_owned(), json!(changed));
            }
            _ => {}
        }
        parts
    }

    /// Its leaf and document. `salts` gives 16 random bytes for each part.
    pub(crate) fn seal(
        &self,
        at: Timestamp,
        incident: &str,
        operator: &str,
        salts: impl FnMut() -> Option<[u8; 16]>,
    ) -> Result<(Entry, Document), sekisho_anchor::document::Malformed> {
        let operator = (OPERATOR.to_owned(), Value::String(operator.to_owned()));
        let document = Document::seal(self.kind().name(), self.parts().into_iter().chain([operator]), salts)?;
        let redacts = match self {
            Step::Redacted { target, .. } => Some(target.clone()),
            _ => None,
        };
        let (format, incident, kind) = (FORMAT.to_owned(), incident.to_owned(), self.kind());
        Ok((Entry { format, at, incident, kind, document: document.hash(), redacts }, document))
    }

    /// What a leaf and its document say. `statement` is what stands in place of a part that is withheld.
    pub(crate) fn read(
        entry: &Entry,
        document: &Document,
        statement: impl Fn(&str) -> Option<Text>,
    ) -> Result<Step, String> {
        let shown = document.shown().map(|(name, value)| (name.to_owned(), value.clone()));
        let mut parts = Parts(shown.filter(|(name, _)| name != OPERATOR).collect());
        for name in document.withheld().filter(|name| *name != OPERATOR) {
            let text = statement(name).ok_or_else(|| format!("it withholds `{name}`, and no step says why"))?;
            let value = if LISTS.contains(&name) { json!([text]) } else { json!(text) };
            parts.0.insert(name.to_owned(), value);
        }
        let step = match entry.kind {
            Kind::Publisher => return Ok(Step::Publisher(parts.rest()?)),
            Kind::Published => {
                let basis = parts.take("basis")?;
                return Ok(Step::Published { basis, notice: parts.rest()? });
            }
            Kind::Updated => {
                let (basis, changed) = (parts.take("basis")?, parts.take("changed")?);
                return Ok(Step::Updated { basis, changed, notice: parts.rest()? });
            }
            Kind::Embargo => Step::Embargo { reason: parts.take("reason")?, until: parts.take("until")? },
            Kind::Withdrawn => Step::Withdrawn { requester: parts.take("requester")?, reason: parts.take("reason")? },
            Kind::Redacted => {
                let target = entry.redacts.clone().ok_or("its leaf does not say what it redacts")?;
                Step::Redacted { target, ground: parts.take("ground")?, reference: parts.take("reference")? }
            }
            Kind::Status => Step::Status {
                service: parts.take("service")?,
                state: parts.take("state")?,
                text: parts.take("text")?,
                since: parts.take("since")?,
            },
        };
        match parts.0.keys().next() {
            Some(name) => Err(format!("it has a part `{name}` that is not known")),
            None => Ok(step),
        }
    }
}

struct Parts(Map<String, Value>);

impl Parts {
    fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, String> {
        let value = self.0.remove(name).ok_or_else(|| format!("it has no part `{name}`"))?;
        serde_json::from_value(value).map_err(|err| format!("its part `{name}` cannot be read: {err}"))
    }

    fn rest<T: DeserializeOwned>(self) -> Result<T, String> {
        serde_json::from_value(Value::Object(self.0)).map_err(|err| err.to_string())
    }
}
