//! What changes on a page although nobody changed it.
//!
//! Pure. A line is left out only when the whole of it is volatile; a number or date inside a sentence always stays:
//! it may be the one that a firm corrects.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, offset};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

const DATE: &str = r"(?:(?:(?:\d{4}|(?:令和|平成)\s?(?:\d{1,2}|元))\s?[年/.\-]\s?)?\d{1,2}\s?[月/.\-]\s?\d{1,2}\s?日?(?:\s?\(?[月火水木金土日](?:曜日?)?\)|\s?[月火水木金土日]曜日?)?)";
const TIME: &str =
    r"(?:(?:午前|午後|AM|PM)?\s?\d{1,2}\s?[:時]\s?\d{2}(?:\s?[:分]\s?\d{2}\s?秒?|\s?分)?(?:\s?(?:AM|PM|JST|UTC))?)";

static VOLATILE: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // Clocks: a label and a time, a bare time, "… 現在" with nothing else, "本日は…です".
        format!(r"(?i)^(?:現在(?:の)?(?:日時|時刻)|ただいまの時刻|日本時間|サーバー?時刻|current time|server time|local time)[:\s]*{DATE}?\s*{TIME}?\s*(?:です)?。?$"),
        format!(r"^{TIME}(?:\s?現在)?$"),
        format!(r"^\(?{DATE}\s*{TIME}\s?現在\)?$"),
        format!(r"(?i)^(?:本日|今日|today)(?:は|の日付|is|:|\s)*{DATE}\s*{TIME}?\s*(?:です)?[。.]?$"),
        // Counters.
        r"(?i)^(?:本日の|昨日の|累計|総|合計)?(?:アクセス(?:カウンター?|数)|訪問者数|来訪者数|閲覧数|ページビュー数?|pv|page ?views?|visitors?|views)[:\s]*[\d,]+\s?(?:人|回|件|pv)?$".to_owned(),
        r"^(?:あなたは)?\s?[\d,]+\s?(?:人目|番目)の(?:訪問|ご訪問|お客様|来訪|アクセス).{0,20}$".to_owned(),
        // Copyright.
        r"(?i)^(?:copyright\b|©|\(c\)).{0,200}$".to_owned(),
        // Rates.
        r"^[A-Z]{3}\s?/\s?[A-Z]{3}\b[\s\d.,+\-%()▲▼△▽↑↓]*$".to_owned(),
        r"^(?:米ドル|ドル|ユーロ|ポンド|豪ドル|NZドル|加ドル|スイスフラン|ランド)\s?/?\s?(?:円|米ドル|ドル)[\s\d.,+\-%()▲▼△▽↑↓]+$".to_owned(),
        // How long ago.
        r"(?i)^\d+\s?(?:秒|分|時間|日|週間|か月|ヶ月|年)前$".to_owned(),
        r"(?i)^\d+\s?(?:seconds?|minutes?|hours?|days?|weeks?|months?) ago$".to_owned(),
    ]
    .iter()
    .map(|pattern| Regex::new(pattern).expect("a fixed pattern"))
    .collect()
});

/// The line without its random tokens; `None` when all of it is volatile.
pub(super) fn keep(line: &str) -> Option<String> {
    static TOKEN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[A-Za-z0-9_-]{16,}").expect("a fixed pattern"));
    if VOLATILE.iter().any(|pattern| pattern.is_match(line)) {
        return None;
    }
    let masked = TOKEN.replace_all(line, |found: &regex::Captures<'_>| {
        let is_random = found[0].bytes().filter(u8::is_ascii_digit).count() >= 4
            && found[0].bytes().filter(u8::is_ascii_alphabetic).count() >= 4;
        if is_random { "⟨token⟩".to_owned() } else { found[0].to_owned() }
    });
    Some(masked.into_owned())
}

/// `new`, with each line that differs from one of `old` only in saying its own day (and time) replaced by the old one.
///
/// A page that shows today's date every day does not change. One whose own date was set to today is found out a day
/// later, when that date is no longer today's.
#[must_use]
pub(crate) fn adopt_today(old: (&[String], Timestamp), new: (&[String], Timestamp)) -> Vec<String> {
    let known: BTreeSet<&str> = old.0.iter().map(String::as_str).collect();
    let days = days_of(old.1);
    let dated: BTreeMap<String, &String> =
        old.0.iter().filter_map(|line| Some((without_today(line, days)?, line))).collect();
    let days = days_of(new.1);
    let adopt = |line: &String| {
        let same = (!known.contains(line.as_str())).then(|| without_today(line, days)).flatten();
        same.and_then(|masked| dated.get(&masked)).map_or_else(|| line.clone(), |line| (*line).clone())
    };
    new.0.iter().map(adopt).collect()
}

/// The day in Japan and in UTC: a server's idea of today is one of the two.
fn days_of(at: Timestamp) -> [Date; 2] {
    [TimeZone::fixed(offset(9)), TimeZone::UTC].map(|zone| at.to_zoned(zone).date())
}

/// The line with today's dates (and times beside them) masked; `None` when it has none.
fn without_today(line: &str, days: [Date; 2]) -> Option<String> {
    static DATED: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = format!(
            r"(?:(?P<era>令和|平成)?\s?(?P<year>\d{{1,4}}|元)\s?[年/.\-]\s?)?(?P<month>\d{{1,2}})\s?[月/.\-]\s?(?P<day>\d{{1,2}})\s?日?(?:\s?\(?[月火水木金土日](?:曜日?)?\)|\s?[月火水木金土日]曜日?)?(?:\s*{TIME})?"
        );
        Regex::new(&pattern).expect("a fixed pattern")
    });
    let mut has_today = false;
    let masked = DATED.replace_all(line, |found: &regex::Captures<'_>| {
        let is_today = days.iter().any(|today| names(found, *today));
        has_today |= is_today;
        if is_today { "⟨today⟩".to_owned() } else { found[0].to_owned() }
    });
    has_today.then(|| masked.into_owned())
}

fn names(found: &regex::Captures<'_>, day: Date) -> bool {
    let number = |name: &str| found.name(name).and_then(|text| text.as_str().parse::<i16>().ok());
    let year =
        found.name("year").map(|text| if text.as_str() == "元" { 1 } else { text.as_str().parse().unwrap_or(0) });
    let year = match found.name("era").map(|era| era.as_str()) {
        Some("令和") => year.map(|year: i16| year.saturating_add(2018)),
        Some(_) => year.map(|year| year.saturating_add(1988)),
        None => year,
    };
    year.is_none_or(|year| year == day.year())
        && number("month") == Some(i16::from(day.month()))
        && number("day") == Some(i16::from(day.day()))
}
