//! Times as an operator writes them: RFC 3339, a date, or how long ago.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp as Instant};
use sekisho_model::Timestamp;

/// `2026-11-23T09:00:00+09:00`, `2026-11-23 09:00` and `2026-11-23` (in `zone`), `-48h`, `-30m`, `-7d`.
pub(crate) fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    if let Some(ago) = text.strip_prefix('-') {
        return before(ago, now).ok_or_else(|| format!("`{text}` is not a time ago: write -48h, -30m or -7d"));
    }
    let stamp = text.parse::<Instant>().ok().or_else(|| local(text, zone));
    let stamp =
        stamp.ok_or_else(|| format!("`{text}` is not a time: write 2026-11-23T09:00:00+09:00, 2026-11-23 or -48h"))?;
    Ok(Timestamp(stamp.as_microsecond()))
}

fn local(text: &str, zone: &TimeZone) -> Option<Instant> {
    let civil = text.parse::<jiff::civil::DateTime>().or_else(|_| text.parse::<jiff::civil::Date>().map(Into::into));
    Some(civil.ok()?.to_zoned(zone.clone()).ok()?.timestamp())
}

fn before(ago: &str, now: Timestamp) -> Option<Timestamp> {
    let unit = ago.find(|character: char| !character.is_ascii_digit())?;
    let number: i64 = ago[..unit].parse().ok()?;
    let seconds = match &ago[unit..] {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    let ago = SignedDuration::from_secs(number.checked_mul(seconds)?);
    let at = Instant::from_microsecond(now.0).ok()?.checked_sub(ago).ok()?;
    Some(Timestamp(at.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let now = Timestamp("2026-11-23T12:00:00Z".parse::<Instant>().expect("a time").as_microsecond());
        let zone = TimeZone::fixed(jiff::tz::offset(9));
        let at = parse(text, now, &zone).map(|at| Instant::from_microsecond(at.0).expect("in range").to_string());
        assert_eq!(at.as_deref().unwrap_or("no"), expected, "{text}");
    }

    #[test]
    fn times_are_absolute_local_or_ago() {
        check("2026-11-23T09:00:00+09:00", "2026-11-23T00:00:00Z");
        check("2026-11-23", "2026-11-22T15:00:00Z");
        check("2026-11-23 09:30", "2026-11-23T00:30:00Z");
        check("-48h", "2026-11-21T12:00:00Z");
        check("-7d", "2026-11-16T12:00:00Z");
        for wrong in ["yesterday", "-", "-5", "-5y", "-99999999999999999d", "2026-13-01", ""] {
            check(wrong, "no");
        }
    }
}
