//! The fast ways through a body: runs of plain ASCII, and the usual Japanese characters of UTF-8.
//!
//! They only say what the general way would say of the same bytes; whatever is not simple is left to it.

use crate::Boundary;
use crate::lanes;
use crate::normalize::{HYPHEN, OTHER, byte, takes_mark, width};

/// How many bytes at the begin are ASCII that no later stage changes. About 5 GB/s in runs of 40 bytes.
pub(super) fn plain_run(input: &[u8], boundary: Boundary) -> usize {
    match boundary {
        Boundary::None => run_until(input, is_stop),
        Boundary::EmptyLine | Boundary::Line => run_until(input, |byte| is_stop(byte) | is_line_end(byte)),
    }
}

#[inline(always)]
fn run_until(input: &[u8], is_stop: impl Fn(u8) -> bool) -> usize {
    const BLOCK_BYTES: usize = 32;
    let (blocks, rest) = input.as_chunks::<BLOCK_BYTES>();
    for (at, block) in blocks.iter().enumerate() {
        if let Some(stop) = lanes::first(block, &is_stop) {
            return at * BLOCK_BYTES + stop;
        }
    }
    let mut last = [0; BLOCK_BYTES];
    last[..rest.len()].copy_from_slice(rest);
    blocks.len() * BLOCK_BYTES + lanes::first(&last, &is_stop).unwrap_or(rest.len()).min(rest.len())
}

/// What is not ASCII, begins an escape, switches the character set, or is a shift.
fn is_stop(byte: u8) -> bool {
    (byte >= 0x80)
        | (byte == b'%')
        | (byte == b'&')
        | (byte == b'\\')
        | (byte == super::charset::SWITCH)
        | is_shift(byte)
}

/// No character in ISO-2022-JP, and rare elsewhere.
fn is_shift(byte: u8) -> bool {
    byte & 0xFE == 0x0E
}

/// Whether a byte stands for itself where an escape is read: line ends decide about boundaries besides.
pub(super) fn is_plain(byte: u8) -> bool {
    byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | super::charset::SWITCH) && !is_shift(byte)
}

fn is_line_end(byte: u8) -> bool {
    (byte == b'\n') | (byte == b'\r')
}

/// Reads characters of three bytes of UTF-8 and gives each, and the detectors' byte of it; says how many bytes were
/// read. Stops at what is none, and at kana that may be joined with what follows. About 1 GB/s.
#[inline(always)]
pub(super) fn wide_run(input: &[u8], mut give: impl FnMut(u32, u8)) -> usize {
    let mut rest = input;
    while let [lead, second @ 0x80..=0xBF, third @ 0x80..=0xBF, behind @ ..] = rest {
        let byte = match (lead, second) {
            (0xE4..=0xE9, _) | (0xE3, 0x84..) => OTHER,
            (0xE3, _) => match KANA[usize::from(second & 3) << 6 | usize::from(third & 0x3F)] {
                Wide::Is(byte) => byte,
                Wide::TakesMark if !mark_may_follow(behind) => OTHER,
                Wide::TakesMark | Wide::Mark => break,
            },
            (0xE2, 0x80) if matches!(third, 0x90..=0x95) => HYPHEN,
            (0xE2, 0x88) if *third == 0x92 => HYPHEN,
            (0xE2, _) => OTHER,
            // The full-width forms of `!` to `~`.
            (0xEF, 0xBC) if *third >= 0x81 => third - 0x60,
            (0xEF, 0xBD) if *third <= 0x9E => third - 0x20,
            _ => break,
        };
        let c = u32::from(lead & 0x0F) << 12 | u32::from(second & 0x3F) << 6 | u32::from(third & 0x3F);
        give(c, byte);
        rest = behind;
    }
    input.len() - rest.len()
}

/// Whether a voiced mark stands at the begin of these bytes, as itself, perhaps as an escape, or perhaps in bytes to
/// come.
fn mark_may_follow(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [] | [0xE3 | 0xEF]
            | [0xE3, 0x82]
            | [0xEF, 0xBE]
            | [b'&' | b'%' | b'\\', ..]
            | [0xE3, 0x82, 0x99..=0x9C, ..]
            | [0xEF, 0xBE, 0x9E | 0x9F, ..]
    )
}

/// What a character of U+3000–30FF is.
#[derive(Clone, Copy)]
enum Wide {
    Is(u8),
    TakesMark,
    Mark,
}

const KANA: [Wide; 256] = kana();

const fn kana() -> [Wide; 256] {
    let mut kana = [Wide::Is(OTHER); 256];
    let mut at = 0;
    while at < kana.len() {
        if let Some(c) = char::from_u32(0x3000 + at as u32) {
            let c = width(c);
            kana[at] = match c {
                '\u{3099}' | '\u{309A}' => Wide::Mark,
                c if takes_mark(c) => Wide::TakesMark,
                c => Wide::Is(byte(c)),
            };
        }
        at += 1;
    }
    kana
}
