//! Vector instructions for exact data match, behind a safe interface.
//!
//! Only what the compiler does not make of plain loops by itself. [`lowest_bits`] needs what every processor of the target
//! has; the rest is for processors with AVX2 or AVX-512, which are asked for it at run time, and the caller has another way for all
//! others. The tests compare AVX2 with plain Rust or with stated results, and AVX-512 with AVX2 where the machine has both.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod classes;
mod utf8;

pub use classes::{BLOCK_CHARS, Classes, Letters};
pub use utf8::{HYPHEN, LineEnds, OTHER, read_simple};

/// Whether the processor has AVX2, and POPCNT, which all that have it have.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt")
}

/// Whether the processor has AVX-512 with what presses bytes together (VBMI2), and POPCNT.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi2")
        && is_x86_feature_detected!("popcnt")
}

/// No other processor has.
#[cfg(all(test, not(target_arch = "x86_64")))]
fn has_avx2() -> bool {
    false
}

/// The lowest bit of each byte, the first byte's lowest.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[must_use]
#[expect(unsafe_code, reason = "intrinsics of SSE2, which is part of x86-64 itself")]
pub fn lowest_bits(bytes: &[u8; 16]) -> u16 {
    use std::arch::x86_64::{_mm_loadu_si128, _mm_movemask_epi8, _mm_slli_epi16};
    // SAFETY: SSE2 is a feature of every x86-64 processor and enabled for the target; the load is unaligned by its kind, and
    // reads the 16 bytes of the array.
    let bits = unsafe { _mm_movemask_epi8(_mm_slli_epi16::<7>(_mm_loadu_si128(bytes.as_ptr().cast()))) };
    // Sixteen bytes give sixteen bits.
    bits as u16
}

/// The lowest bit of each byte, the first byte's lowest.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
#[must_use]
pub fn lowest_bits(bytes: &[u8; 16]) -> u16 {
    plain(bytes)
}

/// The same in plain Rust.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn plain(bytes: &[u8; 16]) -> u16 {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().enumerate().fold(0, |bits, (at, word)| {
        // The lowest bit of byte n of the word comes to bit 56 + n of the product.
        let lowest = u64::from_le_bytes(*word) & 0x0101_0101_0101_0101;
        let eight = lowest.wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits | (eight as u16) << (8 * at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_gives_its_lowest_bit() {
        for at in 0..16 {
            for byte in 0..=u8::MAX {
                let mut bytes = [byte; 16];
                assert_eq!(lowest_bits(&bytes), if byte & 1 == 1 { u16::MAX } else { 0 });
                bytes[at] = !byte;
                let expected = (0..16).fold(0, |bits, at| bits | u16::from(bytes[at] & 1) << at);
                assert_eq!((lowest_bits(&bytes), plain(&bytes)), (expected, expected), "{bytes:?}");
            }
        }
    }
}
