//! Of what kinds the characters of a text are, one bit each.

use crate::HYPHEN;

/// Characters of a block: one bit each in a `u64`.
pub const BLOCK_CHARS: usize = 64;

/// What the characters of a block are, the first one's bit lowest. Behind the text's end they are nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// `@`.
    pub at_signs: u64,
    /// `0` to `9`.
    pub digits: u64,
    /// What may stand between the groups of a number: space, brackets, hyphens. None in a block without digits.
    pub separators: u64,
    /// ASCII letters; none where they were not asked for.
    pub letters: u64,
}

/// Whether letters are of interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letters {
    /// They have their bits.
    Read,
    /// They are like all other characters.
    PassedOver,
}

impl Classes {
    /// The classes of a text's blocks, one behind the other, as many as there is room for.
    pub fn of(text: &[u8], letters: Letters, classes: &mut [Classes]) {
        #[cfg(target_arch = "x86_64")]
        if crate::has_avx2() {
            #[expect(unsafe_code, reason = "a function for processors of a kind")]
            // SAFETY: the processor was asked for the features just now.
            return unsafe { each_block_with_avx2(text, letters, classes) };
        }
        each_block(text, classes, |block| plain(block, letters));
    }
}

#[inline(always)]
fn each_block(text: &[u8], classes: &mut [Classes], of: impl Fn(&[u8; BLOCK_CHARS]) -> Classes) {
    let (blocks, rest) = text.as_chunks();
    let mut last = [0; BLOCK_CHARS];
    last[..rest.len()].copy_from_slice(rest);
    let mut blocks = blocks.iter().chain((!rest.is_empty()).then_some(&last));
    for classes in classes {
        *classes = blocks.next().map_or(Classes::default(), &of);
    }
}

fn plain(block: &[u8; BLOCK_CHARS], letters: Letters) -> Classes {
    let digits = bits(block, |byte| byte.wrapping_sub(b'0') < 10);
    let is_separator = |byte| (byte == b' ') | (byte == b'(') | (byte == b')') | (byte == b'-') | (byte == HYPHEN);
    Classes {
        at_signs: bits(block, |byte| byte == b'@'),
        digits,
        separators: if digits == 0 { 0 } else { bits(block, is_separator) },
        letters: match letters {
            Letters::Read => bits(block, |byte| (byte | 0x20).wrapping_sub(b'a') < 26),
            Letters::PassedOver => 0,
        },
    }
}

/// One bit for each byte that passes. The compiler makes vector instructions of the test.
#[inline(always)]
fn bits(block: &[u8; BLOCK_CHARS], passes: impl Fn(u8) -> bool) -> u64 {
    let passed = block.map(|byte| u8::from(passes(byte)));
    let (quarters, _) = passed.as_chunks::<16>();
    quarters
        .iter()
        .enumerate()
        .fold(0, |bits, (at, quarter)| bits | u64::from(crate::lowest_bits(quarter)) << (16 * at))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn each_block_with_avx2(text: &[u8], letters: Letters, classes: &mut [Classes]) {
    use crate::avx2::{all, is_within, joined, load};
    use std::arch::x86_64::{_mm256_cmpeq_epi8, _mm256_movemask_epi8, _mm256_or_si256};

    each_block(text, classes, |block| {
        let halves = [load(block, 0), load(block, 32)];
        let is = |half, byte| _mm256_cmpeq_epi8(half, all(byte));
        let digits = joined(halves.map(|half| _mm256_movemask_epi8(is_within(half, b'0', b'9'))));
        let separators = halves.map(|half| {
            // `(` and `)` differ in the lowest bit.
            let brackets = is(_mm256_or_si256(half, all(1)), b')');
            let hyphens = _mm256_or_si256(is(half, b'-'), is(half, HYPHEN));
            _mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(is(half, b' '), brackets), hyphens))
        });
        let letters = match letters {
            Letters::Read => joined(halves.map(|half| {
                let in_lower_case = _mm256_or_si256(half, all(0x20));
                _mm256_movemask_epi8(is_within(in_lower_case, b'a', b'z'))
            })),
            Letters::PassedOver => 0,
        };
        Classes {
            at_signs: joined(halves.map(|half| _mm256_movemask_epi8(is(half, b'@')))),
            digits,
            separators: if digits == 0 { 0 } else { joined(separators) },
            letters,
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_beside_every_character_has_its_classes() {
        for byte in 0..=u8::MAX {
            for beside in 0..=u8::MAX {
                let text: [u8; 150] = std::array::from_fn(|at| if at % 5 == 1 { byte } else { beside });
                for letters in [Letters::Read, Letters::PassedOver] {
                    let (mut fast, mut slow) = ([Classes::default(); 4], [Classes::default(); 4]);
                    Classes::of(&text, letters, &mut fast);
                    each_block(&text, &mut slow, |block| plain(block, letters));
                    assert_eq!(fast, slow, "{byte} among {beside}");
                }
            }
        }
    }

    #[test]
    fn classes_are_what_their_names_say() {
        let mut text = [b'.'; BLOCK_CHARS + 1];
        text[..9].copy_from_slice(b"a@1-Z( )0");
        text[BLOCK_CHARS - 1] = HYPHEN;
        text[BLOCK_CHARS] = b'7';
        let mut classes = [Classes { at_signs: 1, ..Classes::default() }; 3];
        Classes::of(&text, Letters::Read, &mut classes);
        let first = Classes {
            at_signs: 1 << 1,
            digits: 1 << 2 | 1 << 8,
            separators: 1 << 3 | 7 << 5 | 1 << 63,
            letters: 1 | 1 << 4,
        };
        assert_eq!(classes, [first, Classes { digits: 1, ..Classes::default() }, Classes::default()]);
        Classes::of(&text, Letters::Read, &mut classes[..1]);
        assert_eq!(classes[0], first);
    }
}
