//! Which sequence numbers of a source are there, a bit each, and which are missing (LED-4).
//!
//! 100 million responses take 12.5 MB. Numbers may come in any order, as sealed segments are sorted by person.

use crate::Gap;
use sekisho_model::{ResponseId, SourceId};
use std::collections::BTreeMap;

/// Words in one page: a megabyte, of which the system gives only what is written to.
const PAGE_WORDS: usize = 131_072;
/// Numbers in one page.
const PAGE_BITS: u64 = PAGE_WORDS as u64 * 64;
/// Ranges that are told; what is beyond is told as one range, so that nothing missing is left out.
pub(crate) const GAPS_MAX: usize = 1000;

/// A page's source and number.
type PageKey = (SourceId, u64);

/// The numbers that exist, and those that a question is about.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pages: BTreeMap<PageKey, Box<[u64]>>,
    /// The lowest and highest number that the question is about.
    bounds: BTreeMap<SourceId, (u64, u64)>,
    /// The page and the bounds that were written last, outside the maps: nearly all numbers of a question lie there.
    last: Option<(PageKey, Box<[u64]>)>,
    bounds_last: Option<(SourceId, (u64, u64))>,
}

impl Seen {
    /// A response with this number exists; `asked` when it lies in the period asked about.
    pub(crate) fn add(&mut self, response: ResponseId, asked: bool) {
        let ResponseId { source, sequence } = response;
        let bit = sequence % PAGE_BITS;
        self.page((source, sequence / PAGE_BITS))[bit as usize / 64] |= 1 << (bit % 64);
        if asked {
            match &mut self.bounds_last {
                Some((last, bounds)) if *last == source => widen(bounds, sequence),
                _ => {
                    self.close_bounds();
                    self.bounds_last = Some((source, (sequence, sequence)));
                }
            }
        }
    }

    fn page(&mut self, key: PageKey) -> &mut [u64] {
        if self.last.as_ref().is_none_or(|(last, _)| *last != key) {
            self.pages.extend(self.last.take());
            let page = self.pages.remove(&key).unwrap_or_else(|| vec![0; PAGE_WORDS].into_boxed_slice());
            self.last = Some((key, page));
        }
        &mut self.last.as_mut().expect("a page is there now").1
    }

    /// Puts what was written last into the maps, before they are read.
    fn close(&mut self) {
        self.pages.extend(self.last.take());
        self.close_bounds();
    }

    fn close_bounds(&mut self) {
        if let Some((source, (first, last))) = self.bounds_last.take() {
            let bounds = self.bounds.entry(source).or_insert((first, last));
            widen(bounds, first);
            widen(bounds, last);
        }
    }

    /// All numbers below this one were given out by the source, seen or not.
    pub(crate) fn given_out(&mut self, source: SourceId, sequence_next: u64) {
        self.close();
        if sequence_next > 1
            && let Some(bounds) = self.bounds.get_mut(&source)
        {
            widen(bounds, sequence_next - 1);
        }
    }

    /// Whether a response was seen.
    pub(crate) fn has(&mut self, response: ResponseId) -> bool {
        self.close();
        let bit = response.sequence % PAGE_BITS;
        let page = self.pages.get(&(response.source, response.sequence / PAGE_BITS));
        page.is_some_and(|words| words[bit as usize / 64] & (1 << (bit % 64)) != 0)
    }

    /// The missing ranges between the lowest and the highest number asked about.
    pub(crate) fn gaps(&mut self) -> Vec<Gap> {
        self.close();
        let mut gaps = Vec::new();
        for (source, (first, last)) in &self.bounds {
            self.push_gaps(*source, *first, *last, &mut gaps);
        }
        gaps
    }

    fn push_gaps(&self, source: SourceId, first: u64, last: u64, gaps: &mut Vec<Gap>) {
        let mut told = 0;
        let mut next = first;
        'words: for (word_first, word) in self.words(source) {
            // Nearly all words are full.
            if word == u64::MAX && word_first == next && word_first + 63 < last {
                next += 64;
                continue;
            }
            for sequence in bits(word_first, word).filter(|sequence| (first..=last).contains(sequence)) {
                if sequence > next {
                    gaps.push(Gap { source: source.0, first: next, last: sequence - 1, abrupt_end: false });
                    told += 1;
                }
                next = sequence + 1;
                if told == GAPS_MAX {
                    break 'words;
                }
            }
        }
        if next <= last {
            gaps.push(Gap { source: source.0, first: next, last, abrupt_end: false });
        }
    }

    /// The words of a source that are not empty, in order, each with the number of its first bit.
    fn words(&self, source: SourceId) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.pages.range((source, 0)..=(source, u64::MAX)).flat_map(|((_, page), words)| {
            let words = words.iter().enumerate().filter(|(_, word)| **word != 0);
            words.map(move |(at, word)| (page * PAGE_BITS + at as u64 * 64, *word))
        })
    }
}

fn widen(bounds: &mut (u64, u64), sequence: u64) {
    *bounds = (bounds.0.min(sequence), bounds.1.max(sequence));
}

/// The numbers of a word's bits.
fn bits(first: u64, mut word: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| u64::from(word.trailing_zeros()))?;
        word &= word - 1;
        Some(first + bit)
    })
}
