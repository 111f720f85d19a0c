//! The firm's register file as text, for what the index does not do: its header, samples, and the join of an answer.

use anyhow::{Context, Result, bail};
use encoding_rs::{SHIFT_JIS, UTF_8};
use sekisho_edm::{Encoding, encoding_of};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The longest first line that is read as a header.
const HEADER_BYTES_MAX: u64 = 64 * 1024;

/// The names of the file's columns.
pub(crate) fn header(path: &Path, encoding: Encoding) -> io::Result<Vec<String>> {
    let mut line = Vec::new();
    BufReader::new(File::open(path)?).take(HEADER_BYTES_MAX).read_until(b'\n', &mut line)?;
    let (text, _) = decode(&line, encoding);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let header = reader.records().next().transpose().map_err(io::Error::other)?.unwrap_or_default();
    Ok(header.iter().map(|name| name.trim().to_owned()).collect())
}

/// The whole file as UTF-8, and the encoding that it was read as. Bytes that are neither are an error.
pub(crate) fn read(path: &Path, encoding: Encoding) -> Result<(String, Encoding)> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let (text, found) = match (encoding, String::from_utf8(bytes)) {
        // Most files are UTF-8 already: a second copy of a register is spared.
        (Encoding::Auto | Encoding::Utf8, Ok(text)) if !text.starts_with('\u{feff}') => (text, Encoding::Utf8),
        (_, Ok(text)) => decode(text.as_bytes(), encoding),
        (_, Err(err)) => decode(err.as_bytes(), encoding),
    };
    if text.contains('\u{fffd}') {
        bail!("`{}` is neither UTF-8 nor Shift_JIS: save it as one of them", path.display());
    }
    Ok((text, found))
}

/// The first bytes of a file, cut behind a whole line, as UTF-8. One that is no text, or of two encodings, is an error.
pub(crate) fn sample(path: &Path, bytes_max: u64) -> Result<(String, Encoding)> {
    let context = || format!("cannot read `{}`", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(context)?;
    let whole = file.metadata().with_context(context)?.len() <= bytes_max;
    file.take(bytes_max).read_to_end(&mut bytes).with_context(context)?;
    if let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n').filter(|_| !whole) {
        bytes.truncate(end + 1);
    }
    let encoding = encoding_of(&bytes).map_err(|err| anyhow::anyhow!("cannot read `{}`: {err}", path.display()))?;
    Ok(decode(&bytes, encoding))
}

fn decode(bytes: &[u8], encoding: Encoding) -> (String, Encoding) {
    let (utf8, malformed) = UTF_8.decode_with_bom_removal(bytes);
    match encoding {
        Encoding::Auto if malformed => {
            (SHIFT_JIS.decode_without_bom_handling(bytes).0.into_owned(), Encoding::ShiftJis)
        }
        Encoding::ShiftJis => (SHIFT_JIS.decode_without_bom_handling(bytes).0.into_owned(), Encoding::ShiftJis),
        _ => (utf8.into_owned(), Encoding::Utf8),
    }
}
