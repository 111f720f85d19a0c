//! The record on a disk: the public log, and the documents with the parts that are the firm's alone.
//!
//! ```text
//! firm.toml                    who publishes
//! log/                         checkpoint and tiles: public
//! documents/<hash>.json        what each leaf says, whole: private; the site has the public view of it
//! ```
//!
//! Order of writing: the document, then the leaf that names it. A document without a leaf was never published. A part that
//! is redacted for privacy is erased after the leaf that says so; what a crash left is erased by the next opening.

use crate::entry::{Basis, Entry, Ground, OPERATOR, Step, Target};
use crate::notice::{Notice, Text, problems_of};
use crate::{Error, Firm, Record};
use jiff::Timestamp;
use sekisho_anchor::document::Document;
use sekisho_anchor::{Anchor, durable};
use std::path::{Path, PathBuf};

/// The files of the log's key.
pub const KEY: &str = "disclosure";

/// An open record; it holds the lock until it is dropped.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    anchor: Anchor,
    /// Every leaf's document, whole.
    documents: Vec<Document>,
    /// The fold of what was recorded.
    pub record: Record,
    /// Who publishes, as the file says now; the next step records it.
    pub firm: Firm,
}

/// Who does a step, and when.
#[derive(Clone, Copy, Debug)]
pub struct Act<'a> {
    /// The operator's name; kept, never shown.
    pub operator: &'a str,
    /// Now.
    pub at: Timestamp,
}

impl Store {
    /// Opens a record, making its log and key when neither is there.
    pub fn open(dir: &Path, keys: &Path) -> Result<Store, Error> {
        let firm = Firm::read(&dir.join("firm.toml"))?;
        let (anchor, leaves) = Anchor::open(dir, keys, (KEY, firm.host()))?;
        let entries = entries(&leaves)?;
        let read = |entry: &Entry| read_document(&document_path(dir, &entry.document), &entry.document);
        let documents = entries.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let record = Record::fold(entries, documents.clone())?;
        let mut store = Store { dir: dir.to_owned(), anchor, documents, record, firm };
        store.erase()?;
        Ok(store)
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The key that verifies the log, as text.
    #[must_use]
    pub fn verifier(&self) -> &str {
        self.anchor.verifier()
    }

    /// Who did a step.
    #[must_use]
    pub fn operator(&self, leaf: usize) -> Option<&str> {
        let document = self.documents.get(leaf)?;
        document.shown().find(|(name, _)| *name == OPERATOR).and_then(|(_, value)| value.as_str())
    }

    /// Publishes the first version, or another one in its place when it says what `changed`.
    pub fn publish(
        &mut self,
        incident: &str,
        mut notice: Notice,
        (basis, changed): (Basis, Option<Text>),
        act: Act<'_>,
    ) -> Result<(), Error> {
        if let Some(before) = self.record.current() {
            notice.keep_figures(&before.notice);
        }
        let problems = notice.problems();
        if !problems.is_empty() {
            return Err(Error::NotReady(problems));
        }
        let step = match changed {
            None => Step::Published { notice, basis },
            Some(changed) => Step::Updated { notice, basis, changed },
        };
        self.step(incident, step, act)
    }

    /// Takes a part away from view.
    pub fn redact(&mut self, target: Target, (ground, reference): (Ground, Text), act: Act<'_>) -> Result<(), Error> {
        let incident = self.record.incident.clone();
        self.step(&incident, Step::Redacted { target, ground, reference }, act)
    }

    /// Adds a step; before it who publishes, where that is new.
    pub fn step(&mut self, incident: &str, step: Step, act: Act<'_>) -> Result<(), Error> {
        let mut steps = vec![step];
        if self.record.firm.as_ref() != Some(&self.firm) {
            steps.insert(0, Step::Publisher(self.firm.clone()));
        }
        let texts = steps.iter().flat_map(texts_of);
        let problems: Vec<String> = texts.flat_map(|(part, text)| problems_of(part, text)).collect();
        if !problems.is_empty() {
            return Err(Error::NotReady(problems));
        }
        let (mut entries, mut documents) = (self.record.entries.clone(), self.documents.clone());
        let mut record = self.record.clone();
        for step in &steps {
            let sealed = step.seal(act.at, incident, act.operator, salt);
            let (entry, document) = sealed.map_err(|err| Error::Refused(err.to_string()))?;
            record.check(&entry, step)?;
            entries.push(entry);
            documents.push(document);
            record = Record::fold(entries.clone(), documents.clone())?;
        }
        self.add(documents, record)
    }

    /// Makes the new documents and then their leaves durable.
    fn add(&mut self, documents: Vec<Document>, record: Record) -> Result<(), Error> {
        let known = self.documents.len();
        documents[known..].iter().try_for_each(|document| self.write(document))?;
        let leaf = |entry: &Entry| serde_json::to_vec(entry).map_err(|err| Error::Refused(err.to_string()));
        let leaves = record.entries[known..].iter().map(leaf).collect::<Result<Vec<_>, _>>()?;
        self.anchor.append(&leaves)?;
        (self.documents, self.record) = (documents, record);
        self.erase()
    }

    /// Erases what was redacted for privacy.
    fn erase(&mut self) -> Result<(), Error> {
        for redaction in self.record.redactions.iter().filter(|redaction| redaction.ground == Ground::Privacy) {
            let Target { leaf, part } = &redaction.target;
            let Some(document) = usize::try_from(*leaf).ok().and_then(|leaf| self.documents.get_mut(leaf)) else {
                continue;
            };
            if document.shown().any(|(name, _)| name == part) {
                document.withhold(part);
                let document = document.clone();
                self.write(&document)?;
            }
        }
        Ok(())
    }

    fn write(&self, document: &Document) -> Result<(), Error> {
        let path = document_path(&self.dir, &document.hash());
        let parent = path.parent().unwrap_or(&self.dir);
        durable::create_directory(parent).map_err(Error::disk("make", parent))?;
        durable::replace(&path, &document.bytes()).map_err(Error::disk("write", path))
    }
}

/// Where a document stands, in a record and in a site.
pub(crate) fn document_path(dir: &Path, hash: &str) -> PathBuf {
    dir.join("documents").join(format!("{hash}.json"))
}

/// The leaves of a log.
pub(crate) fn entries(leaves: &[Vec<u8>]) -> Result<Vec<Entry>, Error> {
    let entry = |(number, leaf): (usize, &Vec<u8>)| {
        serde_json::from_slice(leaf).map_err(|err| Error::NotWhole(format!("leaf {number} cannot be read: {err}")))
    };
    leaves.iter().enumerate().map(entry).collect()
}

/// A document of this hash.
pub(crate) fn read_document(path: &Path, hash: &str) -> Result<Document, Error> {
    let bytes = match std::fs::read(path) {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NotWhole(format!("the document {hash} is missing: restore it from a copy")));
        }
        other => other.map_err(Error::disk("read", path))?,
    };
    let document =
        Document::parse(&bytes).map_err(|err| Error::NotWhole(format!("the document {hash} cannot be read: {err}")))?;
    match document.hash() == hash {
        true => Ok(document),
        false => Err(Error::NotWhole(format!("the document {hash} was changed after it was published"))),
    }
}

/// Texts of a step besides a notice.
fn texts_of(step: &Step) -> Vec<(&'static str, &Text)> {
    match step {
        Step::Publisher(firm) => {
            vec![
                ("firm.toml: name", &firm.name),
                ("firm.toml: desk.name", &firm.desk.name),
                ("firm.toml: desk.hours", &firm.desk.hours),
            ]
        }
        Step::Published { .. } => Vec::new(),
        Step::Embargo { reason, .. } => vec![("reason", reason)],
        Step::Updated { changed, .. } => vec![("changed", changed)],
        Step::Withdrawn { requester, reason } => vec![("requester", requester), ("reason", reason)],
        Step::Redacted { reference, .. } => vec![("reference", reference)],
        Step::Status { service, text, .. } => vec![("service", service), ("text", text)],
    }
}

fn salt() -> Option<[u8; 16]> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).ok().map(|()| salt)
}
