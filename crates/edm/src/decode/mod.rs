//! Body bytes to the normal text: character set, then escapes, then normal form. Sections 1–3 of `RULES.md`.
//!
//! Each stage is a state machine over single characters, so the text does not depend on how the body is cut into
//! chunks. Every character keeps its source bytes. Read [`Decoder`], then [`Text`], then `charset` and `escape`.

mod charset;
mod escape;
#[cfg(test)]
mod tests;

use crate::normalize::{self, Folded};
use crate::{Boundary, TextForm};
use charset::{CharsetDecoder, Given, Source};
use escape::{ESCAPE_CHARS_MAX, Escape};

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
    bytes: CharsetDecoder,
    /// Characters that may become an escape.
    pending: Vec<Source>,
    /// A kana that waits for a voiced mark.
    kana: Option<Source>,
    lines: Lines,
    pub(crate) text: Text,
}

/// The normal text, a window of the whole: as names see it, as the other detectors see it, and whence it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    /// One byte a character: ASCII in its own case, or [`normalize::HYPHEN`], [`normalize::OTHER`].
    pub(crate) bytes: Vec<u8>,
    /// One `char` a character, normal form, lower case.
    pub(crate) chars: Vec<char>,
    /// Where each character's bytes begin, from `base`.
    starts: Vec<u32>,
    base: u64,
    end: u64,
}

/// Where lines and empty lines end.
#[derive(Clone, Copy, Debug)]
struct Lines {
    boundary: Boundary,
    line_is_empty: bool,
    after_cr: bool,
}

impl Decoder {
    pub(crate) fn new(form: TextForm) -> Decoder {
        Decoder {
            bytes: CharsetDecoder::new(form.charset),
            // Most bodies of few bytes hold no escape: no memory is taken before the first.
            pending: Vec::new(),
            kana: None,
            lines: Lines { boundary: form.boundary, line_is_empty: true, after_cr: false },
            text: Text::default(),
        }
    }

    /// Reads input up to its end or just behind a hard boundary; says how many bytes were read.
    pub(crate) fn decode(&mut self, input: &[u8]) -> (usize, Stop) {
        let mut at = 0;
        while at < input.len() {
            if self.pending.is_empty() && self.bytes.ascii_is_plain() {
                let run = plain_run(&input[at..], self.lines.boundary);
                if run > 0 {
                    self.push_plain(&input[at..at + run]);
                    at += run;
                    continue;
                }
            }
            if let Some((c, len)) = self.bytes.whole_char(&input[at..]) {
                let start = self.bytes.at();
                self.bytes.skip(len);
                self.lines.ends_at(c);
                self.push(Source { c, start, end: start + len as u64 });
                at += len;
                continue;
            }
            let stop = self.push_byte(input[at]);
            at += 1;
            if stop == Stop::Boundary {
                return (at, stop);
            }
        }
        (at, Stop::InputRead)
    }

    /// The body's end: the text is complete.
    pub(crate) fn finish(&mut self) {
        let mut given = Given::new();
        self.bytes.finish(&mut given);
        given.all().iter().for_each(|source| self.push(*source));
        self.settle();
    }

    /// Nothing more joins what is pending.
    pub(crate) fn settle(&mut self) {
        while !self.pending.is_empty() {
            self.read_pending(true);
        }
        self.release_kana();
    }

    /// Where the body's bytes begin that are not in the text yet; the text's end when there are none.
    pub(crate) fn text_end(&self) -> u64 {
        self.text.end
    }

    fn push_plain(&mut self, run: &[u8]) {
        self.release_kana();
        if run.iter().any(|byte| !matches!(byte, b'\n' | b'\r')) {
            self.lines.line_is_empty = false;
            self.lines.after_cr = false;
        }
        self.text.push_ascii(run, self.bytes.at());
        self.bytes.skip(run.len());
    }

    fn push_byte(&mut self, byte: u8) -> Stop {
        let mut given = Given::new();
        self.bytes.push(byte, &mut given);
        let mut stop = Stop::InputRead;
        for source in given.all() {
            self.push(*source);
            if self.lines.ends_at(source.c) {
                self.settle();
                stop = Stop::Boundary;
            }
        }
        stop
    }

    fn push(&mut self, source: Source) {
        if self.pending.is_empty() && !escape::begins(source.c) {
            self.push_unescaped(source);
        } else {
            self.pending.push(source);
            self.read_pending(false);
        }
    }

    /// Reads what is pending until it is empty or undecided.
    fn read_pending(&mut self, ended: bool) {
        let mut begin = 0;
        let mut chars = ['\0'; ESCAPE_CHARS_MAX];
        while begin < self.pending.len() {
            let rest = &self.pending[begin..];
            if !escape::begins(rest[0].c) {
                self.push_unescaped(rest[0]);
                begin += 1;
                continue;
            }
            for (slot, source) in chars.iter_mut().zip(rest) {
                *slot = source.c;
            }
            match escape::read(&chars[..rest.len()], ended) {
                Escape::Undecided => break,
                Escape::Is(c, len) => {
                    let whole = Source { c, start: rest[0].start, end: rest[len - 1].end };
                    self.push_unescaped(whole);
                    begin += len;
                }
                Escape::Not => {
                    self.push_unescaped(rest[0]);
                    begin += 1;
                }
            }
        }
        self.pending.drain(..begin);
    }

    fn push_unescaped(&mut self, mut source: Source) {
        source.c = normalize::width(source.c);
        if let Some(kana) = self.kana.take() {
            match normalize::voiced(kana.c, source.c) {
                Some(c) => return self.text.push(normalize::fold(c), kana.start, source.end),
                None => self.text.push(normalize::fold(kana.c), kana.start, kana.end),
            }
        }
        if normalize::takes_mark(source.c) {
            self.kana = Some(source);
        } else {
            self.text.push(normalize::fold(source.c), source.start, source.end);
        }
    }

    fn release_kana(&mut self) {
        if let Some(kana) = self.kana.take() {
            self.text.push(normalize::fold(kana.c), kana.start, kana.end);
        }
    }
}

impl Text {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Where the source of character `at` begins; for one past the last, where the text ends.
    pub(crate) fn start(&self, at: usize) -> u64 {
        self.starts.get(at).map_or(self.end, |start| self.base + u64::from(*start))
    }

    /// Forgets the first characters.
    pub(crate) fn forget(&mut self, chars: usize) {
        if chars == 0 {
            return;
        }
        let base = self.start(chars);
        let shift = u32::try_from(base - self.base).expect("a text window is far below 4 GiB");
        self.bytes.drain(..chars);
        self.chars.drain(..chars);
        self.starts.drain(..chars);
        self.starts.iter_mut().for_each(|start| *start -= shift);
        self.base = base;
    }

    fn push(&mut self, folded: Folded, start: u64, end: u64) {
        if self.bytes.is_empty() {
            self.base = start;
        }
        self.bytes.push(folded.byte);
        self.chars.push(folded.name);
        self.starts.push(u32::try_from(start - self.base).expect("a text window is far below 4 GiB"));
        self.end = end;
    }

    fn push_ascii(&mut self, run: &[u8], start: u64) {
        if self.bytes.is_empty() {
            self.base = start;
        }
        let first = u32::try_from(start - self.base).expect("a text window is far below 4 GiB");
        let count = u32::try_from(run.len()).expect("a run is a slice of a bounded chunk");
        self.bytes.extend_from_slice(run);
        self.chars.extend(run.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
        self.starts.extend(first..first + count);
        self.end = start + run.len() as u64;
    }
}

impl Lines {
    /// Whether a hard boundary stands behind this source character.
    fn ends_at(&mut self, c: char) -> bool {
        let after_cr = std::mem::replace(&mut self.after_cr, c == '\r');
        match (self.boundary, c) {
            (Boundary::None, _) => false,
            (Boundary::Line, c) => c == '\n',
            // The second half of CRLF ends no line of its own.
            (Boundary::EmptyLine, '\n') if after_cr => false,
            (Boundary::EmptyLine, '\n' | '\r') => std::mem::replace(&mut self.line_is_empty, true),
            (Boundary::EmptyLine, _) => {
                self.line_is_empty = false;
                false
            }
        }
    }
}

/// How many bytes at the begin are ASCII that no later stage changes. Plain scan: about 1.5 GB/s.
fn plain_run(input: &[u8], boundary: Boundary) -> usize {
    let stops = match boundary {
        Boundary::None => &STOPS,
        Boundary::EmptyLine | Boundary::Line => &STOPS_AND_LINE_ENDS,
    };
    input.iter().position(|byte| stops[usize::from(*byte)]).unwrap_or(input.len())
}

const STOPS: [bool; 256] = stops(false);
const STOPS_AND_LINE_ENDS: [bool; 256] = stops(true);

const fn stops(line_ends: bool) -> [bool; 256] {
    let mut stops = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        stops[byte] = byte >= 0x80
            || byte == 0x1B
            || byte == b'&' as usize
            || byte == b'\\' as usize
            || byte == b'%' as usize
            || (line_ends && (byte == b'\n' as usize || byte == b'\r' as usize));
        byte += 1;
    }
    stops
}
