//! Whence the characters of a text window came, and what they are: worked out again where a value stands.
//!
//! Most text holds no value, so of each character only its byte for the detectors is kept. The body's bytes of the
//! window stay too, with marks of the decoder's state among them; from the nearest mark on they are read again, into
//! characters for names and source places for findings.

use super::fast;
use super::stages::{PENDING_CHARS_MAX, STEP_BYTES, Sink, Stages};
use crate::normalize;
use sekisho_edm_simd::LineEnds;
use std::ops::Range;
use zeroize::Zeroize;

/// Characters from one mark to the next, about.
const MARK_CHARS: usize = 512;
/// The most characters from one mark to the next: a step gives more than it was asked for, and all that was pending.
pub(crate) const MARK_CHARS_MAX: usize = MARK_CHARS + STEP_BYTES + PENDING_CHARS_MAX + 8;
/// Bytes that are read again at once.
const AGAIN_BYTES: usize = 256;
/// Characters for which room is made at once where reading again begins.
const ROOM_CHARS: usize = 2048;

/// The source of a text window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    /// The body's bytes from the first mark on.
    raw: Vec<u8>,
    marks: Vec<Mark>,
    derived: Derived,
}

/// The decoder's state before a character.
#[derive(Clone, Debug)]
struct Mark {
    /// The character, in the text window.
    at: usize,
    /// Where its source begins. What is pending in the state lies behind this and before its next byte.
    start: u64,
    stages: Stages,
}

/// A part of the window that was read again.
#[derive(Clone, Debug, Default)]
struct Derived {
    /// Where it begins in the text window.
    from: usize,
    /// Behind its end; `None` when nothing was read again.
    stages: Option<Stages>,
    spelled: Spelled,
}

/// Characters as names see them, and their source.
#[derive(Clone, Debug, Default)]
struct Spelled {
    chars: Vec<char>,
    /// Where each character's source begins, and where the last one's ends.
    bounds: Vec<u64>,
}

/// A part of the text, character by character.
#[derive(Clone, Copy)]
pub(crate) struct Excerpt<'a> {
    /// One `char` a character, normal form, lower case.
    pub(crate) chars: &'a [char],
    bounds: &'a [u64],
}

impl Excerpt<'_> {
    /// The source of these characters, which are not none.
    pub(crate) fn span(&self, place: &Range<usize>) -> (u64, u64) {
        (self.bounds[place.start], self.bounds[place.end])
    }
}

impl Origin {
    /// How many characters are missing until the next mark is set, in a text of so many.
    pub(super) fn chars_to_mark(&self, chars: usize) -> usize {
        let since_mark = self.marks.last().map_or(0, |mark| chars - mark.at);
        MARK_CHARS.saturating_sub(since_mark)
    }

    /// Sets a mark before the character that comes next, when the last one is far enough.
    pub(super) fn mark(&mut self, at: usize, start: u64, stages: &Stages) {
        if self.marks.last().is_none_or(|mark| at - mark.at >= MARK_CHARS) {
            self.marks.push(Mark { at, start, stages: stages.without_boundaries() });
        }
    }

    /// Keeps bytes that were read.
    pub(super) fn keep(&mut self, read: &[u8]) {
        self.raw.extend_from_slice(read);
    }

    /// Where the source of the last mark at or before this character begins; `None` when there is no text.
    pub(super) fn start_before(&self, at: usize) -> Option<u64> {
        self.mark_before(at).map(|mark| mark.start)
    }

    /// The characters of this range, which the text has.
    pub(crate) fn excerpt(&mut self, range: &Range<usize>) -> Excerpt<'_> {
        self.derive(range);
        let local = range.start - self.derived.from..range.end - self.derived.from;
        let Spelled { chars, bounds } = &self.derived.spelled;
        Excerpt { chars: &chars[local.clone()], bounds: &bounds[local.start..=local.end] }
    }

    /// Forgets all before the last mark at or before this character; says how many characters.
    pub(super) fn forget(&mut self, chars: usize) -> usize {
        let first = self.marks.partition_point(|mark| mark.at <= chars).saturating_sub(1);
        if first == 0 {
            return 0;
        }
        let raw_start = self.marks[0].stages.at();
        self.marks.drain(..first);
        let forgotten = self.marks[0].at;
        self.marks.iter_mut().for_each(|mark| mark.at -= forgotten);
        self.raw.drain(..local(self.marks[0].stages.at() - raw_start));
        self.derived.forget(forgotten);
        forgotten
    }

    /// Forgets all, and leaves nothing of it in memory.
    pub(super) fn wipe(&mut self) {
        self.raw.zeroize();
        self.derived.spelled.chars.zeroize();
        self.clear();
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.raw.clear();
        self.marks.clear();
        self.derived.clear();
    }

    /// What it takes of memory.
    pub(super) fn capacity_bytes(&self) -> usize {
        let Spelled { chars, bounds } = &self.derived.spelled;
        self.raw.capacity()
            + self.marks.capacity() * size_of::<Mark>()
            + chars.capacity() * size_of::<char>()
            + bounds.capacity() * size_of::<u64>()
    }

    fn mark_before(&self, at: usize) -> Option<&Mark> {
        let behind = self.marks.partition_point(|mark| mark.at <= at);
        self.marks[..behind].last()
    }

    /// Reads again until this range is known: on from what is known when that is near, else from a mark.
    fn derive(&mut self, range: &Range<usize>) {
        let Derived { from, spelled, .. } = &self.derived;
        let is_near = *from <= range.start && range.start <= from + spelled.chars.len() + MARK_CHARS;
        if self.derived.stages.is_none() || !is_near {
            let mark = self.mark_before(range.start).expect("a text that has characters has a mark before them");
            let (at, start, stages) = (mark.at, mark.start, mark.stages.clone());
            self.derived.clear();
            self.derived.from = at;
            let Spelled { chars, bounds } = &mut self.derived.spelled;
            chars.reserve(ROOM_CHARS.min(self.raw.len()));
            bounds.reserve(ROOM_CHARS.min(self.raw.len()) + 1);
            bounds.push(start);
            self.derived.stages = Some(stages);
        }
        let Derived { from, stages: Some(stages), spelled } = &mut self.derived else { return };
        let raw_start = self.marks.first().map_or(0, |mark| mark.stages.at());
        while *from + spelled.chars.len() < range.end {
            let rest = &self.raw[local(stages.at() - raw_start)..];
            if rest.is_empty() {
                // The text has more characters than its bytes decide: it was ended.
                stages.finish(spelled);
                break;
            }
            stages.read(&rest[..rest.len().min(AGAIN_BYTES)], usize::MAX, spelled);
        }
    }
}

impl Derived {
    fn clear(&mut self) {
        self.stages = None;
        self.spelled.chars.clear();
        self.spelled.bounds.clear();
    }

    /// Forgets the first characters of the text window.
    fn forget(&mut self, chars: usize) {
        let known = chars.saturating_sub(self.from);
        if known < self.spelled.chars.len() {
            self.spelled.chars.drain(..known);
            self.spelled.bounds.drain(..known);
            self.from = self.from.saturating_sub(chars);
        } else {
            self.clear();
        }
    }
}

impl Sink for Spelled {
    fn len(&self) -> usize {
        self.chars.len()
    }

    fn read_blocks(&mut self, _: &[u8], _: LineEnds, _: usize, _: u64) -> usize {
        0
    }

    fn put(&mut self, c: char, end: u64) {
        self.chars.push(normalize::name(c));
        self.bounds.push(end);
    }

    fn put_ascii(&mut self, run: &[u8], end: u64) {
        self.chars.extend(run.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
        self.bounds.extend((end - run.len() as u64..end).map(|start| start + 1));
    }

    fn read_wide(&mut self, input: &[u8], start: u64) -> usize {
        let mut end = start;
        fast::wide_run(input, |c, _| {
            end += 3;
            let c = char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER);
            self.put(normalize::width(c), end);
        })
    }
}

/// The characters of a whole text as names see them.
pub(super) fn spell(form: crate::TextForm, text: &[u8]) -> Vec<char> {
    let mut spelled = Spelled { chars: Vec::with_capacity(text.len()), bounds: Vec::new() };
    let mut stages = Stages::new(form).without_boundaries();
    stages.read(text, usize::MAX, &mut spelled);
    stages.finish(&mut spelled);
    spelled.chars
}

/// A place among the bytes kept, which are far fewer than memory.
fn local(distance: u64) -> usize {
    usize::try_from(distance).expect("a text window is in memory")
}
