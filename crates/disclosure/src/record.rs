//! The fold of the steps (DIS-1): versions are added, never removed; which step may follow is decided here alone.

use crate::Error;
use crate::entry::{Document, DocumentRef, Entry, Ground, Service, Step};
use crate::notice::{Notice, PARTS, Text};
use jiff::Timestamp;

/// What was recorded of one incident, and of the services.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The incident's public name; empty until the first step.
    pub incident: String,
    /// Nothing was said for a while.
    pub embargo: Option<Embargo>,
    /// Every version, oldest first.
    pub versions: Vec<Version>,
    /// The statement by which it was taken back.
    pub withdrawn: Option<Withdrawal>,
    /// How services were, oldest first.
    pub statuses: Vec<Status>,
    /// Steps so far.
    pub entries: Vec<Entry>,
}

/// Nothing was said for a while.
#[derive(Clone, Debug)]
pub struct Embargo {
    /// The step's leaf.
    pub leaf: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// Why.
    pub reason: Text,
    /// Until when at the latest.
    pub until: Timestamp,
}

/// One version of the notice.
#[derive(Clone, Debug)]
pub struct Version {
    /// From 1.
    pub number: u32,
    /// The step's leaf.
    pub leaf: u64,
    /// When it was published.
    pub at: Timestamp,
    /// What changed, in words; `None` for the first.
    pub changed: Option<Text>,
    /// The hash of the document as it was published.
    pub published: DocumentRef,
    /// The document that is shown: another one after a redaction.
    pub shown: DocumentRef,
    /// The leaf whose document is shown.
    pub shown_leaf: u64,
    /// The text that is shown.
    pub notice: Notice,
    /// Parts that are not shown any more.
    pub redactions: Vec<Redaction>,
}

/// A part that is not shown any more.
#[derive(Clone, Debug)]
pub struct Redaction {
    /// The step's leaf.
    pub leaf: u64,
    /// When.
    pub at: Timestamp,
    /// The part's name.
    pub part: String,
    /// On what ground.
    pub ground: Ground,
    /// The order's number, or what was weighed.
    pub reference: Text,
}

/// The notice was taken back.
#[derive(Clone, Debug)]
pub struct Withdrawal {
    /// The step's leaf.
    pub leaf: u64,
    /// When.
    pub at: Timestamp,
    /// Who asked for it.
    pub requester: Text,
    /// Why.
    pub reason: Text,
}

/// How a service was.
#[derive(Clone, Debug)]
pub struct Status {
    /// The step's leaf.
    pub leaf: u64,
    /// When it was said.
    pub at: Timestamp,
    /// The service.
    pub service: Text,
    /// How it was.
    pub state: Service,
    /// In words.
    pub text: Text,
    /// Since when.
    pub since: Timestamp,
}

impl Record {
    /// The fold of all steps; `document` gives the bytes of a document by its hash.
    pub fn fold(entries: &[Entry], document: impl Fn(&DocumentRef) -> Result<Vec<u8>, Error>) -> Result<Record, Error> {
        let mut record = Record::default();
        for entry in entries {
            let notice = entry.document().map(|known| opened(known, &document(known)?)).transpose()?;
            record.push(entry.clone(), notice)?;
        }
        Ok(record)
    }

    /// Adds a step, when it may follow; `notice` is the text of the document that it names.
    pub fn push(&mut self, entry: Entry, notice: Option<Notice>) -> Result<(), Error> {
        self.check(&entry, notice.as_ref())?;
        let (leaf, at) = (self.entries.len() as u64, entry.at);
        if self.incident.is_empty() {
            self.incident.clone_from(&entry.incident);
        }
        match (entry.step.clone(), notice) {
            (Step::Embargo { reason, until }, _) => self.embargo = Some(Embargo { leaf, at, reason, until }),
            (Step::Published { document }, Some(notice)) => self.version(leaf, at, None, document, notice),
            (Step::Updated { document, changed }, Some(notice)) => {
                // What comes after a withdrawal is a new publication under the same record.
                self.withdrawn = None;
                self.version(leaf, at, Some(changed), document, notice);
            }
            (Step::Withdrawn { requester, reason }, _) => {
                self.withdrawn = Some(Withdrawal { leaf, at, requester, reason });
            }
            (Step::Redacted { version, part, ground, reference, document }, Some(notice)) => {
                if let Some(version) = self.versions.get_mut(version as usize - 1) {
                    (version.shown, version.shown_leaf, version.notice) = (document, leaf, notice);
                    version.redactions.push(Redaction { leaf, at, part, ground, reference });
                }
            }
            (Step::Status { service, state, text, since }, _) => {
                self.statuses.push(Status { leaf, at, service, state, text, since });
            }
            (Step::Published { .. } | Step::Updated { .. } | Step::Redacted { .. }, None) => {
                return Err(refused("the step names a document whose text is not there"));
            }
        }
        self.entries.push(entry);
        Ok(())
    }

    fn version(&mut self, leaf: u64, at: Timestamp, changed: Option<Text>, document: DocumentRef, notice: Notice) {
        let number = u32::try_from(self.versions.len() + 1).unwrap_or(u32::MAX);
        let (published, shown, redactions) = (document.clone(), document, Vec::new());
        self.versions.push(Version {
            number,
            leaf,
            at,
            changed,
            published,
            shown,
            shown_leaf: leaf,
            notice,
            redactions,
        });
    }

    /// The version that is in force.
    #[must_use]
    pub fn current(&self) -> Option<&Version> {
        self.versions.last()
    }

    /// Why a step may not follow, if so.
    fn check(&self, entry: &Entry, notice: Option<&Notice>) -> Result<(), Error> {
        if !self.incident.is_empty() && entry.incident != self.incident {
            return Err(refused(&format!("this record is of `{}`, not of `{}`", self.incident, entry.incident)));
        }
        if let Some(last) = self.entries.last()
            && entry.at < last.at
        {
            return Err(refused(&format!(
                "the clock stands at {}, before the last step of {}: correct it first",
                entry.at, last.at
            )));
        }
        self.check_step(&entry.step, entry.at)?;
        // A redacted text is not a draft again: what replaces its part is a statement.
        let problems = match (&entry.step, notice) {
            (Step::Published { .. } | Step::Updated { .. }, Some(notice)) => notice.problems(),
            _ => texts_of(&entry.step).iter().flat_map(|(part, text)| problems_of(part, text)).collect(),
        };
        if problems.is_empty() { Ok(()) } else { Err(Error::NotReady(problems)) }
    }

    fn check_step(&self, step: &Step, at: Timestamp) -> Result<(), Error> {
        let published = !self.versions.is_empty();
        match step {
            Step::Embargo { .. } if published => {
                Err(refused("an embargo is for the time before the first publication; this record is published"))
            }
            Step::Embargo { until, .. } if *until <= at => Err(refused("an embargo ends after it begins")),
            Step::Published { .. } if published => Err(refused("it is published already: use `update`")),
            Step::Updated { .. } if !published => Err(refused("nothing is published yet: use `publish`")),
            Step::Withdrawn { .. } if !published => Err(refused("nothing is published yet that could be withdrawn")),
            Step::Withdrawn { .. } if self.withdrawn.is_some() => Err(refused("it is withdrawn already")),
            Step::Redacted { version, part, .. } => {
                let known = (*version as usize).checked_sub(1).and_then(|at| self.versions.get(at));
                if known.is_none() {
                    return Err(refused(&format!("there is no version {version}; there are {}", self.versions.len())));
                }
                if !PARTS.contains(&part.as_str()) {
                    return Err(refused(&format!("there is no part `{part}`; there are {}", PARTS.join(", "))));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// The text of a document, when its bytes are those of its hash.
pub(crate) fn opened(known: &DocumentRef, bytes: &[u8]) -> Result<Notice, Error> {
    if DocumentRef::of(bytes) != *known {
        return Err(Error::NotWhole(format!("the document {} was changed after it was published", known.sha256)));
    }
    let document: Document = serde_json::from_slice(bytes)
        .map_err(|err| Error::NotWhole(format!("the document {} cannot be read: {err}", known.sha256)))?;
    Ok(document.notice)
}

fn refused(why: &str) -> Error {
    Error::Refused(why.to_owned())
}

/// Texts that stand in a step itself.
fn texts_of(step: &Step) -> Vec<(&'static str, &Text)> {
    match step {
        Step::Embargo { reason, .. } => vec![("reason", reason)],
        Step::Published { .. } => Vec::new(),
        Step::Updated { changed, .. } => vec![("changed", changed)],
        Step::Withdrawn { requester, reason } => vec![("requester", requester), ("reason", reason)],
        Step::Redacted { reference, .. } => vec![("reference", reference)],
        Step::Status { service, text, .. } => vec![("service", service), ("text", text)],
    }
}

/// What is wrong with a text that stands in a leaf, from where nothing can be taken away.
fn problems_of(part: &str, text: &Text) -> Vec<String> {
    let missing = [("ja", &text.ja), ("en", &text.en)].into_iter().filter(|(_, words)| words.trim().is_empty());
    let cards = [&text.ja, &text.en].into_iter().filter_map(|words| sekisho_incident::card::find(words));
    let cards = cards.map(|what| format!("`{part}` holds {what}: a public record never does"));
    missing.map(|(language, _)| format!("`{part}` has no text in `{language}`")).chain(cards).collect()
}
