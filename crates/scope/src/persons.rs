//! Persons by number: the union of their fields, and when. One page table a register, so that a million exposures
//! cost one indexed access each and a register of five million persons costs memory only where persons were exposed.

use sekisho_model::{ResponseId, SubjectId, Timestamp};

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
    response_last: Option<(u32, u64)>,
}

/// The persons of one register.
#[derive(Debug, Default)]
pub(crate) struct Persons {
    pages: Vec<Option<Box<[Person; PAGE]>>>,
}

impl Persons {
    /// Adds an exposure. Rows of one response must stand together to be counted as one response.
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
        let response = Some((response.source.0, response.sequence));
        if person.response_last != response {
            person.responses += 1;
            person.response_last = response;
        }
    }

    /// A person's part of the answer; `None` when nothing of theirs left or was echoed.
    pub(crate) fn get(&self, id: SubjectId) -> Option<&Person> {
        let person = self.pages.get(id.0 as usize / PAGE)?.as_ref()?.get(id.0 as usize % PAGE)?;
        (person.fields | person.reflected != 0).then_some(person)
    }

    /// All persons with anything in the answer, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Person> {
        self.pages.iter().flatten().flat_map(|page| page.iter()).filter(|person| person.fields | person.reflected != 0)
    }
}
