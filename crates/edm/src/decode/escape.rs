//! One escape at the begin of some characters: HTML entities, JSON and JavaScript, percent. Section 2 of `RULES.md`.
//!
//! Pure: looks at characters, keeps nothing.

/// What the characters begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// Perhaps an escape: the next character decides.
    Undecided,
    /// An escape of this many characters.
    Is(char, usize),
    /// No escape: the first character stands for itself.
    Not,
}

/// The most characters that an escape has: `\ud83d\ude00`, `%F0%9F%98%80`.
pub(super) const ESCAPE_CHARS_MAX: usize = 12;

/// Whether an escape can begin with this character.
pub(super) fn begins(c: char) -> bool {
    matches!(c, '&' | '\\' | '%')
}

/// Reads an escape at the begin of `chars`. `ended`: nothing follows them.
pub(super) fn read(chars: &[char], ended: bool) -> Escape {
    let escape = match chars {
        ['&', '#', 'x' | 'X', digits @ ..] => numeric(digits, 3, 16, 6),
        ['&', '#', digits @ ..] => numeric(digits, 2, 10, 7),
        ['&', name @ ..] => named(name),
        ['\\', 'u', rest @ ..] => utf16(rest),
        ['\\', 'x', rest @ ..] => match hex(rest, 2) {
            Hex::Value(value) => Escape::Is(char::from_u32(value).unwrap_or('\u{FFFD}'), 4),
            Hex::Short => Escape::Undecided,
            Hex::No => Escape::Not,
        },
        ['\\', c, ..] => backslash(*c).map_or(Escape::Not, |c| Escape::Is(c, 2)),
        ['%', ..] => percent(chars),
        _ => Escape::Undecided,
    };
    match escape {
        Escape::Undecided if ended => at_the_end(chars),
        other => other,
    }
}

/// A high surrogate with nothing behind it is a lone one; everything else unfinished is no escape.
fn at_the_end(chars: &[char]) -> Escape {
    match chars {
        ['\\', 'u', rest @ ..] if matches!(hex(rest, 4), Hex::Value(_)) => Escape::Is('\u{FFFD}', 6),
        _ => Escape::Not,
    }
}

fn numeric(digits: &[char], before: usize, radix: u32, digits_max: usize) -> Escape {
    let mut value = 0u32;
    for (at, c) in digits.iter().enumerate() {
        match c.to_digit(radix) {
            Some(digit) if at < digits_max => value = value * radix + digit,
            None if *c == ';' && at > 0 && value > 0 => {
                return char::from_u32(value).map_or(Escape::Not, |c| Escape::Is(c, before + at + 1));
            }
            _ => return Escape::Not,
        }
    }
    Escape::Undecided
}

const NAMED: [(&str, char); 22] = [
    ("amp;", '&'),
    ("lt;", '<'),
    ("gt;", '>'),
    ("quot;", '"'),
    ("apos;", '\''),
    ("nbsp;", '\u{A0}'),
    ("commat;", '@'),
    ("period;", '.'),
    ("plus;", '+'),
    ("lowbar;", '_'),
    ("hyphen;", '\u{2010}'),
    ("dash;", '\u{2010}'),
    ("sol;", '/'),
    ("colon;", ':'),
    ("equals;", '='),
    ("lpar;", '('),
    ("rpar;", ')'),
    ("num;", '#'),
    ("percnt;", '%'),
    ("yen;", '¥'),
    ("Tab;", '\t'),
    ("NewLine;", '\n'),
];

fn named(name: &[char]) -> Escape {
    let mut escape = Escape::Not;
    for (candidate, c) in NAMED {
        let shared = candidate.chars().zip(name).take_while(|(a, b)| a == *b).count();
        if shared == candidate.len() {
            return Escape::Is(c, candidate.len() + 1);
        }
        if shared == name.len() {
            escape = Escape::Undecided;
        }
    }
    escape
}

fn backslash(c: char) -> Option<char> {
    Some(match c {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'f' => '\u{C}',
        '"' | '\'' | '\\' | '/' => c,
        _ => return None,
    })
}

fn utf16(rest: &[char]) -> Escape {
    let unit = match hex(rest, 4) {
        Hex::Value(unit) => unit,
        Hex::Short => return Escape::Undecided,
        Hex::No => return Escape::Not,
    };
    let lone = Escape::Is('\u{FFFD}', 6);
    match unit {
        0xD800..=0xDBFF => match &rest[4..] {
            [] | ['\\'] => Escape::Undecided,
            ['\\', 'u', low @ ..] => match hex(low, 4) {
                Hex::Value(low @ 0xDC00..=0xDFFF) => {
                    let joined = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                    char::from_u32(joined).map_or(lone, |c| Escape::Is(c, 12))
                }
                Hex::Short => Escape::Undecided,
                Hex::Value(_) | Hex::No => lone,
            },
            _ => lone,
        },
        _ => char::from_u32(unit).map_or(lone, |c| Escape::Is(c, 6)),
    }
}

fn percent(chars: &[char]) -> Escape {
    let mut bytes = [0u8; 4];
    let mut width = 1;
    let mut at = 0;
    while at < width {
        let byte = match &chars[(3 * at).min(chars.len())..] {
            [] => return Escape::Undecided,
            ['%', digits @ ..] => match hex(digits, 2) {
                Hex::Value(value) => value as u8,
                Hex::Short => return Escape::Undecided,
                Hex::No => return Escape::Not,
            },
            _ => return Escape::Not,
        };
        if at == 0 {
            width = match byte {
                0..=0x7F => 1,
                0xC2..=0xDF => 2,
                0xE0..=0xEF => 3,
                0xF0..=0xF4 => 4,
                _ => return Escape::Not,
            };
        }
        bytes[at] = byte;
        at += 1;
    }
    let decoded = std::str::from_utf8(&bytes[..width]).ok().and_then(|text| text.chars().next());
    decoded.map_or(Escape::Not, |c| Escape::Is(c, 3 * width))
}

enum Hex {
    Value(u32),
    Short,
    No,
}

fn hex(chars: &[char], digits: usize) -> Hex {
    let mut value = 0;
    for c in chars.iter().take(digits) {
        match c.to_digit(16) {
            Some(digit) => value = value * 16 + digit,
            None => return Hex::No,
        }
    }
    if chars.len() < digits { Hex::Short } else { Hex::Value(value) }
}
