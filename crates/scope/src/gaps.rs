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

/// A set of responses.
#[derive(Debug, Default)]
pub(crate) struct Responses {
    pages: BTreeMap<(SourceId, u64), Box<[u64]>>,
    /// The page that was written last, outside the map: nearly all numbers of a question lie in one.
    last: Option<((SourceId, u64), Box<[u64]>)>,
}

impl Responses {
    pub(crate) fn add(&mut self, response: ResponseId) {
        let key = (response.source, response.sequence / PAGE_BITS);
        let bit = response.sequence % PAGE_BITS;
        self.page(key)[bit as usize / 64] |= 1 << (bit % 64);
    }

    fn page(&mut self, key: (SourceId, u64)) -> &mut [u64] {
        if self.last.as_ref().is_none_or(|(last, _)| *last != key) {
            self.close();
            let page = self.pages.remove(&key).unwrap_or_else(|| vec![0; PAGE_WORDS].into_boxed_slice());
            self.last = Some((key, page));
        }
        &mut self.last.as_mut().expect("a page is there now").1
    }

    /// Puts the last page into the map, before it is read.
    fn close(&mut self) {
        self.pages.extend(self.last.take());
    }

    /// Those that are not in `others`.
    pub(crate) fn without(&mut self, others: &mut Responses) -> Vec<ResponseId> {
        self.close();
        others.close();
        let mut left = Vec::new();
        for ((source, page), words) in &self.pages {
            let other = others.pages.get(&(*source, *page));
            for (at, word) in words.iter().enumerate() {
                let numbers = bits(page * PAGE_BITS + at as u64 * 64, word & !other.map_or(0, |words| words[at]));
                left.extend(numbers.map(|sequence| ResponseId { source: *source, sequence }));
            }
        }
        left
    }

    /// The words of a source that are not empty, in order, each with the number of its first bit.
    fn words(&mut self, source: SourceId) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.close();
        self.pages.range((source, 0)..=(source, u64::MAX)).flat_map(|((_, page), words)| {
            let words = words.iter().enumerate().filter(|(_, word)| **word != 0);
            words.map(move |(at, word)| (page * PAGE_BITS + at as u64 * 64, *word))
        })
    }
}

/// The numbers of a word's bits.
fn bits(first: u64, mut word: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| u64::from(word.trailing_zeros()))?;
        word &= word - 1;
        Some(first + bit)
    })
}

/// The numbers that a question is about, and which of them exist.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    all: Responses,
    /// The lowest and highest number that the question is about.
    bounds: BTreeMap<SourceId, (u64, u64)>,
    /// The same of the source that came last.
    recent: Option<(SourceId, (u64, u64))>,
}

impl Seen {
    /// A response with this number exists; `asked` when it lies in the period asked about.
    pub(crate) fn add(&mut self, response: ResponseId, asked: bool) {
        self.all.add(response);
        if asked {
            let sequence = response.sequence;
            match &mut self.recent {
                Some((source, bounds)) if *source == response.source => widen(bounds, (sequence, sequence)),
                _ => {
                    self.close();
                    self.recent = Some((response.source, (sequence, sequence)));
                }
            }
        }
    }

    fn close(&mut self) {
        if let Some((source, bounds)) = self.recent.take() {
            widen(self.bounds.entry(source).or_insert(bounds), bounds);
        }
    }

    /// All numbers below this one were given out by the source, seen or not.
    pub(crate) fn given_out(&mut self, source: SourceId, sequence_next: u64) {
        self.close();
        if sequence_next > 1
            && let Some(bounds) = self.bounds.get_mut(&source)
        {
            widen(bounds, (sequence_next - 1, sequence_next - 1));
        }
    }

    /// The responses of a set that were not seen.
    pub(crate) fn missing_of(&mut self, responses: &mut Responses) -> Vec<ResponseId> {
        responses.without(&mut self.all)
    }

    /// The missing ranges between the lowest and the highest number asked about.
    pub(crate) fn gaps(&mut self) -> Vec<Gap> {
        self.close();
        let mut gaps = Vec::new();
        for (source, (first, last)) in &self.bounds {
            push_gaps(&mut self.all, *source, (*first, *last), &mut gaps);
        }
        gaps
    }
}

fn widen(bounds: &mut (u64, u64), more: (u64, u64)) {
    *bounds = (bounds.0.min(more.0), bounds.1.max(more.1));
}

fn push_gaps(all: &mut Responses, source: SourceId, (first, last): (u64, u64), gaps: &mut Vec<Gap>) {
    let mut told = 0;
    let mut next = first;
    'words: for (word_first, word) in all.words(source) {
        // Nearly all words are full.
        if word == u64::MAX && word_first == next && word_first + 63 < last {
            next += 64;
            continue;
        }
        for sequence in bits(word_first, word).filter(|sequence| (first..=last).contains(sequence)) {
            if sequence > next && told < GAPS_MAX {
                gaps.push(Gap { source: source.0, first: next, last: sequence - 1 });
                told += 1;
            }
            next = sequence + 1;
            if told == GAPS_MAX {
                break 'words;
            }
        }
    }
    if next <= last {
        gaps.push(Gap { source: source.0, first: next, last });
    }
}
