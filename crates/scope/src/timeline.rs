//! Which registers were in force when: exposures name a register by number, and its meaning is that of the last
//! `Registers` record of the same source before them.
//!
//! A register keeps its name over rebuilds and reorderings, so every epoch's registers and columns are mapped to one
//! place in the answer.

use sekisho_model::{Field, Record, RegisterDescription, RegisterId, SourceId, Timestamp};

/// Registers and epochs of a ledger.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    /// Every register ever in force, by first appearance, as last described.
    pub(crate) registers: Vec<Described>,
    /// By source and time.
    epochs: Vec<Epoch>,
}

/// A register over all its rebuilds.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
    /// Persons in the last description.
    pub(crate) persons: u64,
    pub(crate) built_at: Timestamp,
    /// Planted customers: no persons.
    pub(crate) is_canary: bool,
}

/// From one change of the registers to the next.
#[derive(Debug)]
struct Epoch {
    source: SourceId,
    at: Timestamp,
    registers: Vec<(RegisterId, Place)>,
}

/// Inspected responses of a question, by epoch.
#[derive(Debug, Default)]
pub(crate) struct Inspected {
    counts: Vec<u64>,
    /// Before their source's first record.
    before_all: u64,
    recent: Recent,
}

/// The epoch that was looked up last: rows of one epoch come together.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    source: Option<SourceId>,
    from: i64,
    until: i64,
    epoch: Option<usize>,
}

/// Where an epoch's register and columns stand in the answer.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    register: usize,
    /// The answer's position of each column.
    fields: Vec<u8>,
    /// Whether every column stands where it stood, the usual case.
    in_place: bool,
}

impl Timeline {
    /// Reads the ledger's events, in any order of sources.
    pub(crate) fn new(events: &[(SourceId, Record)]) -> Timeline {
        let mut timeline = Timeline::default();
        let mut changes: Vec<(SourceId, Timestamp, &[RegisterDescription])> = events
            .iter()
            .filter_map(|(source, record)| match record {
                Record::Started(started) => Some((*source, started.at, &[][..])),
                Record::Registers(registers) => Some((*source, registers.at, &registers.registers[..])),
                _ => None,
            })
            .collect();
        changes.sort_by_key(|(_, at, _)| *at);
        for (source, at, registers) in changes {
            let registers = registers.iter().map(|register| (register.id, timeline.describe(register))).collect();
            timeline.epochs.push(Epoch { source, at, registers });
        }
        timeline.epochs.sort_by_key(|epoch| (epoch.source, epoch.at));
        timeline
    }

    fn describe(&mut self, register: &RegisterDescription) -> Place {
        let at = self.place(&register.name);
        let described = &mut self.registers[at];
        described.persons = register.persons;
        described.is_canary = register.is_canary;
        described.built_at = described.built_at.max(register.built_at);
        let mut fields = Vec::with_capacity(register.fields.len());
        for field in &register.fields {
            let known = described.fields.iter().position(|known| known.name == field.name);
            let place = known.unwrap_or(described.fields.len());
            match known {
                Some(place) => described.fields[place] = field.clone(),
                None => described.fields.push(field.clone()),
            }
            // A register whose columns were renamed more than 64 times over keeps the last place for the rest.
            fields.push(u8::try_from(place.min(63)).expect("at most 63"));
        }
        let in_place = fields.iter().enumerate().all(|(at, place)| usize::from(*place) == at);
        Place { register: at, fields, in_place }
    }

    /// The place of the register of this name, made when it is new.
    fn place(&mut self, name: &str) -> usize {
        if let Some(at) = self.registers.iter().position(|known| known.name == name) {
            return at;
        }
        self.registers.push(Described::unknown(name.to_owned()));
        self.registers.len() - 1
    }

    /// Counts an inspected response.
    pub(crate) fn count(&self, inspected: &mut Inspected, source: SourceId, at: Timestamp) {
        inspected.counts.resize(self.epochs.len(), 0);
        match self.epoch(source, at, &mut inspected.recent) {
            Some(epoch) => inspected.counts[epoch] += 1,
            None => inspected.before_all += 1,
        }
    }

    /// Where the register stands that a source meant at a time; `None` when no record describes it.
    pub(crate) fn resolve(
        &self,
        source: SourceId,
        at: Timestamp,
        id: RegisterId,
        recent: &mut Recent,
    ) -> Option<&Place> {
        let registers = &self.epochs[self.epoch(source, at, recent)?].registers;
        registers.iter().find(|(known, _)| *known == id).map(|(_, place)| place)
    }

    /// A source's epoch at a time; `None` before its first.
    fn epoch(&self, source: SourceId, at: Timestamp, recent: &mut Recent) -> Option<usize> {
        if recent.source != Some(source) || !(recent.from..recent.until).contains(&at.0) {
            let next = self.epochs.partition_point(|epoch| (epoch.source, epoch.at) <= (source, at));
            let of_source = |at: &usize| self.epochs.get(*at).is_some_and(|epoch| epoch.source == source);
            let epoch = next.checked_sub(1).filter(of_source);
            *recent = Recent {
                source: Some(source),
                from: epoch.map_or(i64::MIN, |epoch| self.epochs[epoch].at.0),
                until: Some(next).filter(of_source).map_or(i64::MAX, |next| self.epochs[next].at.0),
                epoch,
            };
        }
        recent.epoch
    }

    /// Inspected responses while the register and column were in force, and all inspected responses.
    pub(crate) fn inspected_with(&self, inspected: &Inspected, register: usize, field: usize) -> (u64, u64) {
        let (mut with, mut all) = (0, inspected.before_all);
        for (epoch, count) in self.epochs.iter().zip(&inspected.counts) {
            all += count;
            with += if epoch.registers.iter().any(|(_, place)| place.holds(register, field)) { *count } else { 0 };
        }
        (with, all)
    }

    /// The number by which every source meant the register of this name all the time; `None` where it changed.
    pub(crate) fn only_number(&self, name: &str) -> Option<RegisterId> {
        let at = self.registers.iter().position(|known| known.name == name)?;
        let registers = self.epochs.iter().flat_map(|epoch| &epoch.registers);
        let mut numbers = registers.filter(|(_, place)| place.register == at).map(|(id, _)| *id);
        let first = numbers.next()?;
        numbers.all(|id| id == first).then_some(first)
    }

    /// When the register was first in force.
    pub(crate) fn loaded_at(&self, register: usize) -> Option<Timestamp> {
        let holds = |epoch: &&Epoch| epoch.registers.iter().any(|(_, place)| place.register == register);
        self.epochs.iter().filter(holds).map(|epoch| epoch.at).min()
    }
}

impl Described {
    /// A register of which nothing but its name is known.
    pub(crate) fn unknown(name: String) -> Described {
        Described { name, fields: Vec::new(), persons: 0, built_at: Timestamp(0), is_canary: false }
    }
}

impl Place {
    /// The register's place in the timeline.
    pub(crate) fn register(&self) -> usize {
        self.register
    }

    /// The answer's positions of the epoch's columns.
    pub(crate) fn fields(&self, fields: u64) -> u64 {
        if self.in_place { fields } else { remap(fields, &self.fields) }
    }

    fn holds(&self, register: usize, field: usize) -> bool {
        self.register == register && self.fields.iter().any(|place| usize::from(*place) == field)
    }
}

fn remap(fields: u64, places: &[u8]) -> u64 {
    places.iter().enumerate().filter(|(at, _)| fields & (1 << at) != 0).fold(0, |set, (_, place)| set | 1 << place)
}
