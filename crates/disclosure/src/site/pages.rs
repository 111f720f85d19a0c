//! What stands on the pages: the record, in words of one language.

use super::words::{Language, Words};
use super::{Files, Telling};
use crate::entry::{Basis, Service, Step};
use crate::firm::Mail;
use crate::notice::{Count, Notice};
use crate::record::{Status, Version, Withdrawal};
use crate::{Error, Record};
use askama::Template;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use similar::{ChangeTag, TextDiff};

/// What every page has.
struct Frame<'a> {
    w: &'static Words,
    firm: &'a str,
    desk: Desk<'a>,
    /// From the page up to the root.
    up: String,
    folder: &'static str,
    /// The same page in the other language, from the root.
    other: String,
    /// Address from the root, name, and whether it is this page.
    nav: Vec<(String, &'static str, bool)>,
}

struct Desk<'a> {
    name: &'a str,
    telephone: &'a str,
    mail: &'a str,
    hours: &'a str,
}

macro_rules! page {
    ($name:ident, $file:literal { $($field:ident: $kind:ty),* }) => {
        #[derive(Template)]
        #[template(path = $file)]
        struct $name<'a> {
            w: &'static Words,
            firm: &'a str,
            desk: Desk<'a>,
            up: String,
            folder: &'static str,
            other: String,
            nav: Vec<(String, &'static str, bool)>,
            $($field: $kind),*
        }
    };
}

page!(NoticePage, "notice.html" { page: Option<Shown> });
page!(TrailPage, "trail.html" { steps: Vec<StepShown> });
page!(StatusPage, "status.html" { now: Vec<StatusShown>, history: Vec<StatusShown> });
page!(GenuinePage, "genuine.html" { genuine: Option<&'a Mail> });
page!(VerifyPage, "verify.html" { key: &'a str });

macro_rules! render {
    ($page:ident, $frame:expr, $path:expr, { $($field:ident: $value:expr),* }) => {{
        let Frame { w, firm, desk, up, folder, other, nav } = $frame;
        let page = $page { w, firm, desk, up, folder, other, nav, $($field: $value),* };
        page.render().map_err(|err| Error::Render { path: $path.to_owned(), reason: err.to_string() })?.into_bytes()
    }};
}

struct Shown {
    title: String,
    version: String,
    at: String,
    at_iso: String,
    is_older: bool,
    withdrawal: Option<Statement>,
    redactions: Vec<RedactionShown>,
    happened: Vec<String>,
    found: String,
    is_without_leak: bool,
    exposed: String,
    counts: Vec<CountShown>,
    lists: Vec<(&'static str, &'static str, Vec<String>)>,
    basis: &'static str,
    next: String,
    leaf: u64,
    document: String,
    pdf: Option<String>,
}

struct Statement {
    at: String,
    requester: String,
    reason: String,
    leaf: u64,
}

struct RedactionShown {
    part: &'static str,
    ground: &'static str,
    at: String,
    reference: String,
}

struct CountShown {
    what: String,
    figure: String,
    state: &'static str,
    before: String,
}

struct StepShown {
    name: String,
    at: String,
    at_iso: String,
    leaf: u64,
    lines: Vec<(String, String)>,
    link: Option<(String, String)>,
    /// Added or removed, and the line.
    difference: Vec<(bool, String)>,
}

struct StatusShown {
    service: String,
    state: &'static str,
    class: &'static str,
    text: String,
    /// The word for it, and the time.
    since: (&'static str, String),
    at: String,
    leaf: u64,
}

/// Puts together the pages of one language.
pub(super) fn add(source: &Telling<'_>, language: Language, files: &mut Files) -> Result<(), Error> {
    let mut put = |path: String, bytes: Vec<u8>| drop(files.insert(format!("{}{path}", language.folder()), bytes));
    let view = View { source, language, zone: source.firm.time_zone() };
    let record = source.record;
    let current = record.current().map(|version| view.notice(version, false));
    put("index.html".to_owned(), render!(NoticePage, view.frame(""), "index.html", { page: current }));
    for version in &record.versions {
        let path = format!("v/{}/", version.number);
        let is_older = record.current().is_some_and(|current| current.number != version.number);
        let page = Some(view.notice(version, is_older));
        put(format!("{path}index.html"), render!(NoticePage, view.frame(&path), &path, { page: page }));
    }
    let steps = view.steps();
    put("trail/index.html".to_owned(), render!(TrailPage, view.frame("trail/"), "trail", { steps: steps }));
    let (now, history) = view.statuses();
    let status = render!(StatusPage, view.frame("status/"), "status", { now: now, history: history });
    put("status/index.html".to_owned(), status);
    let mail = source.firm.mail.as_ref();
    let genuine = render!(GenuinePage, view.frame("genuine/"), "genuine", { genuine: mail });
    put("genuine/index.html".to_owned(), genuine);
    let verify = render!(VerifyPage, view.frame("verify/"), "verify", { key: source.key });
    put("verify/index.html".to_owned(), verify);
    Ok(())
}

struct View<'a> {
    source: &'a Telling<'a>,
    language: Language,
    zone: TimeZone,
}

impl<'a> View<'a> {
    /// `path` is the page's, below the language's folder.
    fn frame(&self, path: &str) -> Frame<'a> {
        let (w, firm) = (self.language.words(), self.source.firm);
        let folder = self.language.folder();
        let depth = folder.matches('/').count() + path.matches('/').count();
        let up = if depth == 0 { "./".to_owned() } else { "../".repeat(depth) };
        let other_folder = if self.language == Language::Ja { Language::En.folder() } else { Language::Ja.folder() };
        let pages = [
            ("", w.notice),
            ("trail/", w.trail),
            ("status/", w.status),
            ("genuine/", w.genuine),
            ("verify/", w.verify),
        ];
        let nav = pages.map(|(page, name)| (format!("{folder}{page}"), name, page == path)).to_vec();
        let desk = Desk {
            name: self.language.pick(&firm.desk.name),
            telephone: &firm.desk.telephone,
            mail: &firm.desk.mail,
            hours: self.language.pick(&firm.desk.hours),
        };
        Frame { w, firm: self.language.pick(&firm.name), desk, up, folder, other: format!("{other_folder}{path}"), nav }
    }

    fn time(&self, at: Timestamp) -> String {
        self.language.time(at, &self.zone)
    }

    fn notice(&self, version: &Version, is_older: bool) -> Shown {
        let (language, notice) = (self.language, &version.notice);
        let pick = |text: &crate::notice::Text| language.pick(text).to_owned();
        let redaction = |redaction: &crate::record::Redaction| RedactionShown {
            part: language.part(&redaction.target.part),
            ground: language.ground(redaction.ground),
            at: self.time(redaction.at),
            reference: pick(&redaction.reference),
        };
        let redactions = self.source.record.redactions.iter().filter(|redaction| redaction.target.leaf == version.leaf);
        let paper = super::paper::path(language.words().code, version.number);
        Shown {
            title: pick(&notice.title),
            version: language.words().version.replace("{}", &version.number.to_string()),
            at: self.time(version.at),
            at_iso: version.at.to_string(),
            is_older,
            withdrawal: version.withdrawn.as_ref().map(|withdrawal| self.statement(withdrawal)),
            redactions: redactions.map(redaction).collect(),
            happened: lines(language.pick(&notice.happened)),
            found: self.found(notice),
            is_without_leak: notice.is_without_leak(),
            exposed: self.language.periods(&notice.exposed, &self.zone),
            counts: notice.counts.iter().map(|count| self.count(count)).collect(),
            lists: self.lists(notice),
            next: self.next(notice),
            basis: match version.basis {
                Basis::Scope { .. } => language.words().computed,
                Basis::Stated => language.words().stated,
            },
            leaf: version.leaf,
            document: version.document.clone(),
            pdf: self.source.paper.contains_key(&paper).then_some(paper),
        }
    }

    fn statement(&self, withdrawal: &Withdrawal) -> Statement {
        Statement {
            at: self.time(withdrawal.at),
            requester: self.language.pick(&withdrawal.requester).to_owned(),
            reason: self.language.pick(&withdrawal.reason).to_owned(),
            leaf: withdrawal.leaf,
        }
    }

    fn found(&self, notice: &Notice) -> String {
        let unknown = || self.language.words().unknown.to_owned();
        notice.found_at.map_or_else(unknown, |at| self.language.moment(at, &self.zone))
    }

    fn count(&self, count: &Count) -> CountShown {
        let language = self.language;
        let what = match &count.set {
            None => language.measure(count.of).to_owned(),
            Some(set) => language.with_note(language.measure(count.of), language.pick(set)),
        };
        let before: Vec<String> = count.before.iter().map(|value| language.figure(count.of, *value)).collect();
        CountShown {
            what,
            figure: count
                .value
                .map_or_else(|| language.words().unknown.to_owned(), |value| language.figure(count.of, value)),
            state: language.state(count.state),
            before: if before.is_empty() { "–".to_owned() } else { before.join(" → ") },
        }
    }

    fn lists(&self, notice: &Notice) -> Vec<(&'static str, &'static str, Vec<String>)> {
        let w = self.language.words();
        let pick = |list: &[crate::notice::Text]| list.iter().map(|text| self.language.pick(text).to_owned()).collect();
        vec![
            ("left", w.left, pick(&notice.left)),
            ("not_left", w.not_left, pick(&notice.not_left)),
            ("not_examined", w.not_examined, pick(&notice.not_examined)),
            ("to_do", w.to_do, pick(&notice.to_do)),
            ("measures", w.measures, pick(&notice.measures)),
        ]
    }

    fn next(&self, notice: &Notice) -> String {
        let note = self.language.pick(&notice.next_note);
        let at = notice.next_update.map(|at| self.time(at));
        [at.as_deref().unwrap_or_default(), note]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("　")
    }

    /// The newest first.
    fn steps(&self) -> Vec<StepShown> {
        let record = self.source.record;
        let steps = (0..).zip(&record.entries).zip(&record.steps).map(|((leaf, entry), step)| {
            let (name, lines) = self.step(record, leaf, step);
            let version = record.versions.iter().find(|version| version.leaf == leaf);
            let link = version.map(|version| {
                let number = self.language.words().version.replace("{}", &version.number.to_string());
                (format!("{}v/{}/", self.language.folder(), version.number), number)
            });
            let difference = version.map_or_else(Vec::new, |version| self.difference(record, version));
            StepShown { name, at: self.time(entry.at), at_iso: entry.at.to_string(), leaf, lines, link, difference }
        });
        let mut steps: Vec<StepShown> = steps.collect();
        steps.reverse();
        steps
    }

    fn step(&self, record: &Record, leaf: u64, step: &Step) -> (String, Vec<(String, String)>) {
        let (language, w) = (self.language, self.language.words());
        let line = |term: &str, text: &str| (term.to_owned(), text.to_owned());
        let title = || {
            let version = record.versions.iter().find(|version| version.leaf == leaf);
            version.map_or_else(String::new, |version| language.pick(&version.notice.title).to_owned())
        };
        match step {
            Step::Publisher(firm) => {
                let lines = vec![
                    line(language.pick(&firm.desk.name), &firm.desk.telephone),
                    line(w.mail, &firm.desk.mail),
                    line(w.hours, language.pick(&firm.desk.hours)),
                ];
                (format!("{}: {}", w.publisher, language.pick(&firm.name)), lines)
            }
            Step::Embargo { reason, until } => {
                let lines = vec![line(w.reason, language.pick(reason)), line(w.embargo_until, &self.time(*until))];
                (w.embargo.to_owned(), lines)
            }
            Step::Published { .. } => (title(), Vec::new()),
            Step::Updated { changed, .. } => (title(), vec![line("", language.pick(changed))]),
            Step::Withdrawn { requester, reason } => {
                let lines = vec![line(w.requester, language.pick(requester)), line(w.reason, language.pick(reason))];
                (w.withdrawn.to_owned(), lines)
            }
            Step::Redacted { target, ground, reference } => {
                let version = record.versions.iter().find(|version| version.leaf == target.leaf);
                let what = match version {
                    Some(version) => w.version.replace("{}", &version.number.to_string()),
                    None => format!("{} {}", w.leaf, target.leaf),
                };
                let lines = vec![
                    line(&what, language.part(&target.part)),
                    line(w.reason, &format!("{} {}", language.ground(*ground), language.pick(reference))),
                ];
                (w.redacted.to_owned(), lines)
            }
            Step::Status { service, state, text, since } => {
                let name = format!("{}: {}", language.pick(service), language.service(*state));
                (name, vec![line("", language.pick(text)), line(language.since(*state), &self.time(*since))])
            }
        }
    }

    /// Lines that are other than in the version before.
    fn difference(&self, record: &Record, version: &Version) -> Vec<(bool, String)> {
        let Some(before) = record.versions.iter().rfind(|before| before.number < version.number) else {
            return Vec::new();
        };
        let (before, after) = (self.plain(&before.notice), self.plain(&version.notice));
        let [before, after] = [&before, &after].map(|lines| lines.iter().map(String::as_str).collect::<Vec<_>>());
        let diff = TextDiff::from_slices(&before, &after);
        let changed = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal);
        changed.map(|change| (change.tag() == ChangeTag::Insert, change.value().to_owned())).collect()
    }

    /// A notice as lines of text.
    fn plain(&self, notice: &Notice) -> Vec<String> {
        let w = self.language.words();
        let mut text = vec![self.language.pick(&notice.title).to_owned()];
        text.extend(lines(self.language.pick(&notice.happened)));
        text.push(format!("{}: {}", w.found, self.found(notice)));
        if !notice.is_without_leak() {
            text.push(format!("{}: {}", w.exposed, self.language.periods(&notice.exposed, &self.zone)));
        }
        text.extend(notice.counts.iter().map(|count| {
            let shown = self.count(count);
            self.language.with_note(&format!("{}: {}", shown.what, shown.figure), shown.state)
        }));
        for (_, heading, items) in self.lists(notice) {
            text.extend(items.into_iter().map(|item| format!("{heading}: {item}")));
        }
        text.push(format!("{}: {}", w.next, self.next(notice)));
        text
    }

    /// How services are now, and all that was said before, the newest first.
    fn statuses(&self) -> (Vec<StatusShown>, Vec<StatusShown>) {
        let all = &self.source.record.statuses;
        let is_last =
            |status: &Status| !all.iter().any(|later| later.leaf > status.leaf && later.service == status.service);
        let now = all.iter().filter(|status| is_last(status) && status.state != Service::Operational);
        (now.map(|status| self.status(status)).collect(), all.iter().rev().map(|status| self.status(status)).collect())
    }

    fn status(&self, status: &Status) -> StatusShown {
        StatusShown {
            service: self.language.pick(&status.service).to_owned(),
            state: self.language.service(status.state),
            class: match status.state {
                Service::Down => "down",
                Service::Degraded => "degraded",
                Service::Recovered => "recovered",
                Service::Operational => "operational",
            },
            text: self.language.pick(&status.text).to_owned(),
            since: (self.language.since(status.state), self.time(status.since)),
            at: self.time(status.at),
            leaf: status.leaf,
        }
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// A notice as plain text for feeds.
pub(super) fn plain_text(source: &Telling<'_>, language: Language, notice: &Notice) -> String {
    View { source, language, zone: source.firm.time_zone() }.plain(notice).join("\n")
}

/// The step as a feed has it: its name and its text.
pub(super) fn step_text(source: &Telling<'_>, language: Language, leaf: u64) -> (String, String) {
    let view = View { source, language, zone: source.firm.time_zone() };
    let step = usize::try_from(leaf).ok().and_then(|leaf| source.record.steps.get(leaf));
    let (name, lines) = step.map_or_else(Default::default, |step| view.step(source.record, leaf, step));
    let lines = lines.into_iter().map(|(term, text)| if term.is_empty() { text } else { format!("{term}: {text}") });
    (name, lines.collect::<Vec<_>>().join("\n"))
}
