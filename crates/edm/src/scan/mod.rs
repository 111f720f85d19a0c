//! The scanner of one body.
//!
//! Three steps, each a pure function of the text around a place, so that chunks do not matter (EDM-1): the decoder
//! makes text; `values` reads strong values where enough text lies behind them; names are looked for around each of
//! those where all neighbours are known. Findings leave in the order of their begin, each once, when nothing that
//! begins before them can come any more.

mod reflected;
#[cfg(test)]
mod tests;
mod values;

pub use reflected::Reflected;

use crate::TextForm;
use crate::decode::{Decoder, Stop};
use crate::index::Index;
use crate::names::{CONTEXT_CHARS, Finder, Haystack};
use crate::value::{LOOKAHEAD_CHARS, LOOKBACK_CHARS};
use sekisho_model::{ByteRange, FieldSet, Generic, Subject};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use values::{Hit, Value, Values};

/// Body bytes that a scanner can hold back, whatever the body: characters it needs times the most source bytes a
/// character has (two twelve-character escapes, each character of them with an escape sequence in ISO-2022-JP).
/// Typically it is about as many bytes as [`HELD_CHARS_MAX`].
pub const HELD_BYTES_MAX: usize = HELD_CHARS_MAX * 2 * 12 * 4 + 64;

/// Characters that a scanner can hold back: window, longest value, window, and what decides the neighbours.
const HELD_CHARS_MAX: usize = 2 * NAME_WINDOW_CHARS + 2 * LOOKAHEAD_CHARS + LOOKBACK_CHARS;

/// How far from a strong value a name of its subject is looked for.
const NAME_WINDOW_CHARS: usize = 320;

/// Body bytes that are decoded at once; bounds the text in memory.
const PIECE_BYTES: usize = 16 * 1024;

/// What was found, and where it stands in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Bytes of the body.
    pub span: ByteRange,
    /// What.
    pub found: Found,
}

/// Whose, or what kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Fields of a registered subject: `fields` left, `reflected` ones stood in the request.
    Subject {
        /// Whose.
        subject: Subject,
        /// Counted fields.
        fields: FieldSet,
        /// Fields that the request itself contained.
        reflected: FieldSet,
    },
    /// A value recognised by its form alone.
    Generic(Generic),
}

/// Reads one body.
#[derive(Clone)]
pub struct Scanner {
    index: Arc<Index>,
    reflected: Arc<Reflected>,
    decoder: Decoder,
    /// Bytes fed.
    at: u64,
    /// Characters before the text window, since the last hard boundary.
    chars_before: u64,
    values: Values,
    /// Strong values near the window's end, by begin.
    hits: Vec<Hit>,
    /// Windows near the text window's end in which a subject's names were looked for.
    searched: Vec<(Subject, u64, u64)>,
    /// Findings that wait until nothing can come before them.
    ready: BTreeMap<FindingOrder, Finding>,
    /// No later finding begins before this.
    safe_until: u64,
    /// Findings that an idle flush pushed ahead of their time.
    flushed: Vec<Finding>,
}

/// Findings by begin, then by the rest, so that each is there once.
type FindingOrder = (u64, u64, u8, u64, u64);

/// Whether more text follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    GoesOn,
    Ended,
}

impl std::fmt::Debug for Scanner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scanner").field("at", &self.at).field("safe_until", &self.safe_until).finish_non_exhaustive()
    }
}

impl Scanner {
    /// A scanner at the begin of a body.
    #[must_use]
    pub fn new(index: Arc<Index>, form: TextForm, reflected: Arc<Reflected>) -> Scanner {
        Scanner {
            index,
            reflected,
            decoder: Decoder::new(form),
            at: 0,
            chars_before: 0,
            values: Values::default(),
            hits: Vec::new(),
            searched: Vec::new(),
            ready: BTreeMap::new(),
            safe_until: 0,
            flushed: Vec::new(),
        }
    }

    /// Reads the next bytes; pushes findings in the order of their begin where they are complete. Returns
    /// `safe_until`: no later finding begins before that offset. It never goes back, and is at most
    /// [`HELD_BYTES_MAX`] behind the bytes fed.
    pub fn feed(&mut self, chunk: &[u8], findings: &mut Vec<Finding>) -> u64 {
        for mut piece in chunk.chunks(PIECE_BYTES) {
            self.at += piece.len() as u64;
            while !piece.is_empty() {
                let (read, stop) = self.decoder.decode(piece);
                piece = &piece[read..];
                match stop {
                    Stop::InputRead => self.advance(Text::GoesOn, findings),
                    Stop::Boundary => self.end_text(findings),
                }
            }
        }
        self.safe_until
    }

    /// The body's end: pushes what was pending.
    pub fn finish(&mut self, findings: &mut Vec<Finding>) {
        self.decoder.finish();
        self.end_text(findings);
        self.safe_until = self.at;
    }

    /// The stream fell idle: pushes what can be said of the bytes so far, as if they were the end, and goes on.
    /// Findings over this place may still follow, so the caller records the response as `IdleFlush`.
    pub fn flush_idle(&mut self, findings: &mut Vec<Finding>) {
        let mut as_ended = self.clone();
        let first_new = findings.len();
        as_ended.finish(findings);
        self.flushed.extend_from_slice(&findings[first_new..]);
        self.safe_until = self.at;
    }

    /// Ends the text here, and begins a new one.
    fn end_text(&mut self, findings: &mut Vec<Finding>) {
        self.advance(Text::Ended, findings);
        let chars = self.decoder.text.len();
        self.decoder.text.forget(chars);
        self.chars_before = 0;
        self.values = Values::default();
        self.hits.clear();
        self.searched.clear();
        self.flushed.clear();
    }

    /// Finds all that the text so far decides.
    fn advance(&mut self, text: Text, findings: &mut Vec<Finding>) {
        let len = self.decoder.text.len();
        let decided = if text == Text::Ended { len } else { len.saturating_sub(LOOKAHEAD_CHARS) };
        let hits_before = self.hits.len();
        self.values.read(&self.index, &self.decoder.text, self.chars_before, decided, &mut self.hits);
        for at in hits_before..self.hits.len() {
            self.ready_value(at);
        }
        self.hits.sort_by_key(|hit| (hit.place.start, hit.place.end));
        self.find_names(text);
        self.release(text, findings);
    }

    /// Looks for names around each value whose neighbours are known.
    fn find_names(&mut self, text: Text) {
        let neighbours_after = (NAME_WINDOW_CHARS + LOOKBACK_CHARS) as u64;
        let decided = self.values.decided();
        let is_due =
            |hit: &Hit| !hit.names_found && (text == Text::Ended || hit.place.end + neighbours_after <= decided);
        if !self.hits.iter().any(is_due) {
            return;
        }
        let taken: Vec<Range<usize>> = self.hits.iter().map(|hit| self.local(&hit.place)).collect();
        for at in 0..self.hits.len() {
            if !is_due(&self.hits[at]) {
                continue;
            }
            self.hits[at].names_found = true;
            let Value::Listed { owners, .. } = &self.hits[at].value else { continue };
            for (subject, _) in owners.clone() {
                self.find_names_of(subject, at, &taken);
            }
        }
    }

    fn find_names_of(&mut self, subject: Subject, at: usize, taken: &[Range<usize>]) {
        let Some(window) = self.window(subject, at) else { return };
        // The values of one row of a table have the same neighbours, and so the same window.
        let searched = (subject, self.chars_before + window.start as u64, self.chars_before + window.end as u64);
        if self.searched.contains(&searched) {
            return;
        }
        self.searched.push(searched);
        let index = Arc::clone(&self.index);
        let mut found = Vec::new();
        let haystack = Haystack { chars: &self.decoder.text.chars, window: &window, taken };
        let finder = Finder::new(index.key(), subject.id, haystack);
        for (field, fingerprint) in index.names(subject) {
            finder.find(fingerprint, |place| found.push((field, fingerprint, place)));
        }
        for (field, fingerprint, place) in found {
            let is_reflected = self.reflected.has_name(index.key(), subject, fingerprint);
            self.ready(&place, of_subject(subject, FieldSet::of(field), is_reflected));
        }
    }

    /// The window around a value in which its subject's names are looked for: up to the neighbours of others.
    fn window(&self, subject: Subject, at: usize) -> Option<Range<usize>> {
        let hit = &self.hits[at].place;
        let reach = NAME_WINDOW_CHARS as u64;
        let (mut start, mut end) = (hit.start.saturating_sub(reach), hit.end + reach);
        for other in self.hits.iter().filter(|other| other.is_of_another(subject)) {
            if other.place.end <= hit.start {
                start = start.max(other.place.end);
            }
            if other.place.start >= hit.end {
                end = end.min(other.place.start);
            }
        }
        let window = self.local(&(start.max(self.chars_before)..end));
        let window = window.start..window.end.min(self.decoder.text.len());
        (window.start < window.end).then_some(window)
    }

    fn ready_value(&mut self, at: usize) {
        let place = self.local(&self.hits[at].place);
        match &self.hits[at].value {
            Value::Generic { kind, hash } => {
                let reflected = self.reflected.has_generic(*kind, *hash);
                let value = hash.map(u64::to_le_bytes);
                self.ready(&place, Found::Generic(Generic { kind: *kind, value, reflected }));
            }
            Value::MyNumber(digits) => {
                let reflected = self.reflected.has_my_number(digits);
                let kind = sekisho_model::GenericKind::MyNumber;
                self.ready(&place, Found::Generic(Generic { kind, value: None, reflected }));
            }
            Value::Listed { kind, hash, owners } => {
                let is_reflected = self.reflected.has_value(*kind, *hash);
                for (subject, fields) in owners.clone() {
                    self.ready(&place, of_subject(subject, fields, is_reflected));
                }
            }
        }
    }

    fn ready(&mut self, place: &Range<usize>, found: Found) {
        let text = &self.decoder.text;
        let span = ByteRange { start: text.start(place.start), end: text.start(place.end) };
        let (rank, whose, what) = match found {
            Found::Subject { subject, fields, reflected } => {
                (0, u64::from(subject.register.0) << 32 | u64::from(subject.id.0), fields.union(reflected).0)
            }
            Found::Generic(generic) => (1, generic.kind as u64, generic.value.map_or(0, u64::from_le_bytes)),
        };
        self.ready.insert((span.start, span.end, rank, whose, what), Finding { span, found });
    }

    /// Pushes the findings before which nothing can come, and forgets the text that no finding needs.
    fn release(&mut self, text: Text, findings: &mut Vec<Finding>) {
        let undecided = self.values.decided().saturating_sub(LOOKBACK_CHARS as u64);
        let waiting = self.hits.iter().filter(|hit| !hit.names_found).map(|hit| hit.place.start).min();
        let needed = waiting.map_or(undecided, |waiting| waiting.min(undecided));
        let safe_char = needed.saturating_sub(NAME_WINDOW_CHARS as u64).max(self.chars_before);
        let safe_char = usize::try_from(safe_char - self.chars_before).unwrap_or(0);
        let safe_until = match text {
            Text::Ended => self.decoder.text_end(),
            Text::GoesOn => self.decoder.text.start(safe_char),
        };
        while let Some(entry) = self.ready.first_entry() {
            if text == Text::GoesOn && entry.key().0 >= safe_until {
                break;
            }
            let finding = entry.remove();
            if !self.flushed.contains(&finding) {
                findings.push(finding);
            }
        }
        self.safe_until = self.safe_until.max(safe_until);
        let forget = safe_char.saturating_sub(CONTEXT_CHARS);
        self.decoder.text.forget(forget);
        self.chars_before += forget as u64;
        let kept_from = self.chars_before;
        self.hits.retain(|hit| hit.place.end > kept_from);
        self.searched.retain(|(_, _, end)| *end > kept_from);
        self.flushed.retain(|finding| finding.span.start >= safe_until);
    }

    /// A place in the text window.
    fn local(&self, place: &Range<u64>) -> Range<usize> {
        let local = |at: u64| usize::try_from(at.saturating_sub(self.chars_before)).unwrap_or(usize::MAX);
        local(place.start)..local(place.end)
    }
}

fn of_subject(subject: Subject, fields: FieldSet, is_reflected: bool) -> Found {
    if is_reflected {
        Found::Subject { subject, fields: FieldSet::EMPTY, reflected: fields }
    } else {
        Found::Subject { subject, fields, reflected: FieldSet::EMPTY }
    }
}
