//! A block with AVX2: two halves of 32 bytes; the continuations are pressed out eight bytes at a time, by a table.

use super::{BLOCK, Block, HYPHEN, LineEnds, OTHER, SEEN, read_blocks};
use crate::avx2::{all, is_within, joined, load};
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

#[target_feature(enable = "avx2,popcnt")]
pub(super) fn read(input: &[u8], line_ends: LineEnds, chars_max: usize, out: &mut Vec<u8>) -> usize {
    read_blocks(input, chars_max, out, |bytes, owed, room| block(bytes, owed, line_ends, room))
}

/// Reads what is simple of a block that begins with the continuations that are owed; writes its characters at the begin of
/// `room`, and perhaps others behind them.
///
/// Where the next block begins does not wait for what is found here, so the processor works on several blocks at once.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn block(bytes: &[u8; SEEN], owed: u64, line_ends: LineEnds, room: &mut [MaybeUninit<u8>; BLOCK]) -> Block {
    let halves = [load(bytes, 0), load(bytes, 32)];
    let outside_ascii = joined(halves.map(|half| _mm256_movemask_epi8(half)));
    let stops = joined(halves.map(|half| _mm256_movemask_epi8(is_stop(half, line_ends))));
    if outside_ascii | owed == 0 {
        store(room, 0, halves[0]);
        store(room, 32, halves[1]);
        let read = stops.trailing_zeros() as usize;
        return Block { read, chars: read, owed: 0 };
    }
    let low = Wide::of(halves[0], load(bytes, 1), load(bytes, 2));
    let high = Wide::of(halves[1], load(bytes, 33), load(bytes, 34));
    let leads = joined([low.leads, high.leads]);
    let continued = joined([low.continued, high.continued]);
    let expected = leads << 1 | leads << 2 | owed;
    let broken = outside_ascii & !(leads | continued) | continued ^ expected;
    let not_simple = broken | stops | joined([low.marks, high.marks]);
    let mut given = [0; BLOCK];
    store_all(&mut given, [low.given, high.given]);
    if not_simple == 0 {
        let chars = press(&given, !continued, room);
        return Block { read: BLOCK, chars, owed: leads >> 63 | leads >> 62 };
    }
    let read = not_simple.trailing_zeros();
    let chars = press(&given, !continued & ((1 << read) - 1), room);
    Block { read: read as usize, chars, owed: 0 }
}

/// What the bytes of half a block are that is not all ASCII.
struct Wide {
    /// Begin a character of three bytes.
    leads: i32,
    continued: i32,
    /// Begin a voiced mark.
    marks: i32,
    /// ASCII, and in the place of each lead the byte of its character.
    given: __m256i,
}

impl Wide {
    /// Of these bytes, the next one of each and the second next.
    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    fn of(bytes: __m256i, next: __m256i, third: __m256i) -> Wide {
        let is = |of: __m256i, byte: u8| _mm256_cmpeq_epi8(of, all(byte));
        // As signed numbers, the bytes outside ASCII are the least, in their order.
        let leads = _mm256_and_si256(_mm256_cmpgt_epi8(bytes, all(0xE1)), _mm256_cmpgt_epi8(all(0xEA), bytes));
        let continued = _mm256_cmpgt_epi8(all(0xC0), bytes);
        let (e2, e3) = (is(bytes, 0xE2), is(bytes, 0xE3));
        // U+3000.
        let spaces = _mm256_and_si256(e3, _mm256_and_si256(is(next, 0x80), is(third, 0x80)));
        // U+3099–309C.
        let marks = _mm256_and_si256(e3, _mm256_and_si256(is(next, 0x82), is_within(third, 0x99, 0x9C)));
        // U+30FC, U+2010–2015, U+2212.
        let long = _mm256_and_si256(e3, _mm256_and_si256(is(next, 0x83), is(third, 0xBC)));
        let dashes = _mm256_and_si256(is(next, 0x80), is_within(third, 0x90, 0x95));
        let minus = _mm256_and_si256(is(next, 0x88), is(third, 0x92));
        let hyphens = _mm256_or_si256(long, _mm256_and_si256(e2, _mm256_or_si256(dashes, minus)));
        let given = _mm256_blendv_epi8(bytes, all(OTHER), leads);
        let given = _mm256_blendv_epi8(given, all(HYPHEN), hyphens);
        Wide {
            leads: _mm256_movemask_epi8(leads),
            continued: _mm256_movemask_epi8(continued),
            marks: _mm256_movemask_epi8(marks),
            given: _mm256_blendv_epi8(given, all(b' '), spaces),
        }
    }
}

/// What begins an escape or switches the character set; lines' ends where the caller says so.
#[inline]
#[target_feature(enable = "avx2")]
fn is_stop(bytes: __m256i, line_ends: LineEnds) -> __m256i {
    let is = |byte: u8| _mm256_cmpeq_epi8(bytes, all(byte));
    let escapes = _mm256_or_si256(_mm256_or_si256(is(b'%'), is(b'&')), _mm256_or_si256(is(b'\\'), is(0x1B)));
    match line_ends {
        LineEnds::AreRead => escapes,
        LineEnds::AreStops => _mm256_or_si256(escapes, _mm256_or_si256(is(b'\n'), is(b'\r'))),
    }
}

/// Writes the bytes of these places one behind the other; says how many.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn press(bytes: &[u8; BLOCK], kept: u64, room: &mut [MaybeUninit<u8>; BLOCK]) -> usize {
    let mut written = 0;
    for (at, eight) in bytes.as_chunks::<8>().0.iter().enumerate() {
        let kept = (kept >> (8 * at)) as u8;
        let eight = _mm_cvtsi64_si128(i64::from_le_bytes(*eight));
        let order = _mm_cvtsi64_si128(i64::from_le_bytes(ORDERS[usize::from(kept)]));
        let pressed = _mm_cvtsi128_si64(_mm_shuffle_epi8(eight, order)).to_le_bytes();
        room[written..written + 8].copy_from_slice(&pressed.map(MaybeUninit::new));
        written += kept.count_ones() as usize;
    }
    written
}

/// For each choice among eight bytes, which of them come first.
const ORDERS: [[u8; 8]; 256] = {
    let mut orders = [[0; 8]; 256];
    let mut choice = 0;
    while choice < orders.len() {
        let (mut at, mut len) = (0, 0);
        while at < 8 {
            if choice >> at & 1 == 1 {
                orders[choice][len] = at as u8;
                len += 1;
            }
            at += 1;
        }
        choice += 1;
    }
    orders
};

#[inline]
#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "a store to memory")]
fn store(room: &mut [MaybeUninit<u8>; BLOCK], at: usize, bytes: __m256i) {
    let half: &mut [MaybeUninit<u8>; 32] = room[at..].first_chunk_mut().expect("half a block has room at each place");
    // SAFETY: writes the 32 bytes of the array; the store is unaligned by its kind.
    unsafe { _mm256_storeu_si256(half.as_mut_ptr().cast(), bytes) }
}

#[inline]
#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "a store to memory")]
fn store_all(block: &mut [u8; BLOCK], [low, high]: [__m256i; 2]) {
    let (halves, _) = block.as_chunks_mut::<32>();
    // SAFETY: each store writes the 32 bytes of its array, and is unaligned by its kind.
    unsafe {
        _mm256_storeu_si256(halves[0].as_mut_ptr().cast(), low);
        _mm256_storeu_si256(halves[1].as_mut_ptr().cast(), high);
    }
}
