//! What a register's configuration says of its file, and the reading of that file row by row.
//!
//! Not the index: rows are handed on as text cells. All errors of a file are collected, up to [`ERRORS_MAX`].
//! Read [`RegisterConfig`], [`Rows::open`], [`Rows::next`].

use crate::text_encoding::{CellError, Encodings};
use sekisho_model::{Diagnostic, FieldKind, FieldSet};
use std::io::{self, Read};

/// Errors of one file that are told in full; the rest is counted.
pub const ERRORS_MAX: usize = 50;
/// The longest row of a register file in bytes; a longer one is an error of the file, which is then read no further.
pub const ROW_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that the CSV reader takes ahead of the row that it reads.
const AHEAD_BYTES: usize = 8 * 1024;

/// How the firm's file maps to a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterConfig {
    /// The register's name.
    pub name: String,
    /// The column that identifies a row: its values are unique and stay the same over rebuilds.
    pub row_key: String,
    /// The columns that are watched; the position is the field index.
    pub columns: Vec<ColumnConfig>,
    /// The file's encoding.
    pub encoding: Encoding,
}

/// One watched column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnConfig {
    /// The column's name in the file's first row.
    pub name: String,
    /// What it holds.
    pub kind: FieldKind,
    /// For account ids: a regular expression for the whole value; others are not indexed.
    pub pattern: Option<String>,
}

/// The encoding of a register file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Told by a byte order mark or by the first row that is not ASCII.
    #[default]
    Auto,
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// Shift_JIS (Windows-31J).
    ShiftJis,
}

/// A register file, open behind its first row.
pub(crate) struct Rows<R> {
    reader: csv::Reader<Bounded<R>>,
    record: csv::ByteRecord,
    encodings: Encodings,
    header: Vec<String>,
    row_key: usize,
    columns: Vec<usize>,
    file: String,
}

/// A file that ends with an error in the middle of a row which is too long: a quote that is never closed would take the
/// whole rest of the file into memory.
struct Bounded<R> {
    input: R,
    /// Bytes since the row's begin, and what was read ahead of it.
    row_bytes: usize,
    /// Whether lines end with CR LF, as the first one does. The CSV reader then takes the LF for a part of the next row, and
    /// counts the row's line one too low.
    ends: LineEnds,
}

/// How the lines of a file end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnds {
    Unknown { after_cr: bool },
    Lf,
    CrLf,
}

impl LineEnds {
    fn read(self, bytes: &[u8]) -> LineEnds {
        let LineEnds::Unknown { after_cr } = self else { return self };
        match bytes.iter().position(|byte| *byte == b'\n') {
            Some(0) if after_cr => LineEnds::CrLf,
            Some(at) if at > 0 && bytes[at - 1] == b'\r' => LineEnds::CrLf,
            Some(_) => LineEnds::Lf,
            None => LineEnds::Unknown { after_cr: bytes.last().map_or(after_cr, |byte| *byte == b'\r') },
        }
    }
}

/// The line on which a row begins that the CSV reader counts to this line of a text.
#[must_use]
pub fn line_in(text: &str, counted: u64) -> u64 {
    let ends = LineEnds::Unknown { after_cr: false }.read(text.as_bytes());
    counted + u64::from(ends == LineEnds::CrLf)
}

/// One row: the key and the watched cells, trimmed.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) line: u64,
    pub(crate) key: String,
    pub(crate) cells: Vec<String>,
}

/// Errors and warnings of a file.
#[derive(Debug, Default)]
pub(crate) struct Told {
    errors: Vec<Diagnostic>,
    errors_more: usize,
}

impl Told {
    pub(crate) fn error(&mut self, diagnostic: Diagnostic) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(diagnostic);
        } else {
            self.errors_more += 1;
        }
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    pub(crate) fn into_errors(mut self) -> Vec<Diagnostic> {
        if self.errors_more > 0 {
            let more = self.errors_more;
            self.errors.push(Diagnostic::error("SK130", format!("and {more} more errors in this file")));
        }
        self.errors
    }
}

impl RegisterConfig {
    /// What is wrong with the configuration itself.
    pub(crate) fn check(&self, told: &mut Told) {
        let name = &self.name;
        if self.columns.is_empty() {
            let help = "name at least one column and its kind, such as `email`";
            told.error(Diagnostic::error("SK131", format!("register `{name}` has no columns")).help(help));
        }
        if self.columns.len() > FieldSet::FIELDS_MAX {
            let (count, max) = (self.columns.len(), FieldSet::FIELDS_MAX);
            told.error(
                Diagnostic::error("SK132", format!("register `{name}` has {count} columns, more than {max}"))
                    .help("leave out columns of kind `text`, or split the register in two"),
            );
        }
        for (at, column) in self.columns.iter().enumerate() {
            if self.columns[..at].iter().any(|before| before.name == column.name) {
                let title = format!("register `{name}` names the column `{}` twice", column.name);
                told.error(Diagnostic::error("SK133", title).help("a column has one kind"));
            }
        }
    }
}

impl<R: Read> Rows<R> {
    /// Opens the file and finds the columns. Tells what is wrong; `None` when rows cannot be read.
    pub(crate) fn open(config: &RegisterConfig, input: R, file: &str, told: &mut Told) -> Option<Rows<R>> {
        let input = Bounded { input, row_bytes: 0, ends: LineEnds::Unknown { after_cr: false } };
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.has_headers(false).flexible(true).buffer_capacity(AHEAD_BYTES).from_reader(input);
        let mut rows = Rows {
            reader,
            record: csv::ByteRecord::new(),
            encodings: Encodings::new(config.encoding),
            header: Vec::new(),
            row_key: 0,
            columns: Vec::new(),
            file: file.to_owned(),
        };
        if !rows.read_header(told) {
            return None;
        }
        rows.find_columns(config, told).then_some(rows)
    }

    /// Reads the next good row into `row`; `false` at the end. Bad rows are told and passed over.
    pub(crate) fn next(&mut self, row: &mut Row, told: &mut Told) -> bool {
        loop {
            if !self.read_record(told) {
                return false;
            }
            if self.fill(row, told) {
                return true;
            }
        }
    }

    fn read_header(&mut self, told: &mut Told) -> bool {
        if !self.read_record(told) {
            if told.is_clean() {
                let title = format!("register file `{}` is empty", self.file);
                told.error(Diagnostic::error("SK134", title).help("the first row names the columns"));
            }
            return false;
        }
        self.encodings.skip_mark(&mut self.record);
        let mut header = Vec::with_capacity(self.record.len());
        for (column, cell) in self.record.iter().enumerate() {
            match self.encodings.decode(cell, 1) {
                Ok(name) => header.push(name.trim().to_owned()),
                Err(err) => {
                    self.tell_encoding(&err, 1, column, told);
                    return false;
                }
            }
        }
        for (at, name) in header.iter().enumerate() {
            if header[..at].contains(name) && !name.is_empty() {
                let title = format!("register file `{}` has the column `{name}` twice", self.file);
                told.error(Diagnostic::error("SK135", title).at_line(&self.file, 1).help("rename one of them"));
            }
        }
        if let [only] = &header[..]
            && let Some(separator) = separator(only)
        {
            let title = format!("register file `{}` has one column only, whose name holds a {separator}", self.file);
            let help = format!("cells are separated by commas: export the file with commas instead of {separator}s");
            told.error(Diagnostic::error("SK152", title).at_line(&self.file, 1).help(help));
            return false;
        }
        self.header = header;
        true
    }

    fn find_columns(&mut self, config: &RegisterConfig, told: &mut Told) -> bool {
        let missing = |name: &str, told: &mut Told| {
            let title = format!("register `{}` has no column `{name}`", config.name);
            let help = format!("the file has: {}", self.header.join(", "));
            told.error(Diagnostic::error("SK136", title).at_line(&self.file, 1).help(help));
            usize::MAX
        };
        let place = |name: &str, told: &mut Told| {
            self.header.iter().position(|column| column == name).unwrap_or_else(|| missing(name, told))
        };
        let row_key = place(&config.row_key, told);
        let columns: Vec<usize> = config
            .columns
            .iter()
            .map(|column| if column.name == config.row_key { row_key } else { place(&column.name, told) })
            .collect();
        let found = row_key != usize::MAX && columns.iter().all(|column| *column != usize::MAX);
        (self.row_key, self.columns) = (row_key, columns);
        found
    }

    fn read_record(&mut self, told: &mut Told) -> bool {
        let line = self.line_of(self.reader.position());
        self.reader.get_mut().row_bytes = 0;
        let read = self.reader.read_byte_record(&mut self.record);
        let is_too_long = self.record.as_slice().len() > ROW_BYTES_MAX || self.reader.get_ref().is_too_long();
        match read {
            _ if is_too_long => {
                let title = format!("the row that begins on line {line} is longer than {} KiB", ROW_BYTES_MAX / 1024);
                let help = "a cell that begins with a double quote ends with one: is one missing there?";
                told.error(Diagnostic::error("SK155", title).at_line(&self.file, line).help(help));
                false
            }
            Ok(found) => found,
            Err(err) => {
                let title = format!("cannot read register file `{}`: {err}", self.file);
                told.error(Diagnostic::error("SK137", title));
                false
            }
        }
    }

    fn fill(&mut self, row: &mut Row, told: &mut Told) -> bool {
        row.line = self.line();
        if self.record.len() != self.header.len() {
            let (has, wants) = (self.record.len(), self.header.len());
            let title = format!("line {} has {has} cells where the first row has {wants}", row.line);
            let help = "a cell that holds a comma or a line break stands in double quotes";
            told.error(Diagnostic::error("SK138", title).at_line(&self.file, row.line).help(help));
            return false;
        }
        if !self.decode_into(row, told) {
            return false;
        }
        if row.key.is_empty() {
            let title = format!("line {} has an empty row key `{}`", row.line, self.header[self.row_key]);
            told.error(
                Diagnostic::error("SK139", title).at_line(&self.file, row.line).help("every row needs its own key"),
            );
            return false;
        }
        true
    }

    /// Decodes every cell, watched or not, so that a broken file is seen as such.
    fn decode_into(&mut self, row: &mut Row, told: &mut Told) -> bool {
        row.cells.resize(self.columns.len(), String::new());
        for at in 0..self.record.len() {
            let text = match self.encodings.decode(&self.record[at], row.line) {
                Ok(text) => text,
                Err(err) => {
                    self.tell_encoding(&err, row.line, at, told);
                    return false;
                }
            };
            if at == self.row_key {
                row.key.clear();
                row.key.push_str(text.trim());
            }
            for (cell, column) in row.cells.iter_mut().zip(&self.columns) {
                if *column == at {
                    cell.clear();
                    cell.push_str(text.trim());
                }
            }
        }
        true
    }

    fn tell_encoding(&self, err: &CellError, line: u64, column: usize, told: &mut Told) {
        let named = self.header.get(column).map_or(String::new(), |name| format!(" (`{name}`)"));
        let place = format!("line {line}, column {}{named}", column + 1);
        let diagnostic = match err {
            CellError::Invalid { encoding } => {
                Diagnostic::error("SK140", format!("{place}: the bytes are not valid {encoding}"))
                    .help("save the whole file as UTF-8 or as Shift_JIS")
            }
            CellError::Nul => Diagnostic::error("SK140", format!("{place}: a NUL byte, which no text has"))
                .help("is it a CSV file? one in UTF-16 is to be saved as UTF-8"),
            CellError::Mixed { encoding, since_line, reads_as } => Diagnostic::error(
                "SK141",
                format!("{place}: reads as {reads_as}, but the file is {encoding} since line {since_line}"),
            )
            .help("the file mixes two encodings: export it again as one of them"),
        };
        told.error(diagnostic.at_line(&self.file, line));
    }

    fn line(&self) -> u64 {
        self.record.position().map_or(0, |position| self.line_of(position))
    }

    fn line_of(&self, position: &csv::Position) -> u64 {
        let is_behind = position.byte() > 0 && self.reader.get_ref().ends == LineEnds::CrLf;
        position.line() + u64::from(is_behind)
    }
}

/// The separator that a name of several columns holds: semicolons and tabs are what files without commas have.
#[must_use]
pub fn separator(name: &str) -> Option<&'static str> {
    match name {
        _ if name.contains(';') => Some("semicolon"),
        _ if name.contains('\t') => Some("tab"),
        _ => None,
    }
}

impl<R> Bounded<R> {
    fn is_too_long(&self) -> bool {
        self.row_bytes > ROW_BYTES_MAX + AHEAD_BYTES
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.is_too_long() {
            return Err(io::Error::other("the row is too long"));
        }
        let read = self.input.read(bytes)?;
        self.row_bytes += read;
        self.ends = self.ends.read(&bytes[..read]);
        Ok(read)
    }
}
