//! What accounts of staff and partners were shown: the past of those who are watched, after a restart.

use super::{Filter, Finding, Reader, Snapshot};
use crate::Error;
use crate::seal::part_path;
use crate::segment::{self, Part};
use sekisho_model::{AccountKey, Bound, Record, ResponseId, SessionKey, Subject, Timestamp};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// How long before it was used a session may have been bound.
const BOUND_BEFORE_MAX: Duration = Duration::from_secs(48 * 3600);

/// A person's fields that left to a session of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownRow {
    /// When it was found.
    pub at: Timestamp,
    /// The account that the session belonged to then.
    pub account: AccountKey,
    /// The route's name.
    pub route: String,
    /// Whose.
    pub subject: Subject,
}

/// Whose sessions are, as far as they ever were an account's.
#[derive(Debug, Default)]
struct Accounts {
    by_session: HashMap<SessionKey, Vec<(Timestamp, Option<AccountKey>)>>,
}

impl Reader {
    /// What accounts were shown from a time on: the oldest sealed rows first, each file's in the order of time, then the
    /// log's in theirs. Echoes are left out.
    pub fn shown(&self, from: Timestamp, mut each: impl FnMut(ShownRow)) -> Result<(), Error> {
        let snapshot = self.snapshot()?;
        let filter = Filter { from: Some(from), ..Filter::default() };
        let accounts = self.accounts(&snapshot, &filter.around(BOUND_BEFORE_MAX))?;
        if accounts.by_session.is_empty() {
            return Ok(());
        }
        let mut segments: Vec<_> = snapshot.segments(&filter).collect();
        segments.sort_by_key(|segment| segment.from);
        for segment in segments {
            let mut rows = Vec::new();
            let path = part_path(&self.dir, segment, Part::Findings);
            let is_wanted = |session: SessionKey| accounts.by_session.contains_key(&session);
            segment::shown(&*self.disk, &path, &filter, &is_wanted, &mut |at, session, route, subject| {
                rows.extend(accounts.row(at, session, route, subject));
            })?;
            rows.sort_by_key(|row| row.at);
            rows.into_iter().for_each(&mut each);
        }
        let mut open = self.carried(&snapshot.manifest)?;
        snapshot.log_records(&mut |source, record| {
            open.follow(source, &record);
            let Record::Exposed(exposed) = record else { return };
            let transaction = open.transaction(ResponseId { source, sequence: exposed.sequence });
            let Some(transaction) = transaction.filter(|_| filter.covers(exposed.at)) else { return };
            let Some(session) = transaction.session else { return };
            let left = exposed.exposures.iter().filter(|exposure| !exposure.fields.is_empty());
            left.filter_map(|exposure| accounts.row(exposed.at, session, &transaction.route, exposure.subject))
                .for_each(&mut each);
        })
    }

    /// The sessions that were ever this account's.
    pub fn sessions_of(&self, account: AccountKey) -> Result<BTreeSet<SessionKey>, Error> {
        let snapshot = self.snapshot()?;
        let accounts = self.accounts(&snapshot, &Filter::default())?;
        let is_its =
            |bounds: &[(Timestamp, Option<AccountKey>)]| bounds.iter().any(|(_, bound)| *bound == Some(account));
        Ok(accounts.by_session.iter().filter(|(_, bounds)| is_its(bounds)).map(|(session, _)| *session).collect())
    }

    fn accounts(&self, snapshot: &Snapshot, around: &Filter) -> Result<Accounts, Error> {
        let mut accounts = Accounts::default();
        let mut segments: Vec<_> = snapshot.segments(around).collect();
        segments.sort_by_key(|segment| segment.from);
        for segment in segments {
            let path = part_path(&self.dir, segment, Part::Events);
            segment::events(&*self.disk, &path, &|kind| kind == "bound", &mut |_, _, record| accounts.follow(&record))?;
        }
        snapshot.log_records(&mut |_, record| accounts.follow(&record))?;
        Ok(accounts)
    }
}

impl Accounts {
    fn follow(&mut self, record: &Record) {
        let Record::Bound(Bound { at, session, account, .. }) = record else { return };
        // Most sessions are customers' and never an account's.
        if account.is_some() || self.by_session.contains_key(session) {
            self.by_session.entry(*session).or_default().push((*at, *account));
        }
    }

    fn row(&self, at: Timestamp, session: SessionKey, route: &str, subject: Subject) -> Option<ShownRow> {
        let bound = self.by_session.get(&session)?.iter().rev().find(|(since, _)| *since <= at)?;
        Some(ShownRow { at, account: bound.1?, route: route.to_owned(), subject })
    }
}

/// Whether a finding is a person's, and not only an echo.
pub(crate) fn left(found: &Finding) -> Option<Subject> {
    match found {
        Finding::Person(exposure) if !exposure.fields.is_empty() => Some(exposure.subject),
        Finding::Person(_) | Finding::Value(_) => None,
    }
}
