//! The index: the firm's registers as keyed hashes, ready to be searched.
//!
//! Immutable and without any value in clear. `build` makes it from register files (`columns` says what of them is looked
//! for), `file` stores it, `table` is its one data structure. About 85 bytes a person with four strong fields and three names.

mod build;
mod columns;
mod file;
mod table;
#[cfg(test)]
mod tests;

pub use build::{Built, IndexBuilder};
pub use file::IndexError;
pub(crate) use file::fuzz_index;

use crate::key::{HashKey, ValueKind};
use crate::names::Fingerprint;
use crate::value::{account, secret};
use sekisho_model::{FieldIndex, FieldKind, FieldSet, RegisterDescription, RegisterId, Subject, SubjectId, ValueHash};
use std::sync::Arc;
use table::HashTable;

/// All registers, ready to be searched. Immutable; swap an `Arc` to update.
pub struct Index {
    key: Arc<HashKey>,
    descriptions: Vec<RegisterDescription>,
    registers: Vec<Register>,
    secret_runs: SecretRuns,
    account_shapes: account::Shapes,
    columns_by_kind: [Vec<ColumnPlace>; ValueKind::ALL.len()],
}

/// The contents of one register.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Register {
    /// The column of the row keys: another one would give everybody a new number.
    row_key: String,
    /// Row keys and the subjects they were given, removed persons included.
    row_keys: HashTable,
    /// The first number that no person has had.
    subject_next: u32,
    values: Vec<ValueColumn>,
    names: Vec<NameColumn>,
    /// By column, the persons with a value that cannot be indexed, sorted.
    not_indexed: Vec<(FieldIndex, Vec<u32>)>,
    /// Which forms the account ids have.
    account_shapes: account::Shapes,
    /// Anchor runs of the secrets, and how the secrets lie around them.
    secret_runs: Vec<(u64, secret::Shape)>,
}

/// A column of values that are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ValueColumn {
    field: FieldIndex,
    kind: ValueKind,
    table: HashTable,
}

/// A column of names: one fingerprint for each subject number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NameColumn {
    field: FieldIndex,
    fingerprints: Vec<Fingerprint>,
}

/// A value column's register and position in it.
#[derive(Clone, Copy, Debug)]
struct ColumnPlace {
    register: usize,
    column: usize,
}

/// Anchor runs of all registers, sorted.
#[derive(Debug, Default)]
struct SecretRuns(Vec<(u64, secret::Shape)>);

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("registers", &self.descriptions).finish_non_exhaustive()
    }
}

impl Index {
    /// An index without registers: only generic cards, mails and My Numbers are found.
    #[must_use]
    pub fn empty(key: Arc<HashKey>) -> Index {
        Index::new(key, Vec::new(), Vec::new())
    }

    fn new(key: Arc<HashKey>, descriptions: Vec<RegisterDescription>, registers: Vec<Register>) -> Index {
        let mut columns_by_kind: [Vec<ColumnPlace>; ValueKind::ALL.len()] = Default::default();
        let mut account_shapes = account::Shapes::default();
        let mut secret_runs = Vec::new();
        for (at, register) in registers.iter().enumerate() {
            account_shapes.union(register.account_shapes);
            secret_runs.extend_from_slice(&register.secret_runs);
            for (column, value) in register.values.iter().enumerate() {
                columns_by_kind[value.kind as usize].push(ColumnPlace { register: at, column });
            }
        }
        secret_runs.sort_unstable();
        secret_runs.dedup();
        let secret_runs = SecretRuns(secret_runs);
        Index { key, descriptions, registers, secret_runs, account_shapes, columns_by_kind }
    }

    /// The registers, by id.
    #[must_use]
    pub fn registers(&self) -> &[RegisterDescription] {
        &self.descriptions
    }

    /// The subject of a firm's row key in the register of that name. Removed persons still have theirs.
    #[must_use]
    pub fn subject(&self, register: &str, row_key: &str) -> Option<SubjectId> {
        let at = self.descriptions.iter().position(|description| description.name == register)?;
        let hash = self.key.row_key(register, row_key.trim());
        self.registers.get(at)?.row_keys.find(hash).first().copied().map(SubjectId)
    }

    /// The column of the register's file by which its persons are known; `None` when there is no such register.
    #[must_use]
    pub fn row_key(&self, register: &str) -> Option<&str> {
        let at = self.descriptions.iter().position(|description| description.name == register)?;
        self.registers.get(at).map(|register| register.row_key.as_str())
    }

    /// All subjects that have this value in a column of this kind, in any register: those whom a log-in by it names.
    /// None where the kind identifies nobody by itself, as names do.
    #[must_use]
    pub fn subjects_with(&self, kind: FieldKind, value: &str) -> Vec<Subject> {
        self.value_hash(kind, value).map_or_else(Vec::new, |hash| self.subjects_of(hash))
    }

    /// The keyed hash of a value; `None` where the kind identifies nobody by itself, or the value is none of it.
    #[must_use]
    pub fn value_hash(&self, kind: FieldKind, value: &str) -> Option<ValueHash> {
        let of = ValueKind::of(kind)?;
        let normalised = build::normalised_bytes(of, value)?;
        Some(ValueHash { kind, hash: self.key.value(of, &normalised) })
    }

    /// All subjects that have a value of this hash, sorted.
    #[must_use]
    pub fn subjects_of(&self, value: ValueHash) -> Vec<Subject> {
        let mut subjects = Vec::new();
        if let Some(kind) = ValueKind::of(value.kind) {
            self.owners(kind, value.hash, |subject, _| subjects.push(subject));
        }
        subjects.sort_unstable();
        subjects.dedup();
        subjects
    }

    /// The key under which this index was built.
    #[must_use]
    pub fn key(&self) -> &Arc<HashKey> {
        &self.key
    }

    /// Whether any register has a column of this kind.
    pub(crate) fn has(&self, kind: ValueKind) -> bool {
        !self.columns_by_kind[kind as usize].is_empty()
    }

    /// The forms that the account ids of all registers have.
    pub(crate) fn account_shapes(&self) -> account::Shapes {
        self.account_shapes
    }

    /// Gives the subjects and fields of a value, by register, field and subject.
    pub(crate) fn owners(&self, kind: ValueKind, hash: u64, mut give: impl FnMut(Subject, FieldSet)) {
        for place in &self.columns_by_kind[kind as usize] {
            let column = &self.registers[place.register].values[place.column];
            for id in column.table.find(hash) {
                let subject = Subject { register: register_id(place.register), id: SubjectId(*id) };
                give(subject, FieldSet::of(column.field));
            }
        }
    }

    /// How the secrets lie that have an anchor run of this hash.
    pub(crate) fn secret_shapes(&self, run_hash: u64) -> impl Iterator<Item = secret::Shape> + '_ {
        let runs = &self.secret_runs.0;
        let first = runs.partition_point(|(hash, _)| *hash < run_hash);
        runs[first..].iter().take_while(move |(hash, _)| *hash == run_hash).map(|(_, shape)| *shape)
    }

    /// A subject with names, by chance of this number; `None` where no register has any.
    pub(crate) fn anybody(&self, chance: u64) -> Option<Subject> {
        let (at, register) = self.registers.iter().enumerate().find(|(_, register)| !register.names.is_empty())?;
        let persons = register.names.first()?.fingerprints.len() as u64;
        let id = u32::try_from(chance.checked_rem(persons)?).ok()?;
        Some(Subject { register: register_id(at), id: SubjectId(id) })
    }

    /// The subject's names, with their fields.
    pub(crate) fn names(&self, subject: Subject) -> impl Iterator<Item = (FieldIndex, Fingerprint)> + '_ {
        let columns = self.registers.get(usize::from(subject.register.0)).map_or(&[][..], |register| &register.names);
        columns
            .iter()
            .filter_map(move |column| Some((column.field, *column.fingerprints.get(subject.id.0 as usize)?)))
            .filter(|(_, fingerprint)| fingerprint.0 != 0)
    }
}

impl Register {
    /// How many values each column has of the persons that are wanted.
    fn values_of<'a>(
        &'a self,
        is_wanted: impl Fn(u32) -> bool + Copy + 'a,
    ) -> impl Iterator<Item = (FieldIndex, u64)> + 'a {
        let values = self.values.iter().map(move |column| {
            (column.field, column.table.ids().iter().filter(|subject| is_wanted(**subject)).count() as u64)
        });
        let names = self.names.iter().map(move |column| {
            let wanted = (0..).zip(&column.fingerprints).filter(|(subject, it)| it.0 != 0 && is_wanted(*subject));
            (column.field, wanted.count() as u64)
        });
        values.chain(names)
    }
}

/// The id of the register at this place of the index.
fn register_id(at: usize) -> RegisterId {
    RegisterId(u16::try_from(at).expect("an index has at most 64 registers"))
}
