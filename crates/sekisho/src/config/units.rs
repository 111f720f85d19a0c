//! Durations and sizes as an operator writes them: `5s`, `64KiB`.

use std::time::Duration;

/// `250ms`, `5s`, `2m`, `1h`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).filter(|all| *all > 0).map(Duration::from_millis)
}

/// `512B`, `64KiB`, `16MiB`, `2GiB`; `KB`, `MB` and `GB` are powers of ten.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let bytes = match unit {
        "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(bytes).filter(|all| *all > 0)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let unit = text.find(|character: char| !character.is_ascii_digit())?;
    Some((text[..unit].parse().ok()?, text[unit..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_have_units() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("2 min"), Some(Duration::from_secs(120)));
        assert_eq!(bytes("64KiB"), Some(65_536));
        for wrong in ["", "5", "s", "0s", "-1s", "5 parsecs", "99999999999999999999h"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
        assert_eq!(bytes("64kib"), None);
    }
}
