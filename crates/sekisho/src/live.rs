//! What `observe` shows while it happens: a line for each response that holds somebody's data, or a line
//! for each part where seconds lie between them. No values.

use crate::output::show;
use jiff::tz::TimeZone;
use sekisho_edm::Index;
use sekisho_gateway::inspect::{LiveEvent, LiveEvents};
use sekisho_model::{
    Exposure, FieldSet, Generic, GenericKind, RegisterId, Subject, Timestamp, WithheldOutcome, WithheldReason,
};
use sekisho_scope::text::{count, pad, width, wrap};
use std::collections::{BTreeMap, HashSet};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

/// Persons that are remembered to be counted once; beyond, the summary says "at least".
const PERSONS_MAX: usize = 1_000_000;

/// Parts that wait to be shown in one line; beyond, they are shown as they are.
const WAITING_MAX: usize = 256;
/// Parts of a response that come within this are shown in one line.
const PARTS_TOGETHER: Duration = Duration::from_millis(300);
/// Columns of a terminal.
const COLUMNS: usize = 80;
/// Columns before what was found, when it stands on lines of its own.
const INDENT: usize = 15;

pub(crate) struct Live {
    index: Arc<Index>,
    colours: bool,
    zone: TimeZone,
    responses: HashSet<u64>,
    persons: HashSet<Subject>,
    not_inspectable: u64,
    suspects: u64,
    canaries: u64,
    waiting: Vec<LiveEvent>,
}

impl Live {
    pub(crate) fn new(index: Arc<Index>) -> Live {
        Live {
            index,
            colours: std::io::stdout().is_terminal(),
            zone: TimeZone::system(),
            responses: HashSet::new(),
            persons: HashSet::new(),
            not_inspectable: 0,
            suspects: 0,
            canaries: 0,
            waiting: Vec::new(),
        }
    }

    /// Shows events until something else happens, and what waits then.
    pub(crate) async fn show_until<T>(&mut self, events: &mut LiveEvents, until: impl Future<Output = T>) -> T {
        let mut until = std::pin::pin!(until);
        let mut flush = tokio::time::interval(PARTS_TOGETHER);
        let happened = loop {
            tokio::select! {
                Some(event) = events.recv() => self.take(event),
                _ = flush.tick() => self.flush(),
                happened = &mut until => break happened,
            }
        };
        while let Ok(event) = events.try_recv() {
            self.take(event);
        }
        self.flush();
        happened
    }

    /// Takes an event; [`Live::flush`] shows it, together with what else comes of the same response until then.
    fn take(&mut self, event: LiveEvent) {
        if !join(&mut self.waiting, &event) {
            self.waiting.push(event);
        }
        if self.waiting.len() >= WAITING_MAX {
            self.flush();
        }
    }

    /// Shows what waits.
    fn flush(&mut self) {
        for event in std::mem::take(&mut self.waiting) {
            self.show(&event);
        }
    }

    fn show(&mut self, event: &LiveEvent) {
        match event {
            LiveEvent::Exposed { sequence, at, client, route, status, exposures, generic, .. } => {
                let found = self.found(exposures, generic);
                if found.is_empty() {
                    return;
                }
                let counted = exposures.iter().filter(|exposure| !exposure.fields.is_empty());
                if self.persons.len() < PERSONS_MAX {
                    self.persons.extend(counted.map(|exposure| exposure.subject));
                }
                if self.responses.len() < PERSONS_MAX {
                    self.responses.insert(*sequence);
                }
                let head = format!("{}  {status}  {}  {client}", self.time(*at), pad(route, 16));
                self.line(&head, "31", &found.join("; "));
            }
            LiveEvent::Suspect(suspect) => {
                self.suspects += 1;
                let head = format!("{}       {}  {}", self.time(suspect.at), pad(&suspect.route, 16), suspect.client);
                self.line(&head, "33", &format!("{} requests like a blind injection", count(suspect.requests)));
            }
            LiveEvent::NotInspectable { .. } => self.not_inspectable += 1,
            LiveEvent::Withheld { at, client, route, persons, reason: WithheldReason::Canary, outcome, .. } => {
                self.canaries += 1;
                let head = format!("{}       {}  {client}", self.time(*at), pad(route, 16));
                let done = match outcome {
                    WithheldOutcome::Passed => "",
                    WithheldOutcome::Masked => ": masked",
                    WithheldOutcome::Ended => ": withheld",
                };
                let planted = counted(*persons, "planted customer");
                self.line(&head, "1;31", &format!("INCIDENT: {planted} in a response{done}"));
            }
            LiveEvent::Withheld { outcome: WithheldOutcome::Passed, .. } => {}
            LiveEvent::Withheld { at, client, route, persons, outcome, .. } => {
                let head = format!("{}       {}  {client}", self.time(*at), pad(route, 16));
                let done = if *outcome == WithheldOutcome::Masked { "masked" } else { "withheld" };
                self.line(&head, "33", &format!("{done}: data of {}", counted(*persons, "other person")));
            }
            LiveEvent::Alert(alert) => {
                let head = format!("{}       {}  {}", self.time(alert.at), pad(&alert.route, 16), alert.client);
                self.line(&head, "33", &format!("{alert}: {}", alert.next_step()));
            }
            LiveEvent::Refused { at, route, status, .. } => {
                self.line(&format!("{}  {status}  {}", self.time(*at), pad(route, 16)), "33", "refused");
            }
        }
    }

    fn line(&self, head: &str, style: &str, told: &str) {
        for (at, line) in fit(head, told).iter().enumerate() {
            match (at, line.strip_prefix(head)) {
                (0, Some(told)) => show!("{head}{}", self.paint(style, told)),
                _ => show!("{}", self.paint(style, line)),
            }
        }
    }

    pub(crate) fn summary(&self) {
        let at_least = if self.persons.len() >= PERSONS_MAX { "at least " } else { "" };
        let responses = counted(self.responses.len() as u64, "response");
        let persons = counted(self.persons.len() as u64, "registered person");
        show!("\n{responses} held personal data, of {at_least}{persons}.");
        if self.not_inspectable > 0 {
            let responses = counted(self.not_inspectable, "response");
            show!("{responses} could not be inspected: `sekisho scope` says why.");
        }
        if self.canaries > 0 {
            show!("{} held planted customers: an incident.", counted(self.canaries, "response"));
        }
        if self.suspects > 0 {
            show!("{} showed a pattern that responses do not bound.", counted(self.suspects, "session"));
        }
    }

    /// Whose data, register by register, then values without a register. What was only echoed is not shown.
    fn found(&self, exposures: &[Exposure], generic: &[Generic]) -> Vec<String> {
        let mut registers: BTreeMap<RegisterId, (u64, FieldSet)> = BTreeMap::new();
        for exposure in exposures.iter().filter(|exposure| !exposure.fields.is_empty()) {
            let (persons, fields) = registers.entry(exposure.subject.register).or_default();
            (*persons, *fields) = (*persons + 1, fields.union(exposure.fields));
        }
        let mut found: Vec<String> =
            registers.iter().map(|(id, (persons, fields))| self.register(*id, *persons, *fields)).collect();
        let kinds = [(GenericKind::Email, "mail"), (GenericKind::Pan, "card"), (GenericKind::MyNumber, "My Number")];
        for (kind, word) in kinds {
            let number = generic.iter().filter(|value| value.kind == kind && !value.reflected).count();
            if number > 0 {
                found.push(counted(number as u64, word));
            }
        }
        found
    }

    fn register(&self, id: RegisterId, persons: u64, fields: FieldSet) -> String {
        let Some(register) = self.index.registers().iter().find(|register| register.id == id) else {
            return counted(persons, "person");
        };
        let names = fields.iter().filter_map(|field| register.fields.get(usize::from(field.0)));
        let names = names.map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
        format!("{} of {} ({names})", counted(persons, "person"), register.name)
    }

    fn time(&self, at: Timestamp) -> String {
        let zoned = jiff::Timestamp::from_microsecond(at.0).map(|at| at.to_zoned(self.zone.clone()));
        zoned.map_or_else(|_| "--:--:--".to_owned(), |at| at.strftime("%H:%M:%S").to_string())
    }

    fn paint(&self, style: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Adds a part to an earlier one of the same response; `false` when none waits.
fn join(waiting: &mut [LiveEvent], event: &LiveEvent) -> bool {
    let LiveEvent::Exposed { sequence, exposures, generic, .. } = event else { return false };
    let earlier = waiting.iter_mut().find_map(|waiting| match waiting {
        LiveEvent::Exposed { sequence: same, exposures, generic, .. } if same == sequence => Some((exposures, generic)),
        _ => None,
    });
    let Some((all_exposures, all_generic)) = earlier else { return false };
    // A set would be kept for all the parts; responses of many thousand persons come in parts that are not joined.
    for exposure in exposures {
        match all_exposures.iter_mut().find(|known| known.subject == exposure.subject) {
            Some(known) => known.fields = known.fields.union(exposure.fields),
            None => all_exposures.push(*exposure),
        }
    }
    all_generic.extend(
        generic
            .iter()
            .filter(|value| value.value.is_none() || !all_generic.contains(value))
            .copied()
            .collect::<Vec<_>>(),
    );
    true
}

/// Head and what is told in lines of a terminal's width: one, when they fit.
fn fit(head: &str, told: &str) -> Vec<String> {
    let one = format!("{head}  {told}");
    if width(&one) <= COLUMNS {
        return vec![one];
    }
    let told = wrap(told, COLUMNS - INDENT);
    std::iter::once(head.to_owned()).chain(told.iter().map(|line| format!("{}{line}", " ".repeat(INDENT)))).collect()
}

fn counted(number: u64, word: &str) -> String {
    format!("{} {word}{}", count(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sekisho_model::SubjectId;

    fn part(sequence: u64, person: u32, fields: u64) -> LiveEvent {
        let subject = Subject { register: RegisterId(1), id: SubjectId(person) };
        LiveEvent::Exposed {
            sequence,
            at: Timestamp(0),
            client: std::net::Ipv4Addr::LOCALHOST.into(),
            session: None,
            route: "/".into(),
            status: 200,
            exposures: vec![Exposure { subject, fields: FieldSet(fields), reflected: FieldSet(0) }],
            generic: Vec::new(),
        }
    }

    #[test]
    fn parts_of_one_response_are_joined_person_by_person() {
        let mut waiting = vec![part(1, 7, 1)];
        assert!(join(&mut waiting, &part(1, 7, 2)));
        assert!(join(&mut waiting, &part(1, 8, 1)));
        assert!(!join(&mut waiting, &part(2, 7, 1)), "another response");
        let LiveEvent::Exposed { exposures, .. } = &waiting[0] else { panic!("an exposure") };
        let fields: Vec<u64> = exposures.iter().map(|exposure| exposure.fields.0).collect();
        assert_eq!(fields, [3, 1]);
    }

    #[test]
    fn lines_fit_a_terminal_in_japanese_too() {
        let head = "12:00:00  200  /mypage           203.0.113.9";
        assert_eq!(fit(head, "1 mail").len(), 1);
        let lines = fit(head, "1,024 persons of 口座名義人 (氏名, フリガナ, メールアドレス, 電話番号, 生年月日, 住所)");
        assert!(lines.len() > 1 && lines.iter().all(|line| width(line) <= COLUMNS), "{lines:#?}");
    }
}
