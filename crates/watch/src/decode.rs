//! From bytes to text: which encoding a page is in.
//!
//! Pure. In this order: byte order mark, `charset` of the header, `meta` in the first [`META_BYTES_MAX`] bytes; without
//! any, ISO-2022-JP by its escapes, UTF-8 when valid, then whichever of Shift_JIS and EUC-JP decodes without an error.

use encoding_rs::{EUC_JP, Encoding, ISO_2022_JP, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE};
use regex::bytes::Regex;
use std::sync::LazyLock;

/// How far a `meta` is looked for; browsers look at 1,024 bytes, and sites exist that are later.
const META_BYTES_MAX: usize = 4096;

/// The page's text. Bytes that have no meaning become U+FFFD.
pub(crate) fn decode(bytes: &[u8], content_type: &str) -> String {
    let encoding = Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
    let encoding = encoding.or_else(|| of_header(content_type)).or_else(|| of_meta(bytes));
    encoding.unwrap_or_else(|| guess(bytes)).decode(bytes).0.into_owned()
}

fn of_header(content_type: &str) -> Option<&'static Encoding> {
    let charset = content_type.split(';').skip(1).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    })?;
    Encoding::for_label(charset.as_bytes())
}

fn of_meta(bytes: &[u8]) -> Option<&'static Encoding> {
    static META: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?i-u)(?:<meta[^>]{0,200}charset|<\?xml[^>]{0,100}encoding)\s*=\s*["']?\s*([a-z0-9_:-]{2,30})"#)
            .expect("a fixed pattern")
    });
    let head = &bytes[..bytes.len().min(META_BYTES_MAX)];
    let encoding = Encoding::for_label(&META.captures(head)?[1])?;
    // A page whose bytes say UTF-16 could not have been read so far (HTML, section 13.2.3.2).
    Some(if [UTF_16BE, UTF_16LE].contains(&encoding) { UTF_8 } else { encoding })
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let has = |escape: &[u8]| bytes.windows(escape.len()).any(|window| window == escape);
    let decodes = |encoding: &&'static Encoding| !encoding.decode_without_bom_handling(bytes).1;
    if bytes.contains(&0x1b) && (has(b"\x1b$B") || has(b"\x1b$@")) {
        return ISO_2022_JP;
    }
    [UTF_8, SHIFT_JIS, EUC_JP].into_iter().find(decodes).unwrap_or(UTF_8)
}
