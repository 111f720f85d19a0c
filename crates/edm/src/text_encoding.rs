//! The encoding of a register file: UTF-8 or Shift_JIS, one for the whole file.
//!
//! With [`Encoding::Auto`] the first cell that can only be one of them decides. A cell that could be both (two-byte
//! UTF-8 that is also half-width katakana) is read as UTF-8 and decides nothing. CSV can be split before decoding,
//! because no second byte of Shift_JIS is a comma, a quote or a line end.

use crate::register::Encoding;
use encoding_rs::SHIFT_JIS;
use std::borrow::Cow;

const UTF8_NAME: &str = "UTF-8";
const SHIFT_JIS_NAME: &str = "Shift_JIS";

/// What is known of a file's encoding so far.
#[derive(Debug)]
pub(crate) struct Encodings {
    known: Option<(&'static str, u64)>,
    detects: bool,
}

/// Why a cell cannot be decoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CellError {
    Invalid { encoding: &'static str },
    Mixed { encoding: &'static str, since_line: u64, reads_as: &'static str },
    Nul,
}

impl Encodings {
    pub(crate) fn new(encoding: Encoding) -> Encodings {
        let known = match encoding {
            Encoding::Auto => None,
            Encoding::Utf8 => Some((UTF8_NAME, 1)),
            Encoding::ShiftJis => Some((SHIFT_JIS_NAME, 1)),
        };
        Encodings { known, detects: encoding == Encoding::Auto }
    }

    /// Takes the byte order mark off the first cell. The CSV reader does so for UTF-8 already.
    pub(crate) fn skip_mark(&mut self, record: &mut csv::ByteRecord) {
        let Some(rest) = record.get(0).and_then(|cell| cell.strip_prefix(b"\xEF\xBB\xBF")) else { return };
        let cells: Vec<Vec<u8>> =
            std::iter::once(rest.to_vec()).chain(record.iter().skip(1).map(<[u8]>::to_vec)).collect();
        let mut without = csv::ByteRecord::from(cells);
        without.set_position(record.position().cloned());
        *record = without;
        if self.detects {
            self.known = Some((UTF8_NAME, 1));
        }
    }

    /// The text of a cell.
    pub(crate) fn decode<'a>(&mut self, cell: &'a [u8], line: u64) -> Result<Cow<'a, str>, CellError> {
        if cell.contains(&0) {
            return Err(CellError::Nul);
        }
        if cell.is_ascii() {
            return utf8(cell).ok_or(CellError::Invalid { encoding: UTF8_NAME });
        }
        match self.known {
            None => self.detect(cell, line),
            Some((UTF8_NAME, since_line)) => {
                utf8(cell).ok_or_else(|| self.error(UTF8_NAME, since_line, shift_jis(cell).as_ref()))
            }
            Some((_, since_line)) => {
                // Three-byte UTF-8 is never what a Shift_JIS cell means to say.
                if utf8(cell).is_some() && is_decisive(cell) {
                    return Err(self.error(SHIFT_JIS_NAME, since_line, utf8(cell).as_ref()));
                }
                shift_jis(cell).ok_or_else(|| self.error(SHIFT_JIS_NAME, since_line, utf8(cell).as_ref()))
            }
        }
    }

    fn detect<'a>(&mut self, cell: &'a [u8], line: u64) -> Result<Cow<'a, str>, CellError> {
        match (utf8(cell), shift_jis(cell)) {
            (Some(text), other) => {
                if is_decisive(cell) || other.is_none() {
                    self.known = Some((UTF8_NAME, line));
                }
                Ok(text)
            }
            (None, Some(text)) => {
                self.known = Some((SHIFT_JIS_NAME, line));
                Ok(text)
            }
            (None, None) => Err(CellError::Invalid { encoding: "UTF-8 or Shift_JIS" }),
        }
    }

    fn error(&self, encoding: &'static str, since_line: u64, other: Option<&Cow<'_, str>>) -> CellError {
        let reads_as = if encoding == UTF8_NAME { SHIFT_JIS_NAME } else { UTF8_NAME };
        match other {
            Some(_) => CellError::Mixed { encoding, since_line, reads_as },
            None => CellError::Invalid { encoding },
        }
    }
}

/// The encoding of a file's first bytes, and what is wrong with them. They end behind a whole line.
///
/// # Errors
/// In words, with the line: two encodings, or neither.
pub fn encoding_of(bytes: &[u8]) -> Result<Encoding, String> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut encodings = Encodings::new(Encoding::Auto);
    for (line, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        for cell in text.split(|byte| *byte == b',') {
            encodings.decode(cell, line).map_err(|err| match err {
                CellError::Invalid { encoding } => format!("line {line}: the bytes are not valid {encoding}"),
                CellError::Mixed { encoding, since_line, reads_as } => format!(
                    "line {line} reads as {reads_as}, but the file is {encoding} since line {since_line}: export it again as \
                     one of them"
                ),
                CellError::Nul => format!("line {line} holds a NUL byte, which no text has: save the file as CSV in UTF-8"),
            })?;
        }
    }
    Ok(if encodings.known.is_some_and(|(name, _)| name == SHIFT_JIS_NAME) {
        Encoding::ShiftJis
    } else {
        Encoding::Utf8
    })
}

/// Whether valid UTF-8 has a sequence of three bytes or more: kana, kanji, full-width letters.
fn is_decisive(cell: &[u8]) -> bool {
    cell.iter().any(|byte| *byte >= 0xE0)
}

fn utf8(cell: &[u8]) -> Option<Cow<'_, str>> {
    std::str::from_utf8(cell).ok().map(Cow::Borrowed)
}

fn shift_jis(cell: &[u8]) -> Option<Cow<'_, str>> {
    SHIFT_JIS.decode_without_bom_handling_and_without_replacement(cell)
}
