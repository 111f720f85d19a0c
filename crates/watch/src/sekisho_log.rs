//! The public log of a firm that runs Sekisho: whether what is published now is what was published then.
//!
//! What is expected below the base address: `log/checkpoint` and `log/tile/…` (C2SP tlog-tiles), and for each leaf
//! `documents/<hash>.json` (see [`sekisho_anchor::document`]). Nothing else of the site is believed. Such a log has a few
//! dozen leaves, so all of them are read: the signed root and the one believed before are computed from them.
//! The state that was believed last is kept by the caller, with the signed checkpoint itself: two signed checkpoints
//! that exclude each other are proof by themselves.

use crate::entry::FirmLog;
use crate::fetch::Fetcher;
use jiff::Timestamp;
use sekisho_anchor::document::{DOCUMENT_BYTES_MAX, Document};
use sekisho_tlog::{Checkpoint, TilePath, Tree, VerifyingKey, tree};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use url::Url;

/// Leaves of a log; a larger one is not looked into, and the finding says so.
pub const LEAVES_MAX: u64 = 10_000;
/// Documents that are compared, those of the newest leaves; the others are left out, and the finding says so.
pub const DOCUMENTS_MAX: usize = 200;
/// Bytes of a checkpoint; a larger one is not believed. It is kept with the finding, and has to fit there.
const NOTE_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a bundle of leaves.
const FILE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What the leaves of a disclosure call themselves.
const LEAF_FORMAT: &str = "sekisho-disclosure-entry/2";
/// The part of a document that is never shown: who did the step.
const OPERATOR: &str = "operator";

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
    /// A document is not the one that was logged, or is gone, or withholds a part without a step that says so.
    Altered,
    /// A document is not in the log.
    NotInLog,
    /// An update was promised, and did not come in time.
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

/// What is read of a leaf.
#[derive(Debug, Deserialize)]
struct Leaf {
    format: String,
    kind: String,
    document: String,
    redacts: Option<Target>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Target {
    leaf: usize,
    part: String,
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
    let remote = Remote { fetcher, base };
    let note = remote.file("log/checkpoint", NOTE_BYTES_MAX).await.map_err(unreachable)?;
    let note = note.ok_or_else(|| unreachable("there is no `log/checkpoint`".to_owned()))?;
    let checkpoint = Checkpoint::open(&note, &key).map_err(invalid)?;
    let note = String::from_utf8_lossy(&note).into_owned();
    let leaves = match remote.leaves(seen, &checkpoint).await {
        Ok(leaves) => leaves,
        Err((state, detail)) => {
            let contradicts = matches!(state, LogState::Rollback | LogState::Fork);
            finding.contradicting_note = contradicts.then_some(note);
            return Err((state, detail));
        }
    };
    let root = hex::encode(checkpoint.root.0);
    let is_same = seen.is_some_and(|seen| seen.size == checkpoint.size && seen.root == root);
    let since = seen.filter(|_| is_same).map_or(now, |seen| seen.since);
    finding.seen = Some(LogSeen { size: checkpoint.size, root, since, note });

    let leaf = |leaf: &Vec<u8>| serde_json::from_slice::<Leaf>(leaf).ok().filter(|leaf| leaf.format == LEAF_FORMAT);
    let leaves: Vec<Option<Leaf>> = leaves.iter().map(leaf).collect();
    let unknown = leaves.iter().filter(|leaf| leaf.is_none()).count();
    let named: BTreeSet<String> = leaves.iter().flatten().map(|leaf| path_of(&leaf.document)).collect();
    if let Some(path) = page.strip_prefix(remote.base.as_str()).filter(|path| path.starts_with("documents/"))
        && !named.contains(path)
    {
        return Err((LogState::NotInLog, format!("no leaf names `{path}`")));
    }
    let redacted: BTreeSet<&Target> = leaves.iter().flatten().filter_map(|leaf| leaf.redacts.as_ref()).collect();
    let mut promised = None;
    let skipped = leaves.len().saturating_sub(DOCUMENTS_MAX);
    for (number, leaf) in leaves.iter().enumerate().skip(skipped) {
        let Some(leaf) = leaf else { continue };
        let document = remote.document(number, leaf, &redacted).await?;
        finding.documents_matching += 1;
        match leaf.kind.as_str() {
            "published" | "updated" => promised = next_update(&document),
            "withdrawn" => promised = None,
            _ => {}
        }
    }
    if let Some(promised) = promised.filter(|promised| *promised < now) {
        return Err((LogState::Stale, format!("an update was promised by {promised}, and did not come")));
    }
    finding.detail = format!("{} entries", checkpoint.size);
    if skipped > 0 {
        finding.detail.push_str(&format!("; {skipped} older documents not compared"));
    }
    if unknown > 0 {
        finding.detail.push_str(&format!("; {unknown} of a format that is not known here"));
    }
    Ok(())
}

fn path_of(document: &str) -> String {
    format!("documents/{document}.json")
}

/// When the notice says that more is told.
fn next_update(notice: &Document) -> Option<Timestamp> {
    let (_, value) = notice.shown().find(|(name, _)| *name == "next_update")?;
    value.as_str()?.parse().ok()
}

/// The files below the base address.
struct Remote<'a> {
    fetcher: &'a Fetcher,
    base: Url,
}

impl Remote<'_> {
    /// A file; `None` when the site says that it is not there.
    async fn file(&self, path: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, String> {
        let url = self.base.join(path).map_err(|err| err.to_string())?;
        if !url.as_str().starts_with(self.base.as_str()) {
            return Err(format!("`{path}` leads away from the site"));
        }
        self.fetcher.file(&url, bytes_max).await
    }

    /// All leaves, under the signed root and grown out of what was seen.
    async fn leaves(&self, seen: Option<&LogSeen>, checkpoint: &Checkpoint) -> Found<Vec<Vec<u8>>> {
        let size = checkpoint.size;
        if let Some(seen) = seen.filter(|seen| size < seen.size) {
            return Err((LogState::Rollback, format!("the log had {} entries, and has {size}", seen.size)));
        }
        if size > LEAVES_MAX {
            return Err(invalid(format!("the log has {size} entries; more than {LEAVES_MAX} are not looked into")));
        }
        let mut tree = Tree::new();
        let mut leaves = Vec::new();
        let is_past =
            |tree: &Tree| seen.is_none_or(|seen| tree.size() != seen.size || hex::encode(tree.root().0) == seen.root);
        for number in 0.. {
            let Some(tile) = TilePath::in_log(None, number, size) else { break };
            let bundle = self.file(&format!("log/{tile}"), FILE_BYTES_MAX).await.map_err(unreachable)?;
            let bundle = bundle.ok_or_else(|| unreachable(format!("there is no `log/{tile}`")))?;
            for leaf in tree::parse_bundle(&tile, &bundle).map_err(invalid)? {
                tree.append(leaf).map_err(invalid)?;
                leaves.push(leaf.to_vec());
                if !is_past(&tree) {
                    let detail = format!("its first {} entries are not those that were signed before", tree.size());
                    return Err((LogState::Fork, detail));
                }
            }
        }
        match tree.root() == checkpoint.root && tree.size() == size {
            true => Ok(leaves),
            false => Err(invalid("its entries do not give the root that was signed")),
        }
    }

    /// The document of a leaf, as it is published.
    async fn document(&self, number: usize, leaf: &Leaf, redacted: &BTreeSet<&Target>) -> Found<Document> {
        let path = path_of(&leaf.document);
        let altered = |why: String| (LogState::Altered, format!("leaf {number}: `{path}` {why}"));
        let body = self.file(&path, DOCUMENT_BYTES_MAX).await.map_err(unreachable)?;
        let body = body.ok_or_else(|| altered("is gone".to_owned()))?;
        let document = Document::parse(&body).map_err(|err| altered(format!("cannot be read: {err}")))?;
        if document.hash() != leaf.document || document.kind() != leaf.kind {
            return Err(altered("is not the document that was logged".to_owned()));
        }
        let may_be =
            |part: &&str| *part == OPERATOR || redacted.contains(&Target { leaf: number, part: (*part).to_owned() });
        let unsaid = document.withheld().find(|part| !may_be(part)).map(str::to_owned);
        match unsaid {
            None => Ok(document),
            Some(part) => Err(altered(format!("withholds `{part}`, and no step says so"))),
        }
    }
}

#[cfg(test)]
mod tests;
