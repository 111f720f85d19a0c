//! The values that a request contained, so that their echo in the response is not counted. Section 7 of `RULES.md`.
//!
//! Lives as long as the request. Holds the request's text for the names in it, and wipes it when dropped. Most parts
//! of a request hold no value and most responses no name: the text is spelled out for the first name only.

use super::hits::{Hit, Value};
use super::values::Values;
use crate::TextForm;
use crate::decode::{self, Decoder, Text};
use crate::index::Index;
use crate::key::{HashKey, ValueKind};
use crate::names::{Finder, Fingerprint, Haystack, Room};
use crate::value::my_number;
use sekisho_model::{GenericKind, Subject};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::OnceLock;
use zeroize::Zeroize;

/// The values that a request contained, so that their echo is not counted.
#[derive(Default)]
pub struct Reflected {
    bytes: usize,
    values: HashSet<(ValueKind, u64)>,
    my_numbers: Vec<[u8; 12]>,
    texts: Vec<RequestText>,
}

/// A part of the request, and where values stand in its normal form.
struct RequestText {
    raw: Box<[u8]>,
    taken: Vec<Range<usize>>,
    /// The normal form, once a name was asked for.
    chars: OnceLock<Vec<char>>,
}

impl std::fmt::Debug for Reflected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reflected").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Drop for Reflected {
    fn drop(&mut self) {
        self.my_numbers.zeroize();
        for text in &mut self.texts {
            text.raw.zeroize();
            text.chars.take().zeroize();
        }
    }
}

impl Reflected {
    /// Bytes of a request that are considered.
    pub const BYTES_MAX: usize = 64 * 1024;

    /// Reads a part of the request: target, header value or body, raw. Percent and form encoding are decoded.
    /// At most [`Reflected::BYTES_MAX`] bytes are kept in all; what is beyond is not considered reflected.
    pub fn add(&mut self, index: &Index, part: &[u8]) {
        let part = &part[..part.len().min(Reflected::BYTES_MAX - self.bytes)];
        self.bytes += part.len();
        if part.is_empty() {
            return;
        }
        self.add_text(index, part.into());
        if part.contains(&b'+') {
            self.add_text(index, part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect());
        }
    }

    fn add_text(&mut self, index: &Index, raw: Box<[u8]>) {
        let mut hits: Vec<Hit> = Vec::new();
        let my_numbers = &mut self.my_numbers;
        if decode::is_plain(&raw) {
            let mut is_labelled = |digits: &[u8; 12], place: &Range<usize>| {
                my_numbers.push(*digits);
                let chars = decode::spell(&raw[my_number::label_window(place, raw.len())]);
                my_number::has_label(&chars, place)
            };
            Values::default().read(index, &raw, 0, raw.len(), &mut is_labelled, &mut hits);
        } else {
            let mut decoder = Decoder::new(TextForm::default(), Text::default());
            decoder.decode(&raw);
            decoder.finish();
            let (bytes, origin) = decoder.text.parts();
            let mut is_labelled = |digits: &[u8; 12], place: &Range<usize>| {
                my_numbers.push(*digits);
                my_number::has_label(origin.excerpt(&my_number::label_window(place, bytes.len())).chars, place)
            };
            Values::default().read(index, bytes, 0, bytes.len(), &mut is_labelled, &mut hits);
            decoder.text.wipe();
        }
        let taken = hits.into_iter().map(|hit| self.note(&hit)).collect();
        self.texts.push(RequestText { raw, taken, chars: OnceLock::new() });
    }

    /// Notes a value of the request; says where it stands.
    fn note(&mut self, hit: &Hit) -> Range<usize> {
        match hit.value {
            Value::Listed { kind, hash, .. } => {
                self.values.insert((kind, hash));
            }
            Value::Generic { kind, hash } => {
                self.values.extend(value_kind(kind).zip(hash));
            }
            // Noted already, a label beside it or not.
            Value::MyNumber(_) => {}
        }
        super::around::local(&hit.place, 0)
    }

    pub(super) fn has_value(&self, kind: ValueKind, hash: u64) -> bool {
        self.values.contains(&(kind, hash))
    }

    pub(super) fn has_generic(&self, kind: GenericKind, hash: Option<u64>) -> bool {
        value_kind(kind).zip(hash).is_some_and(|value| self.values.contains(&value))
    }

    pub(super) fn has_my_number(&self, digits: &[u8; 12]) -> bool {
        self.my_numbers.contains(digits)
    }

    /// Whether the request holds this name of the subject.
    pub(super) fn has_name(&self, key: &HashKey, subject: Subject, name: Fingerprint) -> bool {
        let mut room = Room::default();
        self.texts.iter().any(|text| {
            let chars = text.chars.get_or_init(|| decode::spell(&text.raw));
            let haystack = Haystack { chars, window: &(0..chars.len()), taken: &text.taken };
            let mut is_found = false;
            Finder::new(key, subject.id, haystack, &mut room).find(name, |_, _| is_found = true);
            is_found
        })
    }
}

fn value_kind(kind: GenericKind) -> Option<ValueKind> {
    match kind {
        GenericKind::Email => Some(ValueKind::Email),
        GenericKind::Pan => Some(ValueKind::Pan),
        GenericKind::MyNumber => None,
    }
}
