//! Persons by number: the union of their fields, and when. One page table a register, so that a million exposures
//! cost one indexed access each and a register of five million persons costs memory only where persons were exposed.

use sekisho_model::{ResponseId, SubjectId, Timestamp};
use std::collections::BTreeMap;

/// Persons in one page.
const PAGE: usize = 256;

/// What is known of one person in an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// Fields that left, one bit each, by the answer's field positions.
    pub fields: u64,
    /// Fields that were only echoed to the one who sent them.
    pub reflected: u64,
    /// The first exposure.
    pub first: Timestamp,
    /// The last exposure.
    pub last: Timestamp,
    /// Responses that held any of the fields.
    pub responses: u32,
    /// The source and number of the response that came last; numbers begin at 1.
    source_last: u32,
    sequence_last: u64,
}

/// The persons of one register.
#[derive(Debug, Default)]
pub(crate) struct Persons {
    pages: Vec<Option<Box<[Person; PAGE]>>>,
}

impl Persons {
    /// Adds an exposure. A person's rows of one response must stand together to be counted as one response.
    pub(crate) fn add(&mut self, id: SubjectId, fields: u64, reflected: u64, at: Timestamp, response: ResponseId) {
        let (page, place) = (id.0 as usize / PAGE, id.0 as usize % PAGE);
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        let person = &mut self.pages[page].get_or_insert_with(|| Box::new([Person::default(); PAGE]))[place];
        person.reflected |= reflected;
        if fields == 0 {
            return;
        }
        if person.fields == 0 {
            (person.first, person.last) = (at, at);
        }
        person.fields |= fields;
        person.first = person.first.min(at);
        person.last = person.last.max(at);
        if (person.source_last, person.sequence_last) != (response.source.0, response.sequence) {
            person.responses += 1;
            (person.source_last, person.sequence_last) = (response.source.0, response.sequence);
        }
    }

    /// A person's part of the answer; `None` when nothing of theirs left or was echoed.
    pub(crate) fn get(&self, id: SubjectId) -> Option<&Person> {
        let person = self.pages.get(id.0 as usize / PAGE)?.as_ref()?.get(id.0 as usize % PAGE)?;
        (person.fields | person.reflected != 0).then_some(person)
    }

    /// All persons by the combination of their fields, in one pass.
    pub(crate) fn combined(&self) -> Combined {
        let mut combined = Combined::default();
        for person in self.pages.iter().flatten().flat_map(|page| page.iter()) {
            combined.bits |= person.fields | person.reflected;
            combined.reflected += u64::from(person.reflected != 0);
            if person.fields != 0 {
                *combined.sets.entry(person.fields).or_default() += 1;
            }
        }
        combined
    }
}

/// How many persons have which fields.
#[derive(Debug, Default)]
pub(crate) struct Combined {
    /// Persons by the exact set of their fields.
    pub(crate) sets: BTreeMap<u64, u64>,
    /// Every field of anybody, echoed ones too.
    pub(crate) bits: u64,
    /// Persons with an echoed field.
    pub(crate) reflected: u64,
}

impl Combined {
    /// Persons with this field.
    pub(crate) fn with(&self, field: usize) -> u64 {
        self.sets.iter().filter(|(set, _)| *set & (1 << field) != 0).map(|(_, persons)| persons).sum()
    }
}
