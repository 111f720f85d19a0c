//! Which sequence numbers of a source are there, a bit each, and which are missing (LED-4).
//!
//! 100 million responses take 12.5 MB. Numbers may come in any order, as sealed segments are sorted by person.

use crate::Gap;
use sekisho_model::{ResponseId, SourceId};
use std::collections::BTreeMap;

/// Words in one page, which is 32 KB: a million responses lie in four.
const PAGE_WORDS: usize = 4096;
/// Numbers in one page.
const PAGE_BITS: u64 = PAGE_WORDS as u64 * 64;
/// Ranges that are told; what is beyond is told as one range, so that nothing missing is left out.
pub(crate) const GAPS_MAX: usize = 1000;

/// A set of responses.
#[derive(Debug, Default)]
pub(crate) struct Responses {
    sources: BTreeMap<SourceId, BTreeMap<u64, Box<[u64]>>>,
}

impl Responses {
    pub(crate) fn add(&mut self, response: ResponseId) {
        let (page, bit) = (response.sequence / PAGE_BITS, response.sequence % PAGE_BITS);
        let pages = self.sources.entry(response.source).or_default();
        let words = pages.entry(page).or_insert_with(|| vec![0; PAGE_WORDS].into_boxed_slice());
        words[bit as usize / 64] |= 1 << (bit % 64);
    }

    /// Those that are not in `others`.
    pub(crate) fn without(&self, others: &Responses) -> Vec<ResponseId> {
        let mut left = Vec::new();
        for (source, pages) in &self.sources {
            for (page, words) in pages {
                let other = others.sources.get(source).and_then(|pages| pages.get(page));
                for (at, word) in words.iter().enumerate() {
                    let word = word & !other.map_or(0, |words| words[at]);
                    let numbers = bits(page * PAGE_BITS + at as u64 * 64, word);
                    left.extend(numbers.map(|sequence| ResponseId { source: *source, sequence }));
                }
            }
        }
        left
    }

    /// The numbers of a source, in order.
    fn numbers(&self, source: SourceId) -> impl Iterator<Item = u64> + '_ {
        self.sources.get(&source).into_iter().flatten().flat_map(|(page, words)| {
            let words = words.iter().enumerate();
            words.flat_map(move |(at, word)| bits(page * PAGE_BITS + at as u64 * 64, *word))
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
}

impl Seen {
    /// A response with this number exists; `asked` when it lies in the period asked about.
    pub(crate) fn add(&mut self, response: ResponseId, asked: bool) {
        self.all.add(response);
        if asked {
            let sequence = response.sequence;
            let (first, last) = self.bounds.entry(response.source).or_insert((sequence, sequence));
            (*first, *last) = ((*first).min(sequence), (*last).max(sequence));
        }
    }

    /// All numbers below this one were given out by the source, seen or not.
    pub(crate) fn given_out(&mut self, source: SourceId, sequence_next: u64) {
        if sequence_next > 1
            && let Some((first, last)) = self.bounds.get_mut(&source)
        {
            (*first, *last) = ((*first).min(sequence_next - 1), (*last).max(sequence_next - 1));
        }
    }

    /// The responses of a set that were not seen.
    pub(crate) fn missing_of(&self, responses: &Responses) -> Vec<ResponseId> {
        responses.without(&self.all)
    }

    /// The missing ranges between the lowest and the highest number asked about.
    pub(crate) fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for (source, (first, last)) in &self.bounds {
            self.push_gaps(*source, *first, *last, &mut gaps);
        }
        gaps
    }

    fn push_gaps(&self, source: SourceId, first: u64, last: u64, gaps: &mut Vec<Gap>) {
        let mut told = 0;
        let mut next = first;
        for sequence in self.all.numbers(source).filter(|sequence| (first..=last).contains(sequence)) {
            if sequence > next && told < GAPS_MAX {
                gaps.push(Gap { source: source.0, first: next, last: sequence - 1 });
                told += 1;
            }
            if told == GAPS_MAX {
                break;
            }
            next = sequence + 1;
        }
        if next <= last {
            gaps.push(Gap { source: source.0, first: next, last });
        }
    }
}
