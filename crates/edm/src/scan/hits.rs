//! The strong values near the text window's end, and which of them are neighbours.

use crate::key::ValueKind;
use sekisho_model::{FieldSet, GenericKind, Subject};
use std::ops::Range;

/// A strong value and where it stands, in characters since the last hard boundary.
#[derive(Clone)]
pub(super) struct Hit {
    pub(super) place: Range<u64>,
    pub(super) value: Value,
    /// Whether the names around it were looked for.
    pub(super) names_found: bool,
}

/// What was found.
#[derive(Clone)]
pub(super) enum Value {
    /// A value that registers list, with all its subjects.
    Listed { kind: ValueKind, hash: u64, owners: Owners },
    /// A mail or card that no register lists.
    Generic { kind: GenericKind, hash: Option<u64> },
    /// A My Number: its digits stay in memory only, to compare them with the request's.
    MyNumber([u8; 12]),
}

/// The subjects of a value and the fields that hold it: nearly always one.
#[derive(Clone)]
pub(super) struct Owners {
    first: (Subject, FieldSet),
    others: Vec<(Subject, FieldSet)>,
}

/// The values of a text window, by begin.
#[derive(Clone, Default)]
pub(super) struct Hits {
    sorted: Vec<Hit>,
    /// Values found since the last [`Hits::sort`].
    new: Vec<Hit>,
    /// The length of the longest value: a value that begins further before a place does not reach it.
    longest: u64,
}

impl Hit {
    pub(super) fn new(place: Range<u64>, value: Value) -> Hit {
        let names_found = !matches!(value, Value::Listed { .. });
        Hit { place, value, names_found }
    }

    /// Whether this is a listed value, and not of this subject.
    fn is_of_another(&self, subject: Subject) -> bool {
        match &self.value {
            Value::Listed { owners, .. } => owners.iter().all(|(owner, _)| owner != subject),
            Value::Generic { .. } | Value::MyNumber(_) => false,
        }
    }
}

impl Owners {
    pub(super) fn new(subject: Subject, fields: FieldSet) -> Owners {
        Owners { first: (subject, fields), others: Vec::new() }
    }

    pub(super) fn add(&mut self, subject: Subject, fields: FieldSet) {
        let known = std::iter::once(&mut self.first).chain(&mut self.others).find(|(owner, _)| *owner == subject);
        match known {
            Some((_, known)) => *known = known.union(fields),
            None => self.others.push((subject, fields)),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Subject, FieldSet)> + '_ {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }
}

impl Hits {
    /// Where values that are found now are put.
    pub(super) fn new_ones(&mut self) -> &mut Vec<Hit> {
        &mut self.new
    }

    /// Brings the new values among the others.
    pub(super) fn sort(&mut self) {
        if self.new.is_empty() {
            return;
        }
        self.longest = self.new.iter().map(|hit| hit.place.end - hit.place.start).fold(self.longest, u64::max);
        if self.sorted.is_empty() {
            std::mem::swap(&mut self.sorted, &mut self.new);
        } else {
            self.sorted.append(&mut self.new);
        }
        self.sorted.sort_by_key(|hit| (hit.place.start, hit.place.end));
    }

    pub(super) fn sorted(&self) -> &[Hit] {
        &self.sorted
    }

    pub(super) fn names_are_found(&mut self, at: usize) {
        self.sorted[at].names_found = true;
    }

    /// Where the first value begins around which names were not looked for.
    pub(super) fn waiting_from(&self) -> Option<u64> {
        self.sorted.iter().find(|hit| !hit.names_found).map(|hit| hit.place.start)
    }

    /// What lies within `reach` of a value, up to the neighbours that are not this subject's.
    pub(super) fn window(&self, subject: Subject, at: usize, reach: u64) -> Range<u64> {
        let hit = &self.sorted[at].place;
        let (mut start, mut end) = (hit.start.saturating_sub(reach), hit.end + reach);
        for other in self.sorted[..at].iter().rev() {
            if other.place.start + self.longest <= start {
                break;
            }
            if other.place.end <= hit.start && other.place.end > start && other.is_of_another(subject) {
                start = other.place.end;
            }
        }
        for other in &self.sorted[at + 1..] {
            if other.place.start >= end {
                break;
            }
            if other.place.start >= hit.end && other.is_of_another(subject) {
                end = other.place.start;
            }
        }
        start..end
    }

    /// The places of all values that overlap a window.
    pub(super) fn overlapping(&self, window: &Range<u64>) -> impl Iterator<Item = &Range<u64>> {
        let begin = window.start.saturating_sub(self.longest);
        let first = self.sorted.partition_point(|hit| hit.place.start < begin);
        let end = window.end;
        self.sorted[first..].iter().map(|hit| &hit.place).take_while(move |place| place.start < end)
    }

    /// Forgets the values that end at or before this place.
    pub(super) fn forget(&mut self, before: u64) {
        self.sorted.retain(|hit| hit.place.end > before);
    }

    /// What they take of memory.
    pub(super) fn capacity_bytes(&self) -> usize {
        (self.sorted.capacity() + self.new.capacity()) * size_of::<Hit>()
    }

    pub(super) fn clear(&mut self) {
        self.sorted.clear();
        self.new.clear();
        self.longest = 0;
    }
}
