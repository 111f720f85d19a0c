//! Where a value can begin: sixty-four characters at a time, because nearly all of a text begins none.

use crate::lanes::{self, LANES};
use crate::value::secret;

/// Characters of a block: one bit each in a `u64`.
pub(super) const BLOCK_CHARS: usize = LANES;

/// What the characters of a block are, the first one's bit lowest. Behind the text's end they are nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Classes {
    at_signs: u64,
    digits: u64,
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
}

/// Places of a block where values can begin, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) at_signs: u64,
    /// Digits that follow no digit, of a number that is long enough or that may go on behind a separator.
    pub(super) numbers: u64,
    /// Alphanumerics that follow none, with eleven more behind them.
    pub(super) runs: u64,
}

impl<'a> Begins<'a> {
    pub(super) fn new(text: &'a [u8], from: usize) -> Begins<'a> {
        let before = match from.checked_sub(1).map(|before| text[before]) {
            Some(byte) => {
                let bit = |is: bool| u64::from(is) << 63;
                Classes {
                    at_signs: 0,
                    digits: bit(byte.is_ascii_digit()),
                    alphanumerics: bit(byte.is_ascii_alphanumeric()),
                }
            }
            None => Classes::default(),
        };
        let classes = Classes::of(text, from);
        let next = Classes::of(text, from + BLOCK_CHARS);
        Begins { text, block: from, before, classes, next }
    }

    /// Where the block begins.
    pub(super) fn block(&self) -> usize {
        self.block
    }

    /// The places of the block.
    pub(super) fn places(&self) -> Places {
        let Classes { at_signs, digits, alphanumerics } = self.classes;
        let numbers = digits & !following(digits, self.before.digits);
        let mut runs = alphanumerics & !following(alphanumerics, self.before.alphanumerics);
        if runs != 0 {
            runs &= repeated(alphanumerics, self.next.alphanumerics);
        }
        Places { at_signs, numbers, runs }
    }

    /// How many digits the run at this bit has, at least up to 64.
    pub(super) fn digits_at(&self, bit: u32) -> usize {
        ahead(self.classes.digits, self.next.digits, bit).trailing_ones() as usize
    }

    /// Goes to the next block.
    pub(super) fn advance(&mut self) {
        self.before = self.classes;
        self.classes = self.next;
        self.block += BLOCK_CHARS;
        self.next = Classes::of(self.text, self.block + BLOCK_CHARS);
    }
}

impl Classes {
    /// The classes of the block at `from`.
    fn of(text: &[u8], from: usize) -> Classes {
        let rest = text.get(from..).unwrap_or(&[]);
        if let Some(block) = rest.first_chunk() {
            return Classes::of_block(block);
        }
        let mut block = [0; BLOCK_CHARS];
        block[..rest.len()].copy_from_slice(rest);
        Classes::of_block(&block)
    }

    fn of_block(block: &[u8; BLOCK_CHARS]) -> Classes {
        let is_digit = |byte: u8| byte.wrapping_sub(b'0') < 10;
        let is_letter = |byte: u8| (byte | 0x20).wrapping_sub(b'a') < 26;
        let digits = lanes::bits(block, is_digit);
        let letters = lanes::bits(block, is_letter);
        Classes { at_signs: lanes::bits(block, |byte| byte == b'@'), digits, alphanumerics: digits | letters }
    }
}

/// The characters that follow one of these.
fn following(bits: u64, before: u64) -> u64 {
    bits << 1 | before >> 63
}

/// The 64 bits from this one on.
fn ahead(bits: u64, next: u64, bit: u32) -> u64 {
    if bit == 0 { bits } else { bits >> bit | next << (64 - bit) }
}

/// Bits that are the first of [`secret::RUN_CHARS_MIN`] ones.
fn repeated(bits: u64, next: u64) -> u64 {
    const { assert!(secret::RUN_CHARS_MIN == 12) };
    let both = u128::from(next) << 64 | u128::from(bits);
    let two = both & both >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    (eight & four >> 8) as u64
}
