//! So that nobody is flooded: one alert for a kind, an account (or client, or session) and a window, and another one when
//! the number has doubled.

use sekisho_model::Timestamp;

/// What was told last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    last: Option<(Timestamp, u64)>,
}

impl Told {
    /// Whether this number is beyond its limit, and to be told.
    pub(super) fn is_news(&mut self, count: u64, limit: u64, window_s: u32, now: Timestamp) -> bool {
        let is_news = count > limit
            && self.last.is_none_or(|(at, told)| {
                now.0 - at.0 >= i64::from(window_s) * 1_000_000 || count >= told.saturating_mul(2)
            });
        if is_news {
            self.last = Some((now, count));
        }
        is_news
    }
}
