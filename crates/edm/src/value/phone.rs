//! Telephone numbers, looked up in their national form: `0312345678`.

use super::{Digits, at, before, digits_end, is_digit, is_separator};

/// Digits of the shortest number in its national form.
pub(crate) const DIGITS_MIN: usize = 10;
/// `+81`, a zero in brackets, and ten more.
const DIGITS_MAX: usize = 13;

/// The national form of a register's cell.
pub(crate) fn register_value(cell: &[u8]) -> Option<Vec<u8>> {
    let (plus, rest) = match cell {
        [b'+', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let digits: Vec<u8> = rest.iter().copied().filter(|byte| !is_separator(*byte)).collect();
    let whole = digits.iter().all(u8::is_ascii_digit);
    if whole { national(&digits, plus).map(|national| national.ascii().to_vec()) } else { None }
}

/// Every number whose first group begins at `begin`, which follows no digit: its national form, begin and end.
pub(crate) fn candidates(text: &[u8], begin: usize, mut give: impl FnMut(&[u8], usize, usize)) {
    let plus = before(text, begin) == Some(b'+');
    if !plus && text[begin] != b'0' {
        return;
    }
    let mut digits = Digits::<DIGITS_MAX>::new();
    let mut end = begin;
    loop {
        let group = end;
        end = digits_end(text, group);
        if !digits.add(&text[group..end]) {
            return;
        }
        if let Some(national) = national(digits.ascii(), plus) {
            give(national.ascii(), begin - usize::from(plus), end);
        }
        // A number that is preceded by `+` can also be a national one.
        if plus && let Some(national) = national(digits.ascii(), false) {
            give(national.ascii(), begin, end);
        }
        let separators = (1..=2).find(|len| is_digit(at(text, end + len)));
        match separators {
            Some(len) if text[end..end + len].iter().all(|byte| is_separator(*byte)) => end += len,
            _ => return,
        }
    }
}

fn national(digits: &[u8], plus: bool) -> Option<Digits<DIGITS_MAX>> {
    if !(DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) {
        return None;
    }
    let mut national = Digits::new();
    let whole = match (plus, digits) {
        (true, [b'8', b'1', b'0', rest @ ..] | [b'8', b'1', rest @ ..]) => national.add(b"0") && national.add(rest),
        (true, _) => false,
        (false, digits) => national.add(digits),
    };
    let begin_ok = matches!(national.ascii(), [b'0', b'1'..=b'9', ..]);
    (whole && begin_ok && matches!(national.len, 10 | 11)).then_some(national)
}
