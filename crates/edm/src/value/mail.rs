//! Mail addresses.

use super::{at, run_end};

const LOCAL_CHARS_MAX: usize = 64;
const DOMAIN_CHARS_MAX: usize = 253;
const DOMAIN_CHARS_MIN: usize = 4;
/// The longest address.
pub(crate) const CHARS_MAX: usize = LOCAL_CHARS_MAX + 1 + DOMAIN_CHARS_MAX;

/// Endings of file names that look like domains: `logo@2x.png`.
const FILE_ENDINGS: [&[u8]; 17] = [
    b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"ico", b"css", b"js", b"map", b"html", b"htm", b"php", b"json",
    b"woff", b"mp4", b"woff2",
];

/// The address of a register's cell in lower case.
pub(crate) fn register_value(cell: &[u8]) -> Option<Vec<u8>> {
    let at = cell.iter().position(|byte| *byte == b'@')?;
    let local = &cell[..at];
    let whole = domain_end(cell, at) == Some(cell.len());
    let local_ok = !local.is_empty() && local.len() <= LOCAL_CHARS_MAX && local.iter().all(|byte| is_local(*byte));
    (whole && local_ok).then(|| cell.to_ascii_lowercase())
}

/// The end of the domain behind the `@` at `at_sign`.
pub(crate) fn domain_end(text: &[u8], at_sign: usize) -> Option<usize> {
    let begin = at_sign + 1;
    let window = &text[..text.len().min(begin + DOMAIN_CHARS_MAX + 1)];
    if begin > window.len() {
        return None;
    }
    let run = run_end(window, begin, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    if run - begin > DOMAIN_CHARS_MAX {
        return None;
    }
    let mut domain = &window[begin..run];
    if let Some(empty_label) = domain.windows(2).position(|pair| pair == b"..") {
        domain = &domain[..empty_label];
    }
    while let [rest @ .., b'.' | b'-'] = domain {
        domain = rest;
    }
    let top = &domain[domain.iter().rposition(|byte| *byte == b'.')? + 1..];
    let top_ok = top.len() >= 2 && (top.iter().all(u8::is_ascii_alphabetic) || has_punycode_prefix(top));
    let begin_ok = !matches!(domain, [b'.' | b'-', ..]);
    (domain.len() >= DOMAIN_CHARS_MIN && top_ok && begin_ok).then_some(begin + domain.len())
}

/// The begins of possible local parts before the `@`, longest first.
pub(crate) fn local_begins(text: &[u8], at_sign: usize) -> impl Iterator<Item = usize> + '_ {
    let floor = at_sign.saturating_sub(LOCAL_CHARS_MAX);
    let run = text[floor..at_sign].iter().rposition(|byte| !is_local(*byte)).map_or(floor, |last| floor + last + 1);
    let begins = (run..at_sign).filter(move |begin| *begin == run || is_separator(text[*begin - 1]));
    begins
        .flat_map(move |begin| {
            let trimmed = run_end(&text[..at_sign], begin, is_punctuation);
            [Some(begin), (trimmed != begin).then_some(trimmed)]
        })
        .flatten()
        .filter(move |begin| *begin < at_sign)
}

/// The begin of the local part of an address that no register lists, when it looks like one.
pub(crate) fn generic_begin(text: &[u8], at_sign: usize, end: usize) -> Option<usize> {
    let floor = at_sign.saturating_sub(LOCAL_CHARS_MAX);
    let is_core = |byte: u8| byte.is_ascii_alphanumeric() || is_punctuation(byte);
    let run = text[floor..at_sign].iter().rposition(|byte| !is_core(*byte)).map_or(floor, |last| floor + last + 1);
    let begin = run_end(&text[..at_sign], run, is_punctuation);
    let domain = &text[at_sign + 1..end];
    let top = &domain[domain.iter().rposition(|byte| *byte == b'.')? + 1..];
    let is_file = FILE_ENDINGS.iter().any(|ending| top.eq_ignore_ascii_case(ending));
    (begin < at_sign && at(text, at_sign - 1) != Some(b'.') && !is_file).then_some(begin)
}

fn has_punycode_prefix(label: &[u8]) -> bool {
    label.len() > 4 && label[..4].eq_ignore_ascii_case(b"xn--")
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || is_punctuation(byte) || is_separator(byte)
}

fn is_punctuation(byte: u8) -> bool {
    matches!(byte, b'.' | b'_' | b'+' | b'-')
}

/// Characters that an address may hold, but that more often stand before one.
fn is_separator(byte: u8) -> bool {
    b"!#$%&'*/=?^`{|}~".contains(&byte)
}
