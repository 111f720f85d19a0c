//! The firm's hours: which hour and day a moment lies in, and of which class the hour is. Pure.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use sekisho_model::Timestamp;
use std::ops::Range;

const MINUTE_US: i64 = 60 * 1_000_000;
const HOUR_US: i64 = 60 * MINUTE_US;

/// When the firm works. National holidays are not known: on them an account has few hours like its other ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Hours {
    /// Where.
    pub zone: TimeZone,
    /// Hours of the day in which most work is done, from 0 to 24.
    pub working: Range<u8>,
}

impl Default for Hours {
    /// From 8 to 18 in Japan, which has no summer time.
    fn default() -> Hours {
        Hours { zone: TimeZone::fixed(jiff::tz::offset(9)), working: 8..18 }
    }
}

/// Hours that are compared with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HourClass {
    /// Monday to Friday, working hours.
    Work,
    /// Monday to Friday, early or late.
    WorkdayElse,
    /// Saturday or Sunday, working hours.
    Weekend,
    /// Saturday or Sunday, early or late.
    WeekendElse,
}

impl HourClass {
    /// Whether the day is a Saturday or Sunday.
    #[must_use]
    pub fn is_weekend(self) -> bool {
        matches!(self, HourClass::Weekend | HourClass::WeekendElse)
    }
}

/// An hour by the firm's clock, and its day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// From when to when.
    pub hour: Range<Timestamp>,
    /// Its day, from midnight to midnight.
    pub day: Range<Timestamp>,
    /// Its class.
    pub class: HourClass,
}

impl Hours {
    /// The hour of a moment.
    #[must_use]
    pub fn slot(&self, at: Timestamp) -> Slot {
        let Ok(instant) = jiff::Timestamp::from_microsecond(at.0) else { return plain(at) };
        let local = instant.to_zoned(self.zone.clone());
        let into = i64::from(local.minute()) * MINUTE_US
            + i64::from(local.second()) * 1_000_000
            + i64::from(local.subsec_nanosecond()) / 1_000;
        let begin = at.0 - into;
        let day_begin = local.start_of_day();
        let day_end = local.tomorrow().and_then(|next| next.start_of_day());
        let (Ok(day_begin), Ok(day_end)) = (day_begin, day_end) else { return plain(at) };
        let stamp = |zoned: &jiff::Zoned| Timestamp(zoned.timestamp().as_microsecond());
        let is_weekend = matches!(local.weekday(), Weekday::Saturday | Weekday::Sunday);
        let is_working = u8::try_from(local.hour()).is_ok_and(|hour| self.working.contains(&hour));
        let class = match (is_weekend, is_working) {
            (false, true) => HourClass::Work,
            (false, false) => HourClass::WorkdayElse,
            (true, true) => HourClass::Weekend,
            (true, false) => HourClass::WeekendElse,
        };
        Slot { hour: Timestamp(begin)..Timestamp(begin + HOUR_US), day: stamp(&day_begin)..stamp(&day_end), class }
    }
}

/// For a time that no calendar holds.
fn plain(at: Timestamp) -> Slot {
    let begin = |length: i64| Timestamp(at.0 - at.0.rem_euclid(length));
    let span = |length: i64| begin(length)..Timestamp(begin(length).0.saturating_add(length));
    Slot { hour: span(HOUR_US), day: span(24 * HOUR_US), class: HourClass::WorkdayElse }
}
