//! What accounts were shown before this process began, read from the ledger: a restart forgives nobody.
//!
//! The ledger holds whose each session was and what it was shown, and is the evidence in any case; a second store of
//! the same could disagree with it. It is read once at the start, only where accounts are watched at all.

use anyhow::{Context, Result};
use sekisho_edm::HashKey;
use sekisho_gateway::config::Route;
use sekisho_gateway::inspect::RouteClass;
use sekisho_gateway::inspect::watch::{AccountKind, Watch, WatchRules};
use sekisho_ledger::{Reader, RealDisk};
use sekisho_model::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest window of a budget.
const PAST: Duration = Duration::from_secs(30 * 24 * 3600);

/// The watch with its past; `None` when no account is watched.
pub(crate) fn watch(
    (rules, routes): (&WatchRules, &[Route]),
    ledger: &Path,
    key: &HashKey,
    now: Timestamp,
) -> Result<Option<Watch>> {
    if rules.staff.is_none() && rules.partner.is_none() && rules.accounts.is_empty() {
        return Ok(None);
    }
    let begun = Instant::now();
    let mut watch = Watch::new(rules.clone(), |name| key.account(name));
    let from = Timestamp(now.0 - i64::try_from(PAST.as_micros()).unwrap_or(i64::MAX));
    let cannot = || format!("cannot read the ledger `{}`", ledger.display());
    let reader = Reader::open(ledger, Arc::new(RealDisk)).with_context(cannot)?;
    let mut rows = 0_u64;
    let read = |row: sekisho_ledger::ShownRow| {
        rows += 1;
        watch.recall(row.at, row.account, kind(routes, &row.route), row.subject);
    };
    reader.shown(from, read).with_context(cannot)?;
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(rows, took_ms, "read from the ledger what accounts were shown");
    Ok(Some(watch))
}

/// What an account is on the route of this name. A route without a name is called by its path in the ledger.
fn kind(routes: &[Route], name: &str) -> AccountKind {
    let is_this = |route: &&Route| match &route.name {
        Some(known) => known == name,
        None => route.path_prefix.trim_end_matches('/') == name.trim_end_matches('/'),
    };
    match routes.iter().find(is_this).map(|route| route.rules.class) {
        Some(RouteClass::Partner) => AccountKind::Partner,
        _ => AccountKind::Staff,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sekisho_gateway::inspect::watch::{Budget, Case, Reading};
    use sekisho_ledger::{Ledger, Options};
    use sekisho_model::*;

    fn shows(sequence: u64, at: Timestamp, session: SessionKey) -> [Record; 2] {
        let transaction = Transaction {
            at,
            client: [192, 0, 2, 1].into(),
            client_key: [0; 16],
            session: Some(session),
            route: "/staff".into(),
            method: "GET".into(),
            status: 200,
        };
        let subject = Subject { register: RegisterId(0), id: SubjectId(u32::try_from(sequence).expect("small")) };
        let exposures = vec![Exposure { subject, fields: FieldSet(1), reflected: FieldSet::EMPTY }];
        let span = ByteRange { start: 0, end: 1 };
        [
            Record::Opened(Opened { sequence, transaction }),
            Record::Exposed(Exposed { sequence, at, span, exposures, generic: Vec::new() }),
        ]
    }

    /// An account reads up to its budget, the gateway restarts, and one customer more is too many.
    #[test]
    fn a_restart_forgives_nobody() {
        let directory = tempfile::tempdir().expect("a directory");
        let (session, key) = (SessionKey([4; 16]), HashKey::new([7; 16]));
        let now = SystemClock::new().now();
        let signing = sekisho_tlog::SigningKey::from_seed("test.example/ledger", &[3; 32]).expect("a key");
        let (ledger, _) = Ledger::open(Options::new(directory.path(), signing)).expect("a ledger");
        let account = key.account("ito");
        ledger
            .append(Record::Bound(Bound { at: now, session, subjects: Vec::new(), by: None, account: Some(account) }))
            .expect("accepted");
        for record in (1..=20).flat_map(|sequence| shows(sequence, now, session)) {
            ledger.append(record).expect("accepted");
        }
        ledger.close().expect("it closes");

        let staff = Some(Budget { subjects_per_hour_max: Some(20), ..Budget::default() });
        let past = |rules| watch((&rules, &[]), directory.path(), &key, now).expect("readable");
        assert!(past(WatchRules::default()).is_none(), "nobody is watched");
        let mut watch = past(WatchRules { staff, ..WatchRules::default() }).expect("a watch");
        let reading = Reading {
            at: now,
            client: [192, 0, 2, 1].into(),
            session: Some(session),
            account: Some(account),
            kind: AccountKind::Staff,
            person: None,
            route: "/staff",
            case: Case::NotAsked,
        };
        let subject = |id| Subject { register: RegisterId(0), id: SubjectId(id) };
        assert_eq!(watch.note(&reading, &[subject(20)]), [], "one that it had read");
        let alerts = watch.note(&reading, &[subject(21)]);
        assert_eq!(alerts.iter().map(|alert| alert.count).collect::<Vec<_>>(), [21]);
    }
}
