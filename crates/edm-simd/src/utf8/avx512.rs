//! A block with AVX-512: as with AVX2, 64 bytes in one register, and the continuations pressed out by one instruction.

use super::{BLOCK, Block, HYPHEN, LineEnds, OTHER, SEEN, read_blocks};
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
pub(super) fn read(input: &[u8], line_ends: LineEnds, chars_max: usize, out: &mut Vec<u8>) -> usize {
    read_blocks(input, chars_max, out, |bytes, owed, room| block(bytes, owed, line_ends, room))
}

/// As [`super::avx2`] has it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
fn block(bytes: &[u8; SEEN], owed: u64, line_ends: LineEnds, room: &mut [MaybeUninit<u8>; BLOCK]) -> Block {
    let here = load(bytes, 0);
    let outside_ascii = _mm512_movepi8_mask(here);
    let stops = stops(here, line_ends);
    if outside_ascii | owed == 0 {
        store(room, here);
        let read = stops.trailing_zeros() as usize;
        return Block { read, chars: read, owed: 0 };
    }
    let (next, third) = (load(bytes, 1), load(bytes, 2));
    let leads = is_within(u64::MAX, here, 0xE2, 0xE9);
    // As signed numbers, the bytes outside ASCII are the least, in their order.
    let continued = _mm512_cmplt_epi8_mask(here, all(0xC0));
    let (e2, e3) = (is(u64::MAX, here, 0xE2), is(u64::MAX, here, 0xE3));
    // U+3000.
    let spaces = is(is(e3, next, 0x80), third, 0x80);
    // U+3099–309C.
    let marks = is_within(is(e3, next, 0x82), third, 0x99, 0x9C);
    // U+30FC, U+2010–2015, U+2212.
    let long = is(is(e3, next, 0x83), third, 0xBC);
    let dashes = is_within(is(e2, next, 0x80), third, 0x90, 0x95);
    let minus = is(is(e2, next, 0x88), third, 0x92);
    let given = _mm512_mask_mov_epi8(here, leads, all(OTHER));
    let given = _mm512_mask_mov_epi8(given, long | dashes | minus, all(HYPHEN));
    let given = _mm512_mask_mov_epi8(given, spaces, all(b' '));
    let expected = leads << 1 | leads << 2 | owed;
    let broken = outside_ascii & !(leads | continued) | continued ^ expected;
    let not_simple = broken | stops | marks;
    let read = not_simple.trailing_zeros();
    // The places before the first that is not simple: all where there is none.
    let kept = !continued & !not_simple & not_simple.wrapping_sub(1);
    store(room, _mm512_maskz_compress_epi8(kept, given));
    let owed = if not_simple == 0 { leads >> 63 | leads >> 62 } else { 0 };
    Block { read: read as usize, chars: kept.count_ones() as usize, owed }
}

/// What begins an escape or switches the character set; lines' ends where the caller says so.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn stops(bytes: __m512i, line_ends: LineEnds) -> u64 {
    let is = |byte| is(u64::MAX, bytes, byte);
    let escapes = is(b'%') | is(b'&') | is(b'\\') | is(0x1B);
    match line_ends {
        LineEnds::AreRead => escapes,
        LineEnds::AreStops => escapes | is(b'\n') | is(b'\r'),
    }
}

/// A byte in all places.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn all(byte: u8) -> __m512i {
    _mm512_set1_epi8(byte as i8)
}

/// Which of these places hold the byte.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn is(places: u64, bytes: __m512i, byte: u8) -> u64 {
    _mm512_mask_cmpeq_epi8_mask(places, bytes, all(byte))
}

/// Which of these places hold one of `first` to `last`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn is_within(places: u64, bytes: __m512i, first: u8, last: u8) -> u64 {
    _mm512_mask_cmple_epu8_mask(places, _mm512_sub_epi8(bytes, all(first)), all(last - first))
}

/// The 64 bytes from `at` on, which must be there.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
#[expect(unsafe_code, reason = "a load from memory")]
fn load(bytes: &[u8; SEEN], at: usize) -> __m512i {
    let block: &[u8; BLOCK] = bytes[at..].first_chunk().expect("a block is seen from each of the first three bytes");
    // SAFETY: reads the 64 bytes of the array; the load is unaligned by its kind.
    unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
#[expect(unsafe_code, reason = "a store to memory")]
fn store(room: &mut [MaybeUninit<u8>; BLOCK], bytes: __m512i) {
    // SAFETY: writes the 64 bytes of the array; the store is unaligned by its kind.
    unsafe { _mm512_storeu_si512(room.as_mut_ptr().cast(), bytes) }
}
