//! The answer for a terminal of 80 columns: what left first, then what can be said of each field, then what the
//! answer rests on.

use crate::text::{count, duration, pad, pad_left, width, wrap};
use crate::{Answer, Coverage, FieldAnswer, FieldState, Gap, GenericAnswer, RegisterAnswer};
use jiff::tz::TimeZone;
use sekisho_model::Timestamp;
use std::fmt::Write as _;

/// Columns of the table.
const COLUMNS: usize = 80;
/// Where values begin behind their label.
const VALUE: usize = 20;
/// Combinations told for a register; the rest is counted.
const COMBINATIONS_MAX: usize = 12;
/// Gaps told; the rest is counted.
const GAPS_MAX: usize = 5;
/// Sessions with planted customers told; the rest is counted.
const CANARIES_MAX: usize = 20;
/// Sessions that are not boundable told; the rest is counted.
const NOT_BOUNDABLE_MAX: usize = 20;
/// Sessions that are told; more of them stand in the JSON only.
const SESSIONS_MAX: usize = 5;
/// Alerts told; the rest is counted.
const ALERTS_MAX: usize = 20;

/// Whether the table may hold colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Escape sequences for a terminal.
    Yes,
    /// Plain text.
    No,
}

/// The answer as text. `zone` is where its reader lives.
#[must_use]
pub fn render(answer: &Answer, zone: &TimeZone, colour: Colour) -> String {
    let mut table = Table { text: String::new(), colour };
    for register in &answer.registers {
        table.register(answer, register);
    }
    if answer.registers.is_empty() {
        table.pair("Registers", "none was loaded: mails, cards and My Numbers are found by their form");
        table.line("");
    }
    table.canaries(answer, zone);
    table.beside(answer, zone);
    table.coverage(&answer.coverage, zone);
    table.sessions(answer, zone);
    table.not_boundable(answer);
    table.alerts(answer, zone);
    table.text
}

/// What was found in files, as text: persons, fields and values, without what only responses have.
#[must_use]
pub fn render_found(answer: &Answer, colour: Colour) -> String {
    let mut table = Table { text: String::new(), colour };
    for register in &answer.registers {
        table.register(answer, register);
    }
    let GenericAnswer { emails, cards, my_number_findings } = answer.generic;
    let plural = |number: u64, word: &str| format!("{} {word}{}", count(number), if number == 1 { "" } else { "s" });
    let found = [plural(emails, "mail"), plural(cards, "card"), plural(my_number_findings, "My Number finding")];
    table.pair("Without a register", &found.join(", "));
    table.text
}

struct Table {
    text: String,
    colour: Colour,
}

impl Table {
    fn register(&mut self, answer: &Answer, register: &RegisterAnswer) {
        let (name, persons) = (self.bold(&register.name), count(register.persons));
        let (of, age) = (count(register.persons_registered), duration(register.age_s));
        self.line(&format!("{name}   {persons} of {of} persons   (register built {age} ago)"));
        self.line("");
        self.combinations(register);
        let fields: Vec<&FieldAnswer> = answer.fields.iter().filter(|field| field.register == register.name).collect();
        let name_columns = fields.iter().map(|field| width(&field.field)).max().unwrap_or(0).clamp(8, 24);
        for field in fields {
            self.field(field, name_columns);
        }
        self.line("");
    }

    fn combinations(&mut self, register: &RegisterAnswer) {
        for combination in register.combinations.iter().take(COMBINATIONS_MAX) {
            let persons = pad_left(&count(combination.persons), 12);
            let fields = wrap(&combination.fields.join(", "), COLUMNS - 15);
            for (at, line) in fields.iter().enumerate() {
                let persons = if at == 0 { persons.clone() } else { pad("", 12) };
                self.line(&format!("{persons}   {line}"));
            }
        }
        let more = &register.combinations[register.combinations.len().min(COMBINATIONS_MAX)..];
        if !more.is_empty() {
            let persons: u64 = more.iter().map(|combination| combination.persons).sum();
            let (persons, combinations) = (pad_left(&count(persons), 12), more.len());
            self.line(&format!("{persons}   in {combinations} more combinations (--format json lists them)"));
        }
        if !register.combinations.is_empty() {
            self.line("");
        }
    }

    fn field(&mut self, field: &FieldAnswer, name_columns: usize) {
        let (word, style) = match field.state {
            FieldState::Exposed => ("exposed", RED),
            FieldState::NotObserved => ("not observed", GREEN),
            FieldState::NotExamined => ("not examined", YELLOW),
        };
        let name = pad(&field.field, name_columns);
        let state = self.paint(&pad(word, 12), style);
        let persons = match field.persons {
            0 => String::new(),
            1 => "1 person".to_owned(),
            more => format!("{} persons", count(more)),
        };
        let reason = field.reason.as_deref().unwrap_or("");
        let told = match (persons.is_empty(), reason.is_empty()) {
            (false, false) => format!("{persons}; {reason}"),
            _ => format!("{persons}{reason}"),
        };
        let indent = 2 + name_columns + 2 + 12 + 2;
        let mut lines = wrap(&told, COLUMNS - indent).into_iter();
        let first = lines.next().unwrap_or_default();
        self.line(&format!("  {name}  {state}  {first}"));
        lines.for_each(|line| self.line(&format!("{}{line}", pad("", indent))));
    }

    fn beside(&mut self, answer: &Answer, zone: &TimeZone) {
        let generic = &answer.generic;
        let mails = plural(generic.emails, "mail", "mails");
        let cards = plural(generic.cards, "card", "cards");
        let numbers = plural(generic.my_number_findings, "My Number finding", "My Number findings");
        self.pair("Without a register", &format!("{mails}, {cards}, {numbers}"));
        let reflected = &answer.reflected;
        if reflected.persons + reflected.generic_findings > 0 {
            let persons = plural(reflected.persons, "person", "persons");
            let values = plural(reflected.generic_findings, "other value", "other values");
            self.pair("Only echoed", &format!("{persons}, {values}: the request had sent them; not counted"));
        }
        self.pair("First exposure", &answer.first.map_or_else(|| "–".to_owned(), |at| local(at, zone)));
        self.pair("Last exposure", &answer.last.map_or_else(|| "–".to_owned(), |at| local(at, zone)));
        self.line("");
    }

    fn coverage(&mut self, coverage: &Coverage, zone: &TimeZone) {
        self.pair("Responses", &count(coverage.responses));
        self.pair("  inspected", &count(coverage.inspected));
        self.pair("  without a body", &count(coverage.without_body));
        let skipped: u64 = coverage.not_inspectable.values().sum();
        let reasons: Vec<String> = coverage
            .not_inspectable
            .iter()
            .map(|(why, number)| format!("{} {}", reason(*why), count(*number)))
            .collect();
        let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
        self.pair("  not inspectable", &format!("{}{reasons}", count(skipped)));
        if coverage.opened_without_closed > 0 {
            self.warn(
                "  end unknown",
                &format!("{}: still open, or cut by a crash", count(coverage.opened_without_closed)),
            );
        }
        if coverage.gaps.is_empty() {
            self.pair("  missing numbers", "none");
        } else {
            self.warn("  missing numbers", &gaps(&coverage.gaps));
        }
        for end in &coverage.open_ends {
            let after = local(end.last_sign, zone);
            if end.ended {
                self.warn("  gateway", &format!("ended abruptly after {after}: what it released then is not known"));
            } else {
                self.pair("  gateway", &format!("runs still, or ended abruptly after {after}"));
            }
        }
        if coverage.withheld > 0 {
            self.pair("  withheld by policy", &count(coverage.withheld));
        }
        if coverage.records_lost > 0 {
            self.warn("  records lost", &count(coverage.records_lost));
        }
    }

    fn canaries(&mut self, answer: &Answer, zone: &TimeZone) {
        if answer.canaries.is_empty() {
            return;
        }
        let heading = self.paint("INCIDENT: planted customers in responses (no persons, not counted here)", RED);
        self.line(&heading);
        for incident in answer.canaries.iter().take(CANARIES_MAX) {
            let session = incident
                .session
                .as_deref()
                .map_or("no session".to_owned(), |key| format!("session {}…", &key[..8.min(key.len())]));
            self.line(&format!("  {}  {session}  {}", incident.client, incident.route));
            let (customers, responses) = (incident.customers, plural(incident.responses, "response", "responses"));
            let customers = plural(customers, "planted customer", "planted customers");
            let withheld = match incident.withheld {
                0 => String::new(),
                some if some == incident.responses => ", withheld".to_owned(),
                some => format!(", {} withheld", count(some)),
            };
            self.line(&format!("      {customers} in {responses}{withheld}"));
            let (first, last) = (local(incident.first, zone), local(incident.last, zone));
            let until = if first == last { String::new() } else { format!(" – {last}") };
            self.line(&format!("      {first}{until}"));
        }
        let more = answer.canaries.len().saturating_sub(CANARIES_MAX);
        if more > 0 {
            self.line(&format!("  and {more} more (--format json lists them)"));
        }
        self.line("");
    }

    /// Which sessions, when they are few: each can be asked about with `--session`.
    fn sessions(&mut self, answer: &Answer, zone: &TimeZone) {
        if answer.sessions.is_empty() || answer.sessions.len() > SESSIONS_MAX {
            return;
        }
        self.line("");
        self.line("Sessions that persons' fields went to (--session asks about one)");
        for session in &answer.sessions {
            let (last, findings) = (local(session.last, zone), plural(session.findings, "finding", "findings"));
            self.line(&format!("  {}  {findings}", session.session));
            self.line(&format!("      last {last}"));
        }
    }

    fn not_boundable(&mut self, answer: &Answer) {
        if answer.not_boundable.is_empty() {
            return;
        }
        self.line("");
        let heading = self.paint("Not boundable by responses", YELLOW);
        self.line(&heading);
        for suspect in answer.not_boundable.iter().take(NOT_BOUNDABLE_MAX) {
            let session = suspect
                .session
                .as_deref()
                .map_or_else(String::new, |key| format!(" session {}…", &key[..8.min(key.len())]));
            let (client, route, requests) = (&suspect.client, &suspect.route, count(suspect.requests));
            self.line(&format!("  {client}{session}  {route}  {requests} requests like a blind injection"));
        }
        let more = answer.not_boundable.len().saturating_sub(NOT_BOUNDABLE_MAX);
        if more > 0 {
            self.line(&format!("  and {more} more (--format json lists them)"));
        }
    }

    /// Each with what it is about, and the command that shows whose data that is.
    fn alerts(&mut self, answer: &Answer, zone: &TimeZone) {
        if answer.alerts.is_empty() {
            return;
        }
        self.line("");
        let heading = self.paint("Alerts", YELLOW);
        self.line(&heading);
        for alert in answer.alerts.iter().take(ALERTS_MAX) {
            let account = alert.account.as_deref().map(|key| format!("  account {}…", &key[..8.min(key.len())]));
            let (at, route, client) = (local(alert.at, zone), &alert.route, &alert.client);
            self.line(&format!("  {at}  {client}  {route}{}", account.unwrap_or_default()));
            wrap(&alert.text, COLUMNS - 6).iter().for_each(|line| self.line(&format!("      {line}")));
            self.line(&format!("      {}", alert.next_step));
        }
        let more = answer.alerts.len().saturating_sub(ALERTS_MAX);
        if more > 0 {
            self.line(&format!("  and {more} more (--format json lists them)"));
        }
    }

    fn pair(&mut self, label: &str, value: &str) {
        for (at, line) in wrap(value, COLUMNS - VALUE).iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            self.line(&format!("{}{line}", pad(label, VALUE)));
        }
    }

    fn warn(&mut self, label: &str, value: &str) {
        for (at, line) in wrap(value, COLUMNS - VALUE).iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            let line = format!("{}{}", pad(label, VALUE), self.paint(line, YELLOW));
            self.line(&line);
        }
    }

    fn line(&mut self, line: &str) {
        writeln!(self.text, "{}", line.trim_end()).expect("a String can always be written");
    }

    fn bold(&self, text: &str) -> String {
        self.paint(text, BOLD)
    }

    fn paint(&self, text: &str, style: &str) -> String {
        match self.colour {
            Colour::Yes => format!("{style}{text}\u{1b}[0m"),
            Colour::No => text.to_owned(),
        }
    }
}

const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[31m";
const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";

fn gaps(gaps: &[Gap]) -> String {
    let (unknown, gaps): (Vec<Gap>, Vec<Gap>) = gaps.iter().partition(|gap| gap.abrupt_end);
    let unknown = match unknown.len() {
        0 => None,
        1 => Some("unknown, after an abrupt end of the gateway".to_owned()),
        ends => Some(format!("unknown, after {ends} abrupt ends of the gateway")),
    };
    if gaps.is_empty() {
        return unknown.unwrap_or_default();
    }
    let missing: u64 = gaps.iter().map(|gap| gap.last - gap.first + 1).sum();
    let mut ranges: Vec<String> = gaps
        .iter()
        .take(GAPS_MAX)
        .map(|gap| if gap.first == gap.last { gap.first.to_string() } else { format!("{}–{}", gap.first, gap.last) })
        .collect();
    if gaps.len() > GAPS_MAX {
        ranges.push(format!("{} more ranges", gaps.len() - GAPS_MAX));
    }
    let known = format!("{} ({})", count(missing), ranges.join(", "));
    unknown.map_or_else(|| known.clone(), |unknown| format!("{known}; {unknown}"))
}

fn plural(number: u64, one: &str, more: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { more })
}

fn local(at: Timestamp, zone: &TimeZone) -> String {
    let Ok(at) = jiff::Timestamp::from_microsecond(at.0) else { return format!("{} µs", at.0) };
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

fn reason(why: sekisho_model::Uninspectable) -> &'static str {
    use sekisho_model::Uninspectable::*;
    match why {
        ContentType => "type without text",
        Container => "ZIP, PDF or office file",
        ContentEncoding => "unknown encoding",
        DecodeFailed => "broken encoding",
        DecodeLimit => "decoded too long",
        Charset => "unknown charset",
        Upgraded => "WebSocket",
        Partial => "partial content",
        IdleFlush => "idle stream",
        LedgerUnavailable => "ledger not writable",
        RouteExcluded => "route excluded",
    }
}
