//! Is this body text, and in which character set?
//!
//! The rules, in this order:
//! 1. A body whose first bytes are those of a container (ZIP and office files, PDF, gzip, bzip2, xz, zstd, 7z, RAR) is a
//!    `Container`.
//! 2. A declared text type is scanned: `text/*`, JSON, XML (`+json`, `+xml`, so SVG too), JavaScript, forms, CSV,
//!    event streams, newline-delimited JSON, multipart (save byteranges).
//! 3. Every other type, and a missing one, is sniffed: the first 1024 bytes without control characters are text and
//!    are scanned, whatever the type says (a page sent as `image/png` is a way out). Otherwise the type decides
//!    between `Container` (archives, PDF, office types) and `ContentType`.
//!
//! Character set: a byte order mark, then `charset=`, then (JSON and event streams are UTF-8 by definition)
//! `<meta charset>` or the XML declaration in the first 1024 bytes, then, where these bytes are no UTF-8, the one of
//! ISO-2022-JP, Shift_JIS and EUC-JP in which they are well-formed, then UTF-8.
//!
//! What a body says of itself is not believed alone, as whoever receives it may look for himself:
//! - Read as ISO-2022-JP or UTF-16, in which ASCII can be hidden, it is read as UTF-8 besides (or as the set that it declares,
//!   where a byte order mark says UTF-16).
//! - Declared text with a container's first bytes is a `Container`, and one in a set without a reader is `Charset`; both are
//!   read as UTF-8 all the same.

use super::mask::Syntax;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use sekisho_edm::{Boundary, Charset, TextForm};
use sekisho_model::Uninspectable;
use std::cell::RefCell;

/// Bytes that are looked at.
pub const SNIFF_BYTES: usize = 1024;

/// Bytes that decide when type and character set are declared: a byte order mark or a container's first bytes.
const MAGIC_BYTES: usize = 6;

/// How a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) form: TextForm,
    /// A second character set, in which somebody may read it.
    pub(super) other: Option<Charset>,
    /// Why more may be in it than is read.
    pub(super) doubt: Option<Uninspectable>,
}

/// What the head says of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Media {
    class: Class,
    charset: Declared,
    boundary: Boundary,
    syntax: Syntax,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Text,
    Container,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Declared {
    Nothing,
    Charset(Charset),
    Unreadable,
}

thread_local! {
    static LAST: RefCell<Option<(Box<[u8]>, Media)>> = const { RefCell::new(None) };
}

impl Media {
    /// Reads `Content-Type`. What it last said is remembered: most responses of a site are of few types.
    pub(super) fn of(headers: &HeaderMap) -> Media {
        let Some(value) = headers.get(CONTENT_TYPE) else { return Media::named(b"") };
        LAST.with_borrow_mut(|last| match last {
            Some((named, media)) if **named == *value.as_bytes() => media.clone(),
            _ => {
                let media = Media::named(value.as_bytes());
                // A copy: the value itself would keep the whole head it stands in.
                *last = Some((value.as_bytes().into(), media.clone()));
                media
            }
        })
    }

    fn named(value: &[u8]) -> Media {
        let value = value.to_ascii_lowercase();
        let value = String::from_utf8_lossy(&value);
        let (essence, parameters) = value.split_once(';').unwrap_or((&value, ""));
        let essence = essence.trim();
        let boundary = boundary(essence);
        let is_utf8 = boundary != Boundary::None || essence.ends_with("/json") || essence.ends_with("+json");
        let label = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("charset="));
        let charset = match label.map(|label| label.trim_matches([' ', '"', '\''])) {
            Some(label) => declared(label),
            None if is_utf8 => Declared::Charset(Charset::Utf8),
            None => Declared::Nothing,
        };
        Media { class: class(essence), charset, boundary, syntax: syntax(essence) }
    }

    /// Whether the type is JSON in any of its forms.
    pub(super) fn syntax(&self) -> Syntax {
        self.syntax
    }

    /// How many of the body's first bytes [`Media::decide`] wants; fewer only at the body's end.
    pub(super) fn sniff_bytes(&self) -> usize {
        match (self.class, self.charset) {
            (Class::Text, Declared::Charset(_) | Declared::Unreadable) => MAGIC_BYTES,
            _ => SNIFF_BYTES,
        }
    }

    /// Whether the type is that of a stream which must not be held for long.
    pub(super) fn is_stream(&self) -> bool {
        self.boundary != Boundary::None
    }

    /// Decides from the body's first bytes how it is scanned, or why it is not.
    pub(super) fn decide(&self, start: &[u8]) -> Result<Reading, Uninspectable> {
        let start = &start[..start.len().min(self.sniff_bytes())];
        let container = is_container(start).then_some(Uninspectable::Container);
        if container.is_some() && self.class != Class::Text {
            return Err(Uninspectable::Container);
        }
        let mark = byte_order_mark(start);
        if self.class != Class::Text && mark.is_none() && !looks_like_text(start) {
            return Err(match self.class {
                Class::Container => Uninspectable::Container,
                _ => Uninspectable::ContentType,
            });
        }
        let declared = match (mark, self.charset) {
            (Some(charset), _) => Declared::Charset(charset),
            (None, Declared::Nothing) => declared_inside(start),
            (None, declared) => declared,
        };
        let (charset, other) = match declared {
            Declared::Charset(charset) => (charset, self.besides(charset)),
            Declared::Unreadable => (Charset::Utf8, None),
            Declared::Nothing => guess(start),
        };
        let unreadable = (declared == Declared::Unreadable).then_some(Uninspectable::Charset);
        let form = TextForm { charset, boundary: self.boundary };
        Ok(Reading { form, other, doubt: container.or(unreadable) })
    }

    /// The set in which a body is read beside one that can hide ASCII.
    fn besides(&self, charset: Charset) -> Option<Charset> {
        match (charset, self.charset) {
            (Charset::Utf8 | Charset::ShiftJis | Charset::EucJp, _) => None,
            (_, Declared::Charset(declared @ (Charset::ShiftJis | Charset::EucJp))) => Some(declared),
            _ => Some(Charset::Utf8),
        }
    }
}

/// How bytes of which nothing else is known are read, from the first [`SNIFF_BYTES`] of them, in one form or in two of which
/// either may be meant; or why they are not.
///
/// # Errors
/// They are a container's, or no text, or text in a character set without a reader.
pub fn text_forms(start: &[u8]) -> Result<Vec<TextForm>, Uninspectable> {
    let Reading { form, other, doubt } = Media::of(&HeaderMap::new()).decide(start)?;
    let second = other.map(|charset| TextForm { charset, ..form });
    doubt.map_or_else(|| Ok([form].into_iter().chain(second).collect()), Err)
}

/// A type that is not said, or is text, may be JSON too: browsers and programs look for themselves.
fn syntax(essence: &str) -> Syntax {
    let is_other = ["text/html", "text/csv", "application/xhtml+xml", "text/xml", "application/xml", "text/css"];
    if is_other.contains(&essence) { Syntax::Other } else { Syntax::Json }
}

fn class(essence: &str) -> Class {
    let (family, subtype) = essence.split_once('/').unwrap_or((essence, ""));
    let texts = [
        "json",
        "xml",
        "javascript",
        "ecmascript",
        "x-javascript",
        "x-www-form-urlencoded",
        "csv",
        "x-ndjson",
        "ndjson",
        "jsonl",
        "x-jsonl",
        "json-seq",
        "graphql",
        "sql",
        "yaml",
        "x-yaml",
    ];
    let containers = ["zip", "pdf", "gzip", "x-gzip", "x-7z-compressed", "x-tar", "vnd.rar", "msword", "epub"];
    let container_starts = ["vnd.openxmlformats", "vnd.ms-", "vnd.oasis.opendocument", "x-zip", "x-rar"];
    let is_suffixed = subtype.ends_with("+json") || subtype.ends_with("+xml");
    if family == "text" || family == "multipart" || is_suffixed || family == "application" && texts.contains(&subtype) {
        Class::Text
    } else if containers.contains(&subtype)
        || subtype.ends_with("+zip")
        || container_starts.iter().any(|start| subtype.starts_with(start))
    {
        Class::Container
    } else {
        Class::Other
    }
}

fn boundary(essence: &str) -> Boundary {
    match essence {
        "text/event-stream" => Boundary::EmptyLine,
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonl" => Boundary::Line,
        _ => Boundary::None,
    }
}

fn declared(label: &str) -> Declared {
    Charset::from_label(label).map_or(Declared::Unreadable, Declared::Charset)
}

fn is_container(start: &[u8]) -> bool {
    let is_bzip2 = matches!(start, [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', ..]);
    let magics: [&[u8]; 9] = [
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"%PDF-",
        b"\x1f\x8b",
        b"7z\xbc\xaf\x27\x1c",
        b"Rar!",
        b"\xd0\xcf\x11\xe0",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
    ];
    is_bzip2 || magics.iter().any(|magic| start.starts_with(magic))
}

fn byte_order_mark(start: &[u8]) -> Option<Charset> {
    match start {
        [0xef, 0xbb, 0xbf, ..] => Some(Charset::Utf8),
        [0xff, 0xfe, ..] => Some(Charset::Utf16Le),
        [0xfe, 0xff, ..] => Some(Charset::Utf16Be),
        _ => None,
    }
}

/// No control characters but those of text and ISO-2022-JP's escape. An empty body is text.
fn looks_like_text(start: &[u8]) -> bool {
    start.iter().all(|byte| !matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f))
}

/// `<meta charset=…>`, `<meta http-equiv … charset=…>` and `<?xml … encoding="…"?>`. A declaration that can be read
/// as ASCII is none of UTF-16; such a label means UTF-8 (HTML, 13.2.3.2).
fn declared_inside(start: &[u8]) -> Declared {
    let text = String::from_utf8_lossy(start).to_ascii_lowercase();
    let in_xml = text.strip_prefix("<?xml").and_then(|rest| after(rest.split("?>").next()?, "encoding"));
    let mut metas = text.split("<meta").skip(1).map(|rest| rest.split('>').next().unwrap_or_default());
    match in_xml.or_else(|| metas.find_map(|meta| after(meta, "charset"))) {
        Some(label) => match declared(label) {
            Declared::Charset(Charset::Utf16Le | Charset::Utf16Be) => Declared::Charset(Charset::Utf8),
            declared => declared,
        },
        None => Declared::Nothing,
    }
}

/// The value after `name=`, with or without quotes.
fn after<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(name)?;
    let value = rest.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    let end = value.find(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c))).unwrap_or(value.len());
    (end > 0).then(|| &value[..end])
}

/// The set in which undeclared bytes are well-formed, and a second one where ASCII may be hidden; a character cut by the
/// last byte is no error.
fn guess(start: &[u8]) -> (Charset, Option<Charset>) {
    if [&b"\x1b$B"[..], b"\x1b$@", b"\x1b(J", b"\x1b(I"]
        .iter()
        .any(|escape| memchr::memmem::find(start, escape).is_some())
    {
        return match is_well_formed(encoding_rs::ISO_2022_JP, start) {
            true => (Charset::Iso2022Jp, Some(Charset::Utf8)),
            false => (Charset::Utf8, Some(Charset::Iso2022Jp)),
        };
    }
    let is_utf8 = std::str::from_utf8(start).map_or_else(|err| err.error_len().is_none(), |_| true);
    if is_utf8 {
        return (Charset::Utf8, None);
    }
    let sets = [(encoding_rs::EUC_JP, Charset::EucJp), (encoding_rs::SHIFT_JIS, Charset::ShiftJis)];
    let well_formed = sets.into_iter().find(|(encoding, _)| is_well_formed(encoding, start));
    (well_formed.map_or(Charset::Utf8, |(_, charset)| charset), None)
}

fn is_well_formed(encoding: &'static encoding_rs::Encoding, bytes: &[u8]) -> bool {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut text = String::with_capacity(decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(0));
    let (result, _) = decoder.decode_to_string_without_replacement(bytes, &mut text, false);
    matches!(result, encoding_rs::DecoderResult::InputEmpty)
}
