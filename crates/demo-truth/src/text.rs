//! Bodies to characters: character set, escapes, and kana in one form.

use crate::capture;
use std::borrow::Cow;

/// A request's text: target and body, percent-decoded once.
pub(crate) fn request(message: &[u8]) -> Vec<char> {
    let decoded = percent_decode(message);
    characters(&String::from_utf8_lossy(&decoded))
}

/// A response body's text.
pub(crate) fn response(message: &[u8]) -> Result<Vec<char>, String> {
    let (head, body) = capture::parse(message)?;
    let is_shift_jis = head.lines().any(|line| line.starts_with("content-type:") && line.contains("shift_jis"));
    let text = match is_shift_jis {
        true => encoding_rs::SHIFT_JIS.decode_without_bom_handling(&body).0,
        false => String::from_utf8_lossy(&body),
    };
    Ok(characters(&text))
}

/// A file of the firm: UTF-8 when it can be read as that, else Shift_JIS.
pub(crate) fn file(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => encoding_rs::SHIFT_JIS.decode_without_bom_handling(bytes).0,
    }
}

/// Escapes undone, kana unified.
pub(crate) fn characters(text: &str) -> Vec<char> {
    unescape(text).chars().map(unify).collect()
}

fn percent_decode(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (bytes[at], hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (byte, _) => {
                decoded.push(if byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    decoded
}

/// `&amp;`, `&#39;`, `&#x27;`, `\u5c71`, `\n`: wherever they stand.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['&', '\\']) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let (character, length) = entity(rest).or_else(|| escape(rest)).unwrap_or_else(|| {
            let character = rest.chars().next().unwrap_or_default();
            (character, character.len_utf8())
        });
        plain.push(character);
        rest = &rest[length..];
    }
    plain + rest
}

fn entity(text: &str) -> Option<(char, usize)> {
    let body = text.strip_prefix('&')?;
    let end = body.char_indices().take(10).find(|(_, character)| *character == ';')?.0;
    let character = match &body[..end] {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        name => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    Some((character, end + 2))
}

fn escape(text: &str) -> Option<(char, usize)> {
    let body = text.strip_prefix('\\')?;
    match body.chars().next()? {
        'u' => Some((char::from_u32(u32::from_str_radix(body.get(1..5)?, 16).ok()?)?, 6)),
        'n' | 'r' | 't' => Some((' ', 2)),
        character @ ('"' | '\'' | '\\' | '/') => Some((character, 2)),
        _ => None,
    }
}

/// Hiragana as katakana, small kana as large, full-width space as space.
fn unify(character: char) -> char {
    let katakana = match character {
        'ぁ'..='ゖ' => char::from_u32(u32::from(character) + 0x60).unwrap_or(character),
        '\u{3000}' | '\u{a0}' => ' ',
        other => other,
    };
    match katakana {
        'ァ' => 'ア',
        'ィ' => 'イ',
        'ゥ' => 'ウ',
        'ェ' => 'エ',
        'ォ' => 'オ',
        'ッ' => 'ツ',
        'ャ' => 'ヤ',
        'ュ' => 'ユ',
        'ョ' => 'ヨ',
        'ヮ' => 'ワ',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_and_escapes_become_characters() {
        let text: String = characters(r"a&#64;b&amp;c &#x5c71;\u7530 \n \\ & \q").into_iter().collect();
        assert_eq!(text, r"a@b&c 山田   \ & \q");
    }

    #[test]
    fn a_file_is_read_in_either_encoding() {
        let shift_jis = encoding_rs::SHIFT_JIS.encode("氏名,髙木 花子\n").0;
        assert_eq!(file(&shift_jis), "氏名,髙木 花子\n");
        assert_eq!(file("氏名,髙木 花子\n".as_bytes()), "氏名,髙木 花子\n");
    }

    #[test]
    fn kana_have_one_form() {
        let text: String = characters("しょうた").into_iter().collect();
        assert_eq!(text, "シヨウタ");
    }
}
