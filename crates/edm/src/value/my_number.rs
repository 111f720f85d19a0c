//! Individual numbers (マイナンバー): twelve digits with a check digit and a label near them.
//!
//! They are never hashed: the keyed hash of such a number is the number in law.

use super::{at, before, digits_end, is_digit, is_hyphen};
use std::ops::Range;

/// Digits of a number.
pub(crate) const DIGITS: usize = 12;

const LABEL_BEFORE_CHARS_MAX: usize = 160;
const LABEL_AFTER_CHARS_MAX: usize = 80;

/// The longest label has 17.
const LABEL_CHARS_MAX: usize = 20;

const LABELS: [&str; 13] = [
    "マイナンバー",
    "個人番号",
    "mynumber",
    "my number",
    "my_number",
    "my-number",
    "individualnumber",
    "individual number",
    "individual_number",
    "individual-number",
    "kojinbango",
    "kojin_bango",
    "kojin-bango",
];

/// The number at `begin`, which follows no digit: the digits and where it ends. Its label is not looked for.
pub(crate) fn candidate(text: &[u8], begin: usize) -> Option<([u8; 12], usize)> {
    let first = digits_end(&text[..text.len().min(begin + 13)], begin);
    let mut digits = [0; 12];
    let end = match first - begin {
        12 => {
            digits.copy_from_slice(&text[begin..first]);
            first
        }
        4 => {
            let groups = text.get(begin..begin + 14)?;
            if !chained(Some(groups[4])) || !chained(Some(groups[9])) {
                return None;
            }
            for (four, group) in digits.chunks_exact_mut(4).zip(groups.chunks(5)) {
                four.copy_from_slice(&group[..4]);
            }
            begin + 14
        }
        _ => return None,
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let is_chain = end - begin > 12;
    let goes_on = is_digit(at(text, end)) || (is_chain && chained(at(text, end)) && is_digit(at(text, end + 1)));
    let came_on = is_chain && chained(before(text, begin)) && begin >= 2 && is_digit(at(text, begin - 2));
    let all_same = digits.iter().all(|digit| *digit == digits[0]);
    (!goes_on && !came_on && !all_same && check_digit(&digits) == digits[11]).then_some((digits, end))
}

/// The text near the number at `place` in which its label stands whole.
pub(crate) fn label_window(place: &Range<usize>, text_len: usize) -> Range<usize> {
    place.start.saturating_sub(LABEL_BEFORE_CHARS_MAX)
        ..text_len.min(place.end + LABEL_AFTER_CHARS_MAX + LABEL_CHARS_MAX)
}

/// Whether a label begins near the number at `place`, in the characters of its [`label_window`].
pub(crate) fn has_label(chars: &[char], place: &Range<usize>) -> bool {
    let number = place.start.min(LABEL_BEFORE_CHARS_MAX);
    let behind = number + place.len();
    let after = behind..chars.len().min(behind + LABEL_AFTER_CHARS_MAX);
    (0..number).chain(after).any(|place| {
        // Cheap first: most places begin no label.
        matches!(chars[place], 'マ' | '個' | 'm' | 'i' | 'k')
            && LABELS.iter().any(|label| stands_at(chars, place, label))
    })
}

fn stands_at(chars: &[char], place: usize, label: &str) -> bool {
    let mut rest = chars[place..].iter();
    label.chars().all(|c| rest.next() == Some(&c))
}

fn chained(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte == b' ' || is_hyphen(byte))
}

/// The check digit of the ministerial ordinance No. 85 of 2014, article 5.
pub(crate) fn check_digit(digits: &[u8; 12]) -> u8 {
    let sum: u32 = (1..=11u32)
        .zip(digits[..11].iter().rev())
        .map(|(n, digit)| u32::from(digit - b'0') * if n <= 6 { n + 1 } else { n - 5 })
        .sum();
    match sum % 11 {
        0 | 1 => b'0',
        remainder => b'0' + u8::try_from(11 - remainder).unwrap_or(0),
    }
}
