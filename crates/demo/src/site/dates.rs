//! Days as people of Japan read them. Pure; Gregorian.

/// Monday first.
const WEEKDAYS: [&str; 7] = ["月", "火", "水", "木", "金", "土", "日"];

/// `2026-12-01` as `2026年12月1日（火）`; anything else stays as it is, for hole 1 puts anything in a date's place.
pub(super) fn japanese(text: &str) -> String {
    let Some((year, month, day)) = parts(text) else { return text.to_owned() };
    format!("{year}年{month}月{day}日（{}）", WEEKDAYS[weekday(year, month, day)])
}

/// The trading day of that number, from Thursday 2026-10-01 on; Saturdays and Sundays have no market.
pub(super) fn trading_day(number: u32) -> String {
    // Thursday is the fourth working day of its week.
    let days = (number + 3) / 5 * 7 + (number + 3) % 5 - 3;
    match days {
        0..31 => format!("2026-10-{:02}", days + 1),
        _ => format!("2026-11-{:02}", days - 30),
    }
}

fn parts(text: &str) -> Option<(u32, u32, u32)> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let number = |text: &str, digits| (text.len() == digits).then(|| text.parse().ok()).flatten();
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some((year, month, day))
}

/// Days behind Monday, by Sakamoto's method.
fn weekday(year: u32, month: u32, day: u32) -> usize {
    const SHIFTS: [u32; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
    // January and February count to the year before, which a year 0 has not.
    let year = if month < 3 { (year + 399) % 400 } else { year };
    let sunday_first = (year + year / 4 - year / 100 + year / 400 + SHIFTS[month as usize - 1] + day) % 7;
    (sunday_first as usize + 6) % 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_weekday() {
        assert_eq!(japanese("2026-12-01"), "2026年12月1日（火）");
        assert_eq!(japanese("2027-01-09"), "2027年1月9日（土）");
        assert_eq!(japanese("2024-02-29"), "2024年2月29日（木）");
        assert_eq!(japanese("2000-01-01"), "2000年1月1日（土）");
    }

    #[test]
    fn what_is_no_day_stays_as_it_is() {
        for text in ["", "taro@example.jp", "090-0000-0001", "2026-13-01", "4111-11-11-1"] {
            assert_eq!(japanese(text), text);
        }
    }

    #[test]
    fn no_trade_is_of_a_weekend() {
        let days: Vec<String> = (0..24).map(trading_day).collect();
        assert_eq!((days[0].as_str(), days[23].as_str()), ("2026-10-01", "2026-11-03"));
        for (day, next) in days.iter().zip(&days[1..]) {
            assert!(day < next);
        }
        assert!(days.iter().map(|day| japanese(day)).all(|day| !day.contains('土') && !day.contains("（日")));
    }
}
