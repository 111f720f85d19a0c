//! Which registers were in force when: exposures name a register by number, and its meaning is that of the last
//! `Registers` record of the same source before them.
//!
//! A register keeps its name over rebuilds and reorderings, so every epoch's registers and columns are mapped to one
//! place in the answer.

use sekisho_model::{Field, Record, RegisterDescription, RegisterId, SourceId, Timestamp};
use std::collections::BTreeMap;

/// Registers and epochs of a ledger.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    /// Every register ever in force, by first appearance, as last described.
    pub(crate) registers: Vec<Described>,
    epochs: BTreeMap<SourceId, Vec<Epoch>>,
}

/// A register over all its rebuilds.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
    /// Persons in the last description.
    pub(crate) persons: u64,
    pub(crate) built_at: Timestamp,
}

/// From one change of the registers to the next.
#[derive(Debug)]
pub(crate) struct Epoch {
    pub(crate) at: Timestamp,
    registers: BTreeMap<RegisterId, Mapping>,
    /// Inspected responses of the question in this epoch.
    pub(crate) inspected: u64,
}

/// Where an epoch's register and columns stand in the answer.
#[derive(Clone, Debug)]
struct Mapping {
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
            let epochs = timeline.epochs.entry(source).or_insert_with(|| vec![Epoch::before_all()]);
            epochs.push(Epoch { at, registers, inspected: 0 });
        }
        timeline
    }

    fn describe(&mut self, register: &RegisterDescription) -> Mapping {
        let at = self.place(&register.name);
        let described = &mut self.registers[at];
        described.persons = register.persons;
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
        Mapping { register: at, fields, in_place }
    }

    /// The place of the register of this name, made when it is new.
    fn place(&mut self, name: &str) -> usize {
        if let Some(at) = self.registers.iter().position(|known| known.name == name) {
            return at;
        }
        let new = Described { name: name.to_owned(), fields: Vec::new(), persons: 0, built_at: Timestamp(0) };
        self.registers.push(new);
        self.registers.len() - 1
    }

    /// Counts an inspected response.
    pub(crate) fn inspected(&mut self, source: SourceId, at: Timestamp) {
        let epochs = self.epochs.entry(source).or_insert_with(|| vec![Epoch::before_all()]);
        let place = epoch_at(epochs, at);
        epochs[place].inspected += 1;
    }

    /// The answer's register and fields for what a source wrote at a time. A register that no record describes
    /// gets a place under its number, so that nothing exposed is lost.
    pub(crate) fn resolve(&mut self, source: SourceId, at: Timestamp, id: RegisterId, fields: u64) -> (usize, u64) {
        let known = self.epochs.get(&source).and_then(|epochs| epochs[epoch_at(epochs, at)].registers.get(&id));
        if let Some(mapping) = known {
            let fields = if mapping.in_place { fields } else { remap(fields, &mapping.fields) };
            return (mapping.register, fields);
        }
        (self.place(&format!("register-{}", id.0)), fields)
    }

    /// Inspected responses while the register and column were in force, and all inspected responses.
    pub(crate) fn inspected_with(&self, register: usize, field: usize) -> (u64, u64) {
        let mut with = 0;
        let mut all = 0;
        for epoch in self.epochs.values().flatten() {
            all += epoch.inspected;
            if epoch.registers.values().any(|mapping| mapping.holds(register, field)) {
                with += epoch.inspected;
            }
        }
        (with, all)
    }

    /// When the register was first in force.
    pub(crate) fn loaded_at(&self, register: usize) -> Option<Timestamp> {
        let holds = |epoch: &&Epoch| epoch.registers.values().any(|mapping| mapping.register == register);
        self.epochs.values().flatten().filter(holds).map(|epoch| epoch.at).min()
    }
}

impl Epoch {
    fn before_all() -> Epoch {
        Epoch { at: Timestamp(i64::MIN), registers: BTreeMap::new(), inspected: 0 }
    }
}

impl Mapping {
    fn holds(&self, register: usize, field: usize) -> bool {
        self.register == register && self.fields.iter().any(|place| usize::from(*place) == field)
    }
}

fn epoch_at(epochs: &[Epoch], at: Timestamp) -> usize {
    epochs.partition_point(|epoch| epoch.at <= at).saturating_sub(1)
}

fn remap(fields: u64, places: &[u8]) -> u64 {
    places.iter().enumerate().filter(|(at, _)| fields & (1 << at) != 0).fold(0, |set, (_, place)| set | 1 << place)
}
