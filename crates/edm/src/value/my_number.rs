//! Individual numbers (マイナンバー): twelve digits with a check digit and a label near them.
//!
//! They are never hashed: the keyed hash of such a number is the number in law.

use super::{at, before, digits_end, is_digit, is_hyphen};

const LABEL_BEFORE_CHARS_MAX: usize = 160;
const LABEL_AFTER_CHARS_MAX: usize = 80;

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
    let (digits, end): (Vec<u8>, usize) = match first - begin {
        12 => (text[begin..first].to_vec(), first),
        4 => {
            let groups = text.get(begin..begin + 14)?;
            if !chained(Some(groups[4])) || !chained(Some(groups[9])) {
                return None;
            }
            ([&groups[..4], &groups[5..9], &groups[10..]].concat(), begin + 14)
        }
        _ => return None,
    };
    let digits: [u8; 12] = digits.try_into().ok().filter(|digits: &[u8; 12]| digits.iter().all(u8::is_ascii_digit))?;
    let is_chain = end - begin > 12;
    let goes_on = is_digit(at(text, end)) || (is_chain && chained(at(text, end)) && is_digit(at(text, end + 1)));
    let came_on = is_chain && chained(before(text, begin)) && begin >= 2 && is_digit(at(text, begin - 2));
    let all_same = digits.iter().all(|digit| *digit == digits[0]);
    (!goes_on && !came_on && !all_same && check_digit(&digits) == digits[11]).then_some((digits, end))
}

/// Whether a label begins near the number at `begin..end`.
pub(crate) fn has_label(chars: &[char], begin: usize, end: usize) -> bool {
    let before = begin.saturating_sub(LABEL_BEFORE_CHARS_MAX)..begin;
    let after = end..chars.len().min(end + LABEL_AFTER_CHARS_MAX);
    before.chain(after).any(|place| {
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
