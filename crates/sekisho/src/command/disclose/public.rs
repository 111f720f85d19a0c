//! What others see of a record, and how they check it: `build`, `log` and `verify`.

use super::{Done, Place};
use crate::output::{say, tell};
use crate::paper;
use anyhow::{Context, Result};
use sekisho_disclosure::entry::Kind;
use sekisho_disclosure::site::{self, Edited, Files, Source};
use sekisho_disclosure::{Error, Store, verify};
use sekisho_tlog::VerifyingKey;
use std::path::Path;

pub(super) fn build(out: &Path, edited: Edited, place: &Place) -> Result<Done> {
    let store = place.store()?;
    let dir = store.dir().to_owned();
    if store.record.firm.as_ref().is_some_and(|firm| *firm != store.firm) {
        tell!(
            "warning: firm.toml was changed; the next step records it, and until then the site shows what was recorded"
        );
    }
    let paper = set(&store)?;
    let (record, log) = (&store.record, sekisho_anchor::tiles(&dir));
    let files = site::build(&Source { record, key: store.verifier(), log: &log, paper: &paper })?;
    site::write(&files, out, edited)?;
    let (files, versions, leaves) = (files.len(), record.versions.len(), record.entries.len());
    say!("{}: {files} files, {versions} versions, {leaves} leaves", out.display());
    say!("key: {}", store.verifier());
    Ok(Done::Yes)
}

/// Every version as PDF, where the executable is there; without it the site is built without.
fn set(store: &Store) -> Result<Files> {
    let mut files = Files::new();
    let Some(firm) = &store.record.firm else { return Ok(files) };
    for (path, document) in store.record.versions.iter().flat_map(|version| site::paper::documents(firm, version)) {
        let Some(pdf) = paper::pdf(&serde_json::to_vec(&document)?)? else {
            tell!("warning: there is no `{}`, so the site has no PDF: {}", paper::PDF, paper::INSTALL);
            return Ok(Files::new());
        };
        files.insert(path, pdf);
    }
    Ok(files)
}

pub(super) fn list(place: &Place) -> Result<Done> {
    let store = place.store()?;
    for (leaf, entry) in store.record.entries.iter().enumerate() {
        let operator = store.operator(leaf).unwrap_or("-");
        let what = match entry.kind {
            Kind::Redacted => entry
                .redacts
                .as_ref()
                .map_or_else(String::new, |target| format!(" {} of leaf {}", target.part, target.leaf)),
            _ => String::new(),
        };
        say!("{leaf:>4}  {}  {}{what}  by {operator}  {}", entry.at, entry.kind.name(), entry.document);
    }
    Ok(Done::Yes)
}

pub(super) fn check(dir: &Path, key: &Path) -> Result<Done> {
    let text = std::fs::read_to_string(key).with_context(|| format!("cannot read the key `{}`", key.display()))?;
    let verifying = VerifyingKey::parse(&text).with_context(|| format!("`{}` is no key", key.display()))?;
    let unset = |err: String| Error::Render { path: paper::PDF.to_owned(), reason: err };
    let pdf = |document: &serde_json::Value| {
        let document = serde_json::to_vec(document).map_err(|err| unset(err.to_string()))?;
        paper::pdf(&document).map_err(|err| unset(format!("{err:#}")))
    };
    let found = verify::site(dir, &verifying, &text, &pdf)?;
    say!("{} is whole", dir.display());
    say!("  leaves      {}", found.entries);
    if let Some(last) = found.last {
        say!("  last step   {last}");
    }
    say!("  redactions  {}", found.redactions);
    say!("  files       {}", found.files);
    match (found.pdfs_same, found.pdfs_not_compared) {
        (0, 0) => {}
        (same, 0) => say!("  PDFs        {same}, set anew and the same"),
        (_, unset) => say!("  PDFs        {unset} NOT compared: {}", paper::INSTALL),
    }
    Ok(Done::Yes)
}
