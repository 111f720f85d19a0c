//! What the register computes of an incident: time to detect, to disclose, updates, whether every notice stands, and what
//! was promised and when it came.
//!
//! Pure. A length between two days is counted in calendar days; one between two minutes is exact. Where dates are not
//! known and a source states the length, that length is taken, and says so.

use super::incident::{Incident, Promise, StatedSpan, Unit, When};
use crate::report::{PageReport, Report};
use crate::verdict;
use jiff::Timestamp;
use serde::Serialize;

/// A length of time, as exactly as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// To the minute.
    Minutes(i64),
    /// Calendar days, the least and the most.
    Days(i64, i64),
    /// Months as a source states them, the least and the most.
    Months(i64, i64),
}

/// How many updates there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Updates {
    /// So many.
    Exactly(usize),
    /// So many or more.
    AtLeast(usize),
    /// Nobody knows.
    Unknown,
}

/// Whether every notice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// All of them, as watched.
    All,
    /// They stand, and one was gone for a time or is changed.
    Interrupted,
    /// One or more do not.
    NotAll,
    /// Nobody watched.
    Unknown,
}

/// What became of a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// It came in time.
    InTime,
    /// It came late, by so many days.
    Late(i64),
    /// It did not come, as far as is known.
    Open,
}

/// Everything computed of an incident.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// From its beginning to the firm's knowing.
    pub to_detect: Option<Span>,
    /// From the firm's knowing (its beginning, where that is not known) to the first notice.
    pub to_disclose: Option<Span>,
    /// Publications and updates, the first notice among them.
    pub updates: Updates,
    /// Whether every notice stands.
    pub standing: Standing,
    /// In the order of the entry's promises.
    pub promises: Vec<Kept>,
    /// The watched pages of the incident, by their addresses.
    pub pages: Vec<PageReport>,
}

impl Figures {
    /// Of an entry and the watch; pages belong to an incident by their address or by the case they were added with.
    #[must_use]
    pub fn of(incident: &Incident, watch: Option<&Report>) -> Figures {
        let pages = watch.map(|watch| pages_of(incident, watch)).unwrap_or_default();
        let began_or_known = incident.detected.as_ref().or(incident.began.as_ref());
        Figures {
            to_detect: between(
                incident.began.as_ref().map(|dated| &dated.at),
                incident.detected.as_ref().map(|dated| &dated.at),
            )
            .or_else(|| stated(incident.to_detect.as_ref())),
            to_disclose: between(
                began_or_known.map(|dated| &dated.at),
                incident.disclosed.as_ref().map(|dated| &dated.at),
            )
            .or_else(|| stated(incident.to_disclose.as_ref())),
            updates: updates(incident, &pages),
            standing: standing(incident, &pages),
            promises: incident.promises.iter().map(kept).collect(),
            pages,
        }
    }

    /// The last time that something happened to a watched page.
    pub(super) fn last_event(&self) -> Option<Timestamp> {
        self.pages.iter().flat_map(|page| &page.history).map(|happened| happened.at).max()
    }
}

fn pages_of(incident: &Incident, watch: &Report) -> Vec<PageReport> {
    let is_of = |page: &&PageReport| {
        page.case.as_deref() == Some(incident.id.as_str())
            || incident.notices.iter().any(|notice| notice.url.as_deref() == Some(page.url.as_str()))
    };
    watch.pages.iter().filter(is_of).cloned().collect()
}

fn between(from: Option<&When>, to: Option<&When>) -> Option<Span> {
    let (from, to) = (from?, to?);
    if from.is_exact && to.is_exact {
        return Some(Span::Minutes(to.earliest.duration_since(from.earliest).as_mins().max(0)));
    }
    let days = |from: jiff::civil::Date, to: jiff::civil::Date| i64::from((to - from).get_days()).max(0);
    let least = days(from.latest, to.earliest.date());
    Some(Span::Days(least, days(from.earliest.date(), to.latest)))
}

fn stated(span: Option<&StatedSpan>) -> Option<Span> {
    span.map(|span| match span.unit {
        Unit::Days => Span::Days(span.least, span.most),
        Unit::Months => Span::Months(span.least, span.most),
    })
}

fn updates(incident: &Incident, pages: &[PageReport]) -> Updates {
    let watched: usize = pages.iter().map(|page| page.versions).sum();
    match (incident.updates.len(), &incident.updates_at_least) {
        (0, Some(least)) => Updates::AtLeast(least.value),
        (0, None) if pages.is_empty() => Updates::Unknown,
        (0, None) => Updates::AtLeast(watched),
        (known, _) => Updates::Exactly(known),
    }
}

fn standing(incident: &Incident, pages: &[PageReport]) -> Standing {
    if pages.iter().any(|page| page.standing != verdict::Standing::Stands) {
        return Standing::NotAll;
    }
    if incident.notices.iter().any(|notice| notice.replaced.is_some()) {
        return Standing::NotAll;
    }
    let was_gone = |page: &PageReport| {
        page.history.iter().any(|happened| {
            matches!(happened.verdict.word(), "replaced" | "removed")
                || matches!(happened.verdict, verdict::Verdict::Redirected { has_notice: false, .. })
        })
    };
    let is_watched = |url: &Option<String>| pages.iter().any(|page| Some(&page.url) == url.as_ref());
    match pages {
        [] => Standing::Unknown,
        _ if pages.iter().any(was_gone) => Standing::Interrupted,
        _ if incident.notices.iter().any(|notice| !is_watched(&notice.url)) => Standing::Unknown,
        _ => Standing::All,
    }
}

fn kept(promise: &Promise) -> Kept {
    let Some(came) = &promise.came else { return Kept::Open };
    let late = i64::from((came.earliest.date() - promise.due.latest).get_days());
    let is_late = if came.is_exact && promise.due.is_exact { came.earliest > promise.due.earliest } else { late > 0 };
    if is_late { Kept::Late(late) } else { Kept::InTime }
}
