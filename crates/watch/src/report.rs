//! What the watch says of each page, for machines: a contract, additions are allowed and changes are not.

use crate::sekisho_log::LogFinding;
use crate::verdict::Standing;
use crate::watched::{Happened, Outage, Watched, WatchedPage};
use jiff::Timestamp;
use serde::Serialize;

/// All pages.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Always `sekisho-watch-report/1`.
    pub format: &'static str,
    /// The pages in the order of their addresses.
    pub pages: Vec<PageReport>,
}

/// One page.
#[derive(Clone, Debug, Serialize)]
pub struct PageReport {
    /// The watched address.
    pub url: String,
    /// Whose page it is, as the operator said.
    pub firm: Option<String>,
    /// The incident, as the operator said.
    pub case: Option<String>,
    /// Still watched?
    pub is_watched: bool,
    /// A time in its history was given by hand: it is no evidence.
    pub has_given_time: bool,
    /// How the notice stands, apart from outages.
    pub standing: Standing,
    /// Since when it stands; since when it has been gone.
    pub since: Option<Timestamp>,
    /// Since when nothing was reached; absent while it is reached.
    pub unreachable_since: Option<Timestamp>,
    /// The last look.
    pub checked_at: Option<Timestamp>,
    /// The word for it.
    pub verdict: Option<&'static str>,
    /// Looks that asked for an answer.
    pub checks: u64,
    /// Those that got one.
    pub reached: u64,
    /// The same in percent.
    pub reached_percent: Option<f64>,
    /// Times without an answer.
    pub outages: Vec<Outage>,
    /// Different texts of the notice that are archived.
    pub versions: usize,
    /// Everything that happened.
    pub history: Vec<Happened>,
    /// What the firm's own log said last.
    pub firm_log: Option<LogFinding>,
}

impl Report {
    /// Of all pages that are watched, or were.
    #[must_use]
    pub fn of(watched: &Watched) -> Report {
        let pages = watched.iter().map(|(url, page)| PageReport::of(url, page)).collect();
        Report { format: "sekisho-watch-report/1", pages }
    }
}

impl PageReport {
    fn of(url: &str, page: &WatchedPage) -> PageReport {
        PageReport {
            url: url.to_owned(),
            firm: page.about.firm.clone(),
            case: page.about.case.clone(),
            is_watched: page.is_watched,
            has_given_time: page.has_given_time,
            standing: page.standing.clone(),
            since: page.since,
            unreachable_since: page.unreachable_since,
            checked_at: page.last.as_ref().map(|last| last.at),
            verdict: page.last.as_ref().map(|last| last.verdict),
            checks: page.checks,
            reached: page.reached,
            reached_percent: page.reached_percent(),
            outages: page.outages.clone(),
            versions: page.versions.len(),
            history: page.history.clone(),
            firm_log: page.firm_log.clone(),
        }
    }
}
