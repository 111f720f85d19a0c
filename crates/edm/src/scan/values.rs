//! Strong values in a text: what stands at each place, and whose it is. Sections 4 and 6 of `RULES.md`.
//!
//! What is found at a place depends on the [`LOOKBACK_CHARS`] characters before it and the [`LOOKAHEAD_CHARS`]
//! behind it only, and on the cards that were found before.

use crate::decode;
use crate::index::Index;
use crate::key::ValueKind;
use crate::value::{LOOKAHEAD_CHARS, LOOKBACK_CHARS, account, at, before, card, mail, my_number, phone, secret};
use crate::value::{digits_end, has_long_number, is_alphanumeric, is_digit, run_end};
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
    Listed { kind: ValueKind, hash: u64, owners: Vec<(Subject, FieldSet)> },
    /// A mail or card that no register lists.
    Generic { kind: GenericKind, hash: Option<u64> },
    /// A My Number: its digits stay in memory only, to compare them with the request's.
    MyNumber([u8; 12]),
}

impl Hit {
    /// Whether this is a listed value, and not of this subject.
    pub(super) fn is_of_another(&self, subject: Subject) -> bool {
        match &self.value {
            Value::Listed { owners, .. } => owners.iter().all(|(owner, _)| *owner != subject),
            Value::Generic { .. } | Value::MyNumber(_) => false,
        }
    }
}

/// The state between two readings of a text.
#[derive(Clone, Default)]
pub(super) struct Values {
    decided: u64,
    listed_cards_end: u64,
    generic_cards_end: u64,
}

impl Values {
    /// Values at all places before this one are known.
    pub(super) fn decided(&self) -> u64 {
        self.decided
    }

    /// Reads the places up to `decided` of a text that begins at `chars_before`.
    pub(super) fn read(
        &mut self,
        index: &Index,
        text: &decode::Text,
        chars_before: u64,
        decided: usize,
        hits: &mut Vec<Hit>,
    ) {
        let from = usize::try_from(self.decided - chars_before).unwrap_or(usize::MAX);
        if from >= decided {
            return;
        }
        let mut reading = Reading { index, text, chars_before, state: self, hits };
        reading.read(from, decided);
        self.decided = chars_before + decided as u64;
    }
}

struct Reading<'a> {
    index: &'a Index,
    text: &'a decode::Text,
    chars_before: u64,
    state: &'a mut Values,
    hits: &'a mut Vec<Hit>,
}

impl Reading<'_> {
    fn read(&mut self, from: usize, to: usize) {
        let bytes = &self.text.bytes;
        let reads_runs = self.index.has(ValueKind::Secret);
        for place in from..to {
            match CLASSES[usize::from(bytes[place])] {
                Class::Other => {}
                Class::At => self.mail(place),
                Class::Letter => {
                    if reads_runs && !is_alphanumeric(before(bytes, place)) {
                        self.secret(place);
                    }
                }
                Class::Digit => {
                    let previous = before(bytes, place);
                    if !is_digit(previous) {
                        self.digits(place);
                        if reads_runs && !is_alphanumeric(previous) {
                            self.secret(place);
                        }
                    }
                }
            }
        }
    }

    fn mail(&mut self, at_sign: usize) {
        let bytes = &self.text.bytes;
        let Some(end) = mail::domain_end(bytes, at_sign) else { return };
        if self.index.has(ValueKind::Email) {
            for begin in mail::local_begins(bytes, at_sign) {
                let lower = bytes[begin..end].to_ascii_lowercase();
                if self.listed(ValueKind::Email, &lower, begin..end) {
                    return;
                }
            }
        }
        if let Some(begin) = mail::generic_begin(bytes, at_sign, end) {
            let lower = bytes[begin..end].to_ascii_lowercase();
            let hash = Some(self.index.key().value(ValueKind::Email, &lower));
            self.hit(begin..end, Value::Generic { kind: GenericKind::Email, hash });
        }
    }

    /// What begins with a digit that follows no digit.
    fn digits(&mut self, begin: usize) {
        let bytes = &self.text.bytes;
        if self.index.has(ValueKind::AccountId) && digits_end(bytes, begin) - begin >= account::DIGITS_MIN {
            self.account(begin);
        }
        if !has_long_number(bytes, begin) {
            return;
        }
        self.card(begin);
        if self.index.has(ValueKind::Phone) {
            let mut found = Vec::new();
            phone::candidates(bytes, begin, |national, begin, end| found.push((national.to_vec(), begin..end)));
            for (national, place) in found {
                self.listed(ValueKind::Phone, &national, place);
            }
        }
        if let Some((digits, end)) = my_number::candidate(bytes, begin)
            && my_number::has_label(&self.text.chars, begin, end)
        {
            self.hit(begin..end, Value::MyNumber(digits));
        }
    }

    fn account(&mut self, digits: usize) {
        let bytes = &self.text.bytes;
        let Some(run) = account::run_of(bytes, digits) else { return };
        let mut found = Vec::new();
        account::candidates(bytes, run.start, run.end, self.index.account_shapes(), |begin, end| {
            found.push(begin..end);
        });
        for place in found {
            let lower = bytes[place.clone()].to_ascii_lowercase();
            self.listed(ValueKind::AccountId, &lower, place);
        }
    }

    fn card(&mut self, begin: usize) {
        let bytes = &self.text.bytes;
        let mut generic = None;
        let mut found = Vec::new();
        card::candidates(bytes, begin, |candidate| {
            found.push((candidate.digits.ascii().to_vec(), candidate.end));
            if card::is_plausible(bytes, begin, candidate) {
                generic = Some((candidate.digits.ascii().to_vec(), candidate.end));
            }
        });
        for (digits, end) in found {
            if self.listed(ValueKind::Pan, &digits, begin..end) {
                self.state.listed_cards_end = self.state.listed_cards_end.max(self.chars_before + end as u64);
            }
        }
        let Some((digits, end)) = generic else { return };
        let taken_until = self.state.listed_cards_end.max(self.state.generic_cards_end);
        if self.chars_before + (begin as u64) < taken_until || self.listed_card_begins_in(begin + 1..end) {
            return;
        }
        self.state.generic_cards_end = self.chars_before + end as u64;
        let hash = Some(self.index.key().value(ValueKind::Pan, &digits));
        self.hit(begin..end, Value::Generic { kind: GenericKind::Pan, hash });
    }

    fn listed_card_begins_in(&self, places: Range<usize>) -> bool {
        let bytes = &self.text.bytes;
        let mut is_listed = false;
        for place in places {
            if is_digit(at(bytes, place)) && !is_digit(before(bytes, place)) {
                card::candidates(bytes, place, |candidate| {
                    let hash = self.index.key().value(ValueKind::Pan, candidate.digits.ascii());
                    self.index.owners(ValueKind::Pan, hash, |_, _| is_listed = true);
                });
            }
        }
        is_listed
    }

    fn secret(&mut self, run: usize) {
        let bytes = &self.text.bytes;
        let window = &bytes[..bytes.len().min(run + secret::CHARS_MAX + 1)];
        let end = run_end(window, run, |byte| byte.is_ascii_alphanumeric());
        if !(secret::RUN_CHARS_MIN..=secret::CHARS_MAX).contains(&(end - run)) {
            return;
        }
        let run_hash = self.index.key().secret_run(&bytes[run..end]);
        let places: Vec<Range<usize>> =
            self.index.secret_shapes(run_hash).filter_map(|shape| secret::span(bytes, run, shape)).collect();
        for place in places {
            self.listed(ValueKind::Secret, &bytes[place.clone()], place);
        }
    }

    /// Looks a normalised value up; `true` when it is listed.
    fn listed(&mut self, kind: ValueKind, normalised: &[u8], place: Range<usize>) -> bool {
        if !self.index.has(kind) {
            return false;
        }
        let hash = self.index.key().value(kind, normalised);
        let mut owners: Vec<(Subject, FieldSet)> = Vec::new();
        self.index.owners(kind, hash, |subject, fields| match owners.iter_mut().find(|(owner, _)| *owner == subject) {
            Some((_, known)) => *known = known.union(fields),
            None => owners.push((subject, fields)),
        });
        let is_listed = !owners.is_empty();
        if is_listed {
            self.hit(place, Value::Listed { kind, hash, owners });
        }
        is_listed
    }

    fn hit(&mut self, place: Range<usize>, value: Value) {
        debug_assert!(place.len() <= LOOKBACK_CHARS + LOOKAHEAD_CHARS, "a value is bounded");
        let place = self.chars_before + place.start as u64..self.chars_before + place.end as u64;
        let names_found = !matches!(value, Value::Listed { .. });
        self.hits.push(Hit { place, value, names_found });
    }
}

/// What a character can begin or join.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Other,
    Letter,
    Digit,
    At,
}

const CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 0x80 {
        let c = byte as u8;
        if c.is_ascii_digit() {
            classes[byte] = Class::Digit;
        } else if c.is_ascii_alphabetic() {
            classes[byte] = Class::Letter;
        }
        byte += 1;
    }
    classes[b'@' as usize] = Class::At;
    classes
}
