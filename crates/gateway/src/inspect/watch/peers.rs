//! What is ordinary for the others: the distinct subjects that each account read in each of its active hours of the last
//! 28 days, by kind of account and class of hour, and the 99.5 % quantile of all of them but the account's own. Pure.
//!
//! The quantile is the smallest count that at least 99.5 % of the peers' hours do not exceed (nearest rank). There is none
//! before there are [`PEER_HOURS_MIN`] such hours of at least [`PEERS_MIN`] others. Hours in which an account read nobody
//! are no hours of its.

use super::hours::HourClass;
use super::rules::AccountKind;
use sekisho_model::{AccountKey, Timestamp};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Hours of other accounts, of the same class, before there is a verdict. With fewer, 99.5 % of them is just the highest.
pub const PEER_HOURS_MIN: u32 = 200;

/// Other accounts that they must be of.
pub const PEERS_MIN: usize = 2;

/// How long an hour is remembered.
const MEMORY_DAYS: i64 = 28;

const DAY_US: i64 = 24 * 3600 * 1_000_000;

/// An hour that has ended.
#[derive(Clone, Copy, Debug)]
struct PastHour {
    at: Timestamp,
    class: HourClass,
    subjects: u32,
}

/// The hours of all accounts of one kind.
#[derive(Debug, Default)]
pub(super) struct Peers {
    accounts: HashMap<(AccountKind, AccountKey), VecDeque<PastHour>>,
    pools: HashMap<(AccountKind, HourClass), Pool>,
}

/// Hours of one class.
#[derive(Debug, Default)]
struct Pool {
    hours: u32,
    by_subjects: BTreeMap<u32, u32>,
    by_account: HashMap<AccountKey, u32>,
}

impl Peers {
    /// An account's hour has ended with this many distinct subjects.
    pub(super) fn ended(
        &mut self,
        kind: AccountKind,
        account: AccountKey,
        hour: (Timestamp, HourClass),
        subjects: u64,
    ) {
        let (at, class) = hour;
        if subjects == 0 {
            return;
        }
        let subjects = u32::try_from(subjects).unwrap_or(u32::MAX);
        self.accounts.entry((kind, account)).or_default().push_back(PastHour { at, class, subjects });
        self.pools.entry((kind, class)).or_default().add(account, subjects);
        self.forget(kind, account, at);
    }

    /// Forgets what is older than [`MEMORY_DAYS`].
    pub(super) fn sweep(&mut self, now: Timestamp) {
        let accounts: Vec<(AccountKind, AccountKey)> = self.accounts.keys().copied().collect();
        accounts.into_iter().for_each(|(kind, account)| self.forget(kind, account, now));
        self.accounts.retain(|_, hours| !hours.is_empty());
    }

    /// The quantile of the others' hours of a class.
    #[must_use]
    pub(super) fn quantile(&self, kind: AccountKind, account: AccountKey, class: HourClass) -> Option<u64> {
        let pool = self.pools.get(&(kind, class))?;
        let own_hours = pool.by_account.get(&account).copied().unwrap_or(0);
        let others = pool.by_account.len() - usize::from(own_hours > 0);
        let hours = pool.hours - own_hours;
        if hours < PEER_HOURS_MIN || others < PEERS_MIN {
            return None;
        }
        let mut own: HashMap<u32, u32> = HashMap::new();
        let own_past = self.accounts.get(&(kind, account)).into_iter().flatten();
        own_past.filter(|hour| hour.class == class).for_each(|hour| *own.entry(hour.subjects).or_default() += 1);
        // From the top: one hour in 200 may be higher.
        let mut above = hours / 200;
        for (subjects, number) in pool.by_subjects.iter().rev() {
            let number = number - own.get(subjects).copied().unwrap_or(0);
            if number > above {
                return Some(u64::from(*subjects));
            }
            above -= number;
        }
        None
    }

    fn forget(&mut self, kind: AccountKind, account: AccountKey, now: Timestamp) {
        let Some(hours) = self.accounts.get_mut(&(kind, account)) else { return };
        while let Some(hour) = hours.front().copied().filter(|hour| now.0 - hour.at.0 >= MEMORY_DAYS * DAY_US) {
            hours.pop_front();
            if let Some(pool) = self.pools.get_mut(&(kind, hour.class)) {
                pool.remove(account, hour.subjects);
            }
        }
    }
}

impl Pool {
    fn add(&mut self, account: AccountKey, subjects: u32) {
        self.hours += 1;
        *self.by_subjects.entry(subjects).or_default() += 1;
        *self.by_account.entry(account).or_default() += 1;
    }

    fn remove(&mut self, account: AccountKey, subjects: u32) {
        self.hours -= 1;
        less(self.by_subjects.entry(subjects));
        if let std::collections::hash_map::Entry::Occupied(mut known) = self.by_account.entry(account) {
            *known.get_mut() -= 1;
            if *known.get() == 0 {
                known.remove();
            }
        }
    }
}

fn less(entry: std::collections::btree_map::Entry<'_, u32, u32>) {
    if let std::collections::btree_map::Entry::Occupied(mut known) = entry {
        *known.get_mut() -= 1;
        if *known.get() == 0 {
            known.remove();
        }
    }
}
