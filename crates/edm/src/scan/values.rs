//! Strong values in a text: what stands at each place, and whose it is. Sections 4 and 6 of `RULES.md`.
//!
//! What is found at a place depends on the [`LOOKBACK_CHARS`] characters before it and the [`LOOKAHEAD_CHARS`]
//! behind it only, and on the cards that were found before.

use super::begins::{BLOCK_CHARS, Begins, Groups, Number, Wanted};
use super::hits::{Hit, Owners, Value};
use crate::index::Index;
use crate::key::ValueKind;
use crate::value::{LOOKAHEAD_CHARS, LOOKBACK_CHARS, account, at, before, card, mail, my_number, phone, secret};
use crate::value::{chained_digits, is_alphanumeric, is_digit, run_end};
use sekisho_model::GenericKind;
use std::ops::Range;

/// The state between two readings of a text.
#[derive(Clone, Default)]
pub(super) struct Values {
    decided: u64,
    listed_cards_end: u64,
    generic_cards_end: u64,
}

/// Told the digits and the place of a number.
type IsLabelled<'a> = dyn FnMut(&[u8; 12], &Range<usize>) -> bool + 'a;

impl Values {
    /// Values at all places before this one are known.
    pub(super) fn decided(&self) -> u64 {
        self.decided
    }

    /// Reads the places up to `decided` of a text that begins at `chars_before`. `is_labelled` is told every number
    /// that can be a My Number, and says whether a label stands near it.
    pub(super) fn read(
        &mut self,
        index: &Index,
        text: &[u8],
        chars_before: u64,
        decided: usize,
        is_labelled: &mut IsLabelled<'_>,
        hits: &mut Vec<Hit>,
    ) {
        let from = usize::try_from(self.decided - chars_before).unwrap_or(usize::MAX);
        if from >= decided {
            return;
        }
        let mut reading = Reading { index, bytes: text, chars_before, state: self, is_labelled, hits };
        reading.read(from, decided);
        self.decided = chars_before + decided as u64;
    }
}

struct Reading<'a> {
    index: &'a Index,
    bytes: &'a [u8],
    chars_before: u64,
    state: &'a mut Values,
    is_labelled: &'a mut IsLabelled<'a>,
    hits: &'a mut Vec<Hit>,
}

impl Reading<'_> {
    fn read(&mut self, from: usize, to: usize) {
        let wanted = Wanted {
            accounts: self.index.has(ValueKind::AccountId),
            phones: self.index.has(ValueKind::Phone),
            secrets: self.index.has(ValueKind::Secret),
        };
        let mut begins = Begins::new(self.bytes, from, wanted);
        while begins.block() < to {
            let places = begins.places();
            let mut left = places.at_signs | places.numbers | places.runs;
            if to - begins.block() < BLOCK_CHARS {
                left &= (1 << (to - begins.block())) - 1;
            }
            while left != 0 {
                let bit = left.trailing_zeros();
                left &= left - 1;
                let place = begins.block() + bit as usize;
                if places.at_signs >> bit & 1 == 1 {
                    self.mail(place);
                }
                if places.numbers >> bit & 1 == 1 {
                    self.digits(place, begins.number(bit, place));
                }
                if places.runs >> bit & 1 == 1 {
                    self.secret(place);
                }
            }
            begins.advance();
        }
    }

    fn mail(&mut self, at_sign: usize) {
        let bytes = self.bytes;
        let Some(end) = mail::domain_end(bytes, at_sign) else { return };
        let mut room = [0; mail::CHARS_MAX];
        if self.index.has(ValueKind::Email) {
            for begin in mail::local_begins(bytes, at_sign) {
                let lower = in_lower_case(&bytes[begin..end], &mut room);
                if self.listed(ValueKind::Email, lower, begin..end) {
                    return;
                }
            }
        }
        if let Some(begin) = mail::generic_begin(bytes, at_sign, end) {
            let lower = in_lower_case(&bytes[begin..end], &mut room);
            let hash = Some(self.index.key().value(ValueKind::Email, lower));
            self.hit(begin..end, Value::Generic { kind: GenericKind::Email, hash });
        }
    }

    /// What begins with a digit that follows no digit.
    #[inline(always)]
    fn digits(&mut self, begin: usize, number: Number) {
        let bytes = self.bytes;
        if number.digits >= account::DIGITS_MIN {
            // Years and amounts are many, and seldom as long as an id.
            let is_alone = !is_alphanumeric(before(bytes, begin)) && !is_alphanumeric(at(bytes, begin + number.digits));
            if !is_alone || self.index.account_shapes().may_be_digits(number.digits) {
                self.account(begin);
            }
        }
        if number.groups == Groups::Enough {
            self.groups(begin);
        }
    }

    /// What has groups of digits: telephone numbers, cards and individual numbers.
    fn groups(&mut self, begin: usize) {
        let bytes = self.bytes;
        let chained = chained_digits(bytes, begin);
        if chained < phone::DIGITS_MIN {
            return;
        }
        if chained >= card::DIGITS_MIN {
            self.card(begin);
        }
        if self.index.has(ValueKind::Phone) {
            phone::candidates(bytes, begin, |national, begin, end| {
                self.listed(ValueKind::Phone, national, begin..end);
            });
        }
        if chained >= my_number::DIGITS
            && let Some((digits, end)) = my_number::candidate(bytes, begin)
            && (self.is_labelled)(&digits, &(begin..end))
        {
            self.hit(begin..end, Value::MyNumber(digits));
        }
    }

    fn account(&mut self, digits: usize) {
        let bytes = self.bytes;
        if !self.index.has(ValueKind::AccountId) {
            return;
        }
        let Some(run) = account::run_of(bytes, digits) else { return };
        let mut room = [0; account::CHARS_MAX];
        account::candidates(bytes, run.start, run.end, self.index.account_shapes(), |begin, end| {
            let lower = in_lower_case(&bytes[begin..end], &mut room);
            self.listed(ValueKind::AccountId, lower, begin..end);
        });
    }

    fn card(&mut self, begin: usize) {
        let bytes = self.bytes;
        let mut generic = None;
        card::candidates(bytes, begin, |candidate| {
            if self.listed(ValueKind::Pan, candidate.digits.ascii(), begin..candidate.end) {
                let end = self.chars_before + candidate.end as u64;
                self.state.listed_cards_end = self.state.listed_cards_end.max(end);
            }
            if card::is_plausible(bytes, begin, candidate) {
                generic = Some((candidate.digits, candidate.end));
            }
        });
        let Some((digits, end)) = generic else { return };
        let taken_until = self.state.listed_cards_end.max(self.state.generic_cards_end);
        if self.chars_before + (begin as u64) < taken_until || self.listed_card_begins_in(begin + 1..end) {
            return;
        }
        self.state.generic_cards_end = self.chars_before + end as u64;
        let hash = Some(self.index.key().value(ValueKind::Pan, digits.ascii()));
        self.hit(begin..end, Value::Generic { kind: GenericKind::Pan, hash });
    }

    fn listed_card_begins_in(&self, places: Range<usize>) -> bool {
        let bytes = self.bytes;
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
        let bytes = self.bytes;
        let index = self.index;
        let window = &bytes[..bytes.len().min(run + secret::CHARS_MAX + 1)];
        let end = run_end(window, run, |byte| byte.is_ascii_alphanumeric());
        if !(secret::RUN_CHARS_MIN..=secret::CHARS_MAX).contains(&(end - run)) {
            return;
        }
        let run_hash = index.key().secret_run(&bytes[run..end]);
        for place in index.secret_shapes(run_hash).filter_map(|shape| secret::span(bytes, run, shape)) {
            self.listed(ValueKind::Secret, &bytes[place.clone()], place);
        }
    }

    /// Looks a normalised value up; `true` when it is listed.
    fn listed(&mut self, kind: ValueKind, normalised: &[u8], place: Range<usize>) -> bool {
        if !self.index.has(kind) {
            return false;
        }
        let hash = self.index.key().value(kind, normalised);
        let mut owners: Option<Owners> = None;
        self.index.owners(kind, hash, |subject, fields| match &mut owners {
            Some(owners) => owners.add(subject, fields),
            None => owners = Some(Owners::new(subject, fields)),
        });
        let Some(owners) = owners else { return false };
        self.hit(place, Value::Listed { kind, hash, owners });
        true
    }

    fn hit(&mut self, place: Range<usize>, value: Value) {
        debug_assert!(place.len() <= LOOKBACK_CHARS + LOOKAHEAD_CHARS, "a value is bounded");
        let place = self.chars_before + place.start as u64..self.chars_before + place.end as u64;
        self.hits.push(Hit::new(place, value));
    }
}

fn in_lower_case<'a>(value: &[u8], room: &'a mut [u8]) -> &'a [u8] {
    let lower = &mut room[..value.len()];
    lower.copy_from_slice(value);
    lower.make_ascii_lowercase();
    lower
}
