//! Cases and deadlines as tables for a person, and as JSON for a program.

use super::{Format, Language};
use crate::command::Done;
use anyhow::{Context, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sekisho_incident::Case;
use sekisho_incident::deadline::{Deadline, Deadlines, Due};
use sekisho_incident::regime::{Hardness, Review};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write as _;

/// A closed pipe (`| head`) is the reader's choice, not an error.
pub(super) fn print(text: &str) -> Result<Done> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(err) if err.kind() != std::io::ErrorKind::BrokenPipe => Err(err).context("cannot write the answer"),
        _ => Ok(Done::Yes),
    }
}

pub(super) fn json(value: &impl Serialize) -> Result<Done> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

pub(super) fn list(cases: &[Case], format: Format) -> Result<Done> {
    if let Format::Json = format {
        return json(&cases);
    }
    let mut out = String::new();
    for case in cases {
        let opened = case.timeline.first().map_or_else(String::new, |entry| local(entry.recorded_at, &case.zone));
        let _ = writeln!(out, "{:<24}  {opened}  {:>3} events  {}", case.id.as_str(), case.timeline.len(), case.title);
    }
    print(&out)
}

pub(super) fn case(case: &Case, format: Format) -> Result<Done> {
    if let Format::Json = format {
        return json(case);
    }
    let mut out = format!("{}  {}\n", case.id, case.title);
    if !case.counts.is_empty() {
        out.push_str("\nCounts\n");
        for count in &case.counts {
            let part = count.part_of.as_deref().map_or_else(String::new, |whole| format!("  part of {whole}"));
            let newer = case.count(count.of, &count.set).is_some_and(|last| last.event != count.event);
            let note = if newer { "  (replaced)" } else { "" };
            let (of, state) = (word(&count.of), word(&count.state));
            let figure = sekisho_scope::text::count(count.value);
            let _ = writeln!(out, "  {figure:>12} {of:<9} {:<14} {state}{part}{note}", count.set);
        }
    }
    for warning in &case.warnings {
        let _ = writeln!(out, "  ! {warning}");
    }
    if !case.facts.is_empty() {
        out.push_str("\nFacts\n");
        for fact in &case.facts {
            let newer = case.fact(&fact.key).is_some_and(|last| last.event != fact.event);
            let note = if newer { "  (replaced)" } else { "" };
            let _ = writeln!(out, "  {:<24} {:<10} {}{note}", fact.key, word(&fact.state), fact.value);
        }
    }
    let _ = writeln!(out, "\nTimeline ({})", case.zone);
    for entry in &case.timeline {
        let at = local(entry.happened_at.unwrap_or(entry.recorded_at), &case.zone);
        let _ = writeln!(out, "  {:>3}  {at}  {}  [{}]", entry.event, entry.text, entry.operator);
    }
    print(&out)
}

pub(super) fn deadlines(
    case: &Case,
    found: &Deadlines,
    format: Format,
    language: Language,
    now: Timestamp,
) -> Result<Done> {
    if let Format::Json = format {
        return json(found);
    }
    let ja = language == Language::Ja;
    let mut out = format!("{}  {}\n", case.id, case.title);
    for deadline in &found.deadlines {
        let (label, why) =
            if ja { (&deadline.label_ja, &deadline.why_ja) } else { (&deadline.label_en, &deadline.why_en) };
        let state = state(deadline, now, language)?;
        let _ = write!(out, "\n{}  {state}\n  {label}  [{}]", due(deadline, language), deadline.obligation);
        if let Some(intrusion) = &deadline.intrusion {
            let _ = write!(out, "  {}: {intrusion}", if ja { "侵入" } else { "intrusion" });
        }
        if deadline.review_status == Review::Draft {
            out.push_str(if ja { "  (規則は未承認)" } else { "  (rule not approved by counsel)" });
        }
        let _ = writeln!(out, "\n  {why}");
    }
    if !found.undecided.is_empty() {
        let head = if ja {
            "適用未確定(次の事実により決まる)"
        } else {
            "Not decided; these facts would decide"
        };
        let _ = writeln!(out, "\n{head}");
        for open in &found.undecided {
            let _ = writeln!(out, "  {:<14} {}", open.regime, open.facts.join(", "));
        }
    }
    print(&out)
}

fn due(deadline: &Deadline, language: Language) -> String {
    match (&deadline.due, language) {
        (Due::Promptly, Language::Ja) => "速やかに".to_owned(),
        (Due::Promptly, Language::En) => "without delay".to_owned(),
        (Due::At { at, zone }, _) => local(*at, zone),
        (Due::On { day, guide_from: Some(from), .. }, Language::Ja) => format!("{from}~{day}(目安)"),
        (Due::On { day, guide_from: Some(from), .. }, Language::En) => format!("{from} to {day}"),
        (Due::On { day, .. }, Language::Ja) => format!("{day} 中"),
        (Due::On { day, .. }, Language::En) => format!("{day}, end of day"),
    }
}

fn state(deadline: &Deadline, now: Timestamp, language: Language) -> Result<String> {
    let ja = language == Language::Ja;
    let end = deadline.due.end()?;
    if let Some(by) = deadline.superseded_by {
        return Ok(if ja { format!("イベント {by} により訂正") } else { format!("superseded by event {by}") });
    }
    let text = match (deadline.submitted_at, end) {
        (Some(at), Some(end)) if at > end => if ja { "提出済み(期限後)" } else { "submitted late" }.to_owned(),
        (Some(_), _) => if ja { "提出済み" } else { "submitted" }.to_owned(),
        (None, None) => if ja { "未提出" } else { "open" }.to_owned(),
        (None, Some(end)) => {
            let hours = (end.as_second() - now.as_second()).abs() / 3600;
            let (days, hours) = (hours / 24, hours % 24);
            match (end < now, ja) {
                (false, true) => format!("残り {days} 日 {hours} 時間"),
                (false, false) => format!("{days} d {hours} h left"),
                (true, true) => format!("{days} 日 {hours} 時間超過"),
                (true, false) => format!("OVERDUE by {days} d {hours} h"),
            }
        }
    };
    let guide = match (deadline.hardness, ja) {
        (Hardness::Guide, true) => "、目安",
        (Hardness::Guide, false) => ", guide",
        _ => "",
    };
    Ok(format!("{text}{guide}"))
}

fn local(at: Timestamp, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    at.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// A value's name as JSON has it.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
