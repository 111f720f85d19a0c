//! Holidays of Japan (2015–2035) and of the United States' federal offices, and days on which nothing can be filed.
//!
//! Japan: 国民の祝日に関する法律 with its substitute and sandwiched holidays and the special rules of 2019 to 2021;
//! closed offices also from 29 December to 3 January (行政機関の休日に関する法律 1 条).

use crate::Error;
use jiff::civil::{Date, Weekday, date};
use serde::Deserialize;

/// Which days are not business days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calendar {
    /// Japan's administrative offices.
    JpOffices,
    /// The United States' federal offices.
    UsFederal,
}

/// The years for which holidays are known.
pub const YEARS: std::ops::RangeInclusive<i16> = 2015..=2035;

impl Calendar {
    /// Whether offices are open.
    pub fn is_business_day(self, day: Date) -> Result<bool, Error> {
        if !YEARS.contains(&day.year()) {
            return Err(Error::Year(day.year()));
        }
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        Ok(!weekend
            && match self {
                Calendar::JpOffices => !jp_holiday(day) && !jp_year_end(day),
                Calendar::UsFederal => !us_holiday(day),
            })
    }

    /// The day itself, or the next business day.
    pub fn roll_forward(self, mut day: Date) -> Result<Date, Error> {
        while !self.is_business_day(day)? {
            day = day.tomorrow().map_err(|_| Error::Range)?;
        }
        Ok(day)
    }

    /// The `count`th business day after `day`. A day that is none itself begins with the next one as the first
    /// (Form 8-K, General Instruction B.1), which the same counting gives.
    pub fn add_business_days(self, mut day: Date, count: u32) -> Result<Date, Error> {
        for _ in 0..count {
            day = self.roll_forward(day.tomorrow().map_err(|_| Error::Range)?)?;
        }
        Ok(day)
    }
}

/// Whether a day is a holiday in Japan, substitute and sandwiched ones included.
#[must_use]
pub fn jp_holiday(day: Date) -> bool {
    if jp_named(day) {
        return true;
    }
    // 3 条 2 項: a holiday on a Sunday moves to the next day that is none.
    let mut before = day;
    while let Ok(yesterday) = before.yesterday() {
        before = yesterday;
        if !jp_named(before) {
            break;
        }
        if before.weekday() == Weekday::Sunday {
            return true;
        }
    }
    // 3 条 3 項: between two holidays.
    let named = |day: Result<Date, jiff::Error>| day.is_ok_and(jp_named);
    named(day.yesterday()) && named(day.tomorrow())
}

fn jp_year_end(day: Date) -> bool {
    matches!((day.month(), day.day()), (12, 29..=31) | (1, 1..=3))
}

/// 2 条, and the special laws.
fn jp_named(day: Date) -> bool {
    let year = day.year();
    let nth_monday = |nth| nth_weekday(day, nth, Weekday::Monday);
    // 2020 and 2021 moved three holidays for the Olympic Games; 2019 had the Enthronement.
    match (year, day.month(), day.day()) {
        (2019, 5, 1) | (2019, 10, 22) => return true,
        (2020, 7, 23 | 24) | (2020, 8, 10) | (2021, 7, 22 | 23) | (2021, 8, 8) => return true,
        (2020 | 2021, 7 | 8 | 10, _) => return false,
        _ => {}
    }
    match (day.month(), day.day()) {
        (1, 1) | (2, 11) | (4, 29) | (5, 3..=5) | (11, 3 | 23) => true,
        (2, 23) => year >= 2020,
        (12, 23) => year <= 2018,
        (8, 11) => year >= 2016,
        (3, at) => i32::from(at) == equinox(year, 20.8431),
        (9, at) => i32::from(at) == equinox(year, 23.2488) || nth_monday(3),
        (1 | 10, _) => nth_monday(2),
        (7, _) => nth_monday(3),
        _ => false,
    }
}

/// The equinox's day by the approximation that is usual for 1980 to 2099.
fn equinox(year: i16, base: f64) -> i32 {
    let years = i32::from(year) - 1980;
    #[expect(clippy::cast_possible_truncation, reason = "a day of a month")]
    let day = (base + 0.242_194 * f64::from(years)).floor() as i32;
    day - years / 4
}

/// Whether federal offices are closed, the days in lieu included (5 U.S.C. 6103).
#[must_use]
pub fn us_holiday(day: Date) -> bool {
    if us_named(day) && !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
        return true;
    }
    match day.weekday() {
        Weekday::Friday => day.tomorrow().is_ok_and(us_named),
        Weekday::Monday => day.yesterday().is_ok_and(us_named),
        _ => false,
    }
}

fn us_named(day: Date) -> bool {
    let nth_monday = |nth| nth_weekday(day, nth, Weekday::Monday);
    match (day.month(), day.day()) {
        (1, 1) | (7, 4) | (11, 11) | (12, 25) => true,
        (6, 19) => day.year() >= 2021,
        (1 | 2, _) => nth_monday(3),
        (5, at) => at > 24 && day.weekday() == Weekday::Monday,
        (9, _) => nth_monday(1),
        (10, _) => nth_monday(2),
        (11, _) => nth_weekday(day, 4, Weekday::Thursday),
        _ => false,
    }
}

fn nth_weekday(day: Date, nth: i8, weekday: Weekday) -> bool {
    date(day.year(), day.month(), 1).nth_weekday_of_month(nth, weekday).is_ok_and(|found| found == day)
}
