//! How a firm writes its values: seen in its own rows, and followed.

use super::random::Random;
use std::collections::BTreeMap;

/// Distinct values up to which a column without a kind is taken for a list of choices.
const COMMON_MAX: usize = 50;

/// Whether a column holds My Numbers, by its name: those are never made up, not even with a wrong check digit.
pub(super) fn is_my_number(name: &str, _cells: &[&str]) -> bool {
    let name = name.to_lowercase().replace(['_', '-', ' '], "");
    ["mynumber", "マイナンバー", "個人番号", "individualnumber"].iter().any(|word| name.contains(word))
}

/// What stands between surname and given name.
pub(super) struct NameForm {
    between: String,
    is_upper: bool,
    family_first: bool,
}

impl NameForm {
    pub(super) fn of(cells: &[&str]) -> NameForm {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for cell in cells {
            let between = [" ", "\u{3000}", "・"].into_iter().find(|between| cell.contains(between)).unwrap_or("");
            *seen.entry(between).or_default() += 1;
        }
        let between = seen.into_iter().max_by_key(|(_, times)| *times).map_or(" ", |(between, _)| between);
        let letters =
            |test: fn(char) -> bool| cells.iter().all(|cell| cell.chars().filter(|it| it.is_alphabetic()).all(test));
        let first_words = cells.iter().filter_map(|cell| cell.split(' ').next());
        let families = super::FAMILY.map(|name| name.2.to_lowercase());
        let family_first = first_words.filter(|word| families.contains(&word.to_lowercase())).count() * 2 > cells.len();
        NameForm {
            between: between.to_owned(),
            is_upper: !cells.is_empty() && letters(char::is_uppercase),
            family_first,
        }
    }

    pub(super) fn joined(&self, family: &str, given: &str) -> String {
        format!("{family}{}{given}", self.between)
    }

    /// A name in Latin letters, in the firm's order and case.
    pub(super) fn cased(&self, given: &str, family: &str) -> String {
        let name = if self.family_first { self.joined(family, given) } else { self.joined(given, family) };
        if self.is_upper { name.to_uppercase() } else { name }
    }
}

/// How dates are written: parts, padding and what stands between.
pub(super) struct DateForm {
    between: [&'static str; 3],
    is_padded: bool,
}

impl DateForm {
    pub(super) fn of(cells: &[&str]) -> DateForm {
        let like = cells.first().copied().unwrap_or("1980-02-03");
        let between = match like {
            like if like.contains('/') => ["/", "/", ""],
            like if like.contains('.') => [".", ".", ""],
            like if like.contains('年') => ["年", "月", "日"],
            _ => ["-", "-", ""],
        };
        let lengths: Vec<usize> = cells.iter().map(|cell| cell.chars().count()).collect();
        DateForm { between, is_padded: lengths.windows(2).all(|pair| pair[0] == pair[1]) }
    }

    pub(super) fn write(&self, (year, month, day): (i32, u32, u32)) -> String {
        let [first, second, last] = self.between;
        match self.is_padded {
            true => format!("{year}{first}{month:02}{second}{day:02}{last}"),
            false => format!("{year}{first}{month}{second}{day}{last}"),
        }
    }
}

/// Which ids are taken for the firm's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdWidth {
    /// A digit that all rows have stays.
    Seen,
    /// Any digit may stand for a digit.
    AnyDigit,
}

/// An id in the form of one of the firm's: what all rows have in a place stays, digits become digits, letters letters.
pub(super) fn id_like(cells: &[&str], width: IdWidth, random: &mut Random) -> String {
    if cells.is_empty() {
        return format!("{:08}", random.below(100_000_000));
    }
    let like = cells[random.below(cells.len())];
    let alike: Vec<&&str> = cells.iter().filter(|cell| cell.len() == like.len() && cell.is_ascii()).collect();
    let bytes = like.bytes().enumerate().map(|(at, byte)| {
        let is_fixed = alike.len() > 1 && alike.iter().all(|cell| cell.as_bytes()[at] == byte);
        match byte {
            byte if is_fixed && (width == IdWidth::Seen || !byte.is_ascii_digit()) => byte,
            // A number does not begin with 0 where none of the firm's does.
            b'1'..=b'9' if at == 0 => b'1' + random.below(9) as u8,
            b'0'..=b'9' => b'0' + random.below(10) as u8,
            b'a'..=b'z' => b'a' + random.below(26) as u8,
            b'A'..=b'Z' => b'A' + random.below(26) as u8,
            other => other,
        }
    });
    if like.is_ascii() { bytes.map(char::from).collect() } else { format!("{like}{}", random.below(10_000)) }
}

/// A telephone number that nobody can be called at, with the firm's hyphens: the block behind the area code is zeros,
/// which is not assigned.
pub(super) fn phone_like(cells: &[&str], number: u32, random: &mut Random) -> String {
    let like = cells.get(random.below(cells.len().max(1))).copied().unwrap_or("090-0000-0000");
    let (prefix, area) = match like.strip_prefix("+81") {
        Some(_) => ("+81", ["90", "80", "70"][random.below(3)]),
        None => ("", ["090", "080", "070"][random.below(3)]),
    };
    let (block, last) = (number / 10_000 % 100, number % 10_000);
    match (like.contains('-'), like.contains(' ')) {
        (true, _) if prefix.is_empty() => format!("{area}-00{block:02}-{last:04}"),
        (true, _) => format!("{prefix}-{area}-00{block:02}-{last:04}"),
        (false, true) => format!("{prefix}{area} 00{block:02} {last:04}"),
        (false, false) => format!("{prefix}{area}00{block:02}{last:04}"),
    }
}

/// What looks like one of the firm's hashes or tokens, and is of nothing. The parts before the last `$` stay.
pub(super) fn secret_like(like: &str, random: &mut Random) -> String {
    let kept = like.rfind('$').map_or(0, |at| at + 1);
    let is_hex = like[kept..].bytes().all(|byte| byte.is_ascii_hexdigit());
    let letter = |byte: u8, random: &mut Random| match byte {
        b'0'..=b'9' | b'a'..=b'f' if is_hex => b"0123456789abcdef"[random.below(16)],
        b'0'..=b'9' | b'A'..=b'F' if is_hex => b"0123456789ABCDEF"[random.below(16)],
        b'0'..=b'9' => b'0' + random.below(10) as u8,
        b'a'..=b'z' => b'a' + random.below(26) as u8,
        b'A'..=b'Z' => b'A' + random.below(26) as u8,
        other => other,
    };
    let random_part: String = like[kept..].bytes().map(|byte| char::from(letter(byte, random))).collect();
    format!("{}{random_part}", &like[..kept])
}

/// The values of a column of choices; none when every row says something else, which could be anybody's words.
pub(super) fn common<'a>(cells: &[&'a str]) -> Vec<&'a str> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in cells {
        *seen.entry(cell).or_default() += 1;
    }
    let shared: Vec<&str> = seen.iter().filter(|(_, times)| **times > 1).map(|(value, _)| *value).collect();
    if seen.len() <= COMMON_MAX { shared } else { Vec::new() }
}

pub(super) fn is_hiragana(cells: &[&str]) -> bool {
    cells.first().is_some_and(|cell| cell.chars().any(|letter| ('\u{3041}'..='\u{3096}').contains(&letter)))
}

pub(super) fn hiragana(katakana: &str) -> String {
    let shifted = |letter: char| match letter {
        '\u{30a1}'..='\u{30f6}' => char::from_u32(u32::from(letter) - 0x60).unwrap_or(letter),
        other => other,
    };
    katakana.chars().map(shifted).collect()
}
