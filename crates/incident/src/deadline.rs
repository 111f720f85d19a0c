//! Computes when each regime's report is due, and says why. Nothing is stored, and the clock is never read.
//!
//! A corrected instant stays: its deadline is computed too, and marked as superseded.

use crate::calendar::Calendar;
use crate::case::check_zone as zone_of;
use crate::regime::{
    Applies, ClockRule, Day1, Hardness, Holds, Kind, Obligation, Regime, Review, Sourced, Unit, Which, holds,
};
use crate::{Case, Clock, ClockEntry, Error, Role};
use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp};
use serde::Serialize;

/// A deadline of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deadline {
    /// Such as `jp.appi.final`.
    pub obligation: String,
    /// Name in Japanese.
    pub label_ja: String,
    /// Name in English.
    pub label_en: String,
    /// To whom, in English.
    pub recipient_en: String,
    /// What kind of report.
    pub kind: Kind,
    /// How binding it is.
    pub hardness: Hardness,
    /// Whether counsel has approved the rule.
    pub review_status: Review,
    /// When.
    pub due: Due,
    /// The number of the event from which it runs.
    pub from_event: usize,
    /// The intrusion whose clock it is.
    pub intrusion: Option<String>,
    /// The number of the event that corrected its start.
    pub superseded_by: Option<usize>,
    /// When the first report for it, about this intrusion, was sent.
    pub submitted_at: Option<Timestamp>,
    /// Why, in Japanese.
    pub why_ja: String,
    /// Why, in English.
    pub why_en: String,
}

/// When something is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "form", rename_all = "snake_case")]
pub enum Due {
    /// Without a date.
    Promptly,
    /// At an instant.
    At {
        /// The instant.
        at: Timestamp,
        /// The zone in which it is shown.
        zone: String,
    },
    /// By the end of a day.
    On {
        /// The day.
        day: Date,
        /// The earlier end of a guide.
        guide_from: Option<Date>,
        /// The zone whose day it is.
        zone: String,
    },
}

/// A regime that may apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Undecided {
    /// The regime.
    pub regime: String,
    /// The facts that would decide.
    pub facts: Vec<String>,
}

/// Everything that follows from a case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Deadlines {
    /// By time; those without a date come first.
    pub deadlines: Vec<Deadline>,
    /// Regimes that wait for a fact.
    pub undecided: Vec<Undecided>,
}

impl Due {
    /// The last instant at which it is met; none without a date.
    pub fn end(&self) -> Result<Option<Timestamp>, Error> {
        match self {
            Due::Promptly => Ok(None),
            Due::At { at, .. } => Ok(Some(*at)),
            Due::On { day, zone, .. } => {
                let zone = zone_of(zone)?;
                let next = day.tomorrow().and_then(|next| next.to_zoned(zone)).map_err(|_| Error::Range)?.timestamp();
                Ok(Some(next - SignedDuration::from_secs(1)))
            }
        }
    }
}

/// All deadlines of a case.
pub fn compute(case: &Case, regimes: &[Regime]) -> Result<Deadlines, Error> {
    let mut all = Deadlines::default();
    for regime in regimes {
        match regime.applies(case) {
            Applies::No => {}
            Applies::Undecided(facts) => all.undecided.push(Undecided { regime: regime.id.clone(), facts }),
            Applies::Yes(trigger) => {
                for obligation in &regime.obligation {
                    if obligation.only_if.iter().all(|key| holds(case, key) == Holds::Yes) {
                        all.deadlines.extend(of_obligation(case, regime, obligation, &trigger)?);
                    }
                }
            }
        }
    }
    let mut timed = Vec::new();
    for deadline in all.deadlines {
        timed.push((deadline.due.end()?, deadline));
    }
    timed.sort_by(|a, b| (a.0, &a.1.obligation, a.1.from_event).cmp(&(b.0, &b.1.obligation, b.1.from_event)));
    all.deadlines = timed.into_iter().map(|(_, deadline)| deadline).collect();
    Ok(all)
}

/// The deadlines of one obligation, one for each intrusion and each superseded start.
fn of_obligation(case: &Case, regime: &Regime, obligation: &Obligation, trigger: &str) -> Result<Vec<Deadline>, Error> {
    let rules: Vec<&ClockRule> = obligation.clock.iter().filter(|rule| rule_holds(case, rule)).collect();
    let mut scopes: Vec<Option<&str>> = vec![None];
    scopes.extend(case.intrusions.iter().map(|intrusion| Some(intrusion.id.as_str())));
    let mut found: Vec<Deadline> = Vec::new();
    for scope in scopes {
        let starts_here = |entry: &&ClockEntry| {
            entry.actor.role != Role::Wrongdoer
                && entry.intrusion.as_deref() == scope
                && rules.iter().any(|rule| rule.start == entry.clock)
        };
        let superseded = case.clocks.iter().filter(starts_here).filter(|entry| entry.corrected_by.is_some());
        for old in std::iter::once(None).chain(superseded.map(Some)) {
            let view = View { case, scope, old };
            let Some((due, start, rule)) = earliest(&rules, &view)? else { continue };
            let superseded_by = old.and_then(|old| old.corrected_by);
            found.push(Deadline {
                obligation: obligation.id.clone(),
                label_ja: obligation.label_ja.clone(),
                label_en: obligation.label_en.clone(),
                recipient_en: obligation.recipient_en.clone(),
                kind: obligation.kind,
                hardness: if regime.sourced == Sourced::Unconfirmed && obligation.hardness == Hardness::Statute {
                    Hardness::Guide
                } else {
                    obligation.hardness
                },
                review_status: regime.review_status,
                why_ja: why_ja(regime, rule, start, &due),
                why_en: why_en(regime, rule, start, &due, trigger),
                due,
                from_event: start.event,
                intrusion: start.intrusion.clone(),
                superseded_by,
                submitted_at: case.submissions(&obligation.id, scope).map(|entry| entry.at).min(),
            });
        }
    }
    Ok(found)
}

fn rule_holds(case: &Case, rule: &ClockRule) -> bool {
    rule.only_if.iter().all(|key| holds(case, key) == Holds::Yes)
        && !rule.unless.iter().any(|key| holds(case, key) == Holds::Yes)
}

/// The clock events of one intrusion, as they stand now, or as they stood with one superseded event.
struct View<'a> {
    case: &'a Case,
    scope: Option<&'a str>,
    old: Option<&'a ClockEntry>,
}

impl<'a> View<'a> {
    fn find(&self, clock: &Clock, which: Which) -> Option<&'a ClockEntry> {
        if let Some(old) = self.old
            && old.clock == *clock
        {
            return Some(old);
        }
        let here = self.case.clocks.iter().filter(|entry| {
            entry.clock == *clock
                && entry.actor.role != Role::Wrongdoer
                && entry.corrected_by.is_none()
                && entry.intrusion.as_deref() == self.scope
        });
        match which {
            Which::First => here.min_by_key(|entry| entry.at),
            Which::Latest => here.max_by_key(|entry| entry.at),
        }
    }
}

type Found<'a> = (Due, &'a ClockEntry, &'a ClockRule);

fn earliest<'a>(rules: &[&'a ClockRule], view: &View<'a>) -> Result<Option<Found<'a>>, Error> {
    let mut best: Option<(Option<Timestamp>, Found<'a>)> = None;
    for rule in rules {
        let Some(start) = view.find(&rule.start, rule.which) else { continue };
        if let Some(late) = &rule.unless_later
            && let Some(event) = view.find(&late.event, Which::First)
            && event.at > start.at + SignedDuration::from_hours(i64::from(late.hours))
        {
            continue;
        }
        let due = count(rule, start)?;
        let end = due.end()?;
        if best.as_ref().is_none_or(|(known, _)| end < *known) {
            best = Some((end, (due, start, rule)));
        }
    }
    Ok(best.map(|(_, found)| found))
}

/// Counts one rule from one instant.
fn count(rule: &ClockRule, start: &ClockEntry) -> Result<Due, Error> {
    let zone = rule.zone.as_ref().unwrap_or(&start.zone).clone();
    let local = start.at.to_zoned(zone_of(&zone)?);
    let day_after = |days: u32| -> Result<Date, Error> {
        let days = if rule.day1 == Day1::Counted { days.saturating_sub(1) } else { days };
        local.date().checked_add(Span::new().days(i64::from(days))).map_err(|_| Error::Range)
    };
    Ok(match rule.unit {
        Unit::Promptly => Due::Promptly,
        Unit::Hour => Due::At { at: start.at + SignedDuration::from_hours(i64::from(rule.offset)), zone },
        Unit::CalendarDay => {
            let last = day_after(rule.offset)?;
            let day = rule.calendar.map_or(Ok(last), |calendar| calendar.roll_forward(last))?;
            Due::On { day, guide_from: rule.offset_from.map(day_after).transpose()?, zone }
        }
        Unit::BusinessDay => {
            let calendar = rule.calendar.unwrap_or(Calendar::JpOffices);
            let count = if rule.day1 == Day1::Counted { rule.offset.saturating_sub(1) } else { rule.offset };
            Due::On { day: calendar.add_business_days(local.date(), count)?, guide_from: None, zone }
        }
        // A month that has no such day ends with its last one; a time that the zone skips moves forward.
        Unit::Month => {
            let at = local.checked_add(Span::new().months(i64::from(rule.offset))).map_err(|_| Error::Range)?;
            Due::At { at: at.timestamp(), zone }
        }
    })
}

fn local_text(at: Timestamp, zone: &str) -> String {
    zone_of(zone).map_or_else(|_| at.to_string(), |tz| at.to_zoned(tz).strftime("%Y-%m-%d %H:%M %:z").to_string())
}

/// Whether the last day was moved because offices are closed.
fn rolled(rule: &ClockRule, start: &ClockEntry, due: &Due) -> Option<Date> {
    let (Due::On { day, .. }, Unit::CalendarDay, Some(_)) = (due, rule.unit, rule.calendar) else { return None };
    let unrolled = ClockRule { calendar: None, ..rule.clone() };
    match count(&unrolled, start) {
        Ok(Due::On { day: last, .. }) if last != *day => Some(last),
        _ => None,
    }
}

fn why_en(regime: &Regime, rule: &ClockRule, start: &ClockEntry, due: &Due, trigger: &str) -> String {
    let zone = rule.zone.as_ref().unwrap_or(&start.zone);
    let plural = |unit: &str| format!("{} {unit}{}", rule.offset, if rule.offset == 1 { "" } else { "s" });
    let counted = match rule.unit {
        Unit::Promptly => "without delay; no figure is fixed".to_owned(),
        Unit::Hour => plural("hour"),
        Unit::CalendarDay => {
            let range =
                rule.offset_from.map_or_else(|| plural("day"), |from| format!("{from} to {} days", rule.offset));
            let first = if rule.day1 == Day1::Counted { ", the day of the event being day 1" } else { "" };
            format!("{range}{first}, in {zone}")
        }
        Unit::BusinessDay => format!("{} after the day of the event, in {zone}", plural("business day")),
        Unit::Month => plural("month"),
    };
    let rolled = rolled(rule, start, due)
        .map_or_else(String::new, |last| format!("; {last} is no business day, so the next one counts"));
    format!(
        "{counted}, from `{}` at {} (event {}){rolled}. Basis: {}. Applies because: {trigger}.",
        start.clock,
        local_text(start.at, zone),
        start.event,
        regime.basis
    )
}

fn why_ja(regime: &Regime, rule: &ClockRule, start: &ClockEntry, due: &Due) -> String {
    let zone = rule.zone.as_ref().unwrap_or(&start.zone);
    let at = local_text(start.at, zone);
    let first = if rule.day1 == Day1::Counted { "(当日を 1 日目として算入)" } else { "(初日不算入)" };
    let counted = match (rule.unit, rule.offset_from) {
        (Unit::Promptly, _) => "速やかに(期日の定めなし)".to_owned(),
        (Unit::Hour, _) => format!("{} 時間以内", rule.offset),
        (Unit::CalendarDay, Some(from)) => format!("{from}~{} 日以内を目安{first}", rule.offset),
        (Unit::CalendarDay, None) => format!("{} 日以内{first}", rule.offset),
        (Unit::BusinessDay, _) => format!("{} 営業日以内{first}", rule.offset),
        (Unit::Month, _) => format!("{} か月以内", rule.offset),
    };
    let rolled = rolled(rule, start, due)
        .map_or_else(String::new, |last| format!("末日 {last} は閉庁日のため、翌開庁日を期限とする。"));
    format!("{}({at}、イベント {})から{counted}。{rolled}根拠: {}", clock_ja(&start.clock), start.event, regime.basis)
}

fn clock_ja(clock: &Clock) -> String {
    match clock {
        Clock::Aware => "事態を知った時点".to_owned(),
        Clock::ClassifiedMajor => "重大と分類した時点".to_owned(),
        Clock::MaterialityDetermined => "重要性を判断した時点".to_owned(),
        Clock::NewFacts => "新たな事実が判明した時点".to_owned(),
        Clock::Contained => "封じ込め・復旧の時点".to_owned(),
        Clock::VendorNotified => "委託先との間の通知の時点".to_owned(),
        Clock::Submitted(obligation) => format!("{obligation} の提出時点"),
    }
}
