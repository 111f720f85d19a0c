//! What became of a notice: the page as it was, the page as it is now, and the word for the difference.
//!
//! Pure: no clock, no I/O. A verdict says what was seen and explains itself with figures; it says nothing of anybody's
//! reasons. What stands where a notice stood is compared with the notice itself, however long ago that was.
//!
//! **Replaced** is said when less than [`REMAINS_PERCENT_MIN`] percent of the notice's character trigrams are still
//! there *and* at most [`TERMS_KEPT_PERCENT_MAX`] percent of its key terms: a notice that grows by updates keeps its
//! trigrams, one that is rewritten keeps its terms. It is said too when hardly any trigrams remain
//! ([`HARDLY_REMAINS_PERCENT_MAX`]): another notice of the same firm shares its terms. **Removed** with status 200 (a "soft 404") needs a page-not-found
//! phrase in the title or the first [`SOFT_404_LINES`] lines, and both of these losses too.

use crate::diff::Diff;
use crate::normalise::{Page, adopt_today};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashSet};

/// Percent of a notice's trigrams that must remain for the page to be that notice still.
pub const REMAINS_PERCENT_MIN: u32 = 50;
/// Percent of its key terms up to which a notice counts as lost.
pub const TERMS_KEPT_PERCENT_MAX: u32 = 34;
/// Up to this percent hardly anything remains: another text, whatever words of notices it shares.
pub const HARDLY_REMAINS_PERCENT_MAX: u32 = 12;
/// Lines in which a page-not-found phrase is looked for.
pub const SOFT_404_LINES: usize = 6;
/// Key terms taken from a notice.
const TERMS_MAX: usize = 24;

/// Words that notices of incidents are made of. Those that a notice has are its key terms, with its title's words.
pub const NOTICE_TERMS: &[&str] = &[
    "お詫び",
    "不正アクセス",
    "漏えい",
    "漏洩",
    "流出",
    "個人情報",
    "お客様情報",
    "クレジットカード",
    "カード情報",
    "不正利用",
    "サイバー攻撃",
    "情報セキュリティ",
    "再発防止",
    "第三者",
    "障害",
    "原因",
    "調査",
    "閲覧",
    "対象",
    "unauthorized access",
    "unauthorised access",
    "personal information",
    "personal data",
    "data breach",
    "breach",
    "leak",
    "incident",
    "outage",
    "apolog",
    "card number",
];

/// What servers write on a page that is not there, in lower case.
const NOT_FOUND_PHRASES: &[&str] = &[
    "ページが見つかりません",
    "ページは見つかりません",
    "ページが存在しません",
    "ページは存在しません",
    "お探しのページ",
    "指定されたページ",
    "ページは削除",
    "ページが削除",
    "移動または削除",
    "移動または削除された",
    "掲載期間が終了",
    "公開は終了",
    "404 not found",
    "404 error",
    "404エラー",
    "page not found",
    "page does not exist",
    "no longer available",
    "file not found",
];

/// What was found at the address.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A page.
    Page {
        /// What it tells.
        page: Page,
        /// Where it came from after all redirects.
        url: String,
    },
    /// The server says that there is none: 404 or 410.
    NotThere {
        /// The status.
        status: u16,
    },
    /// No answer, or one that says nothing of the page.
    Unreachable {
        /// Why, in words.
        reason: String,
    },
    /// The site's `robots.txt` asks that this page be left alone.
    NotAllowed,
}

/// A page as it was seen at some time.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What it told.
    pub page: Page,
    /// Where it came from after all redirects.
    pub url: String,
    /// When.
    pub at: Timestamp,
}

/// What is known of a watched page.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The notice as it stood last.
    pub notice: Option<Snapshot>,
    /// What stands in its place, when it is another page.
    pub instead: Option<Snapshot>,
    /// How the notice stands, apart from outages.
    pub standing: Standing,
    /// Since when it stands so.
    pub since: Option<Timestamp>,
    /// Since when nothing was reached; `None` when the last check reached it.
    pub unreachable_since: Option<Timestamp>,
}

/// How a notice stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Never seen yet.
    #[default]
    NotSeen,
    /// It is there.
    Stands,
    /// Something else is in its place.
    Replaced,
    /// The server says that there is no page.
    Removed,
    /// The address leads elsewhere, where the notice is not.
    Redirected,
}

/// The figures behind a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Percent of the notice's trigrams that are still there.
    pub remains_percent: u32,
    /// Jaccard similarity of the two trigram sets, in percent.
    pub jaccard_percent: u32,
    /// Key terms of the notice.
    pub terms: usize,
    /// Those that are still there.
    pub terms_kept: usize,
    /// Those that are not, at most eight.
    pub terms_lost: Vec<String>,
}

/// The word for what was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    /// Seen for the first time.
    Published,
    /// As at the last check.
    Unchanged,
    /// The notice is there with another text.
    Changed {
        /// How much of it remains.
        figures: Figures,
        /// What changed; empty when the text cannot be read (a PDF).
        diff: Diff,
    },
    /// Something unrelated stands in its place.
    Replaced {
        /// How little of it remains.
        figures: Figures,
        /// The other page's title.
        title: String,
    },
    /// The page is gone.
    Removed {
        /// The status.
        status: u16,
        /// The status says 200, the text says that there is no page.
        is_soft: bool,
    },
    /// The address leads elsewhere.
    Redirected {
        /// Where.
        to: String,
        /// The same notice is there.
        has_notice: bool,
    },
    /// Nothing could be learned.
    Unreachable {
        /// Why.
        reason: String,
    },
    /// There again: after an outage, or after it was gone.
    Back {
        /// What it was before: `unreachable`, `replaced`, `removed` or `redirected`.
        after: String,
        /// Seconds since it was first seen so.
        away_s: i64,
        /// What is different from the notice as it stood; empty when nothing is.
        diff: Diff,
    },
    /// There is no page, and none was ever seen.
    Absent {
        /// The status.
        status: u16,
    },
    /// `robots.txt` asks that the page be left alone; nothing was fetched.
    NotAllowed,
}

impl Verdict {
    /// The word for a table: `published`, `changed`, …
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Published => "published",
            Verdict::Unchanged => "unchanged",
            Verdict::Changed { .. } => "changed",
            Verdict::Replaced { .. } => "replaced",
            Verdict::Removed { .. } => "removed",
            Verdict::Redirected { .. } => "redirected",
            Verdict::Unreachable { .. } => "unreachable",
            Verdict::Back { .. } => "back",
            Verdict::Absent { .. } => "absent",
            Verdict::NotAllowed => "not allowed",
        }
    }

    /// Whether an answer came; `None` when none was asked for.
    #[must_use]
    pub fn reached(&self) -> Option<bool> {
        match self {
            Verdict::NotAllowed => None,
            Verdict::Unreachable { .. } => Some(false),
            _ => Some(true),
        }
    }

    /// Whether the text seen now is the notice to compare with from now on.
    #[must_use]
    pub fn renews_notice(&self) -> bool {
        match self {
            Verdict::Published | Verdict::Changed { .. } | Verdict::Redirected { has_notice: true, .. } => true,
            Verdict::Back { diff, .. } => !diff.lines.is_empty(),
            _ => false,
        }
    }
}

/// The verdict on what was seen at `now`.
#[must_use]
pub fn judge(known: &Known, seen: &Seen, now: Timestamp) -> Verdict {
    match seen {
        Seen::NotAllowed => Verdict::NotAllowed,
        Seen::Unreachable { reason } => Verdict::Unreachable { reason: reason.clone() },
        Seen::NotThere { status } => match known.standing {
            Standing::NotSeen => Verdict::Absent { status: *status },
            Standing::Removed => Verdict::Unchanged,
            _ => Verdict::Removed { status: *status, is_soft: false },
        },
        Seen::Page { page, url } => judge_page(known, page, url, now),
    }
}

fn judge_page(known: &Known, page: &Page, url: &str, now: Timestamp) -> Verdict {
    let Some(notice) = &known.notice else {
        return if is_not_found(page) { Verdict::Absent { status: 200 } } else { Verdict::Published };
    };
    let compared = Compared::of(notice, page, now);
    if compared.is_notice {
        if !is_same_place(&notice.url, url) && known.standing != Standing::Redirected {
            return Verdict::Redirected { to: url.to_owned(), has_notice: true };
        }
        return standing_notice(known, compared, now);
    }
    // Not the notice. Where it is another page than before, or the first time: why?
    let seen_before = known.instead.as_ref().filter(|_| known.standing != Standing::Stands);
    let is_same_as_before = seen_before.is_some_and(|before| Compared::of(before, page, now).is_notice);
    if is_same_as_before {
        return Verdict::Unchanged;
    }
    if is_not_found(page) {
        return match known.standing {
            Standing::Removed => Verdict::Unchanged,
            _ => Verdict::Removed { status: 200, is_soft: true },
        };
    }
    if !is_same_place(&notice.url, url) {
        return Verdict::Redirected { to: url.to_owned(), has_notice: false };
    }
    Verdict::Replaced { figures: compared.figures, title: page.title.clone() }
}

/// The notice is there: as it was, changed, or back.
fn standing_notice(known: &Known, compared: Compared, now: Timestamp) -> Verdict {
    let away = match known.standing {
        Standing::Replaced => Some(("replaced", known.since)),
        Standing::Removed => Some(("removed", known.since)),
        Standing::Redirected => Some(("redirected", known.since)),
        Standing::NotSeen | Standing::Stands => None,
    };
    if let Some((after, since)) = away {
        return back(after, since, now, compared.diff);
    }
    match known.unreachable_since {
        _ if !compared.is_same => Verdict::Changed { figures: compared.figures, diff: compared.diff },
        Some(since) => back("unreachable", Some(since), now, Diff::default()),
        None => Verdict::Unchanged,
    }
}

fn back(after: &str, since: Option<Timestamp>, now: Timestamp, diff: Diff) -> Verdict {
    let away_s = since.map_or(0, |since| now.as_second() - since.as_second());
    Verdict::Back { after: after.to_owned(), away_s, diff }
}

/// Two pages side by side.
struct Compared {
    is_same: bool,
    /// Whether the new page is the old one, changed or not.
    is_notice: bool,
    figures: Figures,
    diff: Diff,
}

impl Compared {
    fn of(notice: &Snapshot, page: &Page, now: Timestamp) -> Compared {
        let old = &notice.page;
        if !old.has_text || !page.has_text {
            return Compared::without_text(old, page);
        }
        let lines = adopt_today((&old.lines, notice.at), (&page.lines, now));
        let figures = figures(&old.title, &old.lines, &lines);
        let is_same = old.sha256 == page.sha256 || squeeze(&old.lines) == squeeze(&lines);
        let has_lost_terms = figures.terms_kept * 100 <= figures.terms * TERMS_KEPT_PERCENT_MAX as usize;
        let is_lost = figures.remains_percent <= HARDLY_REMAINS_PERCENT_MAX
            || (figures.remains_percent < REMAINS_PERCENT_MIN && has_lost_terms);
        let diff = if is_same || is_lost { Diff::default() } else { Diff::of(&old.lines, &lines) };
        Compared { is_same, is_notice: is_same || !is_lost, figures, diff }
    }

    /// A PDF is compared by its bytes; a PDF in a page's place, or the other way round, is another thing.
    fn without_text(old: &Page, page: &Page) -> Compared {
        let is_notice = old.has_text == page.has_text;
        let percent = u32::from(old.sha256 == page.sha256) * 100;
        let figures = Figures {
            remains_percent: percent,
            jaccard_percent: percent,
            terms: 0,
            terms_kept: 0,
            terms_lost: Vec::new(),
        };
        Compared { is_same: old.sha256 == page.sha256, is_notice, figures, diff: Diff::default() }
    }
}

/// How much of a notice remains in other lines.
fn figures(title: &str, old: &[String], new: &[String]) -> Figures {
    let (old_text, new_text) = (squeeze(old), squeeze(new));
    let (before, after) = (trigrams(&old_text), trigrams(&new_text));
    let both = before.intersection(&after).count();
    let percent = |part: usize, whole: usize| u32::try_from(part * 100 / whole.max(1)).unwrap_or(100);
    let terms = key_terms(title, &old_text);
    let (kept, lost): (Vec<_>, Vec<_>) = terms.into_iter().partition(|term| new_text.contains(term.as_str()));
    Figures {
        remains_percent: if before.is_empty() { 100 } else { percent(both, before.len()) },
        jaccard_percent: percent(both, before.len() + after.len() - both),
        terms: kept.len() + lost.len(),
        terms_kept: kept.len(),
        terms_lost: lost.into_iter().take(8).collect(),
    }
}

/// The text without white space, in lower case.
fn squeeze(lines: &[String]) -> String {
    let characters = lines.iter().flat_map(|line| line.chars()).filter(|character| !character.is_whitespace());
    characters.flat_map(char::to_lowercase).collect()
}

fn trigrams(text: &str) -> HashSet<[char; 3]> {
    let characters: Vec<char> = text.chars().collect();
    characters.windows(3).filter_map(|window| window.try_into().ok()).collect()
}

/// The words that make a notice this notice: those of [`NOTICE_TERMS`] that it has, and its title's.
fn key_terms(title: &str, text: &str) -> BTreeSet<String> {
    let listed = NOTICE_TERMS.iter().map(|term| term.replace(' ', ""));
    let mut terms: BTreeSet<String> = listed.filter(|term| text.contains(term.as_str())).collect();
    // What follows a bar is the site's name, which every page has.
    let own = title.split(['|', '｜', '│']).next().unwrap_or_default().to_lowercase();
    let mut word = String::new();
    let mut kind = Script::Other;
    for character in own.chars().chain(" ".chars()) {
        let next = Script::of(character);
        if next != kind {
            let length = word.chars().count();
            let says = length >= if kind == Script::Latin { 4 } else { 2 };
            if says && kind != Script::Other && terms.len() < TERMS_MAX && text.contains(&word) {
                terms.insert(std::mem::take(&mut word));
            }
            word.clear();
            kind = next;
        }
        word.push(character);
    }
    terms
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Kanji,
    Katakana,
    Latin,
    Other,
}

impl Script {
    fn of(character: char) -> Script {
        match character {
            '\u{3400}'..='\u{9fff}' | '々' => Script::Kanji,
            '\u{30a1}'..='\u{30ff}' => Script::Katakana,
            character if character.is_alphabetic() && character < '\u{3000}' => Script::Latin,
            _ => Script::Other,
        }
    }
}

/// Whether a page with status 200 says that there is no page. A notice about a removed page is not one: it is long, and
/// has the words of notices.
fn is_not_found(page: &Page) -> bool {
    let head = page.lines.iter().take(SOFT_404_LINES).chain([&page.title]);
    let says = head.map(|line| line.to_lowercase()).any(|line| {
        NOT_FOUND_PHRASES.iter().any(|phrase| line.contains(phrase)) || ["404", "not found"].contains(&line.as_str())
    });
    let text = squeeze(&page.lines);
    let terms = NOTICE_TERMS.iter().filter(|term| text.contains(&term.replace(' ', ""))).count();
    says && terms < 4
}

/// Whether two addresses are one place: `http` or `https`, with or without `www.`, a last slash or a fragment.
fn is_same_place(one: &str, other: &str) -> bool {
    fn place(url: &str) -> &str {
        let url = url.split('#').next().unwrap_or_default();
        let url = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url);
        url.strip_prefix("www.").unwrap_or(url).trim_end_matches('/')
    }
    place(one) == place(other)
}

#[cfg(test)]
mod tests;
