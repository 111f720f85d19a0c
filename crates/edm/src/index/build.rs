//! Register files to an index.
//!
//! A row key keeps its subject number over rebuilds, and numbers are never reused: a person who is no longer in the
//! file keeps number, values and names as they were last seen, and a register that is not given again stays as it
//! was. A value that a person had before and has no longer is forgotten. A column keeps its number likewise, by name and
//! kind: a response that a rebuild overtakes means the same columns as one after it.

use super::columns::{former_fields, tell_not_examined, warn_forgotten, warn_not_indexed, warn_shared};
use super::table::{HashTable, SHARED_IDS_MAX};
use super::{Index, NameColumn, Register, ValueColumn, register_id};
use crate::key::{HashKey, ValueKind};
use crate::names::Fingerprint;
use crate::normalize::{normal_bytes, normal_chars};
use crate::register::{ColumnConfig, RegisterConfig, Row, Rows, Told};
use crate::value::{account, card, mail, phone, secret};
use regex::Regex;
use sekisho_model::{
    Diagnostic, Field, FieldIndex, FieldKind, FieldSet, RegisterDescription, RegisterId, SubjectId, Timestamp,
};
use std::collections::HashSet;
use std::io::Read;
use std::sync::Arc;

/// Builds an [`Index`] from register files.
#[derive(Debug)]
pub struct IndexBuilder {
    key: Arc<HashKey>,
    built_at: Timestamp,
    descriptions: Vec<RegisterDescription>,
    registers: Vec<Register>,
    given: HashSet<String>,
}

/// What became of one register file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The register's id.
    pub id: RegisterId,
    /// Rows read.
    pub persons: u64,
    /// Persons of an earlier build who are not in this file and stay in the index.
    pub persons_former: u64,
    /// What was read but cannot all be used.
    pub warnings: Vec<Diagnostic>,
}

impl IndexBuilder {
    /// A builder of an index under this key; `built_at` is told by the registers.
    #[must_use]
    pub fn new(key: Arc<HashKey>, built_at: Timestamp) -> IndexBuilder {
        IndexBuilder { key, built_at, descriptions: Vec::new(), registers: Vec::new(), given: HashSet::new() }
    }

    /// A builder that goes on from an earlier index: its subjects keep their numbers.
    #[must_use]
    pub fn on(previous: &Index, built_at: Timestamp) -> IndexBuilder {
        IndexBuilder {
            key: Arc::clone(&previous.key),
            built_at,
            descriptions: previous.descriptions.clone(),
            registers: previous.registers.clone(),
            given: HashSet::new(),
        }
    }

    /// Reads one register's CSV. `file` is its name in what is told.
    ///
    /// # Errors
    /// All that is wrong with the configuration or the file; the builder is then unchanged.
    pub fn register(&mut self, config: &RegisterConfig, csv: impl Read, file: &str) -> Result<Built, Vec<Diagnostic>> {
        let mut told = Told::default();
        config.check(&mut told);
        if self.given.contains(&config.name) {
            told.error(Diagnostic::error("SK142", format!("register `{}` is given twice", config.name)));
        }
        let at = self.descriptions.iter().position(|description| description.name == config.name);
        let at = at.unwrap_or(self.descriptions.len());
        if at > usize::from(RegisterId::MAX) {
            let max = RegisterId::MAX + 1;
            told.error(Diagnostic::error(
                "SK143",
                format!("register `{}` is beyond the {max} registers that an index can have", config.name),
            ));
        }
        let previous = self.registers.get(at).zip(self.descriptions.get(at));
        if let Some((register, _)) = previous {
            check_row_key(config, register, &mut told);
        }
        let former = previous.map_or(&[][..], |(_, description)| &description.fields);
        let columns = compile_columns(config, former, &mut told);
        let reading = Reading::new(&self.key, config, columns, previous.map(|(register, _)| register));
        let read = if told.is_clean() { reading.read(config, csv, file, &mut told) } else { None };
        let Some(mut reading) = read.filter(|_| told.is_clean()) else { return Err(told.into_errors()) };
        let mut warnings = Vec::new();
        let persons_former = previous
            .map_or(0, |(register, description)| reading.carry_over(register, &description.fields, &mut warnings));
        let (register, description) = reading.finish(config, (register_id(at), self.built_at), former, &mut warnings);
        let warnings = warnings.into_iter().map(|warning| warning.at(file, 0..0)).collect();
        self.given.insert(config.name.clone());
        let built = Built { id: description.id, persons: description.persons, persons_former, warnings };
        if at == self.registers.len() {
            self.registers.push(register);
            self.descriptions.push(description);
        } else {
            self.registers[at] = register;
            self.descriptions[at] = description;
        }
        Ok(built)
    }

    /// The index.
    #[must_use]
    pub fn build(self) -> Index {
        Index::new(self.key, self.descriptions, self.registers)
    }
}

/// A column being read.
struct Column {
    field: FieldIndex,
    reads: Reads,
    /// Persons with a value that cannot be indexed: those of the file, and former ones.
    not_indexed: Vec<u32>,
    not_indexed_former: Vec<u32>,
}

/// What becomes of a column's cells.
enum Reads {
    Values { kind: ValueKind, pattern: Option<Regex>, pairs: Vec<(u64, u32)> },
    Names(Vec<Fingerprint>),
    Nothing,
}

/// A register being read.
struct Reading<'a> {
    key: &'a HashKey,
    name: &'a str,
    columns: Vec<Column>,
    previous: Option<&'a Register>,
    /// Hash of the row key, subject, line.
    rows: Vec<(u64, u32, u32)>,
    subject_next: u32,
    account_shapes: account::Shapes,
    secret_runs: Vec<(u64, secret::Shape)>,
}

/// The persons of another key would all get new numbers, and each would count twice.
fn check_row_key(config: &RegisterConfig, previous: &Register, told: &mut Told) {
    let (name, before, now) = (&config.name, &previous.row_key, &config.row_key);
    if before != now {
        let title = format!(
            "register `{name}` was built with the row key `{before}`, and `{now}` would count each person twice"
        );
        let help = format!(
            "set row_key = \"{before}\" (a column that was renamed gets its name back), or give the register another name"
        );
        told.error(Diagnostic::error("SK150", title).help(help));
    }
}

/// A column that was there before, by name and kind, keeps its number; others get the next ones.
fn compile_columns(config: &RegisterConfig, former: &[Field], told: &mut Told) -> Vec<Column> {
    let mut columns = Vec::with_capacity(config.columns.len());
    let mut field_next = former.len();
    for column in &config.columns {
        let known = former.iter().position(|field| field.name == column.name && field.kind == column.kind);
        let at = known.unwrap_or(field_next);
        field_next = field_next.max(at + 1);
        if at >= FieldSet::FIELDS_MAX {
            continue;
        }
        let field = FieldIndex(u8::try_from(at).expect("at most 64 columns were taken"));
        let reads = match (ValueKind::of(column.kind), column.kind) {
            (Some(kind), _) => Reads::Values { kind, pattern: compile_pattern(column, told), pairs: Vec::new() },
            (None, FieldKind::Name | FieldKind::Kana | FieldKind::Romaji) => Reads::Names(Vec::new()),
            (None, _) => Reads::Nothing,
        };
        columns.push(Column { field, reads, not_indexed: Vec::new(), not_indexed_former: Vec::new() });
    }
    if field_next > FieldSet::FIELDS_MAX && config.columns.len() <= FieldSet::FIELDS_MAX {
        let (name, max) = (&config.name, FieldSet::FIELDS_MAX);
        let title = format!("register `{name}` would have had {field_next} columns over time, more than {max}");
        let help = "give columns the names and kinds that they had, or give the register another name: its persons then \
                    count apart from those before";
        told.error(Diagnostic::error("SK154", title).help(help));
    }
    columns
}

fn compile_pattern(column: &ColumnConfig, told: &mut Told) -> Option<Regex> {
    let pattern = column.pattern.as_ref()?;
    if column.kind != FieldKind::AccountId {
        let title = format!("column `{}` has a pattern, but is no account id", column.name);
        told.error(Diagnostic::error("SK144", title).help("only columns of kind `account_id` have a pattern"));
        return None;
    }
    match Regex::new(&format!("^(?:{pattern})$")) {
        Ok(regex) => Some(regex),
        Err(err) => {
            let title = format!("the pattern of column `{}` is not a regular expression", column.name);
            let reason = err.to_string();
            told.error(Diagnostic::error("SK145", title).help(reason.lines().last().unwrap_or_default().to_owned()));
            None
        }
    }
}

impl<'a> Reading<'a> {
    fn new(
        key: &'a HashKey,
        config: &'a RegisterConfig,
        columns: Vec<Column>,
        previous: Option<&'a Register>,
    ) -> Reading<'a> {
        Reading {
            key,
            name: &config.name,
            columns,
            previous,
            rows: Vec::new(),
            subject_next: previous.map_or(0, |register| register.subject_next),
            account_shapes: account::Shapes::default(),
            secret_runs: Vec::new(),
        }
    }

    /// Reads all rows. `None` when the file could not be read as a table at all.
    fn read(mut self, config: &RegisterConfig, csv: impl Read, file: &str, told: &mut Told) -> Option<Reading<'a>> {
        let mut rows = Rows::open(config, csv, file, told)?;
        let mut row = Row::default();
        while rows.next(&mut row, told) {
            let hash = self.key.row_key(self.name, &row.key);
            let Some(subject) = self.subject(hash) else {
                told.error(Diagnostic::error(
                    "SK146",
                    format!("register `{}` has used up its subject numbers", self.name),
                ));
                return None;
            };
            self.rows.push((hash, subject.0, u32::try_from(row.line).unwrap_or(u32::MAX)));
            self.read_cells(subject, &row.cells);
        }
        self.tell_duplicates(&config.row_key, file, told);
        Some(self)
    }

    fn subject(&mut self, row_key_hash: u64) -> Option<SubjectId> {
        let known = self.previous.and_then(|previous| previous.row_keys.find(row_key_hash).first());
        if let Some(known) = known {
            return Some(SubjectId(*known));
        }
        let subject = SubjectId(self.subject_next);
        self.subject_next = self.subject_next.checked_add(1)?;
        Some(subject)
    }

    fn read_cells(&mut self, subject: SubjectId, cells: &[String]) {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            if cell.is_empty() {
                continue;
            }
            let indexed = match &mut column.reads {
                Reads::Nothing => true,
                Reads::Names(fingerprints) => {
                    let chars = normal_chars(cell);
                    let fingerprint = Fingerprint::new(self.key, subject, &chars);
                    put_fingerprint(fingerprints, subject, fingerprint.unwrap_or(Fingerprint(0)));
                    fingerprint.is_some()
                }
                Reads::Values { kind, pattern, pairs } => {
                    let matches = pattern.as_ref().is_none_or(|pattern| pattern.is_match(cell));
                    let value = if matches { normalised(*kind, cell) } else { None };
                    if let Some(value) = &value {
                        pairs.push((self.key.value(*kind, &value.bytes), subject.0));
                        match &value.form {
                            Form::Plain => {}
                            Form::Account(shape) => self.account_shapes.insert(*shape),
                            Form::Secret(run, shape) => {
                                self.secret_runs.push((self.key.secret_run(&value.bytes[run.clone()]), *shape));
                            }
                        }
                    }
                    value.is_some()
                }
            };
            if !indexed {
                column.not_indexed.push(subject.0);
            }
        }
    }

    fn tell_duplicates(&mut self, row_key: &str, file: &str, told: &mut Told) {
        self.rows.sort_unstable_by_key(|(hash, _, line)| (*hash, *line));
        let mut duplicates: Vec<(u32, u32)> =
            self.rows.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| (pair[0].2, pair[1].2)).collect();
        duplicates.sort_unstable();
        for (first, second) in duplicates {
            let title = format!("lines {first} and {second} have the same row key `{row_key}`");
            told.error(
                Diagnostic::error("SK147", title)
                    .at_line(file, u64::from(second))
                    .help("a row key identifies one person: choose another column, or remove one of the rows"),
            );
        }
    }

    /// Takes over what is known of persons who are not in the file; says how many they are.
    fn carry_over(&mut self, previous: &Register, fields: &[Field], warnings: &mut Vec<Diagnostic>) -> u64 {
        let mut present: Vec<u32> = self.rows.iter().map(|(_, subject, _)| *subject).collect();
        present.sort_unstable();
        let is_former = |subject: u32| present.binary_search(&subject).is_err();
        let former: Vec<(u64, u32, u32)> = previous
            .row_keys
            .pairs()
            .filter(|(_, subject)| is_former(*subject))
            .map(|(hash, subject)| (hash, subject, 0))
            .collect();
        for column in &mut self.columns {
            let same = |field: FieldIndex| field == column.field;
            let not_indexed =
                previous.not_indexed.iter().filter(|(field, _)| same(*field)).flat_map(|(_, persons)| persons);
            column.not_indexed_former.extend(not_indexed.copied().filter(|subject| is_former(*subject)));
            match &mut column.reads {
                Reads::Nothing => {}
                Reads::Values { pairs, .. } => {
                    let old = previous.values.iter().filter(|old| same(old.field));
                    pairs.extend(old.flat_map(|old| old.table.pairs()).filter(|(_, subject)| is_former(*subject)));
                }
                Reads::Names(fingerprints) => {
                    for old in previous.names.iter().filter(|old| same(old.field)) {
                        for (_, subject, _) in &former {
                            if let Some(fingerprint) = old.fingerprints.get(*subject as usize) {
                                put_fingerprint(fingerprints, SubjectId(*subject), *fingerprint);
                            }
                        }
                    }
                }
            }
        }
        let kept = |field: FieldIndex| self.columns.iter().any(|column| column.field == field);
        for (field, values) in previous.values_of(is_former).filter(|(field, values)| !kept(*field) && *values > 0) {
            warnings.push(warn_forgotten(&fields[usize::from(field.0)], values));
        }
        self.account_shapes.union(previous.account_shapes);
        self.secret_runs.extend_from_slice(&previous.secret_runs);
        let count = former.len() as u64;
        self.rows.extend(former);
        count
    }

    fn finish(
        self,
        config: &RegisterConfig,
        (id, built_at): (RegisterId, Timestamp),
        former: &[Field],
        warnings: &mut Vec<Diagnostic>,
    ) -> (Register, RegisterDescription) {
        let persons = self.rows.iter().filter(|(_, _, line)| *line > 0).count() as u64;
        if persons == 0 {
            let title = format!("register `{}` has no row: nobody is looked for", config.name);
            warnings.push(Diagnostic::warning("SK151", title).help("is the file complete?"));
        }
        let mut register = Register {
            row_key: config.row_key.clone(),
            row_keys: HashTable::new(self.rows.into_iter().map(|(hash, subject, _)| (hash, subject)).collect()),
            subject_next: self.subject_next,
            account_shapes: self.account_shapes,
            secret_runs: self.secret_runs,
            ..Register::default()
        };
        register.secret_runs.sort_unstable();
        register.secret_runs.dedup();
        let mut fields = former_fields(former);
        for (column, column_config) in self.columns.into_iter().zip(&config.columns) {
            let Column { field, reads, mut not_indexed, not_indexed_former } = column;
            let unreadable = not_indexed.len() as u64;
            match reads {
                Reads::Nothing => {}
                Reads::Names(fingerprints) => register.names.push(NameColumn { field, fingerprints }),
                Reads::Values { kind, mut pairs, .. } => {
                    let shared = remove_shared(&mut pairs);
                    if !shared.is_empty() {
                        warnings.push(warn_shared(column_config, shared.len()));
                    }
                    not_indexed.extend(shared);
                    register.values.push(ValueColumn { field, kind, table: HashTable::new(pairs) });
                }
            }
            if unreadable > 0 {
                warnings.push(warn_not_indexed(column_config, unreadable));
            }
            not_indexed.extend(not_indexed_former);
            not_indexed.sort_unstable();
            not_indexed.dedup();
            let (name, kind) = (column_config.name.clone(), column_config.kind);
            let described = Field { name, kind, not_examined: None, values_not_indexed: not_indexed.len() as u64 };
            if !not_indexed.is_empty() {
                register.not_indexed.push((field, not_indexed));
            }
            match fields.get_mut(usize::from(field.0)) {
                Some(place) => *place = described,
                None => fields.push(described),
            }
        }
        register.values.sort_by_key(|column| column.field);
        register.names.sort_by_key(|column| column.field);
        register.not_indexed.sort_by_key(|(field, _)| *field);
        tell_not_examined(&mut fields, &register);
        // What its persons are for is the configuration's, not the index's.
        let is_canary = false;
        let (name, subject_next) = (config.name.clone(), register.subject_next);
        let description = RegisterDescription { id, name, fields, persons, subject_next, built_at, is_canary };
        (register, description)
    }
}

/// A value as it is looked up, and what must be known to find it.
struct Value {
    bytes: Vec<u8>,
    form: Form,
}

enum Form {
    Plain,
    Account(account::Shape),
    Secret(std::ops::Range<usize>, secret::Shape),
}

/// A value as it is hashed; `None` when it is none of its kind.
pub(super) fn normalised_bytes(kind: ValueKind, cell: &str) -> Option<Vec<u8>> {
    normalised(kind, cell).map(|value| value.bytes)
}

fn normalised(kind: ValueKind, cell: &str) -> Option<Value> {
    let bytes = normal_bytes(cell);
    let plain = |bytes| Value { bytes, form: Form::Plain };
    match kind {
        ValueKind::Email => mail::register_value(&bytes).map(plain),
        ValueKind::Pan => card::register_value(&bytes).map(plain),
        ValueKind::Phone => phone::register_value(&bytes).map(plain),
        ValueKind::AccountId => {
            account::register_value(&bytes).map(|(bytes, shape)| Value { bytes, form: Form::Account(shape) })
        }
        ValueKind::Secret => {
            let (run, shape) = secret::register_value(&bytes)?;
            Some(Value { bytes, form: Form::Secret(run, shape) })
        }
    }
}

fn put_fingerprint(fingerprints: &mut Vec<Fingerprint>, subject: SubjectId, fingerprint: Fingerprint) {
    let at = subject.0 as usize;
    if fingerprints.len() <= at {
        fingerprints.resize(at + 1, Fingerprint(0));
    }
    fingerprints[at] = fingerprint;
}

/// Takes out values that too many persons share; gives the persons of whom that was one.
fn remove_shared(pairs: &mut Vec<(u64, u32)>) -> Vec<u32> {
    pairs.sort_unstable();
    pairs.dedup();
    let mut persons = Vec::new();
    let shared: HashSet<u64> =
        pairs.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > SHARED_IDS_MAX).map(|same| same[0].0).collect();
    if !shared.is_empty() {
        persons.extend(pairs.iter().filter(|(hash, _)| shared.contains(hash)).map(|(_, subject)| *subject));
        pairs.retain(|(hash, _)| !shared.contains(hash));
    }
    persons
}
