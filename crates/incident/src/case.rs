//! The fold (INC-1): events in their order become a case, or an error that names the event.

use crate::{Actor, Body, CaseId, Certainty, Clock, Error, Event, Measure, NoticeStep, Origin, Role};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

/// What the events say together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Case {
    /// Its name.
    pub id: CaseId,
    /// What it is called.
    pub title: String,
    /// What it comes from.
    pub origin: Origin,
    /// The firm's zone.
    pub zone: String,
    /// Intrusions, in the order in which they joined.
    pub intrusions: Vec<IntrusionEntry>,
    /// Every clock event, superseded ones included.
    pub clocks: Vec<ClockEntry>,
    /// Every fact, older answers included.
    pub facts: Vec<FactEntry>,
    /// Every count, older figures included.
    pub counts: Vec<CountEntry>,
    /// Who did what when: one entry an event, in the events' order.
    pub timeline: Vec<TimelineEntry>,
    /// What does not fit together but is no error, such as parts that do not sum.
    pub warnings: Vec<String>,
}

/// An intrusion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IntrusionEntry {
    /// The event's number, from 1.
    pub event: usize,
    /// Its name.
    pub id: String,
    /// When it began.
    pub from: Option<Timestamp>,
    /// When it ended.
    pub to: Option<Timestamp>,
    /// In words.
    pub text: String,
}

/// A clock event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClockEntry {
    /// The event's number, from 1.
    pub event: usize,
    /// Which.
    pub clock: Clock,
    /// The instant.
    pub at: Timestamp,
    /// The zone in which its day is counted.
    pub zone: String,
    /// Whose.
    pub actor: Actor,
    /// The intrusion it belongs to.
    pub intrusion: Option<String>,
    /// The number of the event that corrected it.
    pub corrected_by: Option<usize>,
}

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FactEntry {
    /// The event's number, from 1.
    pub event: usize,
    /// The question.
    pub key: String,
    /// How certain.
    pub state: Certainty,
    /// The answer.
    pub value: String,
    /// As of when.
    pub at: Timestamp,
}

/// A count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CountEntry {
    /// The event's number, from 1.
    pub event: usize,
    /// Of what.
    pub of: Measure,
    /// Which set.
    pub set: String,
    /// The set it is a part of.
    pub part_of: Option<String>,
    /// The figure.
    pub value: u64,
    /// How certain.
    pub state: Certainty,
    /// As of when.
    pub at: Timestamp,
}

/// A line of the timeline. It depends on its own event and those before it only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimelineEntry {
    /// The event's number, from 1.
    pub event: usize,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// When it happened, where that is another time.
    pub happened_at: Option<Timestamp>,
    /// Who recorded it.
    pub operator: String,
    /// What.
    pub text: String,
}

impl Case {
    /// The case that these events tell. The same events always give the same case.
    pub fn fold(events: &[Event]) -> Result<Case, Error> {
        let first = events.first().ok_or(Error::Empty)?;
        let Body::Opened { origin, title, zone } = &first.body else {
            return Err(wrong(1, "a case begins with `opened`", "open the case first"));
        };
        check_zone(zone)?;
        let mut case = Case {
            id: first.case.clone(),
            title: title.clone(),
            origin: *origin,
            zone: zone.clone(),
            intrusions: Vec::new(),
            clocks: Vec::new(),
            facts: Vec::new(),
            counts: Vec::new(),
            timeline: Vec::new(),
            warnings: Vec::new(),
        };
        let mut last = first.recorded_at;
        for (number, event) in (1..).zip(events) {
            event.check_texts(number)?;
            if event.case != case.id {
                let reason = format!("it belongs to the case `{}`, not to `{}`", event.case, case.id);
                return Err(wrong(number, &reason, "fold one case at a time"));
            }
            if event.recorded_at < last {
                let reason = format!("it was recorded at {}, before the one above it ({last})", event.recorded_at);
                return Err(wrong(number, &reason, "set the machine's clock right; events stand in order"));
            }
            last = event.recorded_at;
            case.apply(number, event)?;
        }
        case.warnings = case.sums();
        Ok(case)
    }

    fn apply(&mut self, number: usize, event: &Event) -> Result<(), Error> {
        match &event.body {
            Body::Opened { .. } if number > 1 => {
                return Err(wrong(number, "the case is open already", "open another case"));
            }
            Body::Opened { .. } | Body::Note { .. } | Body::Notified { .. } => {}
            Body::Intrusion { id, from, to, text } => {
                if self.intrusions.iter().any(|known| known.id == *id) {
                    return Err(wrong(number, &format!("the intrusion `{id}` is there already"), "use another name"));
                }
                if let (Some(from), Some(to)) = (from, to)
                    && from > to
                {
                    return Err(wrong(number, "the intrusion ends before it begins", "exchange the times"));
                }
                let (id, text) = (id.clone(), text.clone());
                self.intrusions.push(IntrusionEntry { event: number, id, from: *from, to: *to, text });
            }
            Body::Clock { .. } => self.clock(number, event)?,
            Body::Fact { key, state, value, at } => {
                not_in_the_future(number, *at, event.recorded_at)?;
                let (key, value) = (key.clone(), value.clone());
                self.facts.push(FactEntry { event: number, key, state: *state, value, at: *at });
            }
            Body::Count { of, set, part_of, value, state, at } => {
                not_in_the_future(number, *at, event.recorded_at)?;
                if part_of.as_ref() == Some(set) {
                    return Err(wrong(number, &format!("`{set}` cannot be a part of itself"), "name the whole"));
                }
                let (set, part_of) = (set.clone(), part_of.clone());
                let (of, value, state, at) = (*of, *value, *state, *at);
                self.counts.push(CountEntry { event: number, of, set, part_of, value, state, at });
            }
            Body::Submitted { obligation, intrusion, version, sha256, at, zone, .. } => {
                self.check_intrusion(number, intrusion.as_deref())?;
                let before = self.submissions(obligation, intrusion.as_deref()).count();
                if usize::try_from(*version).ok() != Some(before + 1) {
                    let reason = format!("version {version} of `{obligation}` follows version {before}");
                    return Err(wrong(number, &reason, "number the versions 1, 2, 3"));
                }
                if sha256.len() != 64 || hex::decode(sha256).is_err() {
                    return Err(wrong(number, "its hash is no SHA-256", "give 64 hexadecimal digits"));
                }
                not_in_the_future(number, *at, event.recorded_at)?;
                check_zone(zone)?;
                let actor = Actor { name: event.operator.clone(), role: Role::Firm };
                let clock = Clock::Submitted(obligation.clone());
                let entry = ClockEntry {
                    event: number,
                    clock,
                    at: *at,
                    zone: zone.clone(),
                    actor,
                    intrusion: intrusion.clone(),
                    corrected_by: None,
                };
                self.clocks.push(entry);
            }
        }
        self.timeline.push(TimelineEntry {
            event: number,
            recorded_at: event.recorded_at,
            happened_at: happened_at(&event.body),
            operator: event.operator.clone(),
            text: describe(&event.body),
        });
        Ok(())
    }

    fn clock(&mut self, number: usize, event: &Event) -> Result<(), Error> {
        let Body::Clock { clock, at, zone, actor, evidence, intrusion, corrects } = &event.body else { return Ok(()) };
        check_zone(zone)?;
        not_in_the_future(number, *at, event.recorded_at)?;
        if evidence.trim().is_empty() {
            return Err(wrong(number, &format!("`{clock}` has no evidence"), "say where the evidence lies"));
        }
        self.check_intrusion(number, intrusion.as_deref())?;
        let same = |entry: &ClockEntry| entry.clock == *clock && entry.intrusion == *intrusion;
        if let Some(old) = corrects {
            let Some(entry) = self.clocks.iter_mut().find(|entry| entry.event == *old && same(entry)) else {
                let reason = format!("it corrects event {old}, which is no `{clock}` of the same intrusion");
                return Err(wrong(number, &reason, "name the event to be corrected"));
            };
            if let Some(by) = entry.corrected_by {
                let reason = format!("event {old} was corrected by event {by} already");
                return Err(wrong(number, &reason, &format!("correct event {by}")));
            }
            entry.corrected_by = Some(number);
        } else if once(clock)
            && actor.role != Role::Wrongdoer
            && let Some(old) = self
                .clocks
                .iter()
                .find(|entry| same(entry) && entry.corrected_by.is_none() && entry.actor.role == actor.role)
        {
            let reason = format!("`{clock}` contradicts event {}, which says {}", old.event, old.at);
            return Err(wrong(number, &reason, &format!("say that it corrects event {}", old.event)));
        }
        let entry = ClockEntry {
            event: number,
            clock: clock.clone(),
            at: *at,
            zone: zone.clone(),
            actor: actor.clone(),
            intrusion: intrusion.clone(),
            corrected_by: None,
        };
        self.clocks.push(entry);
        Ok(())
    }

    fn check_intrusion(&self, number: usize, id: Option<&str>) -> Result<(), Error> {
        match id.filter(|id| !self.intrusions.iter().any(|known| known.id == *id)) {
            Some(id) => Err(wrong(number, &format!("there is no intrusion `{id}`"), "add the intrusion first")),
            None => Ok(()),
        }
    }

    /// The latest answer to a question.
    #[must_use]
    pub fn fact(&self, key: &str) -> Option<&FactEntry> {
        self.facts.iter().rev().find(|fact| fact.key == key)
    }

    /// The latest count of a set.
    #[must_use]
    pub fn count(&self, of: Measure, set: &str) -> Option<&CountEntry> {
        self.counts.iter().rev().find(|count| count.of == of && count.set == set)
    }

    /// What was sent for an obligation about one intrusion, or about the case as a whole, oldest first.
    pub fn submissions<'a>(
        &'a self,
        obligation: &'a str,
        intrusion: Option<&'a str>,
    ) -> impl Iterator<Item = &'a ClockEntry> + 'a {
        let is_of = move |entry: &&ClockEntry| {
            entry.intrusion.as_deref() == intrusion
                && matches!(&entry.clock, Clock::Submitted(name) if name == obligation)
        };
        self.clocks.iter().filter(is_of)
    }

    /// Wholes that their parts do not sum to, as sentences.
    fn sums(&self) -> Vec<String> {
        let mut told = Vec::new();
        let mut wholes: Vec<(Measure, &str)> = Vec::new();
        for count in &self.counts {
            if let Some(whole) = &count.part_of
                && !wholes.contains(&(count.of, whole))
            {
                wholes.push((count.of, whole));
            }
        }
        for (of, whole) in wholes {
            let mut parts: Vec<&CountEntry> = Vec::new();
            for count in self.counts.iter().rev().filter(|count| count.of == of) {
                // The latest figure of each set, and only while it is still a part of this whole.
                if !parts.iter().any(|known| known.set == count.set) {
                    parts.push(count);
                }
            }
            let sum = parts.iter().filter(|part| part.part_of.as_deref() == Some(whole)).map(|part| part.value);
            let sum = sum.fold(0_u64, u64::saturating_add);
            match self.count(of, whole) {
                Some(count) if count.value == sum => {}
                Some(count) => told.push(format!(
                    "the parts of `{whole}` sum to {sum} {}, not to {} (event {})",
                    measure(of),
                    count.value,
                    count.event
                )),
                None => told.push(format!("the {} of `{whole}` have parts ({sum}), but no figure", measure(of))),
            }
        }
        told
    }
}

/// Whether an instant of this kind exists once only, unless it is corrected.
fn once(clock: &Clock) -> bool {
    !matches!(clock, Clock::VendorNotified | Clock::NewFacts | Clock::Submitted(_))
}

pub(crate) fn check_zone(zone: &str) -> Result<TimeZone, Error> {
    TimeZone::get(zone).map_err(|_| Error::Zone(zone.to_owned()))
}

fn wrong(index: usize, reason: &str, remedy: &str) -> Error {
    Error::Event { index, reason: reason.to_owned(), remedy: remedy.to_owned() }
}

fn not_in_the_future(index: usize, at: Timestamp, recorded_at: Timestamp) -> Result<(), Error> {
    if at <= recorded_at {
        return Ok(());
    }
    let reason = format!("it says {at}, which is after it was recorded ({recorded_at})");
    Err(wrong(index, &reason, "record what has happened only"))
}

fn happened_at(body: &Body) -> Option<Timestamp> {
    match body {
        Body::Clock { at, .. } | Body::Fact { at, .. } | Body::Count { at, .. } | Body::Submitted { at, .. } => {
            Some(*at)
        }
        Body::Intrusion { from, .. } => *from,
        Body::Opened { .. } | Body::Note { .. } | Body::Notified { .. } => None,
    }
}

fn describe(body: &Body) -> String {
    match body {
        Body::Opened { origin, title, .. } => format!("opened ({}): {title}", origin_text(*origin)),
        Body::Intrusion { id, text, .. } => format!("intrusion `{id}` joined: {text}"),
        Body::Clock { clock, actor, corrects, evidence, .. } => {
            let corrects = corrects.map_or_else(String::new, |old| format!(", correcting event {old}"));
            let wrongdoer = if actor.role == Role::Wrongdoer { ", a wrongdoer: starts no clock" } else { "" };
            format!("{clock}{corrects} by {}{wrongdoer} (evidence: {evidence})", actor.name)
        }
        Body::Fact { key, state, value, .. } => format!("{key}: {value} ({})", certainty(*state)),
        Body::Count { of, set, part_of, value, state, .. } => {
            let part = part_of.as_ref().map_or_else(String::new, |whole| format!(", part of `{whole}`"));
            format!("{value} {} in `{set}`{part} ({})", measure(*of), certainty(*state))
        }
        Body::Submitted { obligation, intrusion, version, sha256, .. } => {
            let about = intrusion.as_ref().map_or_else(String::new, |id| format!(" about `{id}`"));
            let sha256 = sha256.get(..16).unwrap_or(sha256);
            format!("submitted {obligation}{about}, version {version}, sha256 {sha256}…")
        }
        Body::Notified { step, notices, .. } => {
            let step = match step {
                NoticeStep::Planned => "planned",
                NoticeStep::Approved => "approved",
                NoticeStep::Begun => "sending began",
                NoticeStep::Ended => "sending ended",
                NoticeStep::Letters => "letters written",
                NoticeStep::Substituted => "published instead",
                NoticeStep::Bounces => "delivery reports read",
                NoticeStep::Postal => "letters decided",
                NoticeStep::Returned => "letters came back",
                NoticeStep::Claimed => "a claim recorded",
            };
            let some = notices.iter().filter(|(_, count)| **count > 0);
            let counts: Vec<String> = some.map(|(state, count)| format!("{count} {state}")).collect();
            format!(
                "notices to persons: {step} ({})",
                if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
            )
        }
        Body::Note { text } => text.clone(),
    }
}

/// `records`, `persons`, …
#[must_use]
pub(crate) fn measure(of: Measure) -> &'static str {
    match of {
        Measure::Records => "records",
        Measure::Persons => "persons",
        Measure::Accounts => "accounts",
        Measure::Cards => "cards",
    }
}

pub(crate) fn certainty(state: Certainty) -> &'static str {
    match state {
        Certainty::Unknown => "unknown",
        Certainty::Suspected => "suspected",
        Certainty::Confirmed => "confirmed",
    }
}

fn origin_text(origin: Origin) -> &'static str {
    match origin {
        Origin::Gateway => "the gateway saw it",
        Origin::Hand => "by hand",
        Origin::FoundFile => "a file was found",
        Origin::Availability => "service interrupted, no leak known",
    }
}
