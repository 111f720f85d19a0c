//! What a watch found, for people.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sekisho_watch::diff::Diff;
use sekisho_watch::entry::Check;
use sekisho_watch::report::{PageReport, Report};
use sekisho_watch::sekisho_log::{LogFinding, LogState};
use sekisho_watch::verdict::{Figures, Snapshot, Standing, Verdict};
use std::fmt::Write as _;

/// One look, as it is told when it was made.
pub(super) fn check(url: &str, check: &Check) -> String {
    let mut text = format!("{:<11} {url}\n", check.verdict.word());
    for line in detail(&check.verdict) {
        line_to(&mut text, &line);
    }
    if let Some(finding) = &check.firm_log {
        line_to(&mut text, &firm_log(finding));
    }
    text
}

/// All pages.
pub(super) fn report(report: &Report) -> String {
    let mut text = String::new();
    for page in &report.pages {
        text.push_str(&one_page(page));
    }
    if report.pages.is_empty() {
        text.push_str("no pages are watched; `sekisho watch URL` adds one\n");
    }
    text
}

/// A notice's archived texts, each with what changed, and what stands instead of it.
pub(super) fn versions(versions: &[Snapshot], instead: Option<&Snapshot>) -> String {
    let mut text = String::new();
    for (number, version) in (1_usize..).zip(versions) {
        let _ = writeln!(text, "text {number}, seen {}: {}", local(version.at), version.page.title);
        if let Some(before) = number.checked_sub(2).and_then(|before| versions.get(before)) {
            text.push_str(&indented(&Diff::of(&before.page.lines, &version.page.lines)));
        }
    }
    if versions.len() == 1 {
        text.push_str("  no other text was seen\n");
    }
    if let Some(page) = instead {
        let _ = writeln!(text, "in its place since {}: {}", local(page.at), page.page.title);
        for line in &page.page.lines {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

fn one_page(page: &PageReport) -> String {
    let standing = match page.standing {
        Standing::NotSeen => "not seen",
        Standing::Stands => "stands",
        Standing::Replaced => "replaced",
        Standing::Removed => "removed",
        Standing::Redirected => "redirected",
    };
    let since = page.since.map(|since| format!(" since {}", local(since))).unwrap_or_default();
    let mut text = format!("{}\n", page.url);
    let names: Vec<&str> = [page.firm.as_deref(), page.case.as_deref()].into_iter().flatten().collect();
    if !names.is_empty() {
        line_to(&mut text, &names.join(", "));
    }
    line_to(&mut text, &format!("{standing}{since}{}", if page.is_watched { "" } else { "; not watched any more" }));
    if page.has_given_time {
        line_to(&mut text, "NO EVIDENCE: times were given by hand");
    }
    if let Some(since) = page.unreachable_since {
        line_to(&mut text, &format!("UNREACHABLE since {}", local(since)));
    }
    if let (Some(percent), Some(at)) = (page.reached_percent, page.checked_at) {
        let (reached, checks) = (page.reached, page.checks);
        line_to(&mut text, &format!("reached {percent:.1} % ({reached} of {checks} looks, last {})", local(at)));
    }
    if let Some(finding) = &page.firm_log {
        line_to(&mut text, &firm_log(finding));
    }
    for happened in &page.history {
        let mut details = detail(&happened.verdict).into_iter();
        let first = details.next().map(|line| format!(": {line}")).unwrap_or_default();
        line_to(&mut text, &format!("{}  {}{first}", local(happened.at), happened.verdict.word()));
        details.for_each(|line| line_to(&mut text, &format!("    {line}")));
    }
    text.push('\n');
    text
}

/// What explains a verdict.
fn detail(verdict: &Verdict) -> Vec<String> {
    match verdict {
        Verdict::Published | Verdict::Unchanged => Vec::new(),
        Verdict::Changed { diff, .. } if diff.lines.is_empty() => {
            vec!["its bytes are others; the text of this kind of document is not read".to_owned()]
        }
        Verdict::Changed { figures: found, diff } => {
            let first = format!("{} sentences out, {} in; {}", diff.removed, diff.added, figures(found));
            [first].into_iter().chain(diff_lines(diff)).collect()
        }
        Verdict::Replaced { figures: found, title } => {
            let mut lines = vec![format!("by \"{title}\"; {}", figures(found))];
            if !found.terms_lost.is_empty() {
                lines.push(format!("lost: {}", found.terms_lost.join(", ")));
            }
            lines
        }
        Verdict::Removed { status, is_soft: false } => vec![format!("status {status}")],
        Verdict::Removed { .. } => vec!["status 200, but the page says that there is none".to_owned()],
        Verdict::Redirected { to, has_notice: true } => vec![format!("to {to}, where the notice is")],
        Verdict::Redirected { to, has_notice: false } => vec![format!("to {to}, where the notice is not")],
        Verdict::Unreachable { reason } => vec![reason.clone()],
        Verdict::Back { after, away_s, diff } => {
            let how = if diff.lines.is_empty() { "as it was" } else { "with another text" };
            let first = format!("{how}, after {} {after}", days(*away_s));
            [first].into_iter().chain(diff_lines(diff)).collect()
        }
        Verdict::Absent { status } => vec![format!("status {status}, and it was never seen")],
        Verdict::NotAllowed => vec!["robots.txt asks that it be left alone".to_owned()],
    }
}

fn figures(figures: &Figures) -> String {
    let Figures { remains_percent, jaccard_percent, terms, terms_kept, .. } = figures;
    format!(
        "{remains_percent} % of the notice remains (similarity {jaccard_percent} %), {terms_kept} of {terms} key terms"
    )
}

fn firm_log(finding: &LogFinding) -> String {
    let word = match finding.state {
        LogState::Unreachable => "cannot be read",
        LogState::Invalid => "is NOT valid",
        LogState::Rollback => "was set BACK",
        LogState::Fork => "has ANOTHER past than before",
        LogState::Altered => "a document was ALTERED",
        LogState::NotInLog => "a document is NOT in the log",
        LogState::Stale => "is older than promised",
        LogState::Match => "matches",
    };
    format!("the firm's log: {word} ({}; {} documents match)", finding.detail, finding.documents_matching)
}

fn diff_lines(diff: &Diff) -> Vec<String> {
    diff.to_string().lines().map(str::to_owned).collect()
}

fn indented(diff: &Diff) -> String {
    diff_lines(diff).iter().fold(String::new(), |text, line| text + "    " + line + "\n")
}

fn line_to(text: &mut String, line: &str) {
    text.push_str("            ");
    text.push_str(line);
    text.push('\n');
}

fn days(seconds: i64) -> String {
    match seconds {
        172_800.. => format!("{} days", seconds / 86_400),
        7_200.. => format!("{} hours", seconds / 3_600),
        120.. => format!("{} minutes", seconds / 60),
        _ => format!("{seconds} seconds"),
    }
}

fn local(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M %:z").to_string()
}
