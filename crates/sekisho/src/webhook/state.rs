//! Which decisions were told already. Everything else of the queue is in the ledger: what was decided since then and does not
//! stand here is told again after a restart, under the same id.

use crate::files;
use anyhow::{Context, Result};
use sekisho_model::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How far a clock may step back without a decision being left out.
const MARGIN: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    kept: Kept,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Everything decided before was told, in microseconds since 1970.
    since_us: i64,
    /// Told, or given up, of what was decided since: its id, and when it was decided.
    told: BTreeMap<String, i64>,
}

impl State {
    /// Reads it; without a file nothing from before `now` is told.
    pub(super) fn open(path: PathBuf, now: Timestamp) -> Result<State> {
        match std::fs::read(&path) {
            Ok(bytes) => {
                let cannot = || format!("cannot read `{}`: remove it to tell of new decisions only", path.display());
                let kept = serde_json::from_slice(&bytes).with_context(cannot)?;
                Ok(State { path, kept })
            }
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
                let state = State { path, kept: Kept { since_us: now.0, told: BTreeMap::new() } };
                state.write()?;
                Ok(state)
            }
            Err(err) => Err(err).with_context(|| format!("cannot read `{}`", path.display())),
        }
    }

    pub(super) fn since(&self) -> Timestamp {
        Timestamp(self.kept.since_us)
    }

    pub(super) fn has_told(&self, id: &str) -> bool {
        self.kept.told.contains_key(id)
    }

    /// It need not be told again; `oldest` is when the oldest one was decided that still must be.
    pub(super) fn tell(&mut self, id: &str, decided: Timestamp, oldest: Option<Timestamp>) -> Result<()> {
        self.kept.told.insert(id.to_owned(), decided.0);
        let all_until = oldest.map_or(decided.0, |oldest| oldest.0.min(decided.0));
        let margin = i64::try_from(MARGIN.as_micros()).unwrap_or(i64::MAX);
        let since_us = self.kept.since_us.max(all_until.saturating_sub(margin));
        self.kept.since_us = since_us;
        self.kept.told.retain(|_, decided| *decided >= since_us);
        self.write()
    }

    fn write(&self) -> Result<()> {
        let cannot = || format!("cannot write `{}`", self.path.display());
        let parent = self.path.parent().unwrap_or(Path::new("."));
        files::private_directory(parent).with_context(cannot)?;
        let bytes = serde_json::to_vec(&self.kept)?;
        files::replace_private(&self.path, |out| out.write_all(&bytes)).with_context(cannot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(1_700_000_000_000_000 + seconds * 1_000_000)
    }

    #[test]
    fn what_was_told_is_remembered_for_as_long_as_the_ledger_is_asked_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/webhook.json");
        let mut state = State::open(path.clone(), at(0)).unwrap();
        assert_eq!(state.since(), at(0), "what was decided before is old");
        state.tell("one", at(100), Some(at(50))).unwrap();
        let mut state = State::open(path.clone(), at(999)).unwrap();
        assert!(state.has_told("one") && !state.has_told("two"));
        assert_eq!(state.since(), at(0), "one of 50 s still waits; a minute before it");
        state.tell("two", at(500), None).unwrap();
        let state = State::open(path, at(999)).unwrap();
        assert_eq!(state.since(), at(440));
        assert!(state.has_told("two") && !state.has_told("one"), "the ledger is not asked for it any more");
    }
}
