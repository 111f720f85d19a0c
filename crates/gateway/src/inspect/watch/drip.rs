//! A slow drip: an account that reads a little more each day, and never too much in any hour.
//!
//! A cumulative sum (Page 1954) of how far ln(1 + x) of a day's distinct subjects lies above the account's own mean, in
//! standard deviations (at least [`DEVIATION_MIN`]), less [`SLACK`] a day. A single day adds at most [`STEP_MAX`], so that
//! one month's end is no drip. Days while the sum is above [`QUIET`] do not become part of the mean, which would follow
//! the drip otherwise. No verdict before [`DAYS_MIN`] days. After an alert the account's level is learnt anew.
//!
//! For independent normal days the mean time between false alerts is (e^b − b − 1) / 0.5 days with
//! b = 2 · [`SLACK`] · ([`SUM_MAX`] + 1.166) (Siegmund 1985): about 140,000 account-days.

/// Days of the same kind that an account was active before there is a verdict.
pub const DAYS_MIN: u32 = 10;
/// Days that weigh in the mean; older ones fade.
const DAYS_WEIGHED_MAX: u32 = 28;
/// Deviations that a day may lie above the mean for nothing.
const SLACK: f64 = 0.5;
/// The sum beyond which it is a drip.
const SUM_MAX: f64 = 10.0;
/// What one day may add.
const STEP_MAX: f64 = 4.0;
/// A sum up to this is noise.
const QUIET: f64 = 2.0;
/// A steadier account than this is taken for one of this deviation of ln(1 + x).
const DEVIATION_MIN: f64 = 0.25;

/// The sum of one account, for one kind of day.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Drip {
    days: u32,
    mean: f64,
    variance: f64,
    sum: f64,
}

impl Drip {
    /// Distinct subjects today from which on it is a drip; `None` when today alone cannot make it one.
    #[must_use]
    pub(super) fn limit(&self) -> Option<u64> {
        let step = SUM_MAX + SLACK - self.sum;
        if self.days < DAYS_MIN || step > STEP_MAX {
            return None;
        }
        let log = self.mean + step * self.deviation();
        // A count beyond every register is no count.
        Some(log.exp_m1().clamp(1.0, 1e12).ceil() as u64)
    }

    /// A day has ended with this many distinct subjects. A day without any is none.
    pub(super) fn day(&mut self, subjects: u64) {
        if subjects == 0 {
            return;
        }
        let log = (subjects as f64).ln_1p();
        if self.days >= DAYS_MIN {
            let step = ((log - self.mean) / self.deviation()).min(STEP_MAX);
            self.sum = (self.sum + step - SLACK).max(0.0);
            if self.sum > SUM_MAX {
                *self = Drip::default();
            }
        }
        if self.sum <= QUIET {
            self.learn(log);
        }
    }

    fn learn(&mut self, log: f64) {
        self.days = (self.days + 1).min(DAYS_WEIGHED_MAX);
        let weight = 1.0 / f64::from(self.days);
        let before = log - self.mean;
        self.mean += weight * before;
        self.variance += weight * (before * (log - self.mean) - self.variance);
    }

    fn deviation(&self) -> f64 {
        self.variance.sqrt().max(DEVIATION_MIN)
    }
}
