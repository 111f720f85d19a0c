//! Simple UTF-8 to one byte a character, a block of 64 bytes at a time.
//!
//! Simple is ASCII that no escape begins with, and characters of three bytes of U+2000–9FFF (E2–E9) that no voiced mark
//! joins: nearly all of a Japanese page. Whatever else the body holds, broken UTF-8 included, is left to the caller, who
//! reads it by the general way and comes back.
//!
//! The order of a block: sort its bytes into leads, continuations and stops; find the first byte that is not simple; put
//! a character's byte where its lead is; press the continuations out. Each step is exact, so the general way says the same
//! of the same bytes; the tests of `sekisho-edm` compare both.

/// In place of a hyphen that is not `-`.
pub const HYPHEN: u8 = 0x80;
/// In place of any other character outside ASCII.
pub const OTHER: u8 = 0xFF;

/// Whether lines' ends are left to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnds {
    /// They are characters like others.
    AreRead,
    /// The caller decides about each.
    AreStops,
}

/// Reads simple UTF-8 at the begin of `input` and puts one byte a character behind `out`: ASCII as it is, [`HYPHEN`] or
/// [`OTHER`]. Stops at what is not simple, and once it has given `chars_max` characters: at most 63 more. A character that
/// what follows it may still change is not read. Says how many bytes were read; 0 on processors without AVX2.
pub fn read_simple(input: &[u8], line_ends: LineEnds, chars_max: usize, out: &mut Vec<u8>) -> usize {
    #[cfg(target_arch = "x86_64")]
    if crate::has_avx2() {
        #[expect(unsafe_code, reason = "a function for processors of a kind")]
        // SAFETY: the processor was asked for the features just now.
        return unsafe { avx2::read(input, line_ends, chars_max, out) };
    }
    let _ = (input, line_ends, chars_max, out);
    0
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{HYPHEN, LineEnds, OTHER};
    use crate::avx2::{all, is_within, joined, load};
    use std::arch::x86_64::*;
    use std::mem::MaybeUninit;

    /// Bytes of a block.
    const BLOCK: usize = 64;
    /// Bytes that are looked at: those of a character that begins with the block's last byte.
    const SEEN: usize = BLOCK + 2;
    /// Bytes of a character outside ASCII.
    const WIDE: usize = 3;

    #[target_feature(enable = "avx2,popcnt")]
    pub(super) fn read(input: &[u8], line_ends: LineEnds, chars_max: usize, out: &mut Vec<u8>) -> usize {
        out.reserve(input.len().min(chars_max.saturating_add(BLOCK)) + BLOCK);
        let room = out.spare_capacity_mut();
        let (mut read, mut written, mut owed) = (0, 0, 0);
        while written < chars_max {
            let Some(room) = room[written..].first_chunk_mut() else { break };
            let rest = &input[read..];
            let last;
            let bytes = match rest.first_chunk() {
                Some(bytes) => bytes,
                None => {
                    last = stopped(rest);
                    &last
                }
            };
            let block = block(bytes, owed, line_ends, room);
            read += block.read;
            written += block.chars;
            owed = block.owed;
            if block.read < BLOCK {
                break;
            }
        }
        let given_back = undecided(&input[..read]);
        let len = out.len() + written - given_back.chars;
        #[expect(unsafe_code, reason = "bytes were written to the room behind the vector's end")]
        // SAFETY: `written` is at most the length of `room`, as it was only added to while a block of room was left, and by no
        // more than a block; `block` has written so many bytes at the begin of each, one behind the other. Of these, some
        // at the end are not taken: no more than there are, as each has a lead among the bytes that were read.
        unsafe {
            out.set_len(len);
        }
        read - given_back.bytes
    }

    /// These bytes, with a stop behind them: what can follow is not known.
    #[cold]
    fn stopped(bytes: &[u8]) -> [u8; SEEN] {
        let mut stopped = [b'&'; SEEN];
        stopped[..bytes.len()].copy_from_slice(bytes);
        stopped
    }

    /// What is not decided by the bytes that were read: a character that they cut, and a wide one before that or at their
    /// end, for a voiced mark may follow it.
    #[inline(always)]
    fn undecided(read: &[u8]) -> Undecided {
        let lead_at = |back: usize| read.len() >= back && matches!(read[read.len() - back], 0xE2..=0xE9);
        let cut = (1..WIDE).find(|back| lead_at(*back)).unwrap_or(0);
        let is_wide = lead_at(cut + WIDE);
        Undecided { bytes: cut + if is_wide { WIDE } else { 0 }, chars: usize::from(cut > 0) + usize::from(is_wide) }
    }

    struct Undecided {
        bytes: usize,
        chars: usize,
    }

    struct Block {
        /// Bytes up to the first one that is not simple.
        read: usize,
        /// What they gave: one for each byte but those that continue a character.
        chars: usize,
        /// Continuations that the next block begins with, one bit each.
        owed: u64,
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
        let half: &mut [MaybeUninit<u8>; 32] =
            room[at..].first_chunk_mut().expect("half a block has room at each place");
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, read: &str, given: &[u8]) {
        let mut out = b"before".to_vec();
        let bytes = read_simple(input.as_bytes(), LineEnds::AreStops, usize::MAX, &mut out);
        // Without AVX2 the caller reads all.
        if crate::has_avx2() {
            assert_eq!((&input[..bytes], &out[6..]), (read, given), "of {input:?}");
        }
    }

    #[test]
    fn what_is_simple_is_read_up_to_the_first_stop() {
        check("<td>&amp;", "<td>", b"<td>");
        check("口座 1234%", "口座 1234", b"\xFF\xFF 1234");
        check("売ー買\u{3000}–x\n", "売ー買\u{3000}–x", b"\xFF\x80\xFF \x80x");
        check("x\u{1F600}", "x", b"x");
    }

    #[test]
    fn a_character_that_a_mark_may_follow_is_not_read() {
        check("山かき", "山か", b"\xFF\xFF");
        check("山か\u{3099}き", "山", b"\xFF");
        check("山か&#x3099;", "山", b"\xFF");
        check("山かﾞ", "山", b"\xFF");
    }

    #[test]
    fn no_more_is_given_than_was_asked_for_and_a_block() {
        for chars_max in [1, 64, 65, 500] {
            let mut out = Vec::new();
            let read = read_simple("あa".repeat(1000).as_bytes(), LineEnds::AreRead, chars_max, &mut out);
            assert!(read > 0 || !crate::has_avx2());
            assert!(out.len() < chars_max + 64 && read == out.len() / 2 * 4 + out.len() % 2 * 3, "{chars_max}: {read}");
        }
    }
}
