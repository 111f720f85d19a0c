//! A case code: 100 bits and a check character, as 21 symbols of Crockford's base 32 in groups that can be read aloud.
//!
//! The check character is the parity symbol of a code over GF(32): symbol i weighs α to the i-th. All weights differ
//! and none is zero, so every single wrong symbol and every exchange of two symbols is found, whichever they are.

use std::fmt;
use zeroize::Zeroize;

/// Symbols that carry the 100 bits.
const SYMBOLS: usize = 20;
/// With the check character.
const TYPED_SYMBOLS: usize = SYMBOLS + 1;
/// Characters that are read of what somebody typed; beyond, it is no code.
pub const TYPED_CHARS_MAX: usize = 64;
/// Without I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Where a hyphen follows: 5-5-5-6.
const GROUP_ENDS: [usize; 3] = [5, 10, 15];

/// The 20 symbols of a code, each below 32. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct CaseCode([u8; SYMBOLS]);

/// What was typed is no code at all, which says nothing about anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistyped {
    /// Nothing was typed.
    #[error("no code was typed")]
    Empty,
    /// Too few or too many characters.
    #[error("a code has {TYPED_SYMBOLS} characters")]
    Length,
    /// A character that no code has.
    #[error("the text has a character that no code has")]
    Character,
    /// The check character does not fit.
    #[error("the check character does not fit")]
    Check,
}

impl CaseCode {
    /// The first 100 bits of a hash.
    #[must_use]
    pub fn from_hash(hash: &[u8; 16]) -> CaseCode {
        let bits = u128::from_be_bytes(*hash);
        CaseCode(std::array::from_fn(|place| (bits >> (123 - 5 * place)) as u8 & 31))
    }

    /// A code that nobody can foresee.
    pub(crate) fn random() -> Result<CaseCode, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(CaseCode::from_hash(&bytes))
    }

    /// Reads what a person typed: in any case, full-width or not, with or without separators, and with the letters
    /// that look like digits taken for those.
    pub fn parse(typed: &str) -> Result<CaseCode, Mistyped> {
        let mut symbols = [0; TYPED_SYMBOLS];
        let mut count = 0;
        for (place, character) in typed.chars().enumerate() {
            if is_separator(character) && place < TYPED_CHARS_MAX {
                continue;
            }
            if count == TYPED_SYMBOLS || place >= TYPED_CHARS_MAX {
                return Err(Mistyped::Length);
            }
            symbols[count] = symbol(character).ok_or(Mistyped::Character)?;
            count += 1;
        }
        match count {
            0 => Err(Mistyped::Empty),
            TYPED_SYMBOLS if parity(&symbols) == 0 => {
                let mut code = [0; SYMBOLS];
                code.copy_from_slice(&symbols[..SYMBOLS]);
                Ok(CaseCode(code))
            }
            TYPED_SYMBOLS => Err(Mistyped::Check),
            _ => Err(Mistyped::Length),
        }
    }

    /// As printed in the mail or letter: `7K3QX-…`, 24 characters.
    #[must_use]
    pub fn printed(&self) -> String {
        let mut text = String::with_capacity(TYPED_SYMBOLS + GROUP_ENDS.len());
        for (place, &symbol) in self.0.iter().chain([&self.check()]).enumerate() {
            if GROUP_ENDS.contains(&place) {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(symbol)]));
        }
        text
    }

    /// The 20 symbols, to be hashed.
    pub(crate) fn symbols(&self) -> &[u8; SYMBOLS] {
        &self.0
    }

    /// The symbol that makes the parity zero; its own weight is one.
    fn check(&self) -> u8 {
        let mut symbols = [0; TYPED_SYMBOLS];
        symbols[..SYMBOLS].copy_from_slice(&self.0);
        parity(&symbols)
    }
}

impl Drop for CaseCode {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for CaseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CaseCode(…)")
    }
}

/// The sum over GF(32) of each symbol times α to the power of its distance from the end, by Horner's rule.
fn parity(symbols: &[u8; TYPED_SYMBOLS]) -> u8 {
    symbols.iter().fold(0, |sum, symbol| times_alpha(sum) ^ symbol)
}

/// GF(32) with the primitive polynomial x⁵ + x² + 1, so that α has the order 31, more than a code has symbols.
fn times_alpha(value: u8) -> u8 {
    let doubled = value << 1;
    if doubled & 0b10_0000 == 0 { doubled } else { doubled ^ 0b10_0101 }
}

/// What people and input methods put between the groups.
fn is_separator(character: char) -> bool {
    character.is_whitespace()
        || matches!(character, '-' | '_' | '.' | '\u{2010}'..='\u{2015}' | '−' | 'ー' | '－' | 'ｰ' | '─')
}

fn symbol(character: char) -> Option<u8> {
    let letter = match narrow(character).to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET.iter().position(|&known| char::from(known) == letter).and_then(|place| u8::try_from(place).ok())
}

/// A full-width form as its ASCII character, 0xFEE0 below it.
pub(crate) fn narrow(character: char) -> char {
    match character {
        '！'..='～' => char::from_u32(character as u32 - 0xFEE0).unwrap_or(character),
        other => other,
    }
}

#[cfg(test)]
mod tests;
