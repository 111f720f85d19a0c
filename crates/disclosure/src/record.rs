//! The fold of the steps (DIS-1): versions are added, never removed; which step may follow is decided here alone.

use crate::entry::{Basis, Entry, FORMAT, Ground, Kind, OPERATOR, REDACTABLE, Service, Step, Target};
use crate::notice::{Notice, Text};
use crate::{Error, Firm};
use jiff::Timestamp;
use sekisho_anchor::document::Document;
use std::collections::BTreeMap;

/// Characters of an incident's public name.
const INCIDENT_CHARS_MAX: usize = 64;

/// What was recorded of one incident, and of the services, as it may be shown.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The incident's public name; empty until the first step.
    pub incident: String,
    /// Who publishes, as it was recorded last.
    pub firm: Option<Firm>,
    /// Nothing was said for a while.
    pub embargo: Option<Embargo>,
    /// Every version, oldest first.
    pub versions: Vec<Version>,
    /// How services were, oldest first.
    pub statuses: Vec<Status>,
    /// Parts that are not shown any more.
    pub redactions: Vec<Redaction>,
    /// The leaves so far.
    pub entries: Vec<Entry>,
    /// What each leaf says.
    pub steps: Vec<Step>,
    /// The document of each leaf, as it is shown.
    pub documents: Vec<Document>,
}

/// Nothing was said for a while.
#[derive(Clone, Debug)]
pub struct Embargo {
    /// The step's leaf.
    pub leaf: u64,
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
    /// The hash of its document.
    pub document: String,
    /// The text, as it is shown.
    pub notice: Notice,
    /// Where its lists come from.
    pub basis: Basis,
    /// The statement by which it was taken back.
    pub withdrawn: Option<Withdrawal>,
}

/// A part that is not shown any more.
#[derive(Clone, Debug)]
pub struct Redaction {
    /// The step's leaf.
    pub leaf: u64,
    /// When.
    pub at: Timestamp,
    /// Which part of which step.
    pub target: Target,
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
    /// The fold of all leaves and their documents, whole or with parts withheld.
    ///
    /// # Errors
    /// [`Error::NotWhole`]: a document is not its leaf's, withholds a part without a step that says so, or a step could not
    /// have followed.
    pub fn fold(entries: Vec<Entry>, mut documents: Vec<Document>) -> Result<Record, Error> {
        let grounds = grounds(&entries, &documents)?;
        let mut record = Record::default();
        for (leaf, (entry, document)) in (0..).zip(entries.iter().zip(&mut documents)) {
            let not_whole = |why: String| Error::NotWhole(format!("leaf {leaf}: {why}"));
            if entry.format != FORMAT {
                return Err(not_whole(format!("its format is not `{FORMAT}`")));
            }
            if document.hash() != entry.document || document.kind() != entry.kind.name() {
                return Err(not_whole(format!("its document {} was changed after it was published", entry.document)));
            }
            document.withhold(OPERATOR);
            let target = |part: &str| Target { leaf, part: part.to_owned() };
            let redacted: Vec<&Target> = grounds.keys().filter(|target| target.leaf == leaf).collect();
            redacted.iter().for_each(|target| document.withhold(&target.part));
            let step = Step::read(entry, document, |part| grounds.get(&target(part)).map(|ground| statement(*ground)));
            let step = step.map_err(not_whole)?;
            record.check(entry, &step).map_err(|err| not_whole(format!("it could not have followed: {err}")))?;
            record.apply(leaf, entry, document.clone(), step);
        }
        record.entries = entries;
        Ok(record)
    }

    fn apply(&mut self, leaf: u64, entry: &Entry, document: Document, step: Step) {
        let at = entry.at;
        self.incident.clone_from(&entry.incident);
        self.steps.push(step.clone());
        self.documents.push(document);
        self.entries.push(entry.clone());
        match step {
            Step::Publisher(firm) => self.firm = Some(firm),
            Step::Embargo { until, .. } => self.embargo = Some(Embargo { leaf, until }),
            Step::Published { notice, basis } | Step::Updated { notice, basis, .. } => {
                let number = u32::try_from(self.versions.len() + 1).unwrap_or(u32::MAX);
                let document = entry.document.clone();
                self.versions.push(Version { number, leaf, at, document, notice, basis, withdrawn: None });
            }
            Step::Withdrawn { requester, reason } => {
                // What comes after it is a new publication under the same record.
                let withdrawal = Withdrawal { leaf, at, requester, reason };
                for version in self.versions.iter_mut().filter(|version| version.withdrawn.is_none()) {
                    version.withdrawn = Some(withdrawal.clone());
                }
            }
            Step::Redacted { target, ground, reference } => {
                self.redactions.push(Redaction { leaf, at, target, ground, reference });
            }
            Step::Status { service, state, text, since } => {
                self.statuses.push(Status { leaf, at, service, state, text, since });
            }
        }
    }

    /// The version that is in force.
    #[must_use]
    pub fn current(&self) -> Option<&Version> {
        self.versions.last()
    }

    /// Why a step may not follow, if so. Whether its texts are ready is another question.
    pub(crate) fn check(&self, entry: &Entry, step: &Step) -> Result<(), Error> {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let name = &entry.incident;
        if name.is_empty() || name.len() > INCIDENT_CHARS_MAX || !name.chars().all(good) {
            return Err(refused(&format!(
                "`{name}` is no public name: write up to {INCIDENT_CHARS_MAX} lower-case letters, digits and hyphens"
            )));
        }
        if !self.incident.is_empty() && *name != self.incident {
            return Err(refused(&format!("this record is of `{}`, not of `{name}`", self.incident)));
        }
        if let Some(last) = self.entries.last()
            && entry.at < last.at
        {
            return Err(refused(&format!(
                "the clock stands at {}, before the last step of {}: correct it first",
                entry.at, last.at
            )));
        }
        if self.firm.is_none() && entry.kind != Kind::Publisher {
            return Err(refused("the first step says who publishes"));
        }
        self.check_step(step, entry.at)
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
            Step::Updated { notice, .. } => self.keeps_figures(notice),
            Step::Withdrawn { .. } if !published => Err(refused("nothing is published yet that could be withdrawn")),
            Step::Withdrawn { .. } if self.current().is_some_and(|version| version.withdrawn.is_some()) => {
                Err(refused("it is withdrawn already"))
            }
            Step::Redacted { target, .. } => self.check_target(target),
            _ => Ok(()),
        }
    }

    /// A figure that was told is corrected, or becomes unknown; it does not go away.
    fn keeps_figures(&self, notice: &Notice) -> Result<(), Error> {
        let Some(before) = self.current() else { return Ok(()) };
        let is_kept = |told: &&crate::notice::Count| {
            notice.counts.iter().any(|count| count.of == told.of && count.set == told.set)
        };
        match before.notice.counts.iter().find(|told| !is_kept(told)) {
            None => Ok(()),
            Some(gone) => Err(refused(&format!(
                "version {} told a figure of {}{} that this one leaves out: keep it, or give it the state `unknown`",
                before.number,
                gone.of.name(),
                gone.set.as_ref().map_or_else(String::new, |set| format!(" ({})", set.en))
            ))),
        }
    }

    fn check_target(&self, target: &Target) -> Result<(), Error> {
        let Target { leaf, part } = target;
        let document = usize::try_from(*leaf).ok().and_then(|leaf| self.documents.get(leaf));
        let Some(document) = document else {
            return Err(refused(&format!("there is no leaf {leaf}; there are {}", self.documents.len())));
        };
        if !REDACTABLE.contains(&part.as_str()) || !document.has(part) {
            let parts: Vec<&str> = REDACTABLE.into_iter().filter(|part| document.has(part)).collect();
            let can = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
            return Err(refused(&format!("there is no part `{part}` in leaf {leaf} to redact; {can} can be")));
        }
        if self.redactions.iter().any(|redaction| redaction.target == *target) {
            return Err(refused(&format!("`{part}` of leaf {leaf} is redacted already")));
        }
        Ok(())
    }
}

/// On what ground each part was taken away.
fn grounds(entries: &[Entry], documents: &[Document]) -> Result<BTreeMap<Target, Ground>, Error> {
    if entries.len() != documents.len() {
        return Err(Error::NotWhole(format!("there are {} leaves and {} documents", entries.len(), documents.len())));
    }
    let mut grounds = BTreeMap::new();
    for (entry, document) in entries.iter().zip(documents) {
        let ground = document.shown().find(|(name, _)| *name == "ground").map(|(_, value)| value.clone());
        if let (Kind::Redacted, Some(target), Some(ground)) = (entry.kind, &entry.redacts, ground)
            && let Ok(ground) = serde_json::from_value(ground)
        {
            grounds.insert(target.clone(), ground);
        }
    }
    Ok(grounds)
}

fn refused(why: &str) -> Error {
    Error::Refused(why.to_owned())
}

/// What stands in place of a part.
fn statement(ground: Ground) -> Text {
    match ground {
        Ground::CourtOrder => Text::new(
            "（この部分は、裁判所の命令により掲載を取りやめました。元の文章のハッシュ値は公開記録に残っています。）",
            "(This part is no longer shown, by order of a court. The hash of the original stays in the public log.)",
        ),
        Ground::Privacy => Text::new(
            "（この部分は、個人のプライバシーを守るため掲載を取りやめました。元の文章のハッシュ値は公開記録に残っています。）",
            "(This part is no longer shown, to protect a person's privacy. The hash of the original stays in the public log.)",
        ),
    }
}
