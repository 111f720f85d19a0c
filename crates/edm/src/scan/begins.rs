//! Where a value can begin: sixty-four characters at a time, because nearly all of a text begins none.

use crate::lanes::{self, LANES};
use crate::value::{NUMBER_SEPARATORS_MAX, account, is_separator, secret};

/// Characters of a block: one bit each in a `u64`.
pub(super) const BLOCK_CHARS: usize = LANES;

/// What the characters of a block are, the first one's bit lowest. Behind the text's end they are nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Classes {
    at_signs: u64,
    digits: u64,
    /// What may stand between the groups of a number.
    separators: u64,
    alphanumerics: u64,
}

/// Reads a text block by block.
pub(super) struct Begins<'a> {
    text: &'a [u8],
    /// Where the block begins.
    block: usize,
    /// What the character before the block is, in the highest bit.
    before: Classes,
    classes: Classes,
    next: Classes,
    runs: Runs,
}

/// Whether long alphanumeric runs are of interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runs {
    Read,
    PassedOver,
}

/// Places of a block where values can begin, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) at_signs: u64,
    /// Digits that follow no digit, and that three more follow, or a separator and another digit.
    pub(super) numbers: u64,
    /// Alphanumerics that follow none, with eleven more behind them.
    pub(super) runs: u64,
}

impl<'a> Begins<'a> {
    pub(super) fn new(text: &'a [u8], from: usize, runs: Runs) -> Begins<'a> {
        let before = match from.checked_sub(1).map(|before| text[before]) {
            Some(byte) => {
                let bit = |is: bool| u64::from(is) << 63;
                let (digits, alphanumerics) = (bit(byte.is_ascii_digit()), bit(byte.is_ascii_alphanumeric()));
                Classes { digits, alphanumerics, ..Classes::default() }
            }
            None => Classes::default(),
        };
        let classes = Classes::of(text, from, runs);
        let next = Classes::of(text, from + BLOCK_CHARS, runs);
        Begins { text, block: from, before, classes, next, runs }
    }

    /// Where the block begins.
    pub(super) fn block(&self) -> usize {
        self.block
    }

    /// The places of the block.
    pub(super) fn places(&self) -> Places {
        let Classes { at_signs, digits, alphanumerics, .. } = self.classes;
        let mut numbers = digits & !following(digits, self.before.digits);
        if numbers != 0 {
            numbers &= self.long_or_chained();
        }
        let runs = match self.runs {
            Runs::PassedOver => 0,
            Runs::Read => {
                repeated(alphanumerics, self.next.alphanumerics) & !following(alphanumerics, self.before.alphanumerics)
            }
        };
        Places { at_signs, numbers, runs }
    }

    /// Digits that begin four, or fewer, one or two separators and a digit. Few other numbers are on a page.
    fn long_or_chained(&self) -> u64 {
        const { assert!(account::DIGITS_MIN == 4 && NUMBER_SEPARATORS_MAX == 2) };
        let digits = joined(self.classes.digits, self.next.digits);
        let separators = joined(self.classes.separators, self.next.separators);
        let goes_on = separators & (digits >> 1 | separators >> 1 & digits >> 2);
        let two = digits & digits >> 1;
        let three = two & digits >> 2;
        let four = three & digits >> 3;
        (four | digits & goes_on >> 1 | two & goes_on >> 2 | three & goes_on >> 3) as u64
    }

    /// How many digits the run at this bit has, at least up to 64.
    pub(super) fn digits_at(&self, bit: u32) -> usize {
        ahead(self.classes.digits, self.next.digits, bit).trailing_ones() as usize
    }

    /// How many digits the number at this bit has with its groups; `None` where two blocks do not tell.
    pub(super) fn chained_digits_at(&self, bit: u32) -> Option<usize> {
        const { assert!(NUMBER_SEPARATORS_MAX == 2) };
        let digits = ahead(self.classes.digits, self.next.digits, bit);
        let separators = ahead(self.classes.separators, self.next.separators, bit);
        let too_many = separators & separators >> 1 & separators >> 2;
        let len = (!(digits | separators) | too_many).trailing_zeros();
        (len < u64::BITS - 2).then(|| (digits & ((1 << len) - 1)).count_ones() as usize)
    }

    /// Goes to the next block.
    pub(super) fn advance(&mut self) {
        self.before = self.classes;
        self.classes = self.next;
        self.block += BLOCK_CHARS;
        self.next = Classes::of(self.text, self.block + BLOCK_CHARS, self.runs);
    }
}

impl Classes {
    /// The classes of the block at `from`; of letters only where runs are read.
    #[inline(always)]
    fn of(text: &[u8], from: usize, runs: Runs) -> Classes {
        let rest = text.get(from..).unwrap_or(&[]);
        let mut last = [0; BLOCK_CHARS];
        let block = rest.first_chunk().unwrap_or_else(|| {
            last[..rest.len()].copy_from_slice(rest);
            &last
        });
        let is_digit = |byte: u8| byte.wrapping_sub(b'0') < 10;
        let is_letter = |byte: u8| (byte | 0x20).wrapping_sub(b'a') < 26;
        let digits = lanes::bits(block, is_digit);
        let letters = if runs == Runs::Read { lanes::bits(block, is_letter) } else { 0 };
        Classes {
            at_signs: lanes::bits(block, |byte| byte == b'@'),
            digits,
            separators: if digits == 0 { 0 } else { lanes::bits(block, is_separator) },
            alphanumerics: digits | letters,
        }
    }
}

/// The characters that follow one of these.
fn following(bits: u64, before: u64) -> u64 {
    bits << 1 | before >> 63
}

/// The bits of two blocks.
fn joined(bits: u64, next: u64) -> u128 {
    u128::from(next) << 64 | u128::from(bits)
}

/// The 64 bits from this one on.
fn ahead(bits: u64, next: u64, bit: u32) -> u64 {
    if bit == 0 { bits } else { bits >> bit | next << (64 - bit) }
}

/// Bits that are the first of [`secret::RUN_CHARS_MIN`] ones.
fn repeated(bits: u64, next: u64) -> u64 {
    const { assert!(secret::RUN_CHARS_MIN == 12) };
    let both = joined(bits, next);
    let two = both & both >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    (eight & four >> 8) as u64
}
