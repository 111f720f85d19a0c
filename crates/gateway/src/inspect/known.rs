//! What is durable already: a finding of the same session, client, subject and fields needs no wait.
//!
//! Bounded by two generations: when the younger is full it becomes the older, and the older is forgotten. A forgotten
//! entry costs a wait, never a record: each finding is appended in any case.

use sekisho_model::{FieldSet, GenericKind, SessionKey, Subject};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Entries of one generation; there are two.
const GENERATION_ENTRIES_MAX: usize = 65_536;

/// Who received it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Receiver {
    pub(super) client: IpAddr,
    pub(super) session: Option<SessionKey>,
}

/// What was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Item {
    /// Counted fields of a subject.
    Subject(Subject),
    /// Fields of a subject that the request contained itself.
    Reflected(Subject),
    /// An unregistered value.
    Generic { kind: GenericKind, value: [u8; 8], reflected: bool },
}

/// A fact that is, or shall become, known: these fields of this item went to this receiver.
pub(super) type Fact = (Receiver, Item, FieldSet);

/// The facts that are durable.
#[derive(Default)]
pub(super) struct Known {
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    younger: HashMap<(Receiver, Item), FieldSet>,
    older: HashMap<(Receiver, Item), FieldSet>,
}

impl Known {
    /// Whether all of these are durable.
    pub(super) fn has_all(&self, facts: &[Fact]) -> bool {
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        facts.iter().all(|(receiver, item, fields)| {
            let key = (*receiver, *item);
            let known = generations.younger.get(&key).or_else(|| generations.older.get(&key));
            known.is_some_and(|known| fields.difference(*known).is_empty())
        })
    }

    /// These are durable now.
    pub(super) fn add(&self, facts: &[Fact]) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        for (receiver, item, fields) in facts {
            if generations.younger.len() >= GENERATION_ENTRIES_MAX {
                generations.older = std::mem::take(&mut generations.younger);
            }
            let key = (*receiver, *item);
            let before = generations.older.get(&key).copied().unwrap_or_default();
            let known = generations.younger.entry(key).or_insert(before);
            *known = known.union(*fields);
        }
    }
}
