//! Replaces values in a body by signs of the same length, so that what surrounds them stays valid.
//!
//! A value with a Latin letter or a digit right beside it is none of an ordinary page's: an injected statement joins values
//! with such signs, and then some are seen and others are not. It cannot be masked, and the response ends.
//!
//! A value's bytes become `*`, one for each byte or code unit: valid in HTML, CSV, text and inside a JSON string, in
//! UTF-8, Shift_JIS, EUC-JP and UTF-16. ISO-2022-JP keeps its escape sequences, and two-byte characters become `＊`.
//! A number that stands bare in JSON has no sign to be replaced by, so it cannot be masked.
//!
//! The masker reads along with the body, in pieces: what stands before a value decides some cases, and may have been
//! released long ago.

use sekisho_edm::Charset;
use sekisho_model::ByteRange;

/// Reads along with one body.
#[derive(Clone, Debug)]
pub(super) struct Masker {
    charset: Charset,
    syntax: Syntax,
    /// ISO-2022-JP: how bytes are read at the end of what was passed.
    width: Width,
    /// ISO-2022-JP: whether the last character that was passed is a letter or digit of one byte.
    beside: bool,
    /// ISO-2022-JP: an escape sequence that the last piece broke off in.
    escape: Vec<u8>,
    /// The last byte that was passed and is no space.
    last: Option<u8>,
}

/// Whether values may stand without quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Json,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    One,
    Two,
}

/// What a byte of ISO-2022-JP belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Escape,
    Character,
}

/// A value that has no sign to be replaced by.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unmaskable;

impl Masker {
    pub(super) fn new(charset: Charset, syntax: Syntax) -> Masker {
        Masker { charset, syntax, width: Width::One, beside: false, escape: Vec::new(), last: None }
    }

    /// Notes bytes that leave as they are.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        if self.syntax == Syntax::Json {
            let is_sign = |byte: &&u8| !byte.is_ascii_whitespace() && **byte != 0;
            self.last = bytes.iter().rfind(is_sign).copied().or(self.last);
        }
        if self.charset == Charset::Iso2022Jp {
            for byte in bytes {
                self.step(*byte);
            }
        }
    }

    /// Masks the places in what follows; they are sorted or not, and may overlap. `begin` is where `bytes` begins in the
    /// body. The masker stays where it was: what is released is passed later.
    ///
    /// # Errors
    /// A place has no sign; `bytes` may be masked in part and must not be released.
    pub(super) fn mask(&self, bytes: &mut [u8], begin: u64, places: &[ByteRange]) -> Result<(), Unmaskable> {
        let mut reader = self.clone();
        let mut read = 0;
        for (start, end) in local(begin, bytes.len(), places)? {
            reader.pass(&bytes[read..start]);
            if reader.is_joined(bytes, start, end) {
                return Err(Unmaskable);
            }
            if self.syntax == Syntax::Json && is_bare(reader.last, &bytes[start..end], &bytes[end..]) {
                return Err(Unmaskable);
            }
            reader.cover(&mut bytes[start..end])?;
            read = end;
        }
        Ok(())
    }

    /// Whether a letter or digit stands right beside the value, and is not the end of an escape sequence or of a character
    /// of two bytes.
    fn is_joined(&self, bytes: &[u8], start: usize, end: usize) -> bool {
        let of_unit = |unit: &[u8], low: usize| unit[low].is_ascii_alphanumeric() && unit[1 - low] == 0;
        match self.charset {
            Charset::Utf8 | Charset::ShiftJis | Charset::EucJp => self.is_joined_in_bytes(bytes, start, end),
            Charset::Utf16Le | Charset::Utf16Be => {
                let low = usize::from(self.charset == Charset::Utf16Be);
                bytes[..start].last_chunk::<2>().is_some_and(|unit| of_unit(unit, low))
                    || bytes[end..].first_chunk::<2>().is_some_and(|unit| of_unit(unit, low))
            }
            Charset::Iso2022Jp => {
                let mut reader = self.clone();
                for byte in &bytes[start..end] {
                    reader.step(*byte);
                }
                let next = bytes[end..].iter().map(|byte| reader.step(*byte)).find(|read| *read == Read::Character);
                self.beside || next.is_some() && reader.beside
            }
        }
    }

    fn is_joined_in_bytes(&self, bytes: &[u8], start: usize, end: usize) -> bool {
        let follows = bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
        let run = bytes[..start].iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let begin = start - run;
        let of_another = match bytes[..begin].last() {
            // What lies before is not known any more.
            None => run,
            Some(b'\\') if bytes[begin..start].starts_with(b"u") => 5,
            Some(b'\\') => 1,
            Some(b'%') => 2,
            Some(byte) if self.charset == Charset::ShiftJis && !byte.is_ascii() => 1,
            Some(_) => 0,
        };
        follows || run > of_another
    }

    /// Covers a value, as it is read from here.
    fn cover(&mut self, value: &mut [u8]) -> Result<(), Unmaskable> {
        match self.charset {
            Charset::Utf8 | Charset::ShiftJis | Charset::EucJp => value.fill(b'*'),
            Charset::Utf16Le => cover_units(value, [b'*', 0])?,
            Charset::Utf16Be => cover_units(value, [0, b'*'])?,
            Charset::Iso2022Jp => self.cover_iso_2022_jp(value)?,
        }
        self.last = Some(b'*');
        Ok(())
    }

    fn cover_iso_2022_jp(&mut self, value: &mut [u8]) -> Result<(), Unmaskable> {
        let mut at = 0;
        while at < value.len() {
            let byte = value[at];
            if byte == ESCAPE || !self.escape.is_empty() {
                self.step(byte);
                at += 1;
            } else if self.width == Width::One {
                value[at] = b'*';
                at += 1;
            } else {
                value.get_mut(at..at + 2).ok_or(Unmaskable)?.copy_from_slice(&WIDE_ASTERISK);
                at += 2;
            }
        }
        match self.escape.is_empty() {
            true => Ok(()),
            false => Err(Unmaskable),
        }
    }

    /// One byte of ISO-2022-JP (RFC 1468): a sequence of three or four bytes changes how those after it are read.
    fn step(&mut self, byte: u8) -> Read {
        if byte == ESCAPE {
            self.escape = vec![ESCAPE];
            return Read::Escape;
        }
        if self.escape.is_empty() {
            self.beside = self.width == Width::One && byte.is_ascii_alphanumeric();
            return Read::Character;
        }
        self.escape.push(byte);
        let is_whole = !matches!(&self.escape[1..], [b'$' | b'('] | [b'$', b'(']);
        if is_whole {
            self.width = if self.escape[1] == b'$' { Width::Two } else { Width::One };
            self.escape.clear();
        }
        Read::Escape
    }
}

const ESCAPE: u8 = 0x1b;
/// `＊` in JIS X 0208.
const WIDE_ASTERISK: [u8; 2] = [0x21, 0x76];

/// Places within bytes that begin at `begin`, sorted; those that touch are one.
fn local(begin: u64, length: usize, places: &[ByteRange]) -> Result<Vec<(usize, usize)>, Unmaskable> {
    let at = |at: u64| {
        let at = at.checked_sub(begin).and_then(|at| usize::try_from(at).ok());
        at.filter(|at| *at <= length).ok_or(Unmaskable)
    };
    let mut sorted =
        places.iter().map(|place| Ok((at(place.start)?, at(place.end)?))).collect::<Result<Vec<_>, _>>()?;
    sorted.sort_unstable();
    let mut merged: Vec<(usize, usize)> = Vec::with_capacity(sorted.len());
    for (start, end) in sorted.into_iter().filter(|(start, end)| start < end) {
        match merged.last_mut().filter(|last| start <= last.1) {
            Some(last) => last.1 = last.1.max(end),
            None => merged.push((start, end)),
        }
    }
    Ok(merged)
}

fn cover_units(value: &mut [u8], unit: [u8; 2]) -> Result<(), Unmaskable> {
    if !value.len().is_multiple_of(2) {
        return Err(Unmaskable);
    }
    value.chunks_exact_mut(2).for_each(|place| place.copy_from_slice(&unit));
    Ok(())
}

/// Whether a value may stand in JSON outside quotes. Doubt says yes: text in a string that looks so is not masked.
fn is_bare(before: Option<u8>, value: &[u8], after: &[u8]) -> bool {
    let is_number = value.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E' | 0));
    let next = after.iter().find(|byte| !byte.is_ascii_whitespace() && **byte != 0);
    is_number
        && matches!(before, None | Some(b':' | b',' | b'[' | b'}' | b']'))
        && matches!(next, None | Some(b',' | b'}' | b']' | b'{' | b'['))
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::Encoding;

    /// The text with the values masked, after it was read back in its character set.
    fn masked(
        charset: Charset,
        syntax: Syntax,
        encoding: &'static Encoding,
        text: &str,
        value: &str,
    ) -> Option<String> {
        let encode = |text: &str| match charset {
            Charset::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Charset::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            _ => encoding.encode(text).0.into_owned(),
        };
        let (before, _) = text.split_once(value).unwrap();
        let start = encode(before).len();
        let mut bytes: Vec<u8> = encode(text);
        let end = bytes.len() - {
            let (_, after) = text.split_once(value).unwrap();
            encode(&format!("{value}{after}")).len() - encode(value).len()
        };
        let place = ByteRange { start: start as u64, end: end as u64 };
        let mut masker = Masker::new(charset, syntax);
        // What was released before is passed, the rest is masked.
        let cut = start / 2;
        let cut = if matches!(charset, Charset::Utf16Le | Charset::Utf16Be) { cut & !1 } else { cut };
        masker.pass(&bytes[..cut]);
        let length = bytes.len();
        masker.mask(&mut bytes[cut..], cut as u64, &[place]).ok()?;
        assert_eq!(bytes.len(), length);
        let (read, had_errors) = encoding.decode_without_bom_handling(&bytes);
        assert!(!had_errors, "{bytes:?}");
        Some(read.into_owned())
    }

    #[test]
    fn a_value_becomes_signs_of_its_length_in_every_character_set() {
        let check = |charset, encoding, expected: &str| {
            let text = "<p>氏名: 山田 太郎 様</p>";
            assert_eq!(masked(charset, Syntax::Other, encoding, text, "山田 太郎").as_deref(), Some(expected));
        };
        check(Charset::Utf8, encoding_rs::UTF_8, "<p>氏名: ************* 様</p>");
        check(Charset::ShiftJis, encoding_rs::SHIFT_JIS, "<p>氏名: ********* 様</p>");
        check(Charset::EucJp, encoding_rs::EUC_JP, "<p>氏名: ********* 様</p>");
        check(Charset::Utf16Le, encoding_rs::UTF_16LE, "<p>氏名: ***** 様</p>");
        check(Charset::Utf16Be, encoding_rs::UTF_16BE, "<p>氏名: ***** 様</p>");
    }

    #[test]
    fn iso_2022_jp_keeps_its_escape_sequences() {
        // ".", into JIS X 0208, two characters, into ASCII, "b", into JIS X 0208, one character, into ASCII.
        let text = b".\x1b$B;3ED\x1b(Bb\x1b$B;3\x1b(B.";
        let mut bytes = text.to_vec();
        let mut masker = Masker::new(Charset::Iso2022Jp, Syntax::Other);
        masker.pass(&bytes[..4]);
        masker.mask(&mut bytes[4..], 4, &[ByteRange { start: 4, end: 17 }]).unwrap();
        assert_eq!(bytes, b".\x1b$B!v!v\x1b(B*\x1b$B!v\x1b(B.");
        // The letter before the value, or right behind it, joins it to another.
        let masker = Masker::new(Charset::Iso2022Jp, Syntax::Other);
        let joined = [(&b"A\x1b$B;3ED\x1b(B."[..], 4, 8), (&b".\x1b$B;3ED\x1b(Bb"[..], 4, 8)];
        for (text, start, end) in joined {
            assert_eq!(masker.mask(&mut text.to_vec(), 0, &[ByteRange { start, end }]), Err(Unmaskable));
        }
        let half = ByteRange { start: 4, end: 7 };
        assert_eq!(masker.mask(&mut text[4..].to_vec(), 4, &[half]), Err(Unmaskable), "half of a character");
    }

    #[test]
    fn a_number_in_json_can_be_masked_in_quotes_only() {
        let check = |text: &str, expected: Option<&str>| {
            let told = masked(Charset::Utf8, Syntax::Json, encoding_rs::UTF_8, text, "12345678");
            assert_eq!(told.as_deref(), expected, "{text}");
        };
        check(r#"{"id": "12345678"}"#, Some(r#"{"id": "********"}"#));
        check(r#"{"text": "tel 12345678, now"}"#, Some(r#"{"text": "tel ********, now"}"#));
        check(r#"{"id": 12345678}"#, None);
        check(r#"{"id":12345678,"x":1}"#, None);
        check("[12345678]", None);
        check("12345678", None);
    }

    #[test]
    fn a_value_that_is_joined_to_others_cannot_be_masked_and_escapes_are_no_joints() {
        let check = |charset, encoding, text: &str, expected: Option<&str>| {
            // What was passed already is not looked at.
            let before = " ".repeat(40);
            let told = masked(charset, Syntax::Json, encoding, &format!("{before}{text}"), "山田");
            assert_eq!(told, expected.map(|expected| format!("{before}{expected}")), "{text}");
        };
        let utf8 = encoding_rs::UTF_8;
        check(Charset::Utf8, utf8, "qzxj山田, c", None);
        check(Charset::Utf8, utf8, "(山田qzxj, c)", None);
        check(Charset::Utf8, utf8, "<td>番号</td><td>お客様山田様</td>", Some("<td>番号</td><td>お客様******様</td>"));
        check(Charset::Utf8, utf8, r#"{"a": "x\n山田"}"#, Some(r#"{"a": "x\n******"}"#));
        check(Charset::Utf8, utf8, r#"{"a": "x\nx山田"}"#, None);
        check(Charset::Utf8, utf8, r#"{"a": "\u5c71山田\u5c71"}"#, Some(r#"{"a": "\u5c71******\u5c71"}"#));
        check(Charset::Utf8, utf8, "?a=%20山田&b=HK", Some("?a=%20******&b=HK"));
        check(Charset::Utf8, utf8, "?a=%20x山田&b=HK", None);
        // The second byte of ア is an A.
        check(Charset::ShiftJis, encoding_rs::SHIFT_JIS, "<td>ア山田</td>", Some("<td>ア****</td>"));
        check(Charset::EucJp, encoding_rs::EUC_JP, "<td>ア山田</td>", Some("<td>ア****</td>"));
        check(Charset::EucJp, encoding_rs::EUC_JP, "<td>アx山田</td>", None);
        check(Charset::Utf16Le, encoding_rs::UTF_16LE, "<td>ア山田</td>", Some("<td>ア**</td>"));
        check(Charset::Utf16Le, encoding_rs::UTF_16LE, "<td>x山田</td>", None);
        check(Charset::Utf16Be, encoding_rs::UTF_16BE, "<td>山田x</td>", None);
    }

    #[test]
    fn places_may_overlap_and_what_is_not_there_cannot_be_masked() {
        let places = [ByteRange { start: 14, end: 17 }, ByteRange { start: 12, end: 15 }];
        let masker = Masker::new(Charset::Utf8, Syntax::Other);
        let mut bytes = *b"0,2345;.8,";
        masker.mask(&mut bytes, 10, &places).unwrap();
        assert_eq!(&bytes, b"0,*****.8,");
        for place in [ByteRange { start: 9, end: 12 }, ByteRange { start: 18, end: 21 }] {
            assert_eq!(masker.mask(&mut bytes, 10, &[place]), Err(Unmaskable));
        }
    }
}
