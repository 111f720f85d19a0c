//! Bytes to characters, one at a time, as the WHATWG Encoding Standard says, each with the bytes it came from.
//!
//! The tables are read out of `encoding_rs` once; the state machines are here because the scanner needs each
//! character's span and must not depend on the chunking.

use crate::Charset;
use std::sync::OnceLock;

/// A character of the body and its source bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) c: char,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// The characters that one byte completes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    sources: [Source; CHARS_A_BYTE_MAX],
    len: usize,
}

impl Given {
    pub(super) fn new() -> Given {
        Given { sources: [Source { c: '\0', start: 0, end: 0 }; CHARS_A_BYTE_MAX], len: 0 }
    }

    pub(super) fn all(&self) -> &[Source] {
        &self.sources[..self.len]
    }

    fn put(&mut self, source: Source) {
        self.sources[self.len] = source;
        self.len += 1;
    }
}

/// The state of a body's decoding.
#[derive(Clone, Debug)]
pub(super) struct CharsetDecoder {
    charset: Charset,
    /// Bytes of an unfinished character, an escape sequence before it included.
    partial: Partial,
    mode: Mode,
    at: u64,
    /// Whether any byte was invalid.
    malformed: bool,
}

/// Begins what switches the character set in ISO-2022-JP.
pub(super) const SWITCH: u8 = 0x1B;

/// The most characters that one byte completes: an invalid part and up to three bytes behind it.
const CHARS_A_BYTE_MAX: usize = 4;

/// At most 4 bytes of an unfinished character.
#[derive(Clone, Copy, Debug, Default)]
struct Partial {
    bytes: [u8; 4],
    len: usize,
    /// Where the character begins, when an escape sequence or a first unit came before its bytes.
    start: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The one state of most sets; ISO-2022-JP's first.
    Ascii,
    Roman,
    Katakana,
    DoubleByte,
    /// UTF-16 after the first unit.
    Started,
}

impl CharsetDecoder {
    pub(super) fn new(charset: Charset) -> CharsetDecoder {
        CharsetDecoder { charset, partial: Partial::default(), mode: Mode::Ascii, at: 0, malformed: false }
    }

    /// Whether any byte so far was none of the character set.
    pub(super) fn is_malformed(&self) -> bool {
        self.malformed
    }

    /// Where the next byte stands in the body.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Whether ASCII bytes stand for themselves right now.
    pub(super) fn ascii_is_plain(&self) -> bool {
        self.partial.len == 0
            && self.partial.start.is_none()
            && match self.charset {
                Charset::Utf8 | Charset::ShiftJis | Charset::EucJp => true,
                Charset::Iso2022Jp => self.mode == Mode::Ascii,
                Charset::Utf16Le | Charset::Utf16Be => false,
            }
    }

    /// Whether the next byte begins a character of UTF-8.
    pub(super) fn begins_utf8(&self) -> bool {
        self.charset == Charset::Utf8 && self.partial.len == 0
    }

    /// A character outside ASCII that the input holds whole, and its bytes: the fast way round [`push`].
    ///
    /// [`push`]: CharsetDecoder::push
    pub(super) fn whole_char(&self, input: &[u8]) -> Option<(char, usize)> {
        if self.partial.len > 0 {
            return None;
        }
        match (self.charset, input) {
            (Charset::Utf8, [lead, ..]) => {
                let len = match lead {
                    0xC2..=0xDF => 2,
                    0xE0..=0xEF => 3,
                    0xF0..=0xF4 => 4,
                    _ => return None,
                };
                let text = std::str::from_utf8(input.get(..len)?).ok()?;
                text.chars().next().map(|c| (c, len))
            }
            (Charset::ShiftJis, [lead @ (0x81..=0x9F | 0xE0..=0xFC), trail, ..]) => {
                known_pair(shift_jis(), *lead, *trail)
            }
            (Charset::EucJp, [lead @ 0xA1..=0xFE, trail, ..]) => known_pair(euc_jp(), *lead, *trail),
            _ => None,
        }
    }

    /// Passes over bytes that the caller read.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.at += bytes as u64;
    }

    /// Reads one byte; gives the characters that it completes, at most [`CHARS_A_BYTE_MAX`].
    pub(super) fn push(&mut self, byte: u8, give: &mut Given) {
        match self.charset {
            Charset::Utf8 => self.push_utf8(byte, give),
            Charset::ShiftJis => self.push_shift_jis(byte, give),
            Charset::EucJp => self.push_euc_jp(byte, give),
            Charset::Iso2022Jp => self.push_iso_2022_jp(byte, give),
            Charset::Utf16Le | Charset::Utf16Be => self.push_utf16(byte, give),
        }
    }

    /// The body's end: what is unfinished is invalid.
    pub(super) fn finish(&mut self, give: &mut Given) {
        if self.partial.len > 0 {
            self.malformed = true;
            self.give('\u{FFFD}', 0, give);
        }
    }

    /// Takes the byte into the partial character.
    fn take(&mut self, byte: u8) {
        self.partial.bytes[self.partial.len] = byte;
        self.partial.len += 1;
        self.at += 1;
    }

    /// Gives the character of all partial bytes but the last `keep`, which stay.
    fn give(&mut self, c: char, keep: usize, give: &mut Given) {
        // In UTF-8 the character itself is common, where a page was broken before; there `push_utf8` tells.
        self.malformed |= c == '\u{FFFD}' && self.charset != Charset::Utf8;
        let begin = self.partial.start.unwrap_or(self.at - self.partial.len as u64);
        give.put(Source { c, start: begin, end: self.at - keep as u64 });
        let len = self.partial.len;
        let mut next = Partial { len: keep, ..Partial::default() };
        next.bytes[..keep].copy_from_slice(&self.partial.bytes[len - keep..len]);
        self.partial = next;
    }

    /// All but the last byte were invalid: that one is read again.
    fn invalid_before_last(&mut self, byte: u8, give: &mut Given) {
        self.give('\u{FFFD}', 1, give);
        self.partial = Partial::default();
        self.at -= 1;
        self.push(byte, give);
    }

    fn push_utf8(&mut self, byte: u8, give: &mut Given) {
        self.take(byte);
        let partial = self.partial;
        let bytes = &partial.bytes[..partial.len];
        match std::str::from_utf8(bytes) {
            Ok(text) => self.give(text.chars().next().unwrap_or('\u{FFFD}'), 0, give),
            Err(err) => match err.error_len() {
                None => {}
                Some(_) => {
                    self.malformed = true;
                    match bytes.len() {
                        1 => self.give('\u{FFFD}', 0, give),
                        _ => self.invalid_before_last(byte, give),
                    }
                }
            },
        }
    }

    fn push_shift_jis(&mut self, byte: u8, give: &mut Given) {
        self.take(byte);
        if self.partial.len == 2 {
            return self.give_pair(shift_jis(), byte, give);
        }
        match byte {
            0..=0x80 => self.give(char::from(byte), 0, give),
            0xA1..=0xDF => self.give(half_width_kana(byte), 0, give),
            0xA0 | 0xFD..=0xFF => self.give('\u{FFFD}', 0, give),
            _ => {}
        }
    }

    fn push_euc_jp(&mut self, byte: u8, give: &mut Given) {
        self.take(byte);
        let partial = self.partial;
        match &partial.bytes[..partial.len] {
            [0..=0x7F] => self.give(char::from(byte), 0, give),
            [0x8E | 0x8F | 0xA1..=0xFE] => {}
            [_] => self.give('\u{FFFD}', 0, give),
            [0x8E, 0xA1..=0xDF] => self.give(half_width_kana(byte), 0, give),
            [0x8F, 0xA1..=0xFE] => {}
            [0x8F, second, third] => {
                let c = jis_x_0212()[pair(*second, *third)];
                self.give_or_invalid(c, byte, give);
            }
            _ => self.give_pair(euc_jp(), byte, give),
        }
    }

    /// The character of a pair of bytes; an ASCII byte that makes none is read again.
    fn give_pair(&mut self, table: &[char], byte: u8, give: &mut Given) {
        let c = table[pair(self.partial.bytes[0], self.partial.bytes[1])];
        self.give_or_invalid(c, byte, give);
    }

    fn give_or_invalid(&mut self, c: char, byte: u8, give: &mut Given) {
        match c {
            NONE if byte.is_ascii() => self.invalid_before_last(byte, give),
            NONE => self.give('\u{FFFD}', 0, give),
            c => self.give(c, 0, give),
        }
    }

    fn push_iso_2022_jp(&mut self, byte: u8, give: &mut Given) {
        self.take(byte);
        let partial = self.partial;
        match (&partial.bytes[..partial.len], self.mode) {
            ([0x1B], _) | ([0x1B, b'(' | b'$'], _) => {}
            ([0x1B, b'(', b'B'], _) => self.switch(Mode::Ascii, give),
            ([0x1B, b'(', b'J'], _) => self.switch(Mode::Roman, give),
            ([0x1B, b'(', b'I'], _) => self.switch(Mode::Katakana, give),
            ([0x1B, b'$', b'@' | b'B'], _) => self.switch(Mode::DoubleByte, give),
            ([0x1B, rest @ ..], _) => self.not_a_switch(rest, give),
            ([0x0E | 0x0F | 0x80..=0xFF], _) => self.give('\u{FFFD}', 0, give),
            ([0x5C], Mode::Roman) => self.give('¥', 0, give),
            ([0x7E], Mode::Roman) => self.give('\u{203E}', 0, give),
            ([_], Mode::Ascii | Mode::Roman | Mode::Started) => self.give(char::from(byte), 0, give),
            ([0x21..=0x5F], Mode::Katakana) => self.give(half_width_kana(byte | 0x80), 0, give),
            ([0x21..=0x7E], Mode::DoubleByte) => {}
            ([lead, trail], Mode::DoubleByte) => match euc_jp()[pair(lead | 0x80, trail | 0x80)] {
                _ if *trail == 0x1B => self.invalid_before_last(byte, give),
                NONE => self.give('\u{FFFD}', 0, give),
                c => self.give(c, 0, give),
            },
            _ => self.give('\u{FFFD}', 0, give),
        }
    }

    /// An escape sequence belongs to the character behind it; of two without a character between them, the first is
    /// a character of its own, so that a character's bytes are bounded.
    fn switch(&mut self, mode: Mode, give: &mut Given) {
        self.mode = mode;
        let start = self.at - 3;
        if let Some(before) = self.partial.start {
            give.put(Source { c: '\u{FFFD}', start: before, end: start });
        }
        self.partial = Partial { start: Some(start), ..Partial::default() };
    }

    fn not_a_switch(&mut self, rest: &[u8], give: &mut Given) {
        let again: [u8; 4] = std::array::from_fn(|i| rest.get(i).copied().unwrap_or(0));
        self.give('\u{FFFD}', rest.len(), give);
        self.partial = Partial::default();
        self.at -= rest.len() as u64;
        for byte in &again[..rest.len()] {
            self.push_iso_2022_jp(*byte, give);
        }
    }

    fn push_utf16(&mut self, byte: u8, give: &mut Given) {
        self.take(byte);
        let partial = self.partial;
        let bytes = &partial.bytes[..partial.len];
        if bytes.len() % 2 == 1 {
            return;
        }
        if self.mode == Mode::Ascii {
            self.mode = Mode::Started;
            if self.unit(bytes) == 0xFFFE {
                self.charset = if self.charset == Charset::Utf16Le { Charset::Utf16Be } else { Charset::Utf16Le };
            }
        }
        match (self.unit(bytes), bytes.len()) {
            (0xD800..=0xDBFF, 2) => {}
            (unit, 2) => self.give(char::from_u32(u32::from(unit)).unwrap_or('\u{FFFD}'), 0, give),
            (low @ 0xDC00..=0xDFFF, _) => {
                let high = u32::from(self.unit(&bytes[..2]));
                let joined = 0x1_0000 + ((high - 0xD800) << 10) + (u32::from(low) - 0xDC00);
                self.give(char::from_u32(joined).unwrap_or('\u{FFFD}'), 0, give);
            }
            (0xD800..=0xDBFF, _) => self.give('\u{FFFD}', 2, give),
            (unit, _) => {
                self.give('\u{FFFD}', 2, give);
                self.give(char::from_u32(u32::from(unit)).unwrap_or('\u{FFFD}'), 0, give);
            }
        }
    }

    /// The last unit of these bytes.
    fn unit(&self, bytes: &[u8]) -> u16 {
        let last = [bytes[bytes.len() - 2], bytes[bytes.len() - 1]];
        if self.charset == Charset::Utf16Le { u16::from_le_bytes(last) } else { u16::from_be_bytes(last) }
    }
}

fn half_width_kana(byte: u8) -> char {
    char::from_u32(0xFF61 + u32::from(byte) - 0xA1).unwrap_or('\u{FFFD}')
}

/// No character.
const NONE: char = '\0';

/// The character of a pair of bytes, and its bytes.
fn known_pair(table: &[char], lead: u8, trail: u8) -> Option<(char, usize)> {
    Some((table[pair(lead, trail)], 2)).filter(|(c, _)| *c != NONE)
}

fn pair(lead: u8, trail: u8) -> usize {
    usize::from(lead) << 8 | usize::from(trail)
}

fn shift_jis() -> &'static [char] {
    static TABLE: OnceLock<Vec<char>> = OnceLock::new();
    TABLE.get_or_init(|| table(encoding_rs::SHIFT_JIS, &[]))
}

fn euc_jp() -> &'static [char] {
    static TABLE: OnceLock<Vec<char>> = OnceLock::new();
    TABLE.get_or_init(|| table(encoding_rs::EUC_JP, &[]))
}

fn jis_x_0212() -> &'static [char] {
    static TABLE: OnceLock<Vec<char>> = OnceLock::new();
    TABLE.get_or_init(|| table(encoding_rs::EUC_JP, &[0x8F]))
}

/// The character of each pair of bytes behind `prefix`, where there is exactly one.
fn table(encoding: &'static encoding_rs::Encoding, prefix: &[u8]) -> Vec<char> {
    let mut table = vec![NONE; 1 << 16];
    for lead in 0x81..=0xFE {
        for trail in 0x40..=0xFE {
            let bytes = [prefix, &[lead, trail]].concat();
            if let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(&bytes) {
                let mut chars = text.chars();
                if let (Some(c), None) = (chars.next(), chars.next()) {
                    table[pair(lead, trail)] = c;
                }
            }
        }
    }
    table
}
