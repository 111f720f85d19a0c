//! What `observe` shows while it happens: a line for each part of a response that holds somebody's data. No values.

use jiff::tz::TimeZone;
use sekisho_edm::Index;
use sekisho_gateway::inspect::LiveEvent;
use sekisho_model::{Exposure, FieldSet, Generic, GenericKind, RegisterId, Subject, Timestamp};
use sekisho_scope::text::{count, pad};
use std::collections::{BTreeMap, HashSet};
use std::io::IsTerminal;
use std::sync::Arc;

/// Persons that are remembered to be counted once; beyond, the summary says "at least".
const PERSONS_MAX: usize = 1_000_000;

pub(crate) struct Live {
    index: Arc<Index>,
    colours: bool,
    zone: TimeZone,
    responses: HashSet<u64>,
    persons: HashSet<Subject>,
    not_inspectable: u64,
    suspects: u64,
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
        }
    }

    pub(crate) fn show(&mut self, event: &LiveEvent) {
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
                let (time, route, client) = (self.time(*at), pad(route, 16), pad(&client.to_string(), 15));
                println!("{time}  {status}  {route}  {client}  {}", self.paint("31", &found.join("; ")));
            }
            LiveEvent::Suspect(suspect) => {
                self.suspects += 1;
                let (time, route, client) = (self.time(suspect.at), &suspect.route, suspect.client);
                let told = format!("{} requests like a blind injection", count(suspect.requests));
                println!(
                    "{time}       {}  {}  {}",
                    pad(route, 16),
                    pad(&client.to_string(), 15),
                    self.paint("33", &told)
                );
            }
            LiveEvent::NotInspectable { .. } => self.not_inspectable += 1,
            LiveEvent::Refused { at, route, status, .. } => {
                println!("{}  {status}  {}  {}", self.time(*at), pad(route, 16), self.paint("33", "refused"));
            }
        }
    }

    pub(crate) fn summary(&self) {
        let at_least = if self.persons.len() >= PERSONS_MAX { "at least " } else { "" };
        let (responses, persons) = (count(self.responses.len() as u64), count(self.persons.len() as u64));
        println!("\n{responses} responses held personal data, of {at_least}{persons} registered persons.");
        if self.not_inspectable > 0 {
            println!("{} responses could not be inspected: `sekisho scope` says why.", count(self.not_inspectable));
        }
        if self.suspects > 0 {
            println!("{} sessions cannot be bounded by their responses.", count(self.suspects));
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
                found.push(format!("{number} {word}{}", if number == 1 { "" } else { "s" }));
            }
        }
        found
    }

    fn register(&self, id: RegisterId, persons: u64, fields: FieldSet) -> String {
        let Some(register) = self.index.registers().iter().find(|register| register.id == id) else {
            return format!("{} persons", count(persons));
        };
        let names = fields.iter().filter_map(|field| register.fields.get(usize::from(field.0)));
        let names = names.map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
        let plural = if persons == 1 { "person" } else { "persons" };
        format!("{} {plural} of {} ({names})", count(persons), register.name)
    }

    fn time(&self, at: Timestamp) -> String {
        let zoned = jiff::Timestamp::from_microsecond(at.0).map(|at| at.to_zoned(self.zone.clone()));
        zoned.map_or_else(|_| "--:--:--".to_owned(), |at| at.strftime("%H:%M:%S").to_string())
    }

    fn paint(&self, style: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
