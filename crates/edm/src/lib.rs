//! Exact data match: whose data is in these bytes?
//!
//! Pure: no I/O. An [`Index`] is built from the firm's registers and holds keyed hashes only; a [`Scanner`] reads
//! one response body in chunks and says which subjects' fields are in it, where, and up to which byte nothing
//! more can begin. What exactly is found stands in `RULES.md` beside this crate.
//!
//! Read in this order: [`register`] (the firm's file), [`index`](Index) (its hashes), `decode` (body to text),
//! `value` and `names` (what is looked for), `scan` (the scanner and the request's values).

mod decode;
mod fuzz;
mod index;
mod key;
mod lanes;
mod names;
mod normalize;
pub mod register;
mod scan;
mod text_encoding;
mod value;

pub use fuzz::{fuzz_index, fuzz_register_csv, fuzz_scanner};
pub use index::{Built, Index, IndexBuilder, IndexError};
pub use key::HashKey;
pub use register::{ColumnConfig, Encoding, RegisterConfig};
pub use scan::{Finding, Found, HELD_BYTES_MAX, Reflected, Scanner, lines_hold_nothing};
pub use text_encoding::encoding_of;

/// How the bytes of a body become characters, and where a stream has hard boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextForm {
    /// The character set.
    pub charset: Charset,
    /// Where nothing can span.
    pub boundary: Boundary,
}

/// Character sets that the scanner reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8, and every ASCII-compatible single-byte set.
    #[default]
    Utf8,
    /// Shift_JIS (Windows-31J).
    ShiftJis,
    /// EUC-JP.
    EucJp,
    /// ISO-2022-JP.
    Iso2022Jp,
    /// UTF-16, little endian unless a byte order mark says otherwise.
    Utf16Le,
    /// UTF-16, big endian unless a byte order mark says otherwise.
    Utf16Be,
}

impl Charset {
    /// The set of a WHATWG label (`charset=` of a content type); `None` when the scanner does not read it.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Charset> {
        if label.eq_ignore_ascii_case("utf-8") {
            // Nearly all are, and the list of all labels is long.
            return Some(Charset::Utf8);
        }
        let encoding = encoding_rs::Encoding::for_label(label.trim().trim_matches(['"', '\'']).as_bytes())?;
        if encoding == encoding_rs::UTF_8 {
            Some(Charset::Utf8)
        } else if encoding == encoding_rs::SHIFT_JIS {
            Some(Charset::ShiftJis)
        } else if encoding == encoding_rs::EUC_JP {
            Some(Charset::EucJp)
        } else if encoding == encoding_rs::ISO_2022_JP {
            Some(Charset::Iso2022Jp)
        } else if encoding == encoding_rs::UTF_16LE {
            Some(Charset::Utf16Le)
        } else if encoding == encoding_rs::UTF_16BE {
            Some(Charset::Utf16Be)
        } else if encoding.is_single_byte() {
            // All single-byte sets of the standard are ASCII-compatible.
            Some(Charset::Utf8)
        } else {
            None
        }
    }
}

/// Where a stream may be released whole: no finding spans a boundary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boundary {
    /// Nowhere before the end.
    #[default]
    None,
    /// At an empty line: server-sent events.
    EmptyLine,
    /// At each line's end: newline-delimited JSON.
    Line,
}
