//! Whether a built site is what its log says. Nothing but the site and the firm's key is needed, and nothing of the site is
//! believed: the leaves say which documents there must be, the documents say what the pages say, and every page is made anew
//! and compared.

use crate::site::{self, Files, GENERATOR, MANIFEST, Manifest, Source, paper};
use crate::store::{document_path, entries, read_document};
use crate::{Error, Record};
use jiff::Timestamp;
use sekisho_anchor::Signed;
use sekisho_tlog::VerifyingKey;
use sekisho_tlog::tree::tiles_of;
use std::path::Path;

/// What was found whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Leaves of the log.
    pub entries: u64,
    /// When the last one was recorded. A site that was set back to an earlier day ends earlier.
    pub last: Option<Timestamp>,
    /// Parts that are withheld, each with a step that says why.
    pub redactions: usize,
    /// Files of the site.
    pub files: usize,
    /// Notices on paper that were set anew and are the same.
    pub pdfs_same: usize,
    /// Notices on paper that could not be set here, so were not compared.
    pub pdfs_not_compared: usize,
}

/// Sets a document as PDF; `None` where it cannot be.
pub type Setter<'a> = &'a dyn Fn(&serde_json::Value) -> Result<Option<Vec<u8>>, Error>;

/// Verifies a built site; names the first difference.
pub fn site(dir: &Path, key: &VerifyingKey, key_text: &str, set: Setter<'_>) -> Result<Verified, Error> {
    let signed = sekisho_anchor::read(dir, key)?;
    let Signed { checkpoint, entries: leaves } = signed.ok_or_else(|| not_whole("it has no log"))?;
    let (root, tiles) = tiles_of(leaves.iter().map(Vec::as_slice))
        .map_err(|err| not_whole(&format!("its log cannot be read: {err}")))?;
    if root != checkpoint.root {
        return Err(not_whole("its leaves do not give the root that was signed"));
    }
    for (path, bytes) in &tiles {
        if sekisho_anchor::tiles(dir)(path).ok().as_ref() != Some(bytes) {
            return Err(not_whole(&format!("the tile `log/{path}` is missing or was changed")));
        }
    }
    let entries = entries(&leaves)?;
    let read = |entry: &crate::Entry| read_document(&document_path(dir, &entry.document), &entry.document);
    let documents = entries.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let record = Record::fold(entries, documents)?;
    let (paper, pdfs_same, pdfs_not_compared) = papers(dir, &record, set)?;
    let log = sekisho_anchor::tiles(dir);
    let source = Source { record: &record, key: key_text.trim(), log: &log, paper: &paper };
    let files = site::build(&source)?;
    compare(dir, &files)?;
    let (last, redactions) = (record.entries.last().map(|entry| entry.at), record.redactions.len());
    Ok(Verified { entries: checkpoint.size, last, redactions, files: files.len(), pdfs_same, pdfs_not_compared })
}

/// The notices on paper that are there, how many of them were set anew, and how many could not be.
fn papers(dir: &Path, record: &Record, set: Setter<'_>) -> Result<(Files, usize, usize), Error> {
    let (mut files, mut same, mut not_compared) = (Files::new(), 0, 0);
    let Some(firm) = &record.firm else { return Ok((files, same, not_compared)) };
    for (path, document) in record.versions.iter().flat_map(|version| paper::documents(firm, version)) {
        let Ok(found) = std::fs::read(dir.join(&path)) else { continue };
        match set(&document)? {
            None => not_compared += 1,
            Some(pdf) if pdf == found => same += 1,
            Some(_) => return Err(not_whole(&format!("`{path}` is not what `sekisho-pdf` sets here of its text"))),
        }
        files.insert(path, found);
    }
    Ok((files, same, not_compared))
}

/// Every file is there as it was made anew, and no other one is.
fn compare(dir: &Path, files: &Files) -> Result<(), Error> {
    let found = site::listed(dir)?;
    for (path, bytes) in files.iter().filter(|(path, _)| *path != MANIFEST) {
        let there = match std::fs::read(dir.join(path)) {
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
                return Err(not_whole(&format!("the file `{path}` is missing")));
            }
            other => other.map_err(Error::disk("read", dir.join(path)))?,
        };
        if there != *bytes {
            return Err(changed(dir, path));
        }
    }
    if let Some(path) = found.iter().find(|path| !files.contains_key(*path)) {
        return Err(not_whole(&format!("the file `{path}` is none of the site's")));
    }
    match std::fs::read(dir.join(MANIFEST)) {
        Ok(bytes) if Some(&bytes) == files.get(MANIFEST) => Ok(()),
        _ => Err(not_whole(&format!("the file `{MANIFEST}` is missing or was changed"))),
    }
}

fn changed(dir: &Path, path: &str) -> Error {
    let generator = std::fs::read(dir.join(MANIFEST)).ok();
    let generator = generator.and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok());
    match generator.map(|manifest| manifest.generator).filter(|generator| generator != GENERATOR) {
        None => not_whole(&format!("the file `{path}` is not what its log says: it was changed after it was built")),
        Some(other) => not_whole(&format!(
            "log and documents are whole, but `{path}` is another than here, where {GENERATOR} makes the pages; \
             the site says that {other} made it: verify it with that version"
        )),
    }
}

fn not_whole(why: &str) -> Error {
    Error::NotWhole(why.to_owned())
}
