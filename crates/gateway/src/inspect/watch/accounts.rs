//! One account of staff or a partner: how many distinct subjects it was shown, in which windows, against which limits.

use super::drip::Drip;
use super::hours::Slot;
use super::peers::Peers;
use super::recent::Recent;
use super::rules::{AccountKind, Budget};
use super::told::Told;
use super::{Case, DAY_S, HOUR_S, Reading, ticks};
use sekisho_model::{AccountKey, Alert, AlertKind, Subject, Timestamp};

/// Distinct subjects that are kept for one account and window, of which 7/8 are counted exactly; beyond, see `recent`.
pub const ACCOUNT_KEYS_MAX: usize = 4_096;

const MONTH_S: u32 = 30 * DAY_S;
const MINUTE_S: u32 = 60;
/// Days slide in quarters of an hour: every time zone's midnight is a begin of one.
const QUARTER_S: u32 = 15 * 60;
const HALF_DAY_S: u32 = 12 * 3600;

/// What is known of an account.
#[derive(Debug)]
pub(super) struct Account {
    key: AccountKey,
    pub(super) kind: AccountKind,
    hour: Recent<Subject, 60>,
    day: Recent<Subject, 96>,
    month: Recent<Subject, 60>,
    without_case: Recent<Subject, 60>,
    asks_cases: bool,
    /// The clock's hour in which it was last active.
    slot: Slot,
    in_hour: u64,
    in_day: u64,
    quantile: Option<u64>,
    drip_limit: Option<u64>,
    /// Monday to Friday, and the weekend.
    drips: [Drip; 2],
    told: [Told; 5],
}

/// A number, what it may be, and how often that is told.
struct Passed {
    kind: AlertKind,
    window_s: u32,
    count: u64,
    limit: Option<u64>,
}

impl Account {
    pub(super) fn new(key: AccountKey, kind: AccountKind, slot: Slot, peers: &Peers) -> Account {
        let quantile = peers.quantile(kind, key, slot.class);
        Account {
            key,
            kind,
            hour: Recent::new(ACCOUNT_KEYS_MAX),
            day: Recent::new(ACCOUNT_KEYS_MAX),
            month: Recent::new(ACCOUNT_KEYS_MAX),
            without_case: Recent::new(ACCOUNT_KEYS_MAX),
            asks_cases: false,
            slot,
            in_hour: 0,
            in_day: 0,
            quantile,
            drip_limit: None,
            drips: [Drip::default(); 2],
            told: Default::default(),
        }
    }

    /// When it was last active, to the hour.
    pub(super) fn active(&self) -> Timestamp {
        self.slot.hour.start
    }

    /// Goes on to the current hour: what has ended becomes the past of the account and of its peers.
    pub(super) fn turn(&mut self, now: &Slot, peers: &mut Peers) {
        if now.hour.start < self.slot.hour.end {
            return;
        }
        let ended = std::mem::replace(&mut self.slot, now.clone());
        peers.ended(self.kind, self.key, (ended.hour.start, ended.class), std::mem::take(&mut self.in_hour));
        if now.day.start >= ended.day.end {
            self.drips[usize::from(ended.class.is_weekend())].day(std::mem::take(&mut self.in_day));
        }
        self.quantile = peers.quantile(self.kind, self.key, now.class);
        self.drip_limit = self.drips[usize::from(now.class.is_weekend())].limit();
    }

    /// Counts a subject. The hot path: at most four map updates, and one where it was counted within the minute.
    pub(super) fn see(&mut self, subject: Subject, at: Timestamp, case: Case) {
        let minute = ticks(at, MINUTE_S);
        if case != Case::NotAsked {
            self.asks_cases = true;
        }
        if case == Case::Missing {
            self.without_case.see(subject, minute);
        }
        if let Some(sight) = self.hour.see(subject, minute) {
            if sight.before == Some(minute) {
                return;
            }
            let begun = ticks(self.slot.hour.start, MINUTE_S);
            self.in_hour += if sight.before.is_none_or(|before| before < begun) { sight.weight } else { 0 };
        }
        if let Some(sight) = self.day.see(subject, ticks(at, QUARTER_S)) {
            let begun = ticks(self.slot.day.start, QUARTER_S);
            self.in_day += if sight.before.is_none_or(|before| before < begun) { sight.weight } else { 0 };
        }
        self.month.see(subject, ticks(at, HALF_DAY_S));
    }

    /// What passed its limit and was not told yet.
    pub(super) fn alerts(&mut self, reading: &Reading<'_>, budget: &Budget) -> Vec<Alert> {
        let minute = ticks(reading.at, MINUTE_S);
        let compared =
            budget.peers_floor.zip(self.quantile).map(|(floor, quantile)| floor.max(quantile + quantile / 2));
        let budgeted = |window_s, count, limit| Passed { kind: AlertKind::Budget, window_s, count, limit };
        let numbers = [
            budgeted(HOUR_S, self.hour.count(minute), budget.subjects_per_hour_max),
            budgeted(DAY_S, self.day.count(ticks(reading.at, QUARTER_S)), budget.subjects_per_day_max),
            budgeted(MONTH_S, self.month.count(ticks(reading.at, HALF_DAY_S)), budget.subjects_per_30_days_max),
            Passed { kind: AlertKind::Peers, window_s: HOUR_S, count: self.in_hour, limit: compared },
            Passed {
                kind: AlertKind::SlowDrip,
                window_s: DAY_S,
                count: self.in_day,
                limit: budget.peers_floor.zip(self.drip_limit).map(|(floor, limit)| floor.max(limit - 1)),
            },
        ];
        let mut alerts = Vec::new();
        for (number, told) in numbers.into_iter().zip(&mut self.told) {
            let Some(limit) = number.limit else { continue };
            if told.is_news(number.count, limit, number.window_s, reading.at) {
                let of_hour = number.window_s == HOUR_S;
                let without_case = (of_hour && self.asks_cases).then(|| self.without_case.count(minute));
                alerts.push(Alert {
                    account: Some(self.key),
                    peers_quantile: self.quantile.filter(|_| of_hour),
                    without_case,
                    ..reading.alert(number.kind, number.window_s, number.count, limit)
                });
            }
        }
        alerts
    }
}
