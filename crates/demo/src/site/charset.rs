//! The encodings of files to download. Spreadsheets of Japan open Shift_JIS without questions.

use encoding_rs::SHIFT_JIS;

/// `?encoding=`, UTF-8 unless given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub(super) enum Charset {
    /// `utf-8`
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// `shift_jis`, as Windows understands it: with 髙 and 﨑.
    #[serde(rename = "shift_jis")]
    ShiftJis,
}

/// The query of a download.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Download {
    #[serde(default)]
    pub(super) encoding: Charset,
}

impl Charset {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Charset::Utf8 => "text/csv; charset=utf-8",
            Charset::ShiftJis => "text/csv; charset=Shift_JIS",
        }
    }

    /// Characters outside Shift_JIS become numeric character references, as forms do it.
    pub(super) fn encode(self, text: String) -> Vec<u8> {
        match self {
            Charset::Utf8 => text.into_bytes(),
            Charset::ShiftJis => SHIFT_JIS.encode(&text).0.into_owned(),
        }
    }
}

/// Cells as a line of CSV; a cell with a comma, a quote or a line end is quoted.
pub(super) fn csv_line(cells: &[&str]) -> String {
    let cells: Vec<String> = cells
        .iter()
        .map(|cell| match cell.contains([',', '"', '\r', '\n']) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => (*cell).to_owned(),
        })
        .collect();
    cells.join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shift_jis_has_the_variant_characters_of_names() {
        assert_eq!(Charset::ShiftJis.encode("髙﨑".to_owned()), [0xFB, 0xFC, 0xFA, 0xB1]);
    }

    #[test]
    fn a_cell_with_a_comma_or_a_quote_is_quoted() {
        assert_eq!(csv_line(&["a", "b,c", "d\"e"]), "a,\"b,c\",\"d\"\"e\"\r\n");
    }
}
