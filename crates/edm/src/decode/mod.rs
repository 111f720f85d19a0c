//! Body bytes to the normal text: character set, then escapes, then normal form. Sections 1–3 of `RULES.md`.
//!
//! Each stage is a state machine over single characters, so the text does not depend on how the body is cut into
//! chunks. Of every character the detectors' byte is made at once (some GB/s of HTML with AVX2); its `char` and its
//! source bytes only where somebody asks.
//!
//! Three ways lead through a body of UTF-8, each only for what it reads exactly as the next one would: blocks of 64 bytes
//! of ASCII and usual Japanese (`sekisho_edm_simd::read_simple`), runs of either (`fast`), and any single byte (`stages`).
//! All stop before what bytes to come may change, so none of them depends on the chunks.
//!
//! Read [`Decoder`], then [`Text`], then `stages` with `charset`, `escape` and `fast`, then `origin`.

mod charset;
mod escape;
mod fast;
mod origin;
mod stages;
#[cfg(test)]
mod tests;

pub(crate) use origin::{Excerpt, MARK_CHARS_MAX, Origin};

use crate::{Boundary, TextForm, normalize};
use sekisho_edm_simd::LineEnds;
use stages::{Sink, Stages};
use std::ops::Range;
use zeroize::Zeroize;

/// Room behind the characters of a piece of a body, so that whole blocks can be written there.
const BLOCK_ROOM_CHARS: usize = 128;

/// Why [`Decoder::decode`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// All input was read.
    InputRead,
    /// Behind a hard boundary: the text so far is complete.
    Boundary,
}

/// Reads a body into a [`Text`].
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    stages: Stages,
    pub(crate) text: Text,
}

/// The normal text, a window of the whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    seen: Seen,
    origin: Origin,
}

/// The text as all detectors but names see it.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// One byte a character: ASCII in its own case, or [`normalize::HYPHEN`], [`normalize::OTHER`].
    bytes: Vec<u8>,
    /// Where the last character's source ends.
    end: u64,
}

/// Whether a UTF-8 text is its own normal text, but for the case of letters in names.
pub(crate) fn is_plain(text: &[u8]) -> bool {
    fast::plain_run(text, Boundary::None) == text.len()
}

/// The characters of a whole UTF-8 text as names see them.
pub(crate) fn spell(text: &[u8]) -> Vec<char> {
    origin::spell(TextForm::default(), text)
}

impl Decoder {
    /// A decoder at the begin of a body, for a text that is empty.
    pub(crate) fn new(form: TextForm, mut text: Text) -> Decoder {
        text.seen.end = 0;
        Decoder { stages: Stages::new(form), text }
    }

    /// Reads input up to its end or just behind a hard boundary; says how many bytes were read.
    pub(crate) fn decode(&mut self, input: &[u8]) -> (usize, Stop) {
        let Text { seen, origin } = &mut self.text;
        seen.bytes.reserve(input.len() + BLOCK_ROOM_CHARS);
        let (mut at, mut stop) = (0, Stop::InputRead);
        while at < input.len() && stop == Stop::InputRead {
            origin.mark(seen.bytes.len(), seen.end, &self.stages);
            let read;
            (read, stop) = self.stages.read(&input[at..], origin.chars_to_mark(seen.bytes.len()), seen);
            at += read;
        }
        origin.keep(&input[..at]);
        (at, stop)
    }

    /// Whether any byte so far was none of the character set.
    pub(crate) fn is_malformed(&self) -> bool {
        self.stages.is_malformed()
    }

    /// The body's end: the text is complete.
    pub(crate) fn finish(&mut self) {
        self.stages.finish(&mut self.text.seen);
    }
}

impl Text {
    pub(crate) fn len(&self) -> usize {
        self.seen.bytes.len()
    }

    /// One byte a character: ASCII in its own case, or [`normalize::HYPHEN`], [`normalize::OTHER`]; and whence they
    /// came.
    pub(crate) fn parts(&mut self) -> (&[u8], &mut Origin) {
        (&self.seen.bytes, &mut self.origin)
    }

    /// The characters of a range. Reading them again is dear: not to be asked without a value near.
    pub(crate) fn excerpt(&mut self, range: &Range<usize>) -> Excerpt<'_> {
        self.origin.excerpt(range)
    }

    /// A place in the body at or before the source of character `at`, at most [`MARK_CHARS_MAX`] characters before.
    pub(crate) fn start_before(&self, at: usize) -> u64 {
        self.origin.start_before(at).unwrap_or(self.seen.end)
    }

    /// Where the source of the last character ends.
    pub(crate) fn end(&self) -> u64 {
        self.seen.end
    }

    /// Forgets first characters, at most so many; says how many.
    pub(crate) fn forget(&mut self, chars: usize) -> usize {
        let forgotten = self.origin.forget(chars);
        self.seen.bytes.drain(..forgotten);
        forgotten
    }

    /// Forgets all, and leaves nothing of it in memory.
    pub(crate) fn wipe(&mut self) {
        self.seen.bytes.zeroize();
        self.origin.wipe();
    }

    /// What it takes of memory.
    pub(crate) fn capacity_bytes(&self) -> usize {
        self.seen.bytes.capacity() + self.origin.capacity_bytes()
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.seen.bytes.clear();
        self.origin.clear();
    }
}

impl Sink for Seen {
    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn read_blocks(&mut self, input: &[u8], line_ends: LineEnds, chars_max: usize, start: u64) -> usize {
        let read = sekisho_edm_simd::read_simple(input, line_ends, chars_max, &mut self.bytes);
        if read > 0 {
            self.end = start + read as u64;
        }
        read
    }

    fn put(&mut self, c: char, end: u64) {
        self.bytes.push(normalize::byte(c));
        self.end = end;
    }

    fn put_ascii(&mut self, run: &[u8], end: u64) {
        self.bytes.extend_from_slice(run);
        self.end = end;
    }

    fn read_wide(&mut self, input: &[u8], start: u64) -> usize {
        let read = fast::wide_run(input, |_, byte| self.bytes.push(byte));
        if read > 0 {
            self.end = start + read as u64;
        }
        read
    }
}
