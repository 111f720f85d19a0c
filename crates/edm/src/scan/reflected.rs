//! The values that a request contained, so that their echo in the response is not counted. Section 7 of `RULES.md`.
//!
//! Lives as long as the request. Holds the request's text for the names in it, and wipes it when dropped.

use super::values::{Hit, Value, Values};
use crate::TextForm;
use crate::decode::Decoder;
use crate::index::Index;
use crate::key::{HashKey, ValueKind};
use crate::names::{Finder, Fingerprint, Haystack};
use crate::value::{before, is_digit, my_number};
use sekisho_model::{GenericKind, Subject};
use std::collections::HashSet;
use std::ops::Range;
use zeroize::Zeroize;

/// The values that a request contained, so that their echo is not counted.
#[derive(Default)]
pub struct Reflected {
    bytes: usize,
    values: HashSet<(ValueKind, u64)>,
    my_numbers: Vec<[u8; 12]>,
    texts: Vec<RequestText>,
}

/// A part of the request in normal form, and where values stand in it.
struct RequestText {
    chars: Vec<char>,
    taken: Vec<Range<usize>>,
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
            text.chars.zeroize();
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
        self.add_text(index, part);
        if part.contains(&b'+') {
            let mut form: Vec<u8> = part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
            self.add_text(index, &form);
            form.zeroize();
        }
    }

    fn add_text(&mut self, index: &Index, part: &[u8]) {
        let mut decoder = Decoder::new(TextForm::default());
        decoder.decode(part);
        decoder.finish();
        let mut hits: Vec<Hit> = Vec::new();
        Values::default().read(index, &decoder.text, 0, decoder.text.len(), &mut hits);
        let mut taken = Vec::with_capacity(hits.len());
        for hit in hits {
            let local = |at| usize::try_from(at).unwrap_or(usize::MAX);
            taken.push(local(hit.place.start)..local(hit.place.end));
            match hit.value {
                Value::Listed { kind, hash, .. } => {
                    self.values.insert((kind, hash));
                }
                Value::Generic { kind, hash } => {
                    self.values.extend(value_kind(kind).zip(hash));
                }
                Value::MyNumber(_) => {}
            }
        }
        let bytes = &decoder.text.bytes;
        for begin in (0..bytes.len()).filter(|at| bytes[*at].is_ascii_digit() && !is_digit(before(bytes, *at))) {
            self.my_numbers.extend(my_number::candidate(bytes, begin).map(|(digits, _)| digits));
        }
        decoder.text.bytes.zeroize();
        self.texts.push(RequestText { chars: std::mem::take(&mut decoder.text.chars), taken });
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
        self.texts.iter().any(|text| {
            let window = 0..text.chars.len();
            let haystack = Haystack { chars: &text.chars, window: &window, taken: &text.taken };
            let mut is_found = false;
            Finder::new(key, subject.id, haystack).find(name, |_| is_found = true);
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
