//! Which sequence numbers of a source are missing: a bit for each number that was seen (LED-4).
//!
//! 100 million responses take 12.5 MB. Numbers may come in any order, as sealed segments are sorted by client.

use crate::Gap;
use sekisho_model::{ResponseId, SourceId};
use std::collections::BTreeMap;

/// Numbers in one page.
const PAGE_BITS: u64 = 4096;
/// Ranges that are told; what is beyond is told as one range, so that nothing missing is left out.
pub(crate) const GAPS_MAX: usize = 1000;

/// The numbers seen of each source.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    sources: BTreeMap<SourceId, Numbers>,
}

#[derive(Debug, Default)]
struct Numbers {
    pages: BTreeMap<u64, Box<[u64; 64]>>,
    /// The lowest and highest number that the question is about.
    bounds: Option<(u64, u64)>,
}

impl Seen {
    /// A response with this number exists; `asked` when it lies in the period asked about.
    pub(crate) fn add(&mut self, response: ResponseId, asked: bool) {
        let numbers = self.sources.entry(response.source).or_default();
        let (page, bit) = (response.sequence / PAGE_BITS, response.sequence % PAGE_BITS);
        numbers.pages.entry(page).or_insert_with(|| Box::new([0; 64]))[bit as usize / 64] |= 1 << (bit % 64);
        if asked {
            numbers.ask(response.sequence);
        }
    }

    /// All numbers below this one were given out by the source, seen or not.
    pub(crate) fn given_out(&mut self, source: SourceId, sequence_next: u64) {
        if sequence_next > 1
            && let Some(numbers) = self.sources.get_mut(&source)
        {
            numbers.ask(sequence_next - 1);
        }
    }

    /// The missing ranges between the lowest and the highest number asked about.
    pub(crate) fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for (source, numbers) in &self.sources {
            if let Some((first, last)) = numbers.bounds {
                numbers.push_gaps(*source, first, last, &mut gaps);
            }
        }
        gaps
    }
}

impl Numbers {
    fn ask(&mut self, sequence: u64) {
        let (first, last) = self.bounds.unwrap_or((sequence, sequence));
        self.bounds = Some((first.min(sequence), last.max(sequence)));
    }

    fn push_gaps(&self, source: SourceId, first: u64, last: u64, gaps: &mut Vec<Gap>) {
        let mut told = 0;
        let mut next = first;
        for sequence in self.iter().filter(|sequence| (first..=last).contains(sequence)) {
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

    fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.pages.iter().flat_map(|(page, words)| {
            (0..PAGE_BITS)
                .filter(|bit| words[*bit as usize / 64] & (1 << (bit % 64)) != 0)
                .map(move |bit| page * PAGE_BITS + bit)
        })
    }
}
