//! The names around a strong value: in which part of the text they are looked for. Section 5 of `RULES.md`.

use super::hits::Hits;
use super::ready::Ready;
use super::{Finding, Reflected, of_subject};
use crate::decode::Text;
use crate::index::Index;
use crate::names::{CONTEXT_CHARS, Finder, Haystack, Room};
use sekisho_model::{ByteRange, FieldSet, Subject};
use std::collections::VecDeque;
use std::ops::Range;

/// How far from a strong value a name of its subject is looked for.
pub(super) const NAME_WINDOW_CHARS: usize = 320;

/// Windows that are remembered. The values of a table's row have one window; a forgotten one is searched again, and
/// its findings are there once all the same.
const SEARCHED_MAX: usize = 16;

/// What the search remembers, and room for it to work in.
#[derive(Clone, Default)]
pub(super) struct NameSearch {
    /// The last windows in which a subject's names were looked for, in characters since the last hard boundary.
    searched: VecDeque<(Subject, Range<u64>)>,
    taken: Vec<Range<usize>>,
    room: Room,
}

/// What is known of a text and its request.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) index: &'a Index,
    pub(super) reflected: &'a Reflected,
    pub(super) hits: &'a Hits,
    /// Characters before the text window, since the last hard boundary.
    pub(super) chars_before: u64,
}

impl NameSearch {
    /// Finds the names of a subject around its value, the hit at `at`.
    pub(super) fn find(&mut self, known: Known<'_>, text: &mut Text, subject: Subject, at: usize, ready: &mut Ready) {
        let text_window = known.chars_before..known.chars_before + text.len() as u64;
        let window = known.hits.window(subject, at, NAME_WINDOW_CHARS as u64);
        let window = window.start.max(text_window.start)..window.end.min(text_window.end);
        if window.start >= window.end || self.was_searched(subject, &window) {
            return;
        }
        let mut names = known.index.names(subject).peekable();
        if names.peek().is_none() {
            return;
        }
        let context = CONTEXT_CHARS as u64;
        let seen =
            window.start.saturating_sub(context).max(text_window.start)..(window.end + context).min(text_window.end);
        let excerpt = text.excerpt(&local(&seen, known.chars_before));
        self.taken.clear();
        self.taken.extend(known.hits.overlapping(&seen).map(|place| local(place, seen.start)));
        let window = local(&window, seen.start);
        let haystack = Haystack { chars: excerpt.chars, window: &window, taken: &self.taken };
        let mut finder = Finder::new(known.index.key(), subject.id, haystack, &mut self.room);
        for (field, name) in names {
            finder.find(name, |place, between| {
                let is_reflected = known.reflected.has_name(known.index.key(), subject, name);
                let found = of_subject(subject, FieldSet::of(field), is_reflected);
                let (start, end) = excerpt.span(&place);
                let gap = match between.is_empty() {
                    true => ByteRange { start: end, end },
                    false => {
                        let (_, first_end) = excerpt.span(&(place.start..between.start));
                        let (second_start, _) = excerpt.span(&(between.end..place.end));
                        ByteRange { start: first_end, end: second_start }
                    }
                };
                ready.put(Finding { span: ByteRange { start, end }, gap, found });
            });
        }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.searched.clear();
    }

    /// The values of one row of a table have the same neighbours, and so the same window.
    fn was_searched(&mut self, subject: Subject, window: &Range<u64>) -> bool {
        let searched = (subject, window.clone());
        if self.searched.contains(&searched) {
            return true;
        }
        if self.searched.len() == SEARCHED_MAX {
            self.searched.pop_front();
        }
        self.searched.push_back(searched);
        false
    }
}

/// A place since the last hard boundary as one since `begin`; what lies before that is cut off.
pub(super) fn local(place: &Range<u64>, begin: u64) -> Range<usize> {
    let local = |at: u64| usize::try_from(at.saturating_sub(begin)).unwrap_or(usize::MAX);
    local(place.start)..local(place.end)
}
