//! The record on a disk: the public log, the documents, and what is kept back after a redaction.
//!
//! ```text
//! firm.toml              who publishes
//! log/                   checkpoint and tiles: public
//! documents/<sha256>     texts as they are shown: public
//! kept-back/<sha256>     texts of which a part was redacted: the firm's alone
//! ```
//!
//! Order of writing: the document, then the leaf that names it. A document without a leaf was never published.

use crate::entry::{Document, DocumentRef, Entry, Ground, Step};
use crate::notice::{Notice, Text};
use crate::record::opened;
use crate::{Error, Firm, Record};
use jiff::Timestamp;
use sekisho_anchor::{Anchor, durable};
use std::path::{Path, PathBuf};

/// The files of the log's key.
pub const KEY: &str = "disclosure";

/// An open record; it holds the lock until it is dropped.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    anchor: Anchor,
    /// The fold of what was recorded.
    pub record: Record,
    /// Who publishes.
    pub firm: Firm,
}

impl Store {
    /// Opens a record, making its log and key when neither is there.
    pub fn open(dir: &Path, keys: &Path) -> Result<Store, Error> {
        let firm = Firm::read(&dir.join("firm.toml"))?;
        let (anchor, leaves) = Anchor::open(dir, keys, (KEY, firm.host()))?;
        let entries = entries(&leaves)?;
        let record = Record::fold(&entries, |document| read_document(dir, document))?;
        Ok(Store { dir: dir.to_owned(), anchor, record, firm })
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

    /// The bytes of a document that is shown.
    pub fn document(&self, document: &DocumentRef) -> Result<Vec<u8>, Error> {
        read_document(&self.dir, document)
    }

    /// Publishes the first version, or another one in its place.
    pub fn publish(
        &mut self,
        incident: &str,
        mut notice: Notice,
        changed: Option<Text>,
        at: Timestamp,
    ) -> Result<(), Error> {
        if let Some(before) = self.record.current() {
            notice.keep_figures(&before.notice);
        }
        let (document, bytes) = Document::seal(notice.clone(), salt()?);
        let step = match changed {
            None => Step::Published { document: document.clone() },
            Some(changed) => Step::Updated { document: document.clone(), changed },
        };
        self.add(&Entry::new(at, incident, step), Some((notice, document, bytes)))
    }

    /// Takes a part of a version away from view.
    pub fn redact(
        &mut self,
        version: u32,
        part: &str,
        (ground, reference): (Ground, Text),
        at: Timestamp,
    ) -> Result<(), Error> {
        let known = (version as usize).checked_sub(1).and_then(|at| self.record.versions.get(at)).cloned();
        let Some(known) = known else {
            let versions = self.record.versions.len();
            return Err(Error::Refused(format!("there is no version {version}; there are {versions}")));
        };
        let mut notice = known.notice.clone();
        notice.redact(part, &statement(ground));
        let (document, bytes) = Document::seal(notice.clone(), salt()?);
        let step = Step::Redacted { version, part: part.to_owned(), ground, reference, document: document.clone() };
        let incident = self.record.incident.clone();
        self.add(&Entry::new(at, &incident, step), Some((notice, document, bytes)))?;
        // Shown no more; kept for a court, by the firm alone.
        self.keep_back(&known.shown)
    }

    /// Adds a step that has no text of its own.
    pub fn step(&mut self, incident: &str, step: Step, at: Timestamp) -> Result<(), Error> {
        self.add(&Entry::new(at, incident, step), None)
    }

    fn add(&mut self, entry: &Entry, text: Option<(Notice, DocumentRef, Vec<u8>)>) -> Result<(), Error> {
        let mut record = self.record.clone();
        record.push(entry.clone(), text.as_ref().map(|(notice, ..)| notice.clone()))?;
        if let Some((_, document, bytes)) = text {
            let path = self.dir.join("documents").join(&document.sha256);
            self.write(&path, &bytes)?;
        }
        let leaf = serde_json::to_vec(entry).map_err(|err| Error::Refused(err.to_string()))?;
        self.anchor.append(&[leaf])?;
        self.record = record;
        Ok(())
    }

    fn keep_back(&self, document: &DocumentRef) -> Result<(), Error> {
        let shown = self.dir.join("documents").join(&document.sha256);
        let kept = self.dir.join("kept-back").join(&document.sha256);
        let bytes = std::fs::read(&shown).map_err(Error::disk("read", &shown))?;
        self.write(&kept, &bytes)?;
        std::fs::remove_file(&shown).map_err(Error::disk("remove", &shown))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let parent = path.parent().unwrap_or(&self.dir);
        durable::create_directory(parent).map_err(Error::disk("make", parent))?;
        durable::replace(path, bytes).map_err(Error::disk("write", path))
    }
}

/// The steps of a log.
pub(crate) fn entries(leaves: &[Vec<u8>]) -> Result<Vec<Entry>, Error> {
    let entry = |(number, leaf): (usize, &Vec<u8>)| {
        serde_json::from_slice(leaf).map_err(|err| Error::NotWhole(format!("leaf {number} cannot be read: {err}")))
    };
    leaves.iter().enumerate().map(entry).collect()
}

/// A document's bytes, shown or kept back.
fn read_document(dir: &Path, document: &DocumentRef) -> Result<Vec<u8>, Error> {
    for folder in ["documents", "kept-back"] {
        let path = dir.join(folder).join(&document.sha256);
        match std::fs::read(&path) {
            Ok(bytes) => {
                opened(document, &bytes)?;
                return Ok(bytes);
            }
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => {}
            Err(err) => return Err(Error::disk("read", &path)(err)),
        }
    }
    Err(Error::NotWhole(format!("the document {} is missing: restore it from a copy", document.sha256)))
}

fn statement(ground: Ground) -> Text {
    match ground {
        Ground::CourtOrder => Text::new(
            "（この部分は、裁判所の命令により掲載を取りやめました。公表した版のハッシュ値は公開記録に残っています。）",
            "(This part is no longer shown, by order of a court. The hash of the published version stays in the public log.)",
        ),
        Ground::Privacy => Text::new(
            "（この部分は、個人のプライバシーを守るため掲載を取りやめました。公表した版のハッシュ値は公開記録に残っています。）",
            "(This part is no longer shown, to protect a person's privacy. The hash of the published version stays in the public log.)",
        ),
    }
}

fn salt() -> Result<[u8; 16], Error> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| Error::Refused("the system gives no random bytes".to_owned()))?;
    Ok(salt)
}
