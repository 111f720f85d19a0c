//! Which registers were in force when: exposures name a register by number, and its meaning is that of the last
//! `Registers` record of the same source before them.
//!
//! A register keeps its name over rebuilds and reorderings, so every epoch's registers and columns are mapped to one
//! place in the answer. What a register looked for is kept epoch by epoch (SCO-1).

use sekisho_model::{Field, FieldSet, Record, RegisterDescription, RegisterId, SourceId, SubjectId, Timestamp};
use std::collections::BTreeMap;

/// Why nothing more is said of the last column of a register that had too many.
const TOO_MANY_COLUMNS: &str = "the ledger tells of more than 64 columns of this register: this one and those beyond are not \
                                told apart";

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
    /// Those that began in an epoch and ended in a later one: which registers they were scanned for lies between the two.
    across: BTreeMap<(Option<usize>, usize), u64>,
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
    looked_for: Vec<LookedFor>,
    /// The first number that nobody had.
    subject_next: u32,
}

/// What an epoch says of one column.
#[derive(Clone, Debug)]
struct LookedFor {
    /// The answer's position.
    place: u8,
    not_examined: Option<String>,
    values_not_indexed: u64,
}

/// What can be said of a column over the inspected responses of a question.
#[derive(Debug, Default)]
pub(crate) struct Examined {
    /// All inspected responses.
    pub(crate) all: u64,
    /// Those in which the column was looked for.
    pub(crate) with: u64,
    /// The others, by the reason.
    pub(crate) without: BTreeMap<Without, u64>,
    /// The most values that were not looked for in any of them.
    pub(crate) values_not_indexed: u64,
}

/// Why a column was not looked for in a response.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Without {
    /// The register or the column was not there.
    Absent,
    /// The person asked about was not in the register yet.
    NotYet,
    /// The column was there, but nothing looked for it.
    NotExamined(String),
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
        let mut looked_for = Vec::with_capacity(register.fields.len());
        for field in register.fields.iter().take(FieldSet::FIELDS_MAX) {
            let place = described.place(field);
            let (not_examined, values_not_indexed) = (field.not_examined.clone(), field.values_not_indexed);
            looked_for.push(LookedFor { place, not_examined, values_not_indexed });
        }
        let fields: Vec<u8> = looked_for.iter().map(|column| column.place).collect();
        let in_place = fields.iter().enumerate().all(|(at, place)| usize::from(*place) == at);
        Place { register: at, fields, in_place, looked_for, subject_next: register.subject_next }
    }

    /// The place of the register of this name, made when it is new.
    fn place(&mut self, name: &str) -> usize {
        if let Some(at) = self.registers.iter().position(|known| known.name == name) {
            return at;
        }
        self.registers.push(Described::unknown(name.to_owned()));
        self.registers.len() - 1
    }

    /// Counts an inspected response by when it began and ended.
    pub(crate) fn count(&self, inspected: &mut Inspected, source: SourceId, (began, at): (Timestamp, Timestamp)) {
        inspected.counts.resize(self.epochs.len(), 0);
        let Some(ended_in) = self.epoch(source, at, &mut inspected.recent) else {
            inspected.before_all += 1;
            return;
        };
        if self.epochs[ended_in].at <= began {
            inspected.counts[ended_in] += 1;
            return;
        }
        let began_in = self.epoch(source, began, &mut Recent::default());
        *inspected.across.entry((began_in, ended_in)).or_default() += 1;
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

    /// How far a column was looked for in inspected responses, judged by each epoch's own words; of one person, where one is
    /// asked about.
    pub(crate) fn examined(
        &self,
        inspected: &Inspected,
        (register, field): (usize, usize),
        person: Option<SubjectId>,
    ) -> Examined {
        let mut examined = Examined { all: inspected.before_all, ..Examined::default() };
        examined.leave_out(Without::Absent, inspected.before_all);
        for (epoch, count) in self.epochs.iter().zip(&inspected.counts).filter(|(_, count)| **count > 0) {
            examined.add(&[epoch.looked_for(register, field, person)], *count);
        }
        for ((began, ended), count) in &inspected.across {
            // Sources stand apart, so the epochs from one to the other are of one source.
            let mut said: Vec<_> = self.epochs[began.unwrap_or(*ended)..=*ended]
                .iter()
                .map(|epoch| epoch.looked_for(register, field, person))
                .collect();
            if began.is_none() {
                said.push(Err(Without::Absent));
            }
            examined.add(&said, *count);
        }
        examined
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

impl Epoch {
    /// How many of the column's values were not looked for, or why none was.
    fn looked_for(&self, register: usize, field: usize, person: Option<SubjectId>) -> Result<u64, Without> {
        let place = self.registers.iter().map(|(_, place)| place).find(|place| place.register == register);
        let place = place.ok_or(Without::Absent)?;
        let mut columns = place.looked_for.iter().filter(|column| usize::from(column.place) == field);
        if let Some(column) = columns.clone().find(|column| column.not_examined.is_none()) {
            return match person.is_some_and(|person| person.0 >= place.subject_next) {
                true => Err(Without::NotYet),
                false => Ok(column.values_not_indexed),
            };
        }
        // A column whose kind changed stands there twice, once as a former one.
        let reasons = columns.by_ref().filter_map(|column| column.not_examined.clone());
        let reason = reasons.min_by_key(|reason| reason == Field::FORMER);
        Err(reason.map_or(Without::Absent, Without::NotExamined))
    }
}

impl Examined {
    /// Adds responses in which each of these was in force for a time: only what all looked for was looked for.
    fn add(&mut self, said: &[Result<u64, Without>], count: u64) {
        self.all += count;
        match said.iter().find_map(|said| said.as_ref().err()) {
            Some(without) => self.leave_out(without.clone(), count),
            None => {
                self.with += count;
                let most = said.iter().flatten().copied().max().unwrap_or(0);
                self.values_not_indexed = self.values_not_indexed.max(most);
            }
        }
    }

    fn leave_out(&mut self, without: Without, count: u64) {
        if count > 0 {
            *self.without.entry(without).or_default() += count;
        }
    }
}

impl Described {
    /// A register of which nothing but its name is known.
    pub(crate) fn unknown(name: String) -> Described {
        Described { name, fields: Vec::new(), persons: 0, built_at: Timestamp(0), is_canary: false }
    }

    /// The answer's position of a column, by its name: kinds come and go. A register with more names than a set of fields
    /// holds keeps the last place for the rest, and says so.
    fn place(&mut self, field: &Field) -> u8 {
        let known = self.fields.iter().position(|known| known.name == field.name);
        let place = match known {
            None if self.fields.len() == FieldSet::FIELDS_MAX => {
                let last = self.fields.last_mut().expect("there are 64");
                last.not_examined = Some(TOO_MANY_COLUMNS.to_owned());
                FieldSet::FIELDS_MAX - 1
            }
            None => {
                self.fields.push(field.clone());
                self.fields.len() - 1
            }
            Some(place) => {
                let is_too_many = self.fields[place].not_examined.as_deref() == Some(TOO_MANY_COLUMNS);
                if !is_too_many && !field.is_former() {
                    self.fields[place] = field.clone();
                }
                place
            }
        };
        u8::try_from(place).expect("at most 63")
    }

    /// Whether the last column stands for several.
    pub(crate) fn tells_apart(&self, field: usize) -> Result<(), &'static str> {
        match self.fields.get(field).and_then(|field| field.not_examined.as_deref()) {
            Some(TOO_MANY_COLUMNS) => Err(TOO_MANY_COLUMNS),
            _ => Ok(()),
        }
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
}

fn remap(fields: u64, places: &[u8]) -> u64 {
    places.iter().enumerate().filter(|(at, _)| fields & (1 << at) != 0).fold(0, |set, (_, place)| set | 1 << place)
}
