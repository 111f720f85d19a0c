//! A block of bytes at a time: which of them is the first of some kind?
//!
//! The loops are written so that the compiler makes vector instructions of them: every byte is tested, and tests
//! join with `|` and `&`, not `||` and `&&`.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_beside_every_byte_is_tested_alone() {
        for byte in 0..=u8::MAX {
            for beside in 0..=u8::MAX {
                let block: [u8; 64] = std::array::from_fn(|at| if at % 3 == 1 { byte } else { beside });
                assert_eq!(first(&block, |byte| byte == b'%'), block.iter().position(|byte| *byte == b'%'));
            }
        }
    }

    #[test]
    fn each_place_is_found() {
        for at in 0..64 {
            let mut block = [0; 64];
            block[at] = 1;
            assert_eq!(first(&block, |byte| byte == 1), Some(at));
        }
        assert_eq!(first(&[0; 64], |byte| byte == 1), None);
    }
}
