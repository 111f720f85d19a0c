//! Registers, subjects and fields: the words for "whose data, and which of it".
//!
//! A register is a table of the firm (`account_holders`); a subject is one row's person, a stable number that
//! survives rebuilds; a field is one column. Nothing here holds a value in clear.

use serde::{Deserialize, Serialize};

/// A register of the firm, by its position in the index. At most [`RegisterId::MAX`] + 1 registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RegisterId(pub u16);

impl RegisterId {
    /// The highest id: 64 registers are enough for any firm met so far, and keep tables small.
    pub const MAX: u16 = 63;
}

/// A person in one register. Stable across rebuilds of that register, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SubjectId(pub u32);

/// A person, named by register and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The register that lists the person.
    pub register: RegisterId,
    /// The person's number in it.
    pub id: SubjectId,
}

/// A column of a register, by its name and kind. Stable across rebuilds of that register, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FieldIndex(pub u8);

/// A set of a register's columns, one bit each; at most 64 columns a register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FieldSet(pub u64);

impl FieldSet {
    /// No field.
    pub const EMPTY: FieldSet = FieldSet(0);
    /// The most columns that a register can have.
    pub const FIELDS_MAX: usize = 64;

    /// The set of one field. Panics when the index is 64 or more, which no built register contains.
    #[must_use]
    pub fn of(field: FieldIndex) -> FieldSet {
        assert!(usize::from(field.0) < FieldSet::FIELDS_MAX, "a register has at most 64 fields");
        FieldSet(1 << field.0)
    }

    /// Whether the set holds `field`.
    #[must_use]
    pub fn contains(self, field: FieldIndex) -> bool {
        usize::from(field.0) < FieldSet::FIELDS_MAX && self.0 & (1 << field.0) != 0
    }

    /// Both sets together.
    #[must_use]
    pub fn union(self, other: FieldSet) -> FieldSet {
        FieldSet(self.0 | other.0)
    }

    /// This set without the other's fields.
    #[must_use]
    pub fn difference(self, other: FieldSet) -> FieldSet {
        FieldSet(self.0 & !other.0)
    }

    /// The fields of both.
    #[must_use]
    pub fn intersection(self, other: FieldSet) -> FieldSet {
        FieldSet(self.0 & other.0)
    }

    /// Whether no field is in the set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The fields, lowest index first.
    pub fn iter(self) -> impl Iterator<Item = FieldIndex> {
        (0..64u8).map(FieldIndex).filter(move |field| self.contains(*field))
    }
}

impl FromIterator<FieldIndex> for FieldSet {
    fn from_iter<I: IntoIterator<Item = FieldIndex>>(fields: I) -> FieldSet {
        fields.into_iter().fold(FieldSet::EMPTY, |set, field| set.union(FieldSet::of(field)))
    }
}

/// A value of a column, as its keyed hash: names the same persons after registers were built anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ValueHash {
    /// What the column holds.
    pub kind: FieldKind,
    /// The keyed hash of the value's normal form.
    pub hash: u64,
}

/// What a column holds; decides how its values are normalised and detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// A mail address: a strong anchor.
    Email,
    /// A name in kanji, or as the firm writes it: verified near an anchor.
    Name,
    /// A name in kana: verified near an anchor.
    Kana,
    /// A name in Latin letters: verified near an anchor.
    Romaji,
    /// The firm's own number of a customer or account: a strong anchor.
    AccountId,
    /// A payment card number: a strong anchor with the Luhn check digit.
    Pan,
    /// A telephone number: a strong anchor.
    Phone,
    /// A password hash, token or other exact secret.
    Secret,
    /// A date of birth. No detector yet.
    BirthDate,
    /// A postal address. No detector yet.
    Address,
    /// Any other text. No detector.
    Text,
}

impl FieldKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [FieldKind; 11] = [
        FieldKind::Email,
        FieldKind::Name,
        FieldKind::Kana,
        FieldKind::Romaji,
        FieldKind::AccountId,
        FieldKind::Pan,
        FieldKind::Phone,
        FieldKind::Secret,
        FieldKind::BirthDate,
        FieldKind::Address,
        FieldKind::Text,
    ];

    /// The kind's name in configuration files: `account_id`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FieldKind::Email => "email",
            FieldKind::Name => "name",
            FieldKind::Kana => "kana",
            FieldKind::Romaji => "romaji",
            FieldKind::AccountId => "account_id",
            FieldKind::Pan => "pan",
            FieldKind::Phone => "phone",
            FieldKind::Secret => "secret",
            FieldKind::BirthDate => "birth_date",
            FieldKind::Address => "address",
            FieldKind::Text => "text",
        }
    }

    /// The kind of that name in configuration files.
    #[must_use]
    pub fn from_name(name: &str) -> Option<FieldKind> {
        FieldKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One column as the ledger describes it, so that an answer can be read without the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The column's name in the firm's file.
    pub name: String,
    /// What it holds.
    pub kind: FieldKind,
    /// Why no response is examined for this field; `None` when a detector looks for it (SCO-1).
    pub not_examined: Option<String>,
    /// Values of this column that could not be indexed (empty cells not counted), and so are never found.
    pub values_not_indexed: u64,
}

impl Field {
    /// Why a column that the register had once is not examined: its number is never given to another.
    pub const FORMER: &str = "no longer a column of the register";

    /// Whether the register had this column once and has it no longer.
    #[must_use]
    pub fn is_former(&self) -> bool {
        self.not_examined.as_deref() == Some(Field::FORMER)
    }
}

/// A register as loaded: what the ledger needs to explain its subjects and fields later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterDescription {
    /// Its id in the exposures that follow.
    pub id: RegisterId,
    /// Its name in the configuration.
    pub name: String,
    /// Its columns, former ones too; the position is the [`FieldIndex`].
    pub fields: Vec<Field>,
    /// Persons in it.
    pub persons: u64,
    /// The first number that no person has had: those below it are looked for.
    pub subject_next: u32,
    /// When the index was built from the firm's file.
    pub built_at: crate::Timestamp,
    /// Whether its persons are planted ones, whom no legitimate response holds.
    pub is_canary: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_set_is_the_union_of_its_fields() {
        let set: FieldSet = [FieldIndex(0), FieldIndex(63), FieldIndex(5)].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [FieldIndex(0), FieldIndex(5), FieldIndex(63)]);
        assert!(!set.contains(FieldIndex(64)));
        assert_eq!(set.difference(FieldSet::of(FieldIndex(5))).iter().count(), 2);
    }

    #[test]
    fn every_kind_has_a_name_that_leads_back_to_it() {
        for kind in FieldKind::ALL {
            assert_eq!(FieldKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(FieldKind::from_name("e-mail"), None);
    }
}
