//! A block of bytes at a time: which of them are of some kind?
//!
//! The loops are written so that the compiler makes vector instructions of them: every byte is tested, and tests
//! join with `|` and `&`, not `||` and `&&`.

use sekisho_edm_simd::lowest_bits;

/// Bytes of a block.
pub(crate) const LANES: usize = 64;

const WORD_BYTES: usize = 8;

/// One for each byte that passes, else zero.
#[inline(always)]
fn passed<const N: usize>(block: &[u8; N], passes: impl Fn(u8) -> bool) -> [u8; N] {
    let mut passed = [0; N];
    for (passed, byte) in passed.iter_mut().zip(block) {
        *passed = u8::from(passes(*byte));
    }
    passed
}

/// The first byte that passes.
#[inline(always)]
pub(crate) fn first<const N: usize>(block: &[u8; N], passes: impl Fn(u8) -> bool) -> Option<usize> {
    let passed = passed(block, passes);
    let (words, _) = passed.as_chunks::<WORD_BYTES>();
    let any = words.iter().fold(0, |any, word| any | u64::from_le_bytes(*word));
    if any == 0 {
        return None;
    }
    let at = words.iter().position(|word| *word != [0; WORD_BYTES])?;
    Some(at * WORD_BYTES + u64::from_le_bytes(words[at]).trailing_zeros() as usize / 8)
}

/// One bit for each byte that passes, the first byte's lowest.
#[inline(always)]
pub(crate) fn bits(block: &[u8; LANES], passes: impl Fn(u8) -> bool) -> u64 {
    let passed = passed(block, passes);
    let (quarters, _) = passed.as_chunks::<16>();
    quarters.iter().enumerate().fold(0, |bits, (at, quarter)| bits | u64::from(lowest_bits(quarter)) << (16 * at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_beside_every_byte_is_tested_alone() {
        for byte in 0..=u8::MAX {
            for beside in 0..=u8::MAX {
                let block: [u8; LANES] = std::array::from_fn(|at| if at % 3 == 1 { byte } else { beside });
                let expected = block.iter().enumerate().fold(0, |bits, (at, b)| bits | u64::from(*b == b'%') << at);
                assert_eq!(bits(&block, |byte| byte == b'%'), expected);
                assert_eq!(first(&block, |byte| byte == b'%'), block.iter().position(|byte| *byte == b'%'));
            }
        }
    }

    #[test]
    fn each_place_has_its_bit() {
        for at in 0..LANES {
            let mut block = [0; LANES];
            block[at] = 1;
            assert_eq!((bits(&block, |byte| byte == 1), first(&block, |byte| byte == 1)), (1 << at, Some(at)));
        }
        assert_eq!(first(&[0; LANES], |byte| byte == 1), None);
    }
}
