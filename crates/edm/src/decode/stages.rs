//! Character set, escapes, normal form: one state machine that gives its characters to a [`Sink`].
//!
//! What it gives depends on the bytes alone, not on how they are cut, and its state can be copied at any byte: to
//! read on from there later gives the same characters again.

use super::charset::{CharsetDecoder, Given, Source};
use super::escape::{self, ESCAPE_CHARS_MAX, Escape};
use super::{Stop, fast};
use crate::{Boundary, TextForm, normalize};
use sekisho_edm_simd::LineEnds;

/// The state between two bytes of a body.
#[derive(Clone, Debug)]
pub(super) struct Stages {
    bytes: CharsetDecoder,
    /// Characters that may become an escape.
    pending: Vec<Source>,
    /// A kana that waits for a voiced mark.
    kana: Option<Source>,
    lines: Lines,
}

/// The most characters that wait in a state: an escape, and a kana before it.
pub(super) const PENDING_CHARS_MAX: usize = ESCAPE_CHARS_MAX + 1;

/// The most characters that a step gives more than it was asked for, and the bytes that it reads where it cannot know how
/// many characters they give.
pub(super) const STEP_BYTES: usize = 64;

/// Takes the characters of a text, one behind the other.
pub(super) trait Sink {
    /// How many characters it has.
    fn len(&self) -> usize;

    /// A character after steps 1–3 of the normal form, and where its source ends. It begins where the last one ends.
    fn put(&mut self, c: char, end: u64);

    /// ASCII that stands for itself, and where it ends.
    fn put_ascii(&mut self, run: &[u8], end: u64);

    /// Reads what it can of UTF-8 by itself, up to about so many characters; says how many bytes.
    fn read_blocks(&mut self, input: &[u8], line_ends: LineEnds, chars_max: usize, start: u64) -> usize;

    /// Reads what it can of UTF-8 outside ASCII by itself; says how many bytes.
    fn read_wide(&mut self, input: &[u8], start: u64) -> usize;
}

/// Where lines and empty lines end.
#[derive(Clone, Copy, Debug)]
struct Lines {
    boundary: Boundary,
    line_is_empty: bool,
    after_cr: bool,
}

impl Stages {
    pub(super) fn new(form: TextForm) -> Stages {
        Stages {
            bytes: CharsetDecoder::new(form.charset),
            // Most bodies of few bytes hold no escape: no memory is taken before the first.
            pending: Vec::new(),
            kana: None,
            lines: Lines { boundary: form.boundary, line_is_empty: true, after_cr: false },
        }
    }

    /// Whether any byte so far was none of the character set.
    pub(super) fn is_malformed(&self) -> bool {
        self.bytes.is_malformed()
    }

    /// The place of the next byte in the body.
    pub(super) fn at(&self) -> u64 {
        self.bytes.at()
    }

    /// The same state in a text that is known to have no boundary.
    pub(super) fn without_boundaries(&self) -> Stages {
        let mut stages = self.clone();
        stages.lines.boundary = Boundary::None;
        stages
    }

    /// Reads input up to its end, to just behind a hard boundary, or until it gave `chars_max` characters: at most
    /// [`STEP_BYTES`] more, and what was pending. Says how many bytes were read.
    pub(super) fn read(&mut self, input: &[u8], chars_max: usize, sink: &mut impl Sink) -> (usize, Stop) {
        let until = sink.len().saturating_add(chars_max);
        let mut at = 0;
        while at < input.len() && sink.len() < until {
            at += self.read_blocks(&input[at..], until - sink.len(), sink);
            let rest = &input[at..];
            if rest.is_empty() || sink.len() >= until {
                break;
            }
            let rest = &rest[..rest.len().min(STEP_BYTES.max(until - sink.len()))];
            let read = self.read_simple(rest, sink);
            if read > 0 {
                at += read;
                continue;
            }
            let stop = self.push_byte(rest[0], sink);
            at += 1;
            if stop == Stop::Boundary {
                return (at, stop);
            }
        }
        (at, Stop::InputRead)
    }

    /// The body's end: the text is complete.
    pub(super) fn finish(&mut self, sink: &mut impl Sink) {
        let mut given = Given::new();
        self.bytes.finish(&mut given);
        given.all().iter().for_each(|source| self.push(*source, sink));
        self.settle(sink);
    }

    /// Nothing more joins what is pending.
    fn settle(&mut self, sink: &mut impl Sink) {
        while !self.pending.is_empty() {
            self.read_pending(true, sink);
        }
        self.release_kana(sink);
    }

    /// Reads what the sink can by itself, where nothing waits for what follows; says how many bytes.
    fn read_blocks(&mut self, input: &[u8], chars_max: usize, sink: &mut impl Sink) -> usize {
        if !self.pending.is_empty() || self.kana.is_some() || !self.bytes.begins_utf8() {
            return 0;
        }
        let line_ends = match self.lines.boundary {
            Boundary::None => LineEnds::AreRead,
            Boundary::EmptyLine | Boundary::Line => LineEnds::AreStops,
        };
        let read = sink.read_blocks(input, line_ends, chars_max, self.bytes.at());
        if read > 0 {
            self.bytes.skip(read);
            self.lines.go_on();
        }
        read
    }

    /// Reads whole characters at the begin that need no state of their own; says how many bytes.
    fn read_simple(&mut self, input: &[u8], sink: &mut impl Sink) -> usize {
        if !self.pending.is_empty() {
            return self.read_whole(input, sink);
        }
        if input[0].is_ascii() && self.bytes.ascii_is_plain() {
            let run = fast::plain_run(input, self.lines.boundary);
            if run > 0 {
                self.push_plain(&input[..run], sink);
                return run;
            }
            return self.read_escape(input, sink);
        }
        if self.kana.is_none() && self.bytes.begins_utf8() {
            let wide = sink.read_wide(input, self.bytes.at());
            if wide > 0 {
                self.bytes.skip(wide);
                self.lines.go_on();
                return wide;
            }
        }
        self.read_whole(input, sink)
    }

    fn push_plain(&mut self, run: &[u8], sink: &mut impl Sink) {
        self.release_kana(sink);
        self.bytes.skip(run.len());
        self.lines.go_on();
        sink.put_ascii(run, self.bytes.at());
    }

    /// Reads an escape that the input holds whole, or the character that begins none.
    fn read_escape(&mut self, input: &[u8], sink: &mut impl Sink) -> usize {
        if !escape::begins(char::from(input[0])) {
            return 0;
        }
        let mut chars = ['\0'; ESCAPE_CHARS_MAX];
        let mut len = 0;
        for (slot, byte) in chars.iter_mut().zip(input).take_while(|(_, byte)| fast::is_plain(**byte)) {
            *slot = char::from(*byte);
            len += 1;
        }
        let (c, read) = match escape::read(&chars[..len], false) {
            Escape::Undecided => return 0,
            Escape::Is(c, len) => (c, len),
            Escape::Not => (chars[0], 1),
        };
        let start = self.bytes.at();
        self.bytes.skip(read);
        self.lines.go_on();
        self.push_unescaped(Source { c, start, end: self.bytes.at() }, sink);
        read
    }

    /// Reads one character outside ASCII that the input holds whole.
    fn read_whole(&mut self, input: &[u8], sink: &mut impl Sink) -> usize {
        let Some((c, len)) = self.bytes.whole_char(input) else { return 0 };
        let start = self.bytes.at();
        self.bytes.skip(len);
        self.lines.go_on();
        self.push(Source { c, start, end: self.bytes.at() }, sink);
        len
    }

    fn push_byte(&mut self, byte: u8, sink: &mut impl Sink) -> Stop {
        let mut given = Given::new();
        self.bytes.push(byte, &mut given);
        let mut stop = Stop::InputRead;
        for source in given.all() {
            self.push(*source, sink);
            if self.lines.ends_at(source.c) {
                self.settle(sink);
                stop = Stop::Boundary;
            }
        }
        stop
    }

    fn push(&mut self, source: Source, sink: &mut impl Sink) {
        if self.pending.is_empty() && !escape::begins(source.c) {
            self.push_unescaped(source, sink);
        } else {
            self.pending.push(source);
            self.read_pending(false, sink);
        }
    }

    /// Reads what is pending until it is empty or undecided.
    fn read_pending(&mut self, ended: bool, sink: &mut impl Sink) {
        let mut begin = 0;
        let mut chars = ['\0'; ESCAPE_CHARS_MAX];
        while begin < self.pending.len() {
            let rest = &self.pending[begin..];
            if !escape::begins(rest[0].c) {
                self.push_unescaped(rest[0], sink);
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
                    self.push_unescaped(whole, sink);
                    begin += len;
                }
                Escape::Not => {
                    self.push_unescaped(rest[0], sink);
                    begin += 1;
                }
            }
        }
        self.pending.drain(..begin);
    }

    fn push_unescaped(&mut self, mut source: Source, sink: &mut impl Sink) {
        source.c = normalize::width(source.c);
        if let Some(kana) = self.kana.take() {
            match normalize::voiced(kana.c, source.c) {
                Some(c) => return sink.put(c, source.end),
                None => sink.put(kana.c, kana.end),
            }
        }
        if normalize::takes_mark(source.c) {
            self.kana = Some(source);
        } else {
            sink.put(source.c, source.end);
        }
    }

    fn release_kana(&mut self, sink: &mut impl Sink) {
        if let Some(kana) = self.kana.take() {
            sink.put(kana.c, kana.end);
        }
    }
}

impl Lines {
    /// Characters were read that end no line.
    fn go_on(&mut self) {
        self.line_is_empty = false;
        self.after_cr = false;
    }

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
