//! The site: pages in both languages, feeds, the log and the documents, and a manifest. A pure function of the record and
//! the log's files: the same record gives the same bytes.
//!
//! `pages` (what stands on them), `feed`, `words` (the words in both languages), `paper` (what is set as PDF), `place` (putting
//! it in a directory), and here the whole.

mod feed;
mod pages;
pub mod paper;
mod place;
mod words;

use crate::{Error, Firm, Record};
pub(crate) use place::listed;
pub use place::{Edited, write};
use sekisho_tlog::TilePath;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use words::Language;
pub(crate) use words::grouped;

/// What the manifest calls itself.
pub const FORMAT: &str = "sekisho-disclosure/2";
/// Whose pages they are: another version may write them in another way.
pub const GENERATOR: &str = concat!("sekisho ", env!("CARGO_PKG_VERSION"));
/// The manifest's name.
pub const MANIFEST: &str = "site.json";

/// All files of a site, by their paths.
pub type Files = BTreeMap<String, Vec<u8>>;

/// `site.json`: every other file with its hash. Nobody has to believe it: whoever verifies a site makes it anew from the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// The version of Sekisho whose pages these are.
    pub generator: String,
    /// The key that verifies the log.
    pub key: String,
    /// Every file but this one.
    pub files: Vec<ManifestFile>,
}

/// A file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its path.
    pub path: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// What a site is made of.
pub struct Source<'a> {
    /// What was recorded.
    pub record: &'a Record,
    /// The log's key, as text.
    pub key: &'a str,
    /// Files of the log, by their paths below `log/`.
    pub log: &'a dyn Fn(&str) -> io::Result<Vec<u8>>,
    /// Notices on paper by path, where they were set.
    pub paper: &'a Files,
}

/// What the pages are made of: a source whose publisher is known.
struct Telling<'a> {
    record: &'a Record,
    firm: &'a Firm,
    key: &'a str,
    paper: &'a Files,
}

/// All files of the site.
///
/// # Errors
/// Nothing is to be told yet: the record is empty, or an embargo comes before its first version.
pub fn build(source: &Source<'_>) -> Result<Files, Error> {
    let record = source.record;
    let Some(firm) = &record.firm else {
        return Err(Error::Refused("nothing is recorded yet: use `publish` or `status`".to_owned()));
    };
    if let Some(embargo) = record.embargo.as_ref().filter(|_| record.versions.is_empty()) {
        let reason = format!("nothing is told before the first publication, by {} at the latest", embargo.until);
        return Err(Error::Refused(format!("{reason}; how services are can be a record of its own")));
    }
    let telling = Telling { record, firm, key: source.key, paper: source.paper };
    let mut files = Files::new();
    for language in Language::ALL {
        pages::add(&telling, language, &mut files)?;
        feed::add(&telling, language, &mut files)?;
    }
    files.insert("style.css".to_owned(), include_bytes!("../../templates/style.css").to_vec());
    for (entry, document) in record.entries.iter().zip(&record.documents) {
        files.insert(document_path(&entry.document), document.bytes());
    }
    files.extend(source.paper.iter().map(|(path, bytes)| (path.clone(), bytes.clone())));
    add_log(source, &mut files)?;
    let listed = files.iter().map(|(path, bytes)| ManifestFile { path: path.clone(), sha256: sha256(bytes) });
    let (format, generator) = (FORMAT.to_owned(), GENERATOR.to_owned());
    let manifest = Manifest { format, generator, key: source.key.to_owned(), files: listed.collect() };
    let manifest = serde_json::to_vec_pretty(&manifest).map_err(|err| Error::Refused(err.to_string()))?;
    files.insert(MANIFEST.to_owned(), manifest);
    Ok(files)
}

fn add_log(source: &Source<'_>, files: &mut Files) -> Result<(), Error> {
    let size = source.record.entries.len() as u64;
    let tiles = TilePath::all(size).into_iter().map(|tile| tile.to_string());
    for path in std::iter::once("checkpoint".to_owned()).chain(tiles) {
        let path_in_site = format!("log/{path}");
        let bytes = (source.log)(&path).map_err(Error::disk("read", &path_in_site))?;
        files.insert(path_in_site, bytes);
    }
    Ok(())
}

fn document_path(hash: &str) -> String {
    format!("documents/{hash}.json")
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
