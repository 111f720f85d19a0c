//! What arrives on standard input: the document's types, and what is refused before anything is typeset.
//!
//! Every refusal names its place as a path into the JSON. Text is text here and stays text: nothing in it is read as
//! markup, now or later.

use jiff::Zoned;
use jiff::fmt::temporal::DateTimeParser;
use serde::{Deserialize, Serialize};

/// The only format that is read.
pub(crate) const FORMAT: &str = "sekisho-pdf/1";
/// Bytes of JSON; beyond, the document is refused. A letter is about 2 KB.
pub(crate) const INPUT_BYTES_MAX: usize = 32 << 20;
/// Notices and letters of one document; beyond, it is refused: split the mailing. 1,000 letters take about 800 MB.
pub(crate) const PAGES_MAX: usize = 2_000;
/// Blocks of one notice or letter; beyond, the document is refused.
pub(crate) const BLOCKS_MAX: usize = 500;
/// Rows of one table and entries of one list; beyond, the document is refused.
pub(crate) const ROWS_MAX: usize = 2_000;
/// Columns of one table; beyond, they could not be read on A4.
pub(crate) const COLUMNS_MAX: usize = 8;
/// Bytes of one text; beyond, the document is refused.
pub(crate) const TEXT_BYTES_MAX: usize = 32 << 10;
/// Lines of an address; beyond, they would not fit the envelope's window.
pub(crate) const ADDRESS_LINES_MAX: usize = 6;
/// Lines of a sender; beyond, they would reach into the letter.
pub(crate) const SENDER_LINES_MAX: usize = 8;
/// Levels of headings.
pub(crate) const HEADING_LEVEL_MAX: u8 = 3;

/// One document: notices and letters that become one PDF.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    format: String,
    pub(crate) lang: Lang,
    pub(crate) title: String,
    pub(crate) author: String,
    /// RFC 3339 with an offset. The PDF's date, whenever it is made.
    pub(crate) date: String,
    pub(crate) pages: Vec<Page>,
}

/// The language of the whole document.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Lang {
    /// Japanese.
    Ja,
    /// English.
    En,
}

/// What begins on a new page: a notice, or a letter to one person.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    pub(crate) kind: Kind,
    /// A letter's only: the lines that show through the envelope's window.
    #[serde(default)]
    pub(crate) address: Vec<String>,
    /// A letter's only.
    #[serde(default)]
    pub(crate) sender: Vec<String>,
    pub(crate) blocks: Vec<Block>,
}

/// Which of the two a page is.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// For the public.
    Notice,
    /// For one person, folded into a window envelope.
    Letter,
}

/// A piece of a page, in reading order.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Block {
    /// A heading.
    Heading(Heading),
    /// A paragraph; its line breaks stay.
    Paragraph(String),
    /// Points without an order.
    List(Vec<String>),
    /// A table whose first row is its head.
    Table(Table),
    /// Small print.
    Small(String),
}

/// A heading and its level, from 1.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Heading {
    pub(crate) level: u8,
    pub(crate) text: String,
}

/// A table; every row has as many cells as the head.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// Why a document is refused, and where.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub(crate) struct Refusal {
    /// `pages[3].blocks[0].heading.level`; `.` is the whole document.
    pub(crate) path: String,
    /// What is wrong, and what would be right.
    pub(crate) problem: String,
}

impl Refusal {
    pub(crate) fn new(path: impl Into<String>, problem: impl Into<String>) -> Refusal {
        Refusal { path: path.into(), problem: problem.into() }
    }
}

/// Reads and checks a document.
pub(crate) fn parse(json: &[u8]) -> Result<Document, Refusal> {
    if json.len() > INPUT_BYTES_MAX {
        return Err(Refusal::new(".", format!("more than {INPUT_BYTES_MAX} bytes; split the mailing")));
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    let document: Document = serde_path_to_error::deserialize(&mut reader)
        .map_err(|err| Refusal::new(err.path().to_string(), err.inner().to_string()))?;
    reader.end().map_err(|err| Refusal::new(".", err.to_string()))?;
    check(&document)?;
    Ok(document)
}

impl Document {
    /// The document's date with its offset.
    pub(crate) fn zoned(&self) -> Result<Zoned, Refusal> {
        static PARSER: DateTimeParser = DateTimeParser::new();
        let pieces = PARSER.parse_pieces(&self.date).ok();
        let offset = pieces.as_ref().and_then(|pieces| pieces.to_numeric_offset());
        let instant = self.date.parse::<jiff::Timestamp>().ok();
        match (instant, offset) {
            (Some(instant), Some(offset)) => Ok(instant.to_zoned(jiff::tz::TimeZone::fixed(offset))),
            _ => Err(Refusal::new("date", format!("`{}` is no time; write 2026-11-23T15:00:00+09:00", self.date))),
        }
    }

    /// Every text with its path, in reading order.
    pub(crate) fn texts(&self) -> Vec<(String, &str)> {
        let mut texts = vec![("title".to_owned(), self.title.as_str()), ("author".to_owned(), self.author.as_str())];
        for (number, page) in self.pages.iter().enumerate() {
            let at = format!("pages[{number}]");
            texts.extend(lines(&page.address, &format!("{at}.address")));
            texts.extend(lines(&page.sender, &format!("{at}.sender")));
            for (number, block) in page.blocks.iter().enumerate() {
                texts.extend(block.texts(&format!("{at}.blocks[{number}]")));
            }
        }
        texts
    }
}

impl Block {
    fn texts(&self, at: &str) -> Vec<(String, &str)> {
        match self {
            Block::Heading(heading) => vec![(format!("{at}.heading.text"), &heading.text)],
            Block::Paragraph(text) => vec![(format!("{at}.paragraph"), text)],
            Block::Small(text) => vec![(format!("{at}.small"), text)],
            Block::List(entries) => lines(entries, &format!("{at}.list")).collect(),
            Block::Table(table) => {
                let mut texts: Vec<_> = lines(&table.head, &format!("{at}.table.head")).collect();
                for (number, row) in table.rows.iter().enumerate() {
                    texts.extend(lines(row, &format!("{at}.table.rows[{number}]")));
                }
                texts
            }
        }
    }
}

fn lines<'a>(lines: &'a [String], at: &str) -> impl Iterator<Item = (String, &'a str)> {
    lines.iter().enumerate().map(move |(number, line)| (format!("{at}[{number}]"), line.as_str()))
}

fn check(document: &Document) -> Result<(), Refusal> {
    if document.format != FORMAT {
        return Err(Refusal::new("format", format!("`{}` is not `{FORMAT}`", document.format)));
    }
    for (path, text) in [("title", &document.title), ("author", &document.author)] {
        if text.trim().is_empty() {
            return Err(Refusal::new(path, "is empty; an accessible PDF needs it"));
        }
    }
    document.zoned()?;
    count("pages", document.pages.len(), 1, PAGES_MAX)?;
    for (number, page) in document.pages.iter().enumerate() {
        check_page(page, &format!("pages[{number}]"))?;
    }
    document.texts().into_iter().try_for_each(|(path, text)| check_text(&path, text))
}

fn check_page(page: &Page, at: &str) -> Result<(), Refusal> {
    match page.kind {
        Kind::Letter => {
            count(&format!("{at}.address"), page.address.len(), 1, ADDRESS_LINES_MAX)?;
            count(&format!("{at}.sender"), page.sender.len(), 1, SENDER_LINES_MAX)?;
        }
        Kind::Notice if !page.address.is_empty() => {
            return Err(Refusal::new(format!("{at}.address"), "a notice has no address"));
        }
        Kind::Notice if !page.sender.is_empty() => {
            return Err(Refusal::new(format!("{at}.sender"), "a notice has no sender"));
        }
        Kind::Notice => {}
    }
    count(&format!("{at}.blocks"), page.blocks.len(), 1, BLOCKS_MAX)?;
    let mut level_before = 0;
    for (number, block) in page.blocks.iter().enumerate() {
        check_block(block, &format!("{at}.blocks[{number}]"), &mut level_before)?;
    }
    Ok(())
}

fn check_block(block: &Block, at: &str, level_before: &mut u8) -> Result<(), Refusal> {
    match block {
        Block::Heading(heading) => {
            let deepest = (*level_before + 1).min(HEADING_LEVEL_MAX);
            if heading.level == 0 || heading.level > deepest {
                let problem = format!("a heading here has a level of 1 to {deepest}, not {}", heading.level);
                return Err(Refusal::new(format!("{at}.heading.level"), problem));
            }
            *level_before = heading.level;
            Ok(())
        }
        Block::Paragraph(_) | Block::Small(_) => Ok(()),
        Block::List(entries) => count(&format!("{at}.list"), entries.len(), 1, ROWS_MAX),
        Block::Table(table) => {
            count(&format!("{at}.table.head"), table.head.len(), 1, COLUMNS_MAX)?;
            count(&format!("{at}.table.rows"), table.rows.len(), 1, ROWS_MAX)?;
            let columns = table.head.len();
            table
                .rows
                .iter()
                .enumerate()
                .try_for_each(|(number, row)| count(&format!("{at}.table.rows[{number}]"), row.len(), columns, columns))
        }
    }
}

fn count(path: &str, has: usize, min: usize, max: usize) -> Result<(), Refusal> {
    if (min..=max).contains(&has) {
        return Ok(());
    }
    let allowed = if min == max { format!("exactly {min}") } else { format!("{min} to {max}") };
    Err(Refusal::new(path, format!("has {has} entries; {allowed} are allowed")))
}

/// Line breaks are the only control characters that mean something on paper.
fn check_text(path: &str, text: &str) -> Result<(), Refusal> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Refusal::new(path, format!("has {} bytes; {TEXT_BYTES_MAX} are allowed", text.len())));
    }
    let breaks_allowed = path.ends_with(".paragraph") || path.ends_with(".small");
    let control = text.chars().find(|&character| character.is_control() && !(character == '\n' && breaks_allowed));
    match control {
        None => Ok(()),
        Some('\n') => Err(Refusal::new(path, "a line break stands here; only paragraphs may have them")),
        Some(character) => {
            Err(Refusal::new(path, format!("the control character U+{:04X} cannot be printed", character as u32)))
        }
    }
}
