//! Where a value can begin: sixty-four characters at a time, because nearly all of a text begins none.
//!
//! Each test here is necessary for a value and not enough for one: no place that begins a value is passed over, and the
//! readers of values find out about the others.

use crate::value::{NUMBER_SEPARATORS_MAX, account, card, my_number, phone, secret};
use sekisho_edm_simd::{Classes, Letters};

/// Characters of a block: one bit each in a `u64`.
pub(super) const BLOCK_CHARS: usize = sekisho_edm_simd::BLOCK_CHARS;

/// Blocks whose classes are made at once.
const AHEAD_BLOCKS: usize = 16;

/// Reads a text block by block.
pub(super) struct Begins<'a> {
    text: &'a [u8],
    /// Where the block begins.
    block: usize,
    /// The classes of the block before, of this one and of those behind it, as far as they are known. Before the first,
    /// only the last character has any.
    classes: [Classes; AHEAD_BLOCKS + 2],
    /// Which of them are this block's: neither the first nor the last.
    at: usize,
    wanted: Wanted,
}

/// What is looked for besides mails, cards and individual numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Account numbers, which may be short.
    pub(super) accounts: bool,
    pub(super) phones: bool,
    /// Stored secrets: long alphanumeric runs.
    pub(super) secrets: bool,
}

/// Places of a block where values can begin, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) at_signs: u64,
    /// Digits that follow no digit: all that can begin a value, and few others.
    pub(super) numbers: u64,
    /// Alphanumerics that follow none, with eleven more behind them.
    pub(super) runs: u64,
}

/// What is known of the number that begins at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    /// Digits that stand there, as far as 64 are enough to know.
    pub(super) digits: usize,
    pub(super) groups: Groups,
}

/// Whether digits, with the groups behind them, can be a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Groups {
    TooFew,
    Enough,
}

impl<'a> Begins<'a> {
    pub(super) fn new(text: &'a [u8], from: usize, wanted: Wanted) -> Begins<'a> {
        let before = match from.checked_sub(1).map(|before| text[before]) {
            Some(byte) => {
                let bit = |is: bool| u64::from(is) << 63;
                let (digits, letters) = (bit(byte.is_ascii_digit()), bit(byte.is_ascii_alphabetic()));
                Classes { digits, letters, ..Classes::default() }
            }
            None => Classes::default(),
        };
        let mut begins = Begins { text, block: from, classes: [Classes::default(); AHEAD_BLOCKS + 2], at: 1, wanted };
        begins.classes[0] = before;
        Classes::of(&text[from..], begins.letters(), &mut begins.classes[1..]);
        begins
    }

    /// Where the block begins.
    pub(super) fn block(&self) -> usize {
        self.block
    }

    /// The places of the block.
    #[inline(always)]
    pub(super) fn places(&self) -> Places {
        let [before, here] = [self.classes[self.at - 1], self.classes[self.at]];
        let numbers = here.digits & !following(here.digits, before.digits) & self.long_or_chained(here);
        let runs = match self.wanted.secrets {
            false => 0,
            true => {
                let [before, here, next] = [before, here, self.next()].map(|of| of.digits | of.letters);
                repeated(here, next) & !following(here, before)
            }
        };
        Places { at_signs: here.at_signs, numbers, runs }
    }

    /// What is known of the number at this bit; `place` is where it stands in the text.
    ///
    /// Dates and times are most of the long numbers of a page, and are none: no telephone number begins with another digit
    /// than 0 but behind a plus, and an individual number or a card has twelve digits, or fourteen characters with what
    /// joins its groups.
    #[inline(always)]
    pub(super) fn number(&self, bit: u32, place: usize) -> Number {
        const {
            assert!(NUMBER_SEPARATORS_MAX == 2 && phone::DIGITS_MIN == 10);
            assert!(my_number::DIGITS == 12 && card::DIGITS_MIN == 13);
        }
        let [here, next] = [self.classes[self.at], self.classes[self.at + 1]];
        let ahead_digits = ahead(here.digits, next.digits, bit);
        let chain = (ahead_digits | ahead(here.separators, next.separators, bit)).trailing_ones();
        let digits = ahead_digits.trailing_ones();
        let may_be_telephone = self.text[place] == b'0' || (place > 0 && self.text[place - 1] == b'+');
        let is_long = chain >= 14 || digits >= 12 || (may_be_telephone && chain >= 10);
        Number { digits: digits as usize, groups: if is_long { Groups::Enough } else { Groups::TooFew } }
    }

    /// Places from which on so many are digits, or digits and what joins them, as a number that is wanted has; as if all
    /// behind the block were such. Few numbers of a page are so long, and what is behind the block is seldom asked for.
    #[inline(always)]
    fn long_or_chained(&self, Classes { digits, separators, .. }: Classes) -> u64 {
        const {
            assert!(account::DIGITS_MIN == 4 && phone::DIGITS_MIN == 10);
            // The first in one group, both in several (see `number`).
            assert!(my_number::DIGITS == 12 && card::DIGITS_MIN == 13);
        }
        let two = digits & further(digits, 1);
        let four = two & further(two, 2);
        let chain = digits | separators;
        let pair = chain & further(chain, 1);
        let quad = pair & further(pair, 2);
        let eight = quad & further(quad, 4);
        let mut long = match self.wanted.phones {
            true => eight & further(pair, 8),
            false => eight & further(quad, 8) & further(pair, 12) | four & further(four, 4) & further(four, 8),
        };
        if self.wanted.accounts {
            long |= four;
        }
        long
    }

    /// Goes to the next block.
    #[inline(always)]
    pub(super) fn advance(&mut self) {
        self.block += BLOCK_CHARS;
        self.at += 1;
        if self.at > AHEAD_BLOCKS {
            self.look_ahead();
        }
    }

    /// Makes the classes of more blocks; those of this one and the one before are kept.
    fn look_ahead(&mut self) {
        self.classes.copy_within(AHEAD_BLOCKS.., 0);
        self.at = 1;
        let behind = self.text.get(self.block + BLOCK_CHARS..).unwrap_or(&[]);
        Classes::of(behind, self.letters(), &mut self.classes[2..]);
    }

    fn letters(&self) -> Letters {
        if self.wanted.secrets { Letters::Read } else { Letters::PassedOver }
    }

    fn next(&self) -> Classes {
        self.classes[self.at + 1]
    }
}

/// What is so many places further on: ones behind the block.
#[inline(always)]
fn further(bits: u64, places: u32) -> u64 {
    !(!bits >> places)
}

/// The characters that follow one of these.
#[inline(always)]
fn following(bits: u64, before: u64) -> u64 {
    bits << 1 | before >> 63
}

/// The 64 bits from this one on.
#[inline(always)]
fn ahead(bits: u64, next: u64, bit: u32) -> u64 {
    // Twice, as no shift is by all 64.
    bits >> bit | next << 1 << (63 - bit)
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
