//! The pages, the feeds and the data of the register, as bytes by file name.
//!
//! Pure and deterministic: no clock, no random numbers; dates in the feeds are the entries' own.

use super::figures::{Figures, Kept, Span, Standing, Updates};
use super::incident::{CountState, Incident, Leak, Measure, Text};
use super::words::{ENGLISH, JAPANESE, Language, Words};
use crate::Error;
use crate::diff::Line;
use crate::report::Report;
use crate::sekisho_log::LogState;
use crate::verdict::Verdict;
use askama::Template;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, offset};
use serde::Serialize;
use std::collections::BTreeMap;

/// A site: its files by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// `index.html`, `incidents/….html`, `en/…`, `feed.xml`, `data.json`, `style.css`.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Builds the site. `base_url` is where it will lie, for the feeds; it ends with a slash.
pub fn build(incidents: &[Incident], watch: Option<&Report>, base_url: &str) -> Result<Site, Error> {
    let entries: Vec<Entry<'_>> =
        incidents.iter().map(|incident| Entry { incident, figures: Figures::of(incident, watch) }).collect();
    let mut site = Site::default();
    let data = Data { format: "sekisho-register/1", incidents: &entries };
    let mut json = serde_json::to_vec_pretty(&data).expect("entries are plain data");
    json.push(b'\n');
    site.files.insert("data.json".to_owned(), json);
    site.files.insert("style.css".to_owned(), include_bytes!("../../templates/register/style.css").to_vec());
    for language in [Language::Japanese, Language::English] {
        let page = |up: &'static str| Page { language, words: language.words(), up };
        let folder = language.folder();
        let up = if folder.is_empty() { "" } else { "../" };
        site.add(&format!("{folder}index.html"), &Index { page: page(up), entries: &entries })?;
        site.add(&format!("{folder}feed.xml"), &Feed { page: page(up), entries: &entries, base_url })?;
        for entry in &entries {
            let up = if folder.is_empty() { "../" } else { "../../" };
            site.add(&format!("{folder}incidents/{}.html", entry.incident.id), &Single { page: page(up), entry })?;
        }
    }
    Ok(site)
}

impl Site {
    fn add(&mut self, name: &str, template: &impl Template) -> Result<(), Error> {
        let text = template.render().map_err(|err| Error::Render { path: name.into(), reason: err.to_string() })?;
        self.files.insert(name.to_owned(), text.into_bytes());
        Ok(())
    }
}

impl Language {
    fn words(self) -> &'static Words {
        match self {
            Language::Japanese => &JAPANESE,
            Language::English => &ENGLISH,
        }
    }

    /// Japanese comes first.
    fn folder(self) -> &'static str {
        match self {
            Language::Japanese => "",
            Language::English => "en/",
        }
    }

    fn code(self) -> &'static str {
        match self {
            Language::Japanese => "ja",
            Language::English => "en",
        }
    }

    fn pick<'a>(self, ja: &'a str, en: &'a str) -> &'a str {
        match self {
            Language::Japanese => ja,
            Language::English => en,
        }
    }
}

#[derive(Serialize)]
struct Data<'a> {
    format: &'static str,
    incidents: &'a [Entry<'a>],
}

/// An incident with what is computed of it.
#[derive(Serialize)]
struct Entry<'a> {
    incident: &'a Incident,
    figures: Figures,
}

impl Entry<'_> {
    /// The day of the last thing that is known of it.
    fn updated(&self) -> String {
        let known = self.incident.last_date().map(|date| date.to_string());
        let watched = self.figures.last_event().map(|at| date_in_japan(at).to_string());
        known.max(watched).unwrap_or_else(|| "1970-01-01".to_owned())
    }
}

/// What every page has.
struct Page {
    language: Language,
    words: &'static Words,
    /// From the page to the site's root.
    up: &'static str,
}

#[derive(Template)]
#[template(path = "register/index.html")]
struct Index<'a> {
    page: Page,
    entries: &'a [Entry<'a>],
}

#[derive(Template)]
#[template(path = "register/incident.html")]
struct Single<'a> {
    page: Page,
    entry: &'a Entry<'a>,
}

#[derive(Template)]
#[template(path = "register/feed.xml")]
struct Feed<'a> {
    page: Page,
    entries: &'a [Entry<'a>],
    base_url: &'a str,
}

impl Feed<'_> {
    fn updated(&self) -> String {
        self.entries.iter().map(Entry::updated).max().unwrap_or_else(|| "1970-01-01".to_owned())
    }
}

impl Index<'_> {
    fn updated(&self) -> String {
        self.entries.iter().map(Entry::updated).max().unwrap_or_default()
    }
}

/// A row of facts with its source.
struct Fact {
    label: &'static str,
    value: String,
    note: String,
    source: String,
}

impl Single<'_> {
    /// The five figures, each with where it is from.
    fn figures(&self) -> Vec<Fact> {
        let (page, incident, figures) = (&self.page, self.entry.incident, &self.entry.figures);
        let words = page.words;
        let of_span = |span: &Option<Span>, stated: &Option<super::incident::StatedSpan>| match (span, stated) {
            (None, _) => (String::new(), String::new()),
            (_, Some(stated)) => (self.note(stated.text.as_ref()), stated.source.clone()),
            _ => (words.computed.to_owned(), String::new()),
        };
        let (detect_note, detect_source) = of_span(&figures.to_detect, &incident.to_detect);
        let (disclose_note, disclose_source) = of_span(&figures.to_disclose, &incident.to_disclose);
        let first = |sources: Vec<&String>| sources.first().map(|source| (*source).clone()).unwrap_or_default();
        let updates = incident.updates.iter().map(|update| &update.source);
        let updates = updates.chain(incident.updates_at_least.iter().map(|least| &least.source)).collect();
        let observed = |is: bool| if is { words.observed.to_owned() } else { String::new() };
        let is_watched = !figures.pages.is_empty();
        let updates_note = observed(is_watched && incident.updates.is_empty() && incident.updates_at_least.is_none());
        let standing_note = observed(is_watched && figures.standing != Standing::Unknown);
        let notices = incident.notices.iter().map(|notice| &notice.source).collect();
        let is_told = !is_watched && figures.standing != Standing::Unknown;
        let standing_source = if is_told { first(notices) } else { String::new() };
        let promises = incident.promises.iter().map(|promise| &promise.source).collect();
        let fact = |label, value, note, source| Fact { label, value, note, source };
        vec![
            fact(words.to_detect, page.span(&figures.to_detect), detect_note, detect_source),
            fact(words.to_disclose, page.span(&figures.to_disclose), disclose_note, disclose_source),
            fact(words.updates, page.updates(figures.updates), updates_note, first(updates)),
            fact(words.standing, page.standing(figures.standing), standing_note, standing_source),
            fact(words.promises, page.promises(&figures.promises), String::new(), first(promises)),
        ]
    }

    /// All dates in their order.
    fn dates(&self) -> Vec<Fact> {
        let (incident, words) = (self.entry.incident, self.page.words);
        let three = [
            (words.began, &incident.began),
            (words.detected, &incident.detected),
            (words.disclosed, &incident.disclosed),
        ];
        let fact = |label, dated: &super::incident::Dated| Fact {
            label,
            value: self.page.when(dated.at.text()),
            note: self.note(dated.text.as_ref()),
            source: dated.source.clone(),
        };
        let mut facts: Vec<Fact> = Vec::new();
        for (label, dated) in three {
            let unknown =
                || Fact { label, value: words.unknown.to_owned(), note: String::new(), source: String::new() };
            facts.push(dated.as_ref().map_or_else(unknown, |dated| fact(label, dated)));
        }
        let first = incident.disclosed.as_ref().map(|dated| &dated.at);
        let later = incident.updates.iter().filter(|update| Some(&update.at) != first);
        facts.extend(later.map(|update| fact(words.update, update)));
        facts
    }

    fn has_no_leak(&self) -> bool {
        self.entry.incident.leak == Leak::None
    }

    fn note(&self, text: Option<&Text>) -> String {
        text.map(|text| self.page.text(text).to_owned()).unwrap_or_default()
    }

    fn source_number(&self, id: &str) -> usize {
        self.entry.incident.sources.iter().position(|source| source.id == id).map_or(0, |at| at + 1)
    }
}

impl Page {
    fn text<'a>(&self, text: &'a Text) -> &'a str {
        self.language.pick(&text.ja, &text.en)
    }

    fn code(&self) -> &'static str {
        self.language.code()
    }

    /// From a page to the same page in the other language.
    fn other(&self, name: &str) -> String {
        match self.language {
            Language::Japanese => format!("{}en/{name}", self.up),
            Language::English => format!("{}{name}", self.up),
        }
    }

    fn other_code(&self) -> &'static str {
        self.language.pick("en", "ja")
    }

    /// From a page to the list in its language.
    fn home(&self) -> String {
        format!("{}{}index.html", self.up, self.language.folder())
    }

    fn when(&self, text: &str) -> String {
        match self.language {
            Language::English => text.replace('/', " to ").replace('T', " "),
            Language::Japanese => {
                let day = |text: &str| {
                    let (date, time) = text.split_once('T').unwrap_or((text, ""));
                    let parts: Vec<&str> = date.split('-').map(|part| part.trim_start_matches('0')).collect();
                    let date = match parts.as_slice() {
                        [year, month, day] => format!("{year}年{month}月{day}日"),
                        [year, month] => format!("{year}年{month}月"),
                        _ => date.to_owned(),
                    };
                    if time.is_empty() { date } else { format!("{date} {time}") }
                };
                text.split('/').map(day).collect::<Vec<_>>().join("から")
            }
        }
    }

    fn span(&self, span: &Option<Span>) -> String {
        let word = |ja: String, en: String| self.language.pick(&ja, &en).to_owned();
        match span {
            None => self.words.unknown.to_owned(),
            Some(Span::Days(0, 0)) => word("当日".to_owned(), "the same day".to_owned()),
            Some(Span::Days(1, 1)) => word("1日".to_owned(), "1 day".to_owned()),
            Some(Span::Days(least, most)) if least == most => word(format!("{least}日"), format!("{least} days")),
            Some(Span::Days(least, most)) => word(format!("{least}～{most}日"), format!("{least} to {most} days")),
            Some(Span::Months(least, most)) => {
                word(format!("{least}～{most}か月"), format!("{least} to {most} months"))
            }
            Some(Span::Minutes(minutes)) => {
                let (days, hours, rest) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
                let ja = [(days, "日"), (hours, "時間"), (rest, "分")];
                let en = [(days, " d"), (hours, " h"), (rest, " min")];
                let join = |parts: [(i64, &str); 3], gap: &str| {
                    let parts = parts.iter().filter(|(count, _)| *count > 0);
                    parts.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(gap)
                };
                let text = word(join(ja, ""), join(en, " "));
                if text.is_empty() { word("即時".to_owned(), "at once".to_owned()) } else { text }
            }
        }
    }

    fn updates(&self, updates: Updates) -> String {
        let word = |ja: String, en: String| self.language.pick(&ja, &en).to_owned();
        match updates {
            Updates::Exactly(count) => word(format!("{count}回"), count.to_string()),
            Updates::AtLeast(count) => word(format!("{count}回以上"), format!("{count} or more")),
            Updates::Unknown => self.words.unknown.to_owned(),
        }
    }

    fn standing(&self, standing: Standing) -> String {
        let word = |ja, en| self.language.pick(ja, en).to_owned();
        match standing {
            Standing::All => word("すべて掲載中", "all stand"),
            Standing::Interrupted => word("掲載中（途切れた期間あり）", "stand, after a time away"),
            Standing::NotAll => word("差し替え・削除あり", "replaced or removed"),
            Standing::Unknown => self.words.unknown.to_owned(),
        }
    }

    fn promises(&self, promises: &[Kept]) -> String {
        if promises.is_empty() {
            return self.words.unknown.to_owned();
        }
        let in_time = promises.iter().filter(|kept| **kept == Kept::InTime).count();
        let all = promises.len();
        self.language.pick(&format!("{all}件中{in_time}件が期限内"), &format!("{in_time} of {all} in time")).to_owned()
    }

    fn kept(&self, kept: &Kept) -> String {
        let word = |ja: &str, en: &str| self.language.pick(ja, en).to_owned();
        match kept {
            Kept::InTime => word("期限内", "in time"),
            Kept::Late(days) => word(&format!("{days}日遅れ"), &format!("{days} days late")),
            Kept::Open => word("未実施", "has not come"),
        }
    }

    fn leak(&self, leak: Leak) -> &'static str {
        match leak {
            Leak::Yes => self.language.pick("あり", "yes"),
            Leak::None => self.language.pick("なし（公表・報道による）", "no, as was published"),
            Leak::Unknown => self.words.unknown,
        }
    }

    fn measure(&self, measure: Measure) -> &'static str {
        match measure {
            Measure::Persons => self.language.pick("人", "persons"),
            Measure::Records => self.language.pick("件（記録）", "records"),
            Measure::Cards => self.language.pick("件（カード）", "cards"),
            Measure::Accounts => self.language.pick("口座", "accounts"),
        }
    }

    fn count_state(&self, state: CountState) -> &'static str {
        match state {
            CountState::Published => self.language.pick("公表値", "published"),
            CountState::Suspected => self.language.pick("可能性あり", "suspected"),
        }
    }

    fn outage(&self, outage: &super::incident::Outage) -> String {
        let (hours, minutes) = (outage.minutes / 60, outage.minutes % 60);
        let ja = [(hours, "時間"), (minutes, "分")];
        let en = [(hours, " h"), (minutes, " min")];
        let join = |parts: [(u32, &str); 2], gap: &str| {
            let parts = parts.iter().filter(|(count, _)| *count > 0);
            parts.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(gap)
        };
        let (ja, en) = (join(ja, ""), join(en, " "));
        match (self.language, outage.about) {
            (Language::Japanese, true) => format!("約{ja}"),
            (Language::Japanese, false) => ja,
            (Language::English, true) => format!("about {en}"),
            (Language::English, false) => en,
        }
    }

    fn verdict(&self, verdict: &Verdict) -> String {
        let word = |ja: &str, en: &str| self.language.pick(ja, en).to_owned();
        match verdict {
            Verdict::Published => word("掲載を確認", "published"),
            Verdict::Unchanged => word("変更なし", "unchanged"),
            Verdict::Changed { diff, .. } => word(
                &format!("変更（削除{}文、追加{}文）", diff.removed, diff.added),
                &format!("changed: {} sentences out, {} in", diff.removed, diff.added),
            ),
            Verdict::Replaced { title, .. } => {
                word(&format!("別の内容に差し替え（「{title}」）"), &format!("replaced by \u{201c}{title}\u{201d}"))
            }
            Verdict::Removed { .. } => word("削除", "removed"),
            Verdict::Redirected { has_notice: true, .. } => word("移転（内容は掲載中）", "moved, and stands"),
            Verdict::Redirected { .. } => word("別のページへ転送", "leads elsewhere"),
            Verdict::Unreachable { .. } => word("閲覧できず", "unreachable"),
            Verdict::Back { away_s, .. } => {
                let span = self.span(&Some(Span::Minutes(away_s / 60)));
                word(&format!("再び閲覧可能（{span}ぶり）"), &format!("back, after {span}"))
            }
            Verdict::Absent { .. } => word("掲載なし", "no page, and none seen before"),
            Verdict::NotAllowed => word("robots.txtにより観測せず", "not observed: robots.txt asks to be left alone"),
        }
    }

    /// The sentences that went (`out`) and came (`in`), each with its sign.
    fn changed(&self, verdict: &Verdict) -> Option<Vec<(&'static str, &'static str, String)>> {
        let (Verdict::Changed { diff, .. } | Verdict::Back { diff, .. }) = verdict else { return None };
        let lines = diff.lines.iter().filter_map(|line| match line {
            Line::Removed(text) => Some(("out", "−", text.clone())),
            Line::Added(text) => Some(("in", "＋", text.clone())),
            Line::Same(_) | Line::Gap(_) => None,
        });
        Some(lines.collect::<Vec<_>>()).filter(|lines| !lines.is_empty())
    }

    fn firm_log(&self, state: LogState) -> &'static str {
        let (ja, en) = match state {
            LogState::Unreachable => ("確認できず", "cannot be read"),
            LogState::Invalid => ("署名を検証できず", "not valid"),
            LogState::Rollback => ("巻き戻しを検出", "set back"),
            LogState::Fork => ("履歴の分岐を検出", "has another past than before"),
            LogState::Altered => ("記録と異なる文書あり", "a document was altered"),
            LogState::NotInLog => ("記録のない文書あり", "a document is not in the log"),
            LogState::Stale => ("更新が滞留", "older than promised"),
            LogState::Match => ("一致", "matches"),
        };
        self.language.pick(ja, en)
    }

    fn minute(&self, at: Timestamp) -> String {
        at.to_zoned(TimeZone::fixed(offset(9))).strftime("%Y-%m-%d %H:%M").to_string()
    }

    fn percent(&self, percent: Option<f64>) -> String {
        percent.map_or_else(|| self.words.unknown.to_owned(), |percent| format!("{percent:.1}%"))
    }

    /// 112,364
    fn number(&self, number: &u64) -> String {
        let digits = number.to_string();
        let mut text = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        text
    }
}

fn date_in_japan(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::fixed(offset(9))).date()
}
