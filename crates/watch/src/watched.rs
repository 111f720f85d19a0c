//! What is known of each watched page: a fold of the log's entries.
//!
//! Pure. Nothing here is stored: it is computed each time the log is opened.

use crate::entry::{About, Check, Entry, Event, Hop, RecordRef};
use crate::sekisho_log::{LogFinding, LogSeen};
use crate::verdict::{Standing, Verdict};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// All pages, by their address.
#[derive(Clone, Debug, Default)]
pub struct Watched(BTreeMap<String, WatchedPage>);

/// One page and its history.
#[derive(Clone, Debug, Default)]
pub struct WatchedPage {
    /// What the operator said of it.
    pub about: About,
    /// Still watched?
    pub is_watched: bool,
    /// A time in its history was given by hand: it is no evidence.
    pub has_given_time: bool,
    /// How the notice stands, apart from outages.
    pub standing: Standing,
    /// Since when it stands; since when it has been gone.
    pub since: Option<Timestamp>,
    /// Since when nothing was reached.
    pub unreachable_since: Option<Timestamp>,
    /// Looks at it that asked for an answer.
    pub checks: u64,
    /// Those that got one.
    pub reached: u64,
    /// The last look.
    pub last: Option<LastCheck>,
    /// Everything that happened: verdicts other than `unchanged`, an outage once.
    pub history: Vec<Happened>,
    /// Times without an answer.
    pub outages: Vec<Outage>,
    /// What the firm's own log said last.
    pub firm_log: Option<LogFinding>,
    /// The state of the firm's log that was believed last.
    pub(crate) log_seen: Option<LogSeen>,
    /// Where the notice and what stands instead were archived.
    pub(crate) notice: Option<Kept>,
    pub(crate) instead: Option<Kept>,
    /// All archived texts of the notice, oldest first.
    pub(crate) versions: Vec<Kept>,
}

/// An archived page.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) record: RecordRef,
    pub(crate) url: String,
    pub(crate) at: Timestamp,
}

/// The last look at a page.
#[derive(Clone, Debug)]
pub struct LastCheck {
    /// When.
    pub at: Timestamp,
    /// The word for it.
    pub verdict: &'static str,
    /// The last time that the server sent the page again.
    pub(crate) full_at: Option<Timestamp>,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    pub(crate) hops: Vec<Hop>,
}

/// Something that happened to a page.
#[derive(Clone, Debug, Serialize)]
pub struct Happened {
    /// When it was seen.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The page's title then.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
}

/// A time without an answer, as far as the checks show it.
#[derive(Clone, Debug, Serialize)]
pub struct Outage {
    /// The first check without an answer.
    pub from: Timestamp,
    /// The first check with one; open while there is none.
    pub to: Option<Timestamp>,
    /// The first reason.
    pub reason: String,
}

impl Watched {
    /// The pages in the order of their addresses, dropped ones too.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &WatchedPage)> {
        self.0.iter().map(|(url, page)| (url.as_str(), page))
    }

    /// One page.
    #[must_use]
    pub fn get(&self, url: &str) -> Option<&WatchedPage> {
        self.0.get(url)
    }

    /// Takes note of an entry.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        let page = self.0.entry(entry.url.clone()).or_default();
        page.has_given_time |= entry.is_time_given;
        match &entry.event {
            Event::Added(about) => {
                page.is_watched = true;
                page.about = about.clone();
            }
            Event::Dropped => page.is_watched = false,
            Event::Checked(check) => page.checked(entry.at, check),
        }
    }
}

impl WatchedPage {
    /// Percent of the checks that got an answer.
    #[must_use]
    pub fn reached_percent(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "checks are few beside 2^52")]
        (self.checks > 0).then(|| self.reached as f64 * 100.0 / self.checks as f64)
    }

    fn checked(&mut self, at: Timestamp, check: &Check) {
        if let Some(reached) = check.verdict.reached() {
            self.checks += 1;
            self.reached += u64::from(reached);
        }
        self.note_outage(at, &check.verdict);
        let is_again = check.verdict == Verdict::Unchanged
            || (!matches!(check.verdict, Verdict::Back { .. } | Verdict::Changed { .. })
                && self.history.last().is_some_and(|last| {
                    last.verdict.word() == check.verdict.word()
                        && !matches!(check.verdict, Verdict::Redirected { .. } | Verdict::Replaced { .. })
                }));
        if !is_again {
            self.history.push(Happened { at, verdict: check.verdict.clone(), title: check.title.clone() });
        }
        self.note_standing(at, check);
        let before = self.last.take();
        let got_page = check.page_record().is_some() && !check.not_modified;
        let full_before = before.as_ref().and_then(|before| before.full_at);
        self.last = Some(LastCheck {
            at,
            verdict: check.verdict.word(),
            full_at: if got_page { Some(at) } else { full_before },
            etag: check.etag.clone(),
            last_modified: check.last_modified.clone(),
            hops: check.hops.clone(),
        });
        if let Some(finding) = &check.firm_log {
            if let Some(seen) = &finding.seen {
                self.log_seen = Some(seen.clone());
            }
            self.firm_log = Some(finding.clone());
        }
    }

    fn note_outage(&mut self, at: Timestamp, verdict: &Verdict) {
        match verdict {
            Verdict::NotAllowed => {}
            Verdict::Unreachable { reason } => {
                if self.unreachable_since.is_none() {
                    self.unreachable_since = Some(at);
                    self.outages.push(Outage { from: at, to: None, reason: reason.clone() });
                }
            }
            _ => {
                if self.unreachable_since.take().is_some()
                    && let Some(outage) = self.outages.last_mut()
                {
                    outage.to = Some(at);
                }
            }
        }
    }

    fn note_standing(&mut self, at: Timestamp, check: &Check) {
        let kept = check.page_record().map(|record| Kept {
            record: record.clone(),
            url: check.hops.last().map_or_else(String::new, |hop| hop.url.clone()),
            at,
        });
        let standing = match &check.verdict {
            Verdict::Published | Verdict::Changed { .. } | Verdict::Back { .. } => Standing::Stands,
            Verdict::Redirected { has_notice: true, .. } => Standing::Stands,
            Verdict::Redirected { has_notice: false, .. } => Standing::Redirected,
            Verdict::Replaced { .. } => Standing::Replaced,
            Verdict::Removed { .. } => Standing::Removed,
            Verdict::Unchanged | Verdict::Unreachable { .. } | Verdict::Absent { .. } | Verdict::NotAllowed => return,
        };
        let stood = self.standing == Standing::Stands;
        if self.since.is_none() || stood != (standing == Standing::Stands) {
            self.since = Some(at);
        }
        if standing == Standing::Stands {
            self.instead = None;
            if check.verdict.renews_notice() && kept.is_some() {
                self.notice = kept;
                self.versions.extend(self.notice.clone());
            }
        } else {
            self.instead = kept.filter(|_| !matches!(check.verdict, Verdict::Removed { is_soft: false, .. }));
        }
        self.standing = standing;
    }
}
