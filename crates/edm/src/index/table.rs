//! A sorted array of (hash, id) with a directory of its prefixes: small, immutable, deterministic.
//!
//! 12 bytes an entry and about half a byte for the directory. Equal hashes stand together, so a shared key gives
//! all its ids. Hashes are uniform, so a bucket of the directory holds eight on average.

/// The most ids that one hash may have in a table: a value that more persons share identifies nobody, and a page that repeats
/// it would cost a search for each person's names at each place.
pub(crate) const SHARED_IDS_MAX: usize = 64;

const BUCKET_ENTRIES: usize = 8;

/// Hashes and the ids behind each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HashTable {
    hashes: Vec<u64>,
    ids: Vec<u32>,
    /// For each prefix of the hash, where its entries begin; one more for the end.
    directory: Vec<u32>,
    prefix_bits: u32,
}

impl HashTable {
    /// The table of these pairs; equal pairs are kept once.
    pub(crate) fn new(mut pairs: Vec<(u64, u32)>) -> HashTable {
        pairs.sort_unstable();
        pairs.dedup();
        let (hashes, ids) = pairs.into_iter().unzip();
        HashTable::of_sorted(hashes, ids)
    }

    /// The table of arrays that are sorted already, as (hash, id) pairs without repetition.
    pub(crate) fn of_sorted(hashes: Vec<u64>, ids: Vec<u32>) -> HashTable {
        debug_assert_eq!(hashes.len(), ids.len(), "each hash has an id");
        let buckets = (hashes.len() / BUCKET_ENTRIES).next_power_of_two();
        let prefix_bits = buckets.trailing_zeros();
        let mut directory = vec![0; buckets + 1];
        for hash in &hashes {
            directory[prefix(*hash, prefix_bits) + 1] += 1;
        }
        for bucket in 0..buckets {
            directory[bucket + 1] += directory[bucket];
        }
        HashTable { hashes, ids, directory, prefix_bits }
    }

    /// The ids of a hash, lowest first.
    pub(crate) fn find(&self, hash: u64) -> &[u32] {
        let bucket = prefix(hash, self.prefix_bits);
        let (Some(begin), Some(end)) = (self.directory.get(bucket), self.directory.get(bucket + 1)) else { return &[] };
        let (begin, end) = (*begin as usize, *end as usize);
        let entries = &self.hashes[begin..end];
        let first = begin + entries.iter().position(|entry| *entry >= hash).unwrap_or(entries.len());
        let count = self.hashes[first..].iter().take_while(|entry| **entry == hash).count();
        &self.ids[first..first + count]
    }

    /// All pairs in order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.hashes.iter().copied().zip(self.ids.iter().copied())
    }

    pub(crate) fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    pub(crate) fn ids(&self) -> &[u32] {
        &self.ids
    }
}

fn prefix(hash: u64, bits: u32) -> usize {
    hash.checked_shr(64 - bits).unwrap_or(0) as usize
}
