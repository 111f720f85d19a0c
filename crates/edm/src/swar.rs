//! Eight bytes at a time in a `u64`, lowest address in the lowest byte.
//!
//! Every test answers with the high bit of each byte that passes, exactly: no byte disturbs its neighbour.

const LOW_7: u64 = every(0x7F);
const HIGHS: u64 = every(0x80);

/// The bytes in a word.
pub(crate) const WORD_BYTES: usize = 8;

/// The same byte eight times.
const fn every(byte: u8) -> u64 {
    u64::from_le_bytes([byte; WORD_BYTES])
}

/// Bytes outside ASCII.
pub(crate) const fn outside_ascii(word: u64) -> u64 {
    word & HIGHS
}

/// Bytes equal to this one.
pub(crate) const fn equal(word: u64, byte: u8) -> u64 {
    let differing = word ^ every(byte);
    !(((differing & LOW_7) + LOW_7) | differing) & HIGHS
}

/// ASCII bytes from `first` to `last`.
pub(crate) const fn between(word: u64, first: u8, last: u8) -> u64 {
    let low = word & LOW_7;
    let from_first = low + every(0x80 - first);
    let behind_last = low + every(0x7F - last);
    from_first & !behind_last & !word & HIGHS
}

/// The word with ASCII letters in lower case; what is no letter may change, but does not become one.
pub(crate) const fn lower(word: u64) -> u64 {
    word | every(0x20)
}

/// One bit for each byte that passed a test, the first byte's lowest.
pub(crate) const fn bits(passed: u64) -> u8 {
    ((passed >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_beside_every_byte_is_tested_alone() {
        for byte in 0..=u8::MAX {
            for beside in 0..=u8::MAX {
                let word = u64::from_le_bytes([beside, byte, beside, beside, byte, beside, byte, byte]);
                let expected = |passes: &dyn Fn(u8) -> bool| {
                    word.to_le_bytes().iter().enumerate().fold(0, |bits, (at, b)| bits | u8::from(passes(*b)) << at)
                };
                assert_eq!(bits(outside_ascii(word)), expected(&|b| b >= 0x80));
                assert_eq!(bits(equal(word, b'%')), expected(&|b| b == b'%'));
                assert_eq!(bits(between(word, b'0', b'9')), expected(&|b| b.is_ascii_digit()));
                assert_eq!(bits(between(lower(word), b'a', b'z')), expected(&|b| b.is_ascii_alphabetic()));
            }
        }
    }
}
