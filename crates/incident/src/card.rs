//! What never enters a case: full card numbers and security codes.
//!
//! Not the scanner of response bodies: operators type here, so a plain search over the text is enough.

/// Digits of a card number (ISO/IEC 7812).
const PAN_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// Words that announce a security code.
const CODE_WORDS: &[&str] = &["cvv2", "cvc2", "cvv", "cvc", "cid code", "security code", "セキュリティコード"];

/// Characters within which the code follows its word.
const CODE_REACH_CHARS: usize = 12;

/// Lengths of a file's fingerprint in hexadecimal digits: MD5, SHA-1, SHA-256, SHA-384, SHA-512.
const FINGERPRINT_DIGITS: &[usize] = &[32, 40, 64, 96, 128];

/// What of card data a text holds, without its value; none where there is none.
#[must_use]
pub fn find(text: &str) -> Option<String> {
    let plain = plain(text);
    if let Some(last) = card_number(&plain) {
        return Some(format!("a full card number (ending {last})"));
    }
    security_code(&plain.to_lowercase()).then(|| "a card security code".to_owned())
}

/// A text as it is searched: digits and signs as ASCII, a mark in place of a file's fingerprint.
///
/// Evidence is named by its fingerprint, and some of those hold a run of decimal digits with a card's check digit.
pub(crate) fn plain(text: &str) -> String {
    let narrow: String = text.chars().map(narrow).collect();
    let mut plain = String::with_capacity(narrow.len());
    for word in narrow.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let (word, sign) = word.split_at(word.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(word.len()));
        plain.push_str(if is_fingerprint(word) { "#" } else { word });
        plain.push_str(sign);
    }
    plain
}

/// One of decimal digits only may as well be numbers written without a space.
fn is_fingerprint(word: &str) -> bool {
    FINGERPRINT_DIGITS.contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_hexdigit())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Full-width digits and signs as ASCII.
fn narrow(c: char) -> char {
    match c {
        '\u{ff10}'..='\u{ff19}' => char::from_u32(c as u32 - 0xff10 + u32::from(b'0')).unwrap_or(c),
        '\u{3000}' | '\u{a0}' => ' ',
        '\u{ff0d}' | '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        _ => c,
    }
}

/// The last four digits of the first card number.
fn card_number(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        rest = &rest[at..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ' ' && c != '-').unwrap_or(rest.len());
        let groups: Vec<&str> = rest[..end].split([' ', '-']).filter(|group| !group.is_empty()).collect();
        // Groups of one or two digits are dates; a card's groups have three and more, save the last one.
        for first in 0..groups.len() {
            let mut digits = String::new();
            for group in &groups[first..] {
                digits.push_str(group);
                if let Some(last) = number_in(&digits) {
                    return Some(last);
                }
                if group.len() < 3 {
                    break;
                }
            }
        }
        rest = &rest[end..];
    }
    None
}

/// The card number that these digits are; in a longer run, the one inside.
fn number_in(digits: &str) -> Option<String> {
    let lengths = if digits.len() <= *PAN_DIGITS.end() { digits.len()..=digits.len() } else { PAN_DIGITS };
    for length in lengths.filter(|length| PAN_DIGITS.contains(length)) {
        for start in 0..=digits.len() - length {
            let number = &digits[start..start + length];
            if matches!(number.as_bytes()[0], b'2'..=b'6') && luhn(number) {
                return Some(number[length - 4..].to_owned());
            }
        }
    }
    None
}

/// The check digit of ISO/IEC 7812-1, annex B.
fn luhn(number: &str) -> bool {
    let digits = number.bytes().rev().map(|byte| u32::from(byte - b'0'));
    let weighed = digits.enumerate().map(|(place, digit)| match (place % 2, digit) {
        (0, _) => digit,
        (_, 0..=4) => digit * 2,
        _ => digit * 2 - 9,
    });
    weighed.sum::<u32>() % 10 == 0
}

fn security_code(text: &str) -> bool {
    CODE_WORDS.iter().any(|word| {
        text.match_indices(word).any(|(at, _)| {
            let after: String = text[at + word.len()..].chars().take(CODE_REACH_CHARS).collect();
            after.split(|c: char| !c.is_ascii_digit()).any(|run| (3..=4).contains(&run.len()))
        })
    })
}
