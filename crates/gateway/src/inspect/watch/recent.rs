//! How many distinct keys were seen within a sliding window. Pure: ticks come from outside.
//!
//! A key is kept with the tick in which it was last seen, and each tick of the window with the number of keys last seen in
//! it; so a sight costs one map update, and the window slides in whole ticks: it is the current tick and the `TICKS - 1`
//! before it. The count is exact while at most 7/8 of `keys_max` keys are kept. Beyond, half of the keys are forgotten by
//! their hash, each further one counts double, and so on (adaptive sampling, Flajolet 1990): the standard error is then
//! about 1.2/√(`keys_max`/2), 2.7 % for 4,096 keys. A window that empties is exact again.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

/// Distinct keys of the last `TICKS` ticks.
#[derive(Debug)]
pub struct Recent<K, const TICKS: usize> {
    last_seen: HashMap<K, u32>,
    /// Keys last seen in a tick, by its number modulo `TICKS`.
    by_tick: [u32; TICKS],
    now: u32,
    live: u32,
    /// One key in 2^`sparseness` is kept.
    sparseness: u32,
    keys_max: usize,
}

/// A key that is kept was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The tick in which it was seen before, when that is still known.
    pub before: Option<u32>,
    /// For how many keys it stands.
    pub weight: u64,
}

impl<K: Copy + Eq + Hash, const TICKS: usize> Recent<K, TICKS> {
    /// Keeps at most `keys_max` keys, at least 8.
    #[must_use]
    pub fn new(keys_max: usize) -> Recent<K, TICKS> {
        Recent {
            last_seen: HashMap::new(),
            by_tick: [0; TICKS],
            now: 0,
            live: 0,
            sparseness: 0,
            keys_max: keys_max.max(8),
        }
    }

    /// Sees a key. `None` when it is one of those that others stand for. A tick before the last one counts as the last.
    pub fn see(&mut self, key: K, tick: u32) -> Option<Sight> {
        self.slide(tick);
        if let Some(before) = self.last_seen.get(&key).copied() {
            if before != self.now {
                match self.is_live(before) {
                    true => self.by_tick[before as usize % TICKS] -= 1,
                    false => self.live += 1,
                }
                self.by_tick[self.now as usize % TICKS] += 1;
                self.last_seen.insert(key, self.now);
            }
            return Some(Sight { before: Some(before), weight: self.weight() });
        }
        if self.last_seen.len() >= self.keys_max {
            self.make_room();
        }
        if !self.is_kept(&key) {
            return None;
        }
        self.last_seen.insert(key, self.now);
        self.by_tick[self.now as usize % TICKS] += 1;
        self.live += 1;
        Some(Sight { before: None, weight: self.weight() })
    }

    /// Distinct keys in the window that ends with this tick.
    pub fn count(&mut self, tick: u32) -> u64 {
        self.slide(tick);
        u64::from(self.live) * self.weight()
    }

    /// Keys that are kept now, those that left the window included.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.last_seen.len()
    }

    fn slide(&mut self, tick: u32) {
        if tick <= self.now {
            return;
        }
        let begin = self.now.max(tick.saturating_sub(TICKS as u32));
        for passed in begin + 1..=tick {
            self.live -= std::mem::take(&mut self.by_tick[passed as usize % TICKS]);
        }
        self.now = tick;
        if self.live == 0 && self.sparseness > 0 {
            self.last_seen.clear();
            self.sparseness = 0;
        }
    }

    /// Forgets what left the window; where that is little, half of the rest.
    fn make_room(&mut self) {
        let (now, enough) = (self.now, self.keys_max - self.keys_max / 8);
        self.last_seen.retain(|_, last| now - *last < TICKS as u32);
        while self.last_seen.len() > enough {
            self.sparseness += 1;
            let (hasher, sparseness) = (self.last_seen.hasher().clone(), self.sparseness);
            self.last_seen.retain(|key, _| is_sampled(hasher.hash_one(key), sparseness));
            self.by_tick = [0; TICKS];
            self.last_seen.values().for_each(|last| self.by_tick[*last as usize % TICKS] += 1);
            self.live = self.by_tick.iter().sum();
        }
    }

    fn is_live(&self, last: u32) -> bool {
        self.now - last < TICKS as u32
    }

    fn is_kept(&self, key: &K) -> bool {
        self.sparseness == 0 || is_sampled(self.last_seen.hasher().hash_one(key), self.sparseness)
    }

    fn weight(&self) -> u64 {
        1 << self.sparseness.min(32)
    }
}

/// Whether a key of this hash is kept. Bits from the middle: the map itself finds its place by the lowest and highest.
fn is_sampled(hash: u64, sparseness: u32) -> bool {
    (hash >> 24).trailing_zeros() >= sparseness
}
