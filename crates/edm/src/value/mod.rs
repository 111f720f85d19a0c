//! The forms of strong values: how they look in a text, and how a register's cell becomes what is looked up.
//!
//! Each module has the same two halves: `register_value` for a cell, and a reader of the text at one place.
//! Pure: no index, no hashing. Section 4 and 6 of `RULES.md`.

pub(crate) mod account;
pub(crate) mod card;
pub(crate) mod mail;
pub(crate) mod my_number;
pub(crate) mod phone;
pub(crate) mod secret;
#[cfg(test)]
mod tests;

use crate::normalize::HYPHEN;

/// Characters of a text behind a place that decide what stands there: the longest domain and more.
pub(crate) const LOOKAHEAD_CHARS: usize = 320;
/// Characters before a place that the value found at it can begin: a secret, before its anchor run.
pub(crate) const LOOKBACK_CHARS: usize = secret::CHARS_MAX;

/// Up to `CAP` digits of consecutive groups.
#[derive(Clone, Copy)]
pub(crate) struct Digits<const CAP: usize> {
    digits: [u8; CAP],
    len: usize,
}

impl<const CAP: usize> Digits<CAP> {
    fn new() -> Digits<CAP> {
        Digits { digits: [0; CAP], len: 0 }
    }

    /// Adds a group of ASCII digits; `false` when there is no room.
    fn add(&mut self, group: &[u8]) -> bool {
        let Some(room) = self.digits.get_mut(self.len..self.len + group.len()) else { return false };
        room.copy_from_slice(group);
        self.len += group.len();
        true
    }

    /// The digits, ASCII.
    pub(crate) fn ascii(&self) -> &[u8] {
        &self.digits[..self.len]
    }
}

/// The character at `at`, if the text has it.
pub(crate) fn at(text: &[u8], at: usize) -> Option<u8> {
    text.get(at).copied()
}

/// The character before `at`, if the text has it.
pub(crate) fn before(text: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).and_then(|before| text.get(before)).copied()
}

pub(crate) fn is_alphanumeric(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric())
}

pub(crate) fn is_digit(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_digit())
}

/// Whether a digit and a point stand directly before `begin`: the fraction of a decimal number.
pub(crate) fn fraction_before(text: &[u8], begin: usize) -> bool {
    before(text, begin) == Some(b'.') && begin >= 2 && is_digit(at(text, begin - 2))
}

/// Whether a point and a digit stand directly at `end`: the whole part of a decimal number.
pub(crate) fn fraction_after(text: &[u8], end: usize) -> bool {
    at(text, end) == Some(b'.') && is_digit(at(text, end + 1))
}

/// The most separators between two groups of a number.
pub(crate) const NUMBER_SEPARATORS_MAX: usize = 2;

/// How many digits stand from `begin` on, with at most two separators between groups; counted no further than the
/// longest number that is looked for, a card. Most digits of a page are few.
pub(crate) fn chained_digits(text: &[u8], begin: usize) -> usize {
    let (mut digits, mut separators) = (0, 0);
    for byte in &text[begin..] {
        if byte.is_ascii_digit() {
            digits += 1;
            separators = 0;
            if digits == card::DIGITS_MIN {
                break;
            }
        } else {
            separators += 1;
            if separators > NUMBER_SEPARATORS_MAX || !is_separator(*byte) {
                break;
            }
        }
    }
    digits
}

/// What may stand between the groups of a number.
pub(crate) fn is_separator(byte: u8) -> bool {
    (byte == b' ') | (byte == b'(') | (byte == b')') | is_hyphen(byte)
}

pub(crate) fn is_hyphen(byte: u8) -> bool {
    (byte == b'-') | (byte == HYPHEN)
}

/// The end of the digit run at `begin`.
pub(crate) fn digits_end(text: &[u8], begin: usize) -> usize {
    run_end(text, begin, |byte| byte.is_ascii_digit())
}

/// The end of the run at `begin`.
pub(crate) fn run_end(text: &[u8], begin: usize, is_in: impl Fn(u8) -> bool) -> usize {
    text[begin..].iter().position(|byte| !is_in(*byte)).map_or(text.len(), |len| begin + len)
}
