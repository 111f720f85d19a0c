//! A case's deadlines as a calendar (RFC 5545): folded by octets, escaped, in UTC, with reminders.

use crate::deadline::{Deadline, Due};
use crate::regime::Hardness;
use crate::{Case, Error, Language};
use jiff::Timestamp;
use std::fmt::Write as _;

/// Octets of a line without its end (RFC 5545, 3.1).
const LINE_OCTETS_MAX: usize = 75;

/// Reminders before a deadline, in hours.
const REMINDERS_HOURS: &[u32] = &[24, 4];

/// The calendar. Deadlines without a date, met ones and superseded ones are left out.
pub fn calendar(case: &Case, deadlines: &[Deadline], language: Language) -> Result<String, Error> {
    let mut out = String::new();
    let stamp = case.timeline.last().map_or(Timestamp::UNIX_EPOCH, |entry| entry.recorded_at);
    for text in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Sekisho//case deadlines//EN", "CALSCALE:GREGORIAN"] {
        line(&mut out, text);
    }
    for deadline in deadlines {
        let Some(end) = deadline.due.end()? else { continue };
        if deadline.superseded_by.is_none() && deadline.submitted_at.is_none() {
            event(&mut out, case, deadline, (end, stamp), language);
        }
    }
    line(&mut out, "END:VCALENDAR");
    Ok(out)
}

fn event(out: &mut String, case: &Case, deadline: &Deadline, (end, stamp): (Timestamp, Timestamp), language: Language) {
    let (label, why) = match language {
        Language::Ja => (&deadline.label_ja, &deadline.why_ja),
        Language::En => (&deadline.label_en, &deadline.why_en),
    };
    let guide = match (deadline.hardness, language) {
        (Hardness::Guide, Language::Ja) => "(目安)",
        (Hardness::Guide, Language::En) => " (guide)",
        _ => "",
    };
    let intrusion = deadline.intrusion.as_deref().map_or_else(String::new, |id| format!("-{id}"));
    let summary = escape(&format!("{}: {label}{guide} [{}]", case.id, deadline.obligation));
    line(out, "BEGIN:VEVENT");
    line(out, &format!("UID:{}-{}{}@sekisho", case.id, deadline.obligation, escape(&intrusion)));
    line(out, &format!("DTSTAMP:{}", utc(stamp)));
    line(out, &format!("DTSTART:{}", utc(end)));
    line(out, &format!("SUMMARY:{summary}"));
    let day = match &deadline.due {
        Due::On { day, zone, .. } => format!("{day} ({zone})\n"),
        _ => String::new(),
    };
    line(out, &format!("DESCRIPTION:{}", escape(&format!("{day}{why}"))));
    line(out, "TRANSP:TRANSPARENT");
    for hours in REMINDERS_HOURS {
        line(out, "BEGIN:VALARM");
        line(out, "ACTION:DISPLAY");
        line(out, &format!("DESCRIPTION:{summary}"));
        line(out, &format!("TRIGGER:-PT{hours}H"));
        line(out, "END:VALARM");
    }
    line(out, "END:VEVENT");
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// RFC 5545, 3.3.11.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// A content line, folded between characters so that none is cut.
fn line(out: &mut String, text: &str) {
    let mut octets = 0;
    for c in text.chars() {
        if octets + c.len_utf8() > LINE_OCTETS_MAX {
            out.push_str("\r\n ");
            octets = 1;
        }
        octets += c.len_utf8();
        out.push(c);
    }
    let _ = write!(out, "\r\n");
}
