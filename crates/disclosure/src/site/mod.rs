//! The site: pages in both languages, feeds, the log and the documents, and a manifest. A pure function of the record and
//! the log's files: the same record gives the same bytes.
//!
//! `pages` (what stands on them), `feed`, `words` (the words in both languages), and here the whole. [`write()`] puts it in a
//! directory: beside it first, then in its place, so that a crash leaves the old one.

mod feed;
mod pages;
pub mod paper;
mod words;

use crate::entry::DocumentRef;
use crate::{Error, Firm, Record};
use sekisho_tlog::TilePath;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use words::Language;
pub(crate) use words::grouped;

/// What the manifest calls itself.
pub const FORMAT: &str = "sekisho-disclosure/1";
/// The manifest's name.
pub const MANIFEST: &str = "site.json";

/// All files of a site, by their paths.
pub type Files = BTreeMap<String, Vec<u8>>;

/// `site.json`: every other file with its hash, and the documents with their leaves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// The key that verifies the log.
    pub key: String,
    /// Texts, with the leaves that name them.
    pub documents: Vec<ManifestDocument>,
    /// Every file but this one.
    pub files: Vec<ManifestFile>,
}

/// A text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ManifestDocument {
    /// Its path.
    pub path: String,
    /// The leaf that names it.
    pub leaf: u64,
    /// Its hash.
    pub sha256: String,
}

/// A file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its path.
    pub path: String,
    /// Its hash.
    pub sha256: String,
}

/// What a site is made of.
pub struct Source<'a> {
    /// What was recorded.
    pub record: &'a Record,
    /// Who publishes.
    pub firm: &'a Firm,
    /// The log's key, as text.
    pub key: &'a str,
    /// Files of the log, by their paths below `log/`.
    pub log: &'a dyn Fn(&str) -> io::Result<Vec<u8>>,
    /// The bytes of a document that is shown.
    pub document: &'a dyn Fn(&DocumentRef) -> Result<Vec<u8>, Error>,
    /// Notices on paper by path, where they were set.
    pub paper: &'a Files,
}

/// All files of the site.
///
/// # Errors
/// Nothing is to be told yet: the record is empty, or an embargo comes before its first version.
pub fn build(source: &Source<'_>) -> Result<Files, Error> {
    if source.record.entries.is_empty() {
        return Err(Error::Refused("nothing is recorded yet: use `publish` or `status`".to_owned()));
    }
    if let Some(embargo) = source.record.embargo.as_ref().filter(|_| source.record.versions.is_empty()) {
        let reason = format!("nothing is told before the first publication, by {} at the latest", embargo.until);
        return Err(Error::Refused(format!("{reason}; how services are can be a record of its own")));
    }
    let mut files = Files::new();
    for language in Language::ALL {
        pages::add(source, language, &mut files)?;
        feed::add(source, language, &mut files)?;
    }
    files.insert("style.css".to_owned(), include_bytes!("../../templates/style.css").to_vec());
    let mut documents = Vec::new();
    for version in &source.record.versions {
        let path = document_path(&version.shown);
        files.insert(path.clone(), (source.document)(&version.shown)?);
        let (leaf, sha256) = (version.shown_leaf, version.shown.sha256.clone());
        documents.push(ManifestDocument { path, leaf, sha256 });
    }
    files.extend(source.paper.iter().map(|(path, bytes)| (path.clone(), bytes.clone())));
    add_log(source, &mut files)?;
    let listed = files.iter().map(|(path, bytes)| {
        let sha256 = DocumentRef::of(bytes).sha256;
        ManifestFile { path: path.clone(), sha256 }
    });
    let manifest =
        Manifest { format: FORMAT.to_owned(), key: source.key.to_owned(), documents, files: listed.collect() };
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

pub(crate) fn document_path(document: &DocumentRef) -> String {
    format!("documents/{}.json", document.sha256)
}

/// Puts a site in a directory: what was there is replaced whole.
pub fn write(files: &Files, dir: &Path) -> Result<(), Error> {
    let beside = |suffix: &str| {
        let mut name = dir.file_name().unwrap_or_default().to_owned();
        name.push(suffix);
        dir.with_file_name(name)
    };
    let (next, before) = (beside(".next"), beside(".before"));
    // A crash between the two renames left the old site beside its place.
    if !dir.exists() && before.exists() {
        std::fs::rename(&before, dir).map_err(Error::disk("restore", dir))?;
    }
    remove(&next)?;
    for (path, bytes) in files {
        put(&next.join(path), bytes)?;
    }
    open_directories(&next)?;
    remove(&before)?;
    if dir.exists() {
        if !dir.join(MANIFEST).exists() && dir.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Error::Refused(format!(
                "`{}` holds other things than a site: give an empty directory, or one that was built before",
                dir.display()
            )));
        }
        std::fs::rename(dir, &before).map_err(Error::disk("replace", dir))?;
    }
    std::fs::rename(&next, dir).map_err(Error::disk("put in place", dir))?;
    remove(&before)
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let parent = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(Error::disk("make", parent))?;
    sekisho_anchor::durable::replace(path, bytes).map_err(Error::disk("write", path))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).map_err(Error::disk("publish", path))
}

/// A web server must be able to enter.
fn open_directories(dir: &Path) -> Result<(), Error> {
    let mut waiting: Vec<PathBuf> = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).map_err(Error::disk("publish", &dir))?;
        for entry in std::fs::read_dir(&dir).map_err(Error::disk("read", &dir))? {
            let path = entry.map_err(Error::disk("read", &dir))?.path();
            if path.is_dir() {
                waiting.push(path);
            }
        }
    }
    Ok(())
}

fn remove(dir: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(dir) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(Error::disk("remove", dir)(err)),
        _ => Ok(()),
    }
}
