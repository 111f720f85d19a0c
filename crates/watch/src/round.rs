//! One round: the pages that are due are visited, judged and kept.
//!
//! Hosts are visited side by side, the pages of one host one after the other. Judging and keeping happens in one place,
//! in the order in which answers come.

use crate::Error;
use crate::entry::{Check, FirmLog, Hop};
use crate::fetch::{Conditional, Fetcher, HEADER_BYTES_MAX, Outcome, Visit, may_follow};
use crate::http_message::Response;
use crate::sekisho_log::{self, LogFinding, LogSeen};
use crate::store::{Store, page_of};
use crate::verdict::{Known, Seen, Standing, judge};
use crate::watched::WatchedPage;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};
use url::Url;

/// Hosts that are visited at the same time.
pub const HOSTS_MAX: usize = 8;
/// Looks that wait to be kept; visits wait when there are more.
const LOOKS_MAX: usize = 16;
/// After this time a page is fetched whole, whatever the server says of changes.
const FULL_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// Pages that send their reader on with a `meta` refresh, one after the other.
const REFRESHES_MAX: usize = 2;

/// How often.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Between two looks at a page; up to a tenth is added, so that pages do not come in step.
    pub interval: Duration,
}

impl Schedule {
    /// When a page is due next; at once when it was never looked at.
    #[must_use]
    pub fn due(&self, url: &str, page: &WatchedPage) -> Timestamp {
        let Some(last) = &page.last else { return Timestamp::MIN };
        let seed = Sha256::new().chain_update(url).chain_update(page.checks.to_be_bytes()).finalize();
        let jitter = self.interval.mul_f64(f64::from(seed[0]) / 255.0 / 10.0);
        let wait = SignedDuration::try_from(self.interval + jitter).unwrap_or(SignedDuration::MAX);
        last.at.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }
}

/// A visit to be made.
struct Task {
    url: Url,
    conditional: Conditional,
    firm_log: Option<(FirmLog, Option<LogSeen>)>,
}

/// A visit that was made.
struct Look {
    url: Url,
    at: Timestamp,
    visit: Visit,
    firm_log: Option<LogFinding>,
    elapsed: Duration,
}

/// Visits these pages; `told` hears of each as soon as it is kept. `clock` says the time of each look.
pub async fn check(
    store: &mut Store,
    fetcher: &Arc<Fetcher>,
    urls: &[String],
    clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    mut told: impl FnMut(&str, &Check),
) -> Result<(), Error> {
    let mut hosts: BTreeMap<String, Vec<Task>> = BTreeMap::new();
    for url in urls {
        let page = store.state().watched.get(url).ok_or_else(|| Error::NotWatched { url: url.clone() })?;
        let parsed = Url::parse(url).map_err(|err| Error::Url { url: url.clone(), reason: err.to_string() })?;
        let host = parsed.host_str().unwrap_or_default().to_owned();
        let firm_log = page.about.log.clone().map(|log| (log, page.log_seen.clone()));
        let task = Task { url: parsed, conditional: conditional(page, clock()), firm_log };
        hosts.entry(host).or_default().push(task);
    }
    let (send, mut receive) = mpsc::channel(LOOKS_MAX);
    let (turns, clock) = (Arc::new(Semaphore::new(HOSTS_MAX)), Arc::new(clock));
    for tasks in hosts.into_values() {
        let (send, turns, fetcher, clock) = (send.clone(), Arc::clone(&turns), Arc::clone(fetcher), Arc::clone(&clock));
        tokio::spawn(async move {
            // The semaphore is never closed.
            let _turn = turns.acquire().await;
            for task in tasks {
                if send.send(look(&fetcher, task, &*clock).await).await.is_err() {
                    return;
                }
            }
        });
    }
    drop(send);
    while let Some(look) = receive.recv().await {
        let url = look.url.to_string();
        let (look, check) = judged(store, look)?;
        store.keep(look.at, &url, &look.visit.exchanges, check.clone())?;
        told(&url, &check);
    }
    Ok(())
}

/// What the server is told of our last visit: nothing, once a day.
fn conditional(page: &WatchedPage, now: Timestamp) -> Conditional {
    let Some(last) = &page.last else { return Conditional::default() };
    let is_recent = last.full_at.is_some_and(|at| now.duration_since(at) < FULL_EVERY);
    // Only the page that is compared with may be left out of the answer.
    let has_page = matches!(page.standing, Standing::Stands | Standing::Replaced) && last.hops.len() == 1;
    if !is_recent || !has_page {
        return Conditional::default();
    }
    Conditional { etag: last.etag.clone(), last_modified: last.last_modified.clone() }
}

async fn look(fetcher: &Fetcher, task: Task, clock: &(dyn Fn() -> Timestamp + Send + Sync)) -> Look {
    let at = clock();
    let begin = Instant::now();
    let mut visit = fetcher.visit(&task.url, &task.conditional).await;
    for _ in 0..REFRESHES_MAX {
        let Some(target) = refresh_of(&visit) else { break };
        fetcher.go_on(&mut visit, &target, &Conditional::default()).await;
    }
    let elapsed = begin.elapsed();
    let firm_log = match &task.firm_log {
        Some((log, seen)) => Some(sekisho_log::look(fetcher, log, seen.as_ref(), task.url.as_str(), at).await),
        None => None,
    };
    Look { url: task.url, at, visit, firm_log, elapsed }
}

/// Where a page sends its reader at once.
fn refresh_of(visit: &Visit) -> Option<Url> {
    let Outcome::Answer(response, url) = &visit.outcome else { return None };
    let target = page_of(response).refresh.filter(|_| response.status == 200)?;
    url.join(&target).ok().filter(|target| target != url && may_follow(target))
}

/// The verdict on a look, as it is kept.
fn judged(store: &Store, look: Look) -> Result<(Look, Check), Error> {
    let state = store.state();
    let nothing = WatchedPage::default();
    let known = state.known(state.watched.get(look.url.as_str()).unwrap_or(&nothing))?;
    let (seen, response) = seen(&look.visit.outcome, &known);
    let verdict = judge(&known, &seen, look.at);
    let header = |name: &str| {
        let value = response.and_then(|response| response.header(name));
        value.filter(|value| value.len() <= HEADER_BYTES_MAX).map(str::to_owned)
    };
    let hops = look.visit.exchanges.iter().map(|exchange| Hop { url: exchange.url.clone(), status: exchange.status });
    let page = match &seen {
        Seen::Page { page, .. } => Some(page),
        _ => None,
    };
    let check = Check {
        verdict,
        hops: hops.collect(),
        elapsed_ms: u64::try_from(look.elapsed.as_millis()).unwrap_or(u64::MAX),
        text_sha256: page.map(|page| hex::encode(page.sha256)),
        title: page.map(|page| page.title.clone()).unwrap_or_default(),
        etag: header("etag"),
        last_modified: header("last-modified"),
        not_modified: response.is_some_and(|response| response.status == 304),
        firm_log: look.firm_log.clone(),
        records: Vec::new(),
    };
    Ok((look, check))
}

/// What an outcome says of the page.
fn seen<'a>(outcome: &'a Outcome, known: &Known) -> (Seen, Option<&'a Response>) {
    let (response, url) = match outcome {
        Outcome::NotAllowed => return (Seen::NotAllowed, None),
        Outcome::Failed(reason) => return (Seen::Unreachable { reason: reason.clone() }, None),
        Outcome::Answer(response, url) => (response, url.to_string()),
    };
    let seen = match response.status {
        200..300 => Seen::Page { page: page_of(response), url },
        304 => match known.instead.as_ref().or(known.notice.as_ref()) {
            Some(last) => Seen::Page { page: last.page.clone(), url: last.url.clone() },
            None => Seen::Unreachable { reason: "status 304 without being asked for it".to_owned() },
        },
        status @ (404 | 410) => Seen::NotThere { status },
        status => Seen::Unreachable { reason: format!("the server answers with status {status}") },
    };
    (seen, Some(response))
}

#[cfg(test)]
mod tests;
