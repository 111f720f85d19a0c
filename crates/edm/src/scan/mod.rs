//! The scanner of one body.
//!
//! Three steps, each a pure function of the text around a place, so that chunks do not matter (EDM-1): the decoder
//! makes text; `values` reads strong values where enough text lies behind them; names are looked for around each of
//! those where all neighbours are known. Findings leave in the order of their begin, each once, when nothing that
//! begins before them can come any more.

mod around;
mod begins;
mod hits;
mod ready;
mod reflected;
mod spare;
#[cfg(test)]
mod tests;
mod values;

pub use reflected::Reflected;

use crate::TextForm;
use crate::decode::{Decoder, MARK_CHARS_MAX, Stop};
use crate::index::Index;
use crate::names::CONTEXT_CHARS;
use crate::value::{LOOKAHEAD_CHARS, LOOKBACK_CHARS, my_number};
use around::{Known, NAME_WINDOW_CHARS, NameSearch};
use hits::{Hits, Value};
use ready::Ready;
use sekisho_model::{ByteRange, FieldSet, Generic, GenericKind, Subject};
use spare::Spare;
use std::ops::Range;
use std::sync::Arc;
use values::Values;

/// Body bytes that a scanner can hold back, whatever the body: characters it needs times the most source bytes a
/// character has (two twelve-character escapes, each character of them with an escape sequence in ISO-2022-JP).
/// Typically it is about as many bytes as [`HELD_CHARS_MAX`].
pub const HELD_BYTES_MAX: usize = HELD_CHARS_MAX * 2 * 12 * 4 + 64;

/// Characters that a scanner can hold back: window, longest value, window, what decides the neighbours, and what
/// lies before it up to the decoder's mark.
const HELD_CHARS_MAX: usize = 2 * NAME_WINDOW_CHARS + 2 * LOOKAHEAD_CHARS + LOOKBACK_CHARS + MARK_CHARS_MAX;

/// Body bytes that are decoded at once; bounds the text in memory.
const PIECE_BYTES: usize = 16 * 1024;

/// What was found, and where it stands in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Bytes of the body.
    pub span: ByteRange,
    /// What in the span lies between the two parts of a name, and is none of the value; else empty.
    pub gap: ByteRange,
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
    /// Strong values near the window's end.
    hits: Hits,
    names: NameSearch,
    /// Findings that wait until nothing can come before them.
    ready: Ready,
    /// No later finding begins before this.
    safe_until: u64,
    /// Findings that an idle flush pushed ahead of their time.
    flushed: Vec<Finding>,
}

/// Whether more text follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    GoesOn,
    Ended,
}

impl Finding {
    /// One whose value is all of its span.
    #[must_use]
    pub fn whole(span: ByteRange, found: Found) -> Finding {
        Finding { span, gap: ByteRange { start: span.end, end: span.end }, found }
    }

    /// The bytes of the value itself: one range, or a name's two.
    pub fn places(&self) -> impl Iterator<Item = ByteRange> + use<> {
        let Finding { span, gap, .. } = *self;
        let (one, other) = match gap.is_empty() {
            true => (span, ByteRange { start: span.end, end: span.end }),
            false => (ByteRange { end: gap.start, ..span }, ByteRange { start: gap.end, ..span }),
        };
        [one, other].into_iter().filter(|place| !place.is_empty())
    }
}

impl std::fmt::Debug for Scanner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scanner").field("at", &self.at).field("safe_until", &self.safe_until).finish_non_exhaustive()
    }
}

impl Drop for Scanner {
    fn drop(&mut self) {
        let Scanner { decoder, hits, names, ready, .. } = self;
        let (text, hits) = (std::mem::take(&mut decoder.text), std::mem::take(hits));
        Spare { text, hits, names: std::mem::take(names), ready: std::mem::take(ready) }.leave();
    }
}

impl Scanner {
    /// A scanner at the begin of a body.
    #[must_use]
    pub fn new(index: Arc<Index>, form: TextForm, reflected: Arc<Reflected>) -> Scanner {
        let Spare { text, hits, names, ready } = Spare::take();
        Scanner {
            index,
            reflected,
            decoder: Decoder::new(form, text),
            at: 0,
            chars_before: 0,
            values: Values::default(),
            hits,
            names,
            ready,
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

    /// Whether any byte so far was none of the body's character set: whoever reads it in another one may see more.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        self.decoder.is_malformed()
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
        self.decoder.text.clear();
        self.chars_before = 0;
        self.values = Values::default();
        self.hits.clear();
        self.names.clear();
        self.flushed.clear();
    }

    /// Finds all that the text so far decides.
    fn advance(&mut self, text: Text, findings: &mut Vec<Finding>) {
        let len = self.decoder.text.len();
        let decided = if text == Text::Ended { len } else { len.saturating_sub(LOOKAHEAD_CHARS) };
        self.read_values(decided);
        self.find_names(text);
        self.release(text, findings);
    }

    /// Reads the strong values up to `decided`: each is a finding, whatever stands around it.
    fn read_values(&mut self, decided: usize) {
        let (bytes, origin) = self.decoder.text.parts();
        let mut is_labelled = |_: &[u8; 12], number: &Range<usize>| {
            let excerpt = origin.excerpt(&my_number::label_window(number, bytes.len()));
            my_number::has_label(excerpt.chars, number)
        };
        let hits = self.hits.new_ones();
        self.values.read(&self.index, bytes, self.chars_before, decided, &mut is_labelled, hits);
        for hit in hits {
            let place = around::local(&hit.place, self.chars_before);
            let (start, end) = origin.excerpt(&place).span(&(0..place.len()));
            if let Value::Generic { kind, hash } = &hit.value {
                // Whoever types a mail must not learn from the time it takes whether a register lists it.
                hit.names_found = !self.reflected.has_generic(*kind, *hash);
            }
            ready_value(&hit.value, ByteRange { start, end }, &self.reflected, &mut self.ready);
        }
        self.hits.sort();
    }

    /// Looks for names around each value whose neighbours are known.
    fn find_names(&mut self, text: Text) {
        let neighbours_after = (NAME_WINDOW_CHARS + LOOKBACK_CHARS) as u64;
        let decided = self.values.decided();
        let Scanner { index, reflected, decoder, hits, names, ready, chars_before, .. } = self;
        for at in 0..hits.sorted().len() {
            let hit = &hits.sorted()[at];
            let is_due = text == Text::Ended || hit.place.end + neighbours_after <= decided;
            if hit.names_found || !is_due {
                continue;
            }
            let known = Known { index, reflected, hits, chars_before: *chars_before };
            match &hit.value {
                Value::Listed { owners, .. } => {
                    for (subject, _) in owners.iter() {
                        names.find(known, &mut decoder.text, subject, at, ready);
                    }
                }
                Value::Generic { hash, .. } => {
                    // As much work as for a listed one, for nothing.
                    if let Some(anybody) = index.anybody(hash.unwrap_or_default()) {
                        names.find(known, &mut decoder.text, anybody, at, &mut Ready::default());
                    }
                }
                Value::MyNumber(_) => {}
            }
            hits.names_are_found(at);
        }
    }

    /// Pushes the findings before which nothing can come, and forgets the text that no finding needs.
    fn release(&mut self, text: Text, findings: &mut Vec<Finding>) {
        let undecided = self.values.decided().saturating_sub(LOOKBACK_CHARS as u64);
        let needed = self.hits.waiting_from().map_or(undecided, |waiting| waiting.min(undecided));
        let safe_char = needed.saturating_sub(NAME_WINDOW_CHARS as u64).saturating_sub(self.chars_before);
        let safe_char = usize::try_from(safe_char).unwrap_or(0);
        let (safe_until, released) = match text {
            Text::Ended => (self.decoder.text.end(), u64::MAX),
            Text::GoesOn => {
                let start = self.decoder.text.start_before(safe_char);
                (start, start)
            }
        };
        self.ready.release(released, |finding| {
            if !self.flushed.contains(&finding) {
                findings.push(finding);
            }
        });
        self.safe_until = self.safe_until.max(safe_until);
        self.chars_before += self.decoder.text.forget(safe_char.saturating_sub(CONTEXT_CHARS)) as u64;
        self.hits.forget(self.chars_before);
        self.flushed.retain(|finding| finding.span.start >= safe_until);
    }
}

/// Whether lines of plain ASCII hold nothing at all, so that a scanner with [`Boundary::Line`](crate::Boundary) finds nothing
/// in them: a quick look for short texts, as header values are. `false` says nothing.
#[must_use]
pub fn lines_hold_nothing(index: &Index, lines: &[u8]) -> bool {
    if !crate::decode::is_plain(lines) {
        return false;
    }
    let mut hits = Vec::new();
    // A name stands beside a value only, so without one there is none.
    Values::default().read(index, lines, 0, lines.len(), &mut |_, _| true, &mut hits);
    hits.is_empty()
}

fn ready_value(value: &Value, span: ByteRange, reflected: &Reflected, ready: &mut Ready) {
    match value {
        Value::Generic { kind, hash } => {
            let reflected = reflected.has_generic(*kind, *hash);
            let value = hash.map(u64::to_le_bytes);
            ready.put(Finding::whole(span, Found::Generic(Generic { kind: *kind, value, reflected })));
        }
        Value::MyNumber(digits) => {
            let reflected = reflected.has_my_number(digits);
            let kind = GenericKind::MyNumber;
            ready.put(Finding::whole(span, Found::Generic(Generic { kind, value: None, reflected })));
        }
        Value::Listed { kind, hash, owners } => {
            let is_reflected = reflected.has_value(*kind, *hash);
            for (subject, fields) in owners.iter() {
                ready.put(Finding::whole(span, of_subject(subject, fields, is_reflected)));
            }
        }
    }
}

fn of_subject(subject: Subject, fields: FieldSet, is_reflected: bool) -> Found {
    if is_reflected {
        Found::Subject { subject, fields: FieldSet::EMPTY, reflected: fields }
    } else {
        Found::Subject { subject, fields, reflected: FieldSet::EMPTY }
    }
}
