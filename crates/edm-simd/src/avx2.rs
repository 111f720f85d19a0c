//! What several functions with AVX2 need.

use std::arch::x86_64::*;

/// A byte in all places.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn all(byte: u8) -> __m256i {
    _mm256_set1_epi8(byte as i8)
}

/// Which bytes are one of `first` to `last`.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn is_within(bytes: __m256i, first: u8, last: u8) -> __m256i {
    let above = _mm256_sub_epi8(bytes, all(first));
    _mm256_cmpeq_epi8(_mm256_min_epu8(above, all(last - first)), above)
}

/// The bits of two halves.
#[inline(always)]
pub(crate) fn joined([low, high]: [i32; 2]) -> u64 {
    u64::from(low as u32) | u64::from(high as u32) << 32
}

/// The 32 bytes from `at` on, which must be there.
#[inline]
#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "a load from memory")]
pub(crate) fn load(bytes: &[u8], at: usize) -> __m256i {
    let half: &[u8; 32] = bytes[at..].first_chunk().expect("the caller's array is long enough");
    // SAFETY: reads the 32 bytes of the array; the load is unaligned by its kind.
    unsafe { _mm256_loadu_si256(half.as_ptr().cast()) }
}
