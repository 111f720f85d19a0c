//! The public log of a firm that runs Sekisho: whether what is published now is what was published then.
//!
//! What is expected below the base address: `log/checkpoint` and `log/tile/…` (C2SP tlog-tiles) and `site.json`, a list
//! of documents with the leaf and SHA-256 of each. How a leaf names its document is in [`leaf_names`] alone.
//! The state that was believed last is kept by the caller, with the signed checkpoint itself: two signed checkpoints
//! that exclude each other are proof by themselves.

use crate::entry::FirmLog;
use crate::fetch::Fetcher;
use jiff::Timestamp;
use sekisho_tlog::{Checkpoint, TilePath, VerifyingKey, proof, tree};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use url::Url;

/// Documents of a site that are compared; more are left out, and the finding says so.
pub const DOCUMENTS_MAX: usize = 200;
/// Tiles that are fetched for one look.
const TILES_MAX: usize = 400;
/// Bytes of a document, an index or a bundle of entries.
const FILE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What a look at a firm's log found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFinding {
    /// The word for it.
    pub state: LogState,
    /// In words.
    pub detail: String,
    /// Documents that are in the log as they are published.
    pub documents_matching: usize,
    /// The state to compare with next time; only when it was believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<LogSeen>,
    /// The signed checkpoint that contradicts the one believed before: with that one it is proof by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contradicting_note: Option<String>,
}

/// The words, in the order in which they are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogState {
    /// It could not be read.
    Unreachable,
    /// Its signature does not verify, or it is malformed.
    Invalid,
    /// It is smaller than it was.
    Rollback,
    /// It has another past than it had.
    Fork,
    /// A document is not the one that was logged.
    Altered,
    /// A document is not in the log.
    NotInLog,
    /// The checkpoint is older than the site promises.
    Stale,
    /// Everything is as logged.
    Match,
}

/// A checkpoint that was believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSeen {
    /// Leaves.
    pub size: u64,
    /// The root, in hexadecimal.
    pub root: String,
    /// When it was first seen.
    pub since: Timestamp,
    /// The signed note.
    pub note: String,
}

/// `site.json`.
#[derive(Debug, Deserialize)]
struct Site {
    format: String,
    documents: Vec<Document>,
    /// A promise: a new checkpoint at least this often.
    #[serde(default)]
    checkpoint_every_s: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
struct Document {
    path: String,
    leaf: u64,
    sha256: String,
}

const SITE_FORMAT: &str = "sekisho-disclosure/1";

/// Whether a log entry is that of a document: it is the document, or says the document's hash in hexadecimal.
fn leaf_names(entry: &[u8], sha256: &str) -> bool {
    hex::encode(Sha256::digest(entry)) == sha256
        || (sha256.len() == 64 && crate::warc::find(entry, sha256.as_bytes()).is_some())
}

/// Looks at a firm's log. `seen` is the state believed last, `page` the watched address.
pub(crate) async fn look(
    fetcher: &Fetcher,
    log: &FirmLog,
    seen: Option<&LogSeen>,
    page: &str,
    now: Timestamp,
) -> LogFinding {
    let mut finding = LogFinding {
        state: LogState::Match,
        detail: String::new(),
        documents_matching: 0,
        seen: None,
        contradicting_note: None,
    };
    if let Err((state, detail)) = walk(fetcher, log, seen, page, now, &mut finding).await {
        finding.state = state;
        finding.detail = detail;
    }
    finding
}

type Found<T> = Result<T, (LogState, String)>;

fn unreachable(detail: String) -> (LogState, String) {
    (LogState::Unreachable, detail)
}

fn invalid(err: impl std::fmt::Display) -> (LogState, String) {
    (LogState::Invalid, err.to_string())
}

async fn walk(
    fetcher: &Fetcher,
    log: &FirmLog,
    seen: Option<&LogSeen>,
    page: &str,
    now: Timestamp,
    finding: &mut LogFinding,
) -> Found<()> {
    let base = Url::parse(&log.base).map_err(invalid)?;
    let key = VerifyingKey::parse(&log.key).map_err(invalid)?;
    let mut remote = Remote { fetcher, base, have: BTreeMap::new() };
    let note = remote.file("log/checkpoint").await.map_err(unreachable)?;
    let checkpoint = Checkpoint::open(&note, &key).map_err(invalid)?;
    let note = String::from_utf8_lossy(&note).into_owned();
    if let Err((state, detail)) = remote.continues(seen, &checkpoint).await {
        let contradicts = matches!(state, LogState::Rollback | LogState::Fork);
        finding.contradicting_note = contradicts.then_some(note);
        return Err((state, detail));
    }
    let root = hex::encode(checkpoint.root.0);
    let is_same = seen.is_some_and(|seen| seen.size == checkpoint.size && seen.root == root);
    let since = seen.filter(|_| is_same).map_or(now, |seen| seen.since);
    finding.seen = Some(LogSeen { size: checkpoint.size, root, since, note });

    let site = remote.file("site.json").await.map_err(unreachable)?;
    let site: Site = serde_json::from_slice(&site).map_err(invalid)?;
    if site.format != SITE_FORMAT {
        return Err(invalid(format!("site.json has the format `{}`, not `{SITE_FORMAT}`", site.format)));
    }
    if let Some(path) = page.strip_prefix(remote.base.as_str()).filter(|path| path.ends_with(".json"))
        && !site.documents.iter().any(|document| document.path == path)
    {
        return Err((LogState::NotInLog, format!("`{path}` is not among the site's documents")));
    }
    for document in site.documents.iter().take(DOCUMENTS_MAX) {
        remote.compare(document, &checkpoint).await?;
        finding.documents_matching += 1;
    }
    let age_s = now.as_second() - since.as_second();
    if let Some(promised_s) = site.checkpoint_every_s.filter(|promised_s| age_s > *promised_s) {
        let detail = format!("the same checkpoint since {age_s} s; one every {promised_s} s is promised");
        return Err((LogState::Stale, detail));
    }
    let left = site.documents.len().saturating_sub(DOCUMENTS_MAX);
    finding.detail = match left {
        0 => format!("{} entries", checkpoint.size),
        left => format!("{} entries; {left} documents not compared", checkpoint.size),
    };
    Ok(())
}

/// The files below the base address, fetched as they are needed.
struct Remote<'a> {
    fetcher: &'a Fetcher,
    base: Url,
    have: BTreeMap<String, Vec<u8>>,
}

impl Remote<'_> {
    async fn file(&mut self, path: &str) -> Result<Vec<u8>, String> {
        let url = self.base.join(path).map_err(|err| err.to_string())?;
        if !url.as_str().starts_with(self.base.as_str()) {
            return Err(format!("`{path}` leads away from the site"));
        }
        self.fetcher.file(&url, FILE_BYTES_MAX).await
    }

    /// The log must be the one that was seen, or have grown out of it.
    async fn continues(&mut self, seen: Option<&LogSeen>, checkpoint: &Checkpoint) -> Found<()> {
        let Some(seen) = seen else { return Ok(()) };
        let (size, size_seen) = (checkpoint.size, seen.size);
        if size < size_seen {
            return Err((LogState::Rollback, format!("the log had {size_seen} entries, and has {size}")));
        }
        let root = hex::decode(&seen.root).ok().and_then(|root| <[u8; 32]>::try_from(root).ok());
        let root = sekisho_tlog::Hash(root.ok_or_else(|| invalid("the root seen last cannot be read"))?);
        let proof = self.prove(|read| proof::prove_consistency(size_seen, size, read)).await;
        let verified = match &proof {
            Ok(proof) => proof::verify_consistency(proof, size, checkpoint.root, size_seen, root),
            Err(detail) => return Err(unreachable(detail.clone())),
        };
        verified.map_err(|_| {
            (LogState::Fork, format!("its first {size_seen} entries are not those that were signed before"))
        })
    }

    async fn compare(&mut self, document: &Document, checkpoint: &Checkpoint) -> Found<()> {
        let Document { path, leaf, sha256 } = document;
        let body = self.file(path).await.map_err(unreachable)?;
        if hex::encode(Sha256::digest(&body)) != *sha256 {
            return Err((LogState::Altered, format!("`{path}` is not the document that the site lists")));
        }
        let size = checkpoint.size;
        let not_in_log = |why: &str| (LogState::NotInLog, format!("`{path}`: {why}"));
        let number = leaf / sekisho_tlog::TILE_WIDTH;
        let Some(tile) = TilePath::in_log(None, number, size).filter(|_| *leaf < size) else {
            return Err(not_in_log(&format!("leaf {leaf} is beyond the log's {size} entries")));
        };
        let bundle = self.tile(&tile.to_string()).await.map_err(unreachable)?;
        let entries = tree::parse_bundle(&tile, &bundle).map_err(invalid)?;
        let at = usize::try_from(leaf % sekisho_tlog::TILE_WIDTH).unwrap_or(usize::MAX);
        let entry = *entries.get(at).ok_or_else(|| not_in_log("its leaf is missing"))?;
        if !leaf_names(entry, sha256) {
            return Err((LogState::Altered, format!("`{path}` is not the document of leaf {leaf}")));
        }
        let proof = self.prove(|read| proof::prove_inclusion(*leaf, size, read)).await.map_err(unreachable)?;
        proof::verify_inclusion(&proof, size, checkpoint.root, *leaf, sekisho_tlog::leaf_hash(entry))
            .map_err(|_| not_in_log("its leaf is not under the signed root"))
    }

    async fn tile(&mut self, path: &str) -> Result<Vec<u8>, String> {
        if let Some(bytes) = self.have.get(path) {
            return Ok(bytes.clone());
        }
        if self.have.len() >= TILES_MAX {
            return Err(format!("more than {TILES_MAX} tiles would be needed"));
        }
        let bytes = self.file(&format!("log/{path}")).await?;
        self.have.insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }

    /// Asks for a proof until every tile that it needs is there.
    async fn prove<T>(
        &mut self,
        ask: impl Fn(&dyn Fn(&str) -> io::Result<Vec<u8>>) -> Result<T, sekisho_tlog::Error>,
    ) -> Result<T, String> {
        loop {
            let missing = match attempt(&self.have, &ask) {
                Ok(proof) => return Ok(proof),
                Err((err, missing)) if missing.is_empty() => return Err(err.to_string()),
                Err((_, missing)) => missing,
            };
            for path in missing {
                self.tile(&path).await?;
            }
        }
    }
}

/// The proof, or the tiles that were missed.
fn attempt<T>(
    have: &BTreeMap<String, Vec<u8>>,
    ask: impl Fn(&dyn Fn(&str) -> io::Result<Vec<u8>>) -> Result<T, sekisho_tlog::Error>,
) -> Result<T, (sekisho_tlog::Error, BTreeSet<String>)> {
    let missing = RefCell::new(BTreeSet::new());
    let read = |path: &str| {
        have.get(path).cloned().ok_or_else(|| {
            missing.borrow_mut().insert(path.to_owned());
            io::Error::from(io::ErrorKind::NotFound)
        })
    };
    ask(&read).map_err(|err| (err, missing.take()))
}

#[cfg(test)]
mod tests;
