//! The report for a terminal of 80 columns.

use super::report::{Told, action_name};
use jiff::tz::TimeZone;
use sekisho_model::Timestamp;
use sekisho_scope::policy::{Class, Effect, Suggestion};
use sekisho_scope::text::{count, pad, wrap};
use std::path::Path;

/// Columns of a terminal.
const COLUMNS: usize = 80;
/// Where values begin behind their label.
const VALUE: usize = 16;

pub(super) fn render(told: &[Told<'_>], config: &Path, from: Timestamp, to: Timestamp, zone: &TimeZone) -> String {
    let mut text = format!("{} – {}\n\n", minute(from, zone), minute(to, zone));
    if told.is_empty() {
        text.push_str("No response in this period.\n");
    }
    for route in told {
        one(&mut text, route);
    }
    let to_paste: Vec<&Told<'_>> = told.iter().filter(|told| is_new(told)).collect();
    if !to_paste.is_empty() {
        text.push_str("To record under the suggested classes, nothing enforced yet:\n\n");
        for told in &to_paste {
            if let Suggestion::Class(class) = told.suggestion {
                let (route, class) = (told.name, class.name());
                text.push_str(&format!("  sekisho policy enforce -c {} \\\n", config.display()));
                text.push_str(&format!("      --route {route} --class {class} --action record\n"));
            }
        }
        text.push_str("\nor the same in the file:\n\n");
        for told in &to_paste {
            if let (Suggestion::Class(class), Some(route)) = (&told.suggestion, told.route) {
                let path = if told.name.starts_with('/') { told.name } else { &route.path_prefix };
                let quoted = |text: &str| toml::Value::String(text.to_owned());
                let (path, upstream, class) = (quoted(path), quoted(told.upstream), class.name());
                text.push_str(&format!("[[route]]\npath = {path}\nupstream = {upstream}\nclass = \"{class}\"\n\n"));
            }
        }
    }
    text
}

/// Whether a class is suggested that nothing says yet. `/` in the ledger is the first page alone, and in the file every path.
fn is_new(told: &Told<'_>) -> bool {
    matches!(told.suggestion, Suggestion::Class(_))
        && told.configured.is_none()
        && told.route.is_some()
        && !told.name.contains('…')
        && told.name != "/"
}

fn one(text: &mut String, told: &Told<'_>) {
    let counts = &told.seen.counts;
    let plural =
        |number: u64, one: &str, more: &str| format!("{} {}", count(number), if number == 1 { one } else { more });
    text.push_str(&format!("{}\n", told.name));
    let responses = plural(told.seen.responses, "response", "responses");
    pair(text, "Responses", &format!("{responses}, {} with customers' data", count(counts.all())));
    let mut held =
        vec![(counts.own, "own persons only"), (counts.others, "others"), (counts.nobody, "session of nobody")];
    held.push((counts.account, "session of an account"));
    for (number, what) in held.into_iter().filter(|(number, _)| *number > 0) {
        let shared = match (what, counts.shared) {
            ("own persons only", 1..) => format!(" ({} with a shared mail or telephone)", count(counts.shared)),
            _ => String::new(),
        };
        pair(text, "", &format!("{} {what}{shared}", count(number)));
    }
    if told.seen.canaries > 0 {
        pair(
            text,
            "INCIDENT",
            &format!("planted customers in {}", plural(told.seen.canaries, "response", "responses")),
        );
    }
    let done = told.seen.done;
    if done.ended + done.masked > 0 {
        pair(text, "Enforced", &format!("{} ended, {} masked", count(done.ended), count(done.masked)));
    }
    if let (Some((class, all, reached)), Some(route)) = (told.configured, told.route) {
        let action = action_name(route.rules.foreign);
        pair(text, "Configured", &format!("class {}, foreign {action}", class.name()));
        pair(text, "", &format!("block would have ended {}", effect(all, counts.all())));
        if reached != all {
            pair(text, "", &format!("within its ramp {}", effect(reached, counts.all())));
        }
    }
    let is_same = |class: &Class| told.configured.is_some_and(|(configured, _, _)| configured == *class);
    match (&told.suggestion, told.suggested) {
        (Suggestion::Class(class), _) if is_same(class) => pair(text, "Suggestion", "as configured"),
        (Suggestion::Class(class), Some(of)) => {
            let note = if *class == Class::Public { told.seen.responses } else { counts.all() };
            pair(text, "Suggestion", &format!("class {}: would have ended {}", class.name(), effect(of, note)));
        }
        (Suggestion::Class(_), None) => {}
        (Suggestion::None(reason), _) => pair(text, "Suggestion", &format!("none yet: {reason}")),
    }
    text.push('\n');
}

/// `3 of 48,112 responses, in 1 session, with 9 persons`
pub(super) fn effect(of: Effect, all: u64) -> String {
    let sessions = if of.sessions == 1 { "session" } else { "sessions" };
    let persons = if of.persons == 1 { "person" } else { "persons" };
    match of.responses {
        0 => format!("none of {} responses", count(all)),
        some => format!(
            "{} of {} responses, in {} {sessions}, with {} {persons}",
            count(some),
            count(all),
            count(of.sessions),
            count(of.persons)
        ),
    }
}

fn pair(text: &mut String, label: &str, value: &str) {
    let indent = value.len() - value.trim_start().len();
    for (at, line) in wrap(value.trim_start(), COLUMNS - VALUE - indent).iter().enumerate() {
        let label = if at == 0 { label } else { "" };
        text.push_str(&format!("  {}{}{line}\n", pad(label, VALUE - 2), " ".repeat(indent)));
    }
}

fn minute(at: Timestamp, zone: &TimeZone) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or_default();
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %:z").to_string()
}
