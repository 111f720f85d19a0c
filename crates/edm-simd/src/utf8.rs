//! Simple UTF-8 to one byte a character, a block of 64 bytes at a time.
//!
//! Simple is ASCII that no escape begins with, and characters of three bytes of U+2000–9FFF (E2–E9) that no voiced mark
//! joins: nearly all of a Japanese page. Whatever else the body holds, broken UTF-8 included, is left to the caller, who
//! reads it by the general way and comes back.
//!
//! The order of a block: sort its bytes into leads, continuations and stops; find the first byte that is not simple; put
//! a character's byte where its lead is; press the continuations out. Each step is exact, so the general way says the same
//! of the same bytes; the tests of `sekisho-edm` compare both.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use std::mem::MaybeUninit;

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
/// what follows it may still change is not read. Says how many bytes were read; 0 on processors with neither AVX2 nor AVX-512.
pub fn read_simple(input: &[u8], line_ends: LineEnds, chars_max: usize, out: &mut Vec<u8>) -> usize {
    #[cfg(target_arch = "x86_64")]
    if crate::has_avx512() {
        #[expect(unsafe_code, reason = "a function for processors of a kind")]
        // SAFETY: the processor was asked for the features just now.
        return unsafe { avx512::read(input, line_ends, chars_max, out) };
    }
    #[cfg(target_arch = "x86_64")]
    if crate::has_avx2() {
        #[expect(unsafe_code, reason = "a function for processors of a kind")]
        // SAFETY: the processor was asked for the features just now.
        return unsafe { avx2::read(input, line_ends, chars_max, out) };
    }
    let _ = (input, line_ends, chars_max, out);
    0
}

/// Bytes of a block.
const BLOCK: usize = 64;
/// Bytes that are looked at: those of a character that begins with the block's last byte.
const SEEN: usize = BLOCK + 2;
/// Bytes of a character outside ASCII.
const WIDE: usize = 3;

/// Reads block after block. `block` is given the bytes, the continuations that are owed, and room; it writes as many characters as
/// it says at the room's begin, and at most a block of them. Made part of each caller, so that it has the caller's instructions.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn read_blocks(
    input: &[u8],
    chars_max: usize,
    out: &mut Vec<u8>,
    block: impl Fn(&[u8; SEEN], u64, &mut [MaybeUninit<u8>; BLOCK]) -> Block,
) -> usize {
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
        let block = block(bytes, owed, room);
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

    /// Pages of pieces that meet every case, cut anywhere: each way reads the same bytes and gives the same characters.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn every_way_says_the_same() {
        const PIECES: [&[u8]; 16] = [
            b"a",
            b"<td>plain text of some length</td>",
            "日本".as_bytes(),
            "カー".as_bytes(),
            "か\u{3099}".as_bytes(),
            "\u{3000}".as_bytes(),
            "–−".as_bytes(),
            "é".as_bytes(),
            "\u{1F600}".as_bytes(),
            b"&amp;",
            b"%41",
            b"\\u3042",
            b"\r\n",
            b"\xE3\x82",
            b"\x80",
            b"\x1B",
        ];
        if !(crate::has_avx2() && crate::has_avx512()) {
            return;
        }
        let mut seed = 1u64;
        let mut below = |limit: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % limit
        };
        for _ in 0..20_000 {
            // The first pieces are simple, so that most pages are long.
            let common = 4 + below(PIECES.len() - 3);
            let page: Vec<u8> = (0..below(40)).flat_map(|_| PIECES[below(common)]).copied().collect();
            let page = &page[..page.len() - below(3).min(page.len())];
            let chars_max = [usize::MAX, 1, 64, 100][below(4)];
            for line_ends in [LineEnds::AreRead, LineEnds::AreStops] {
                let (mut one, mut other) = (b"before".to_vec(), b"before".to_vec());
                #[expect(unsafe_code, reason = "functions for processors of a kind")]
                // SAFETY: the processor was asked for the features above.
                let reads = unsafe {
                    let one = avx2::read(page, line_ends, chars_max, &mut one);
                    (one, avx512::read(page, line_ends, chars_max, &mut other))
                };
                assert_eq!((reads.0, one), (reads.1, other), "of {page:?}");
            }
        }
    }
}
