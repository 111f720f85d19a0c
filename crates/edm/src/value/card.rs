//! Payment card numbers.

use super::{Digits, at, before, digits_end, fraction_after, fraction_before, is_alphanumeric, is_hyphen};

/// Digits of the shortest card.
pub(crate) const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;

/// The digits of a register's cell.
pub(crate) fn register_value(cell: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = cell.iter().copied().filter(|byte| *byte != b' ' && !is_hyphen(*byte)).collect();
    let whole = digits.iter().all(u8::is_ascii_digit) && (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len());
    (whole && luhn(&digits) && !all_same(&digits)).then_some(digits)
}

/// A number that passes the Luhn check: consecutive groups of digits from one place.
pub(crate) struct Candidate {
    pub(crate) digits: Digits<DIGITS_MAX>,
    pub(crate) end: usize,
    /// The groups' lengths in decimal, `4444`; 0 when there are too many to matter.
    grouping: u32,
}

/// Every candidate whose first group begins at `begin`, which follows no digit.
pub(crate) fn candidates(text: &[u8], begin: usize, mut give: impl FnMut(&Candidate)) {
    let mut candidate = Candidate { digits: Digits::new(), end: begin, grouping: 0 };
    let mut groups = 0;
    loop {
        let group = candidate.end;
        candidate.end = digits_end(text, group);
        if !candidate.digits.add(&text[group..candidate.end]) {
            return;
        }
        groups += 1;
        let len = u32::try_from(candidate.end - group).unwrap_or(0);
        candidate.grouping = if groups > 5 { 0 } else { candidate.grouping * 100 + len };
        let digits = candidate.digits.ascii();
        if digits.len() >= DIGITS_MIN && luhn(digits) && !all_same(digits) {
            give(&candidate);
        }
        match (at(text, candidate.end), at(text, candidate.end + 1)) {
            (Some(separator), Some(b'0'..=b'9')) if separator == b' ' || is_hyphen(separator) => candidate.end += 1,
            _ => return,
        }
    }
}

/// Whether a candidate looks like a card where no register lists it.
pub(crate) fn is_plausible(text: &[u8], begin: usize, candidate: &Candidate) -> bool {
    let digits = candidate.digits.ascii();
    let grouping_ok = matches!(candidate.grouping, 14 | 15 | 16 | 19 | 4_040_404 | 40_605 | 40_604);
    let is_word = |byte| is_alphanumeric(byte) || byte == Some(b'_');
    let alone = !is_word(before(text, begin))
        && !is_word(at(text, candidate.end))
        && !fraction_before(text, begin)
        && !fraction_after(text, candidate.end);
    grouping_ok && alone && in_use(digits)
}

/// Whether issuers give out numbers of this begin and length.
fn in_use(digits: &[u8]) -> bool {
    let prefix = |len: usize| digits[..len].iter().fold(0u32, |value, digit| value * 10 + u32::from(digit - b'0'));
    match digits.len() {
        14 => matches!(prefix(3), 300..=305) || matches!(prefix(2), 36 | 38 | 39),
        15 => matches!(prefix(2), 34 | 37),
        16 => {
            prefix(1) == 4
                || matches!(prefix(2), 51..=55 | 62 | 65)
                || matches!(prefix(3), 644..=649)
                || matches!(prefix(4), 2221..=2720 | 3528..=3589 | 6011)
        }
        19 => prefix(1) == 4,
        _ => false,
    }
}

fn all_same(digits: &[u8]) -> bool {
    digits.iter().all(|digit| *digit == digits[0])
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0');
            if at % 2 == 1 { digit * 2 - if digit > 4 { 9 } else { 0 } } else { digit }
        })
        .sum();
    sum.is_multiple_of(10)
}
