//! Adds up which sessions persons' fields went to, so that one can be asked about by its hash.

use crate::answer::SessionAnswer;
use sekisho_model::{SessionKey, Timestamp};
use std::collections::HashMap;

/// Sessions that are kept; those that come later are counted by their findings.
const KEPT_MAX: usize = 100_000;
/// Sessions that an answer lists, those with the most findings; of the others it tells how many findings they had.
pub(crate) const SESSIONS_MAX: usize = 1000;

/// Sessions so far.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    kept: HashMap<SessionKey, Seen>,
    findings_more: u64,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    findings: u64,
    first: Timestamp,
    last: Timestamp,
}

impl Sessions {
    /// A person's fields went to this session.
    pub(crate) fn add(&mut self, session: SessionKey, at: Timestamp) {
        let is_full = self.kept.len() >= KEPT_MAX;
        match self.kept.get_mut(&session) {
            Some(seen) => {
                *seen = Seen { findings: seen.findings + 1, first: seen.first.min(at), last: seen.last.max(at) };
            }
            None if is_full => self.findings_more += 1,
            None => drop(self.kept.insert(session, Seen { findings: 1, first: at, last: at })),
        }
    }

    /// Those with the most findings, and the findings of all others.
    pub(crate) fn told(self) -> (Vec<SessionAnswer>, u64) {
        let mut sessions: Vec<(SessionKey, Seen)> = self.kept.into_iter().collect();
        sessions.sort_by_key(|(session, seen)| (std::cmp::Reverse(seen.findings), *session));
        let more = sessions.iter().skip(SESSIONS_MAX).map(|(_, seen)| seen.findings).sum::<u64>();
        sessions.truncate(SESSIONS_MAX);
        let told = sessions.into_iter().map(|(session, seen)| SessionAnswer {
            session: session.to_string(),
            findings: seen.findings,
            first: seen.first,
            last: seen.last,
        });
        (told.collect(), self.findings_more + more)
    }
}
