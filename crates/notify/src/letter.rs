//! Letters: the document from which the executable `sekisho-pdf` makes a PDF, and the printing house's list.
//!
//! Not the making of the PDF. One text serves mail and letter: its paragraphs become the letter's blocks.

use crate::desk::Desk;
use crate::register::Recipient;
use crate::template::{Lang, Text};
use crate::{Error, PersonKey};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

/// Letters of one batch; more are in further ones. `sekisho-pdf` sets at most 2,000 at once, and 1,000 take it some 800 MB.
pub const LETTERS_MAX: usize = 1_000;

/// One letter.
#[derive(Debug)]
pub struct Letter<'a> {
    /// Whose, as a keyed hash.
    pub person: PersonKey,
    /// Which notice.
    pub notice: u16,
    /// The person.
    pub recipient: &'a Recipient,
    /// The language.
    pub language: Lang,
    /// The words.
    pub text: Text,
}

/// The document, format `sekisho-pdf/1`.
#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    lang: &'static str,
    title: &'a str,
    author: &'a str,
    date: String,
    pages: Vec<Page>,
}

#[derive(Serialize)]
struct Page {
    kind: &'static str,
    address: Vec<String>,
    sender: Vec<String>,
    blocks: Vec<Block>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Block {
    Heading { level: u8, text: String },
    Paragraph(String),
    List(Vec<String>),
    Small(String),
}

/// The document of letters in one language.
pub fn document(
    desk: &Desk,
    language: Lang,
    letters: &[Letter<'_>],
    at: Timestamp,
    zone: &TimeZone,
) -> Result<Vec<u8>, Error> {
    let texts = desk.texts(language);
    let title = letters.first().map_or("", |letter| &letter.text.subject);
    let sender = desk.config().letter_sender.clone();
    let sender = if sender.is_empty() { vec![texts.firm.clone()] } else { sender };
    let pages = letters.iter().map(|letter| Page {
        kind: "letter",
        address: address(desk, letter),
        sender: sender.clone(),
        blocks: blocks(&letter.text),
    });
    let document = Document {
        format: "sekisho-pdf/1",
        lang: language.code(),
        title,
        author: &texts.firm,
        date: at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        pages: pages.collect(),
    };
    serde_json::to_vec(&document).map_err(|err| Error::Compose(err.to_string()))
}

/// The printing house's list: one line a letter, in the order of the documents' pages.
pub fn csv(desk: &Desk, batch: u32, letters: &[Letter<'_>]) -> Result<Vec<u8>, Error> {
    let lines_max = letters.iter().map(|letter| letter.recipient.postal().count()).max().unwrap_or(0);
    let mut csv = csv::Writer::from_writer(Vec::new());
    let cannot = |err: csv::Error| Error::Compose(err.to_string());
    let mut head =
        vec!["batch".to_owned(), "page".to_owned(), "language".to_owned(), "reference".to_owned(), "name".to_owned()];
    head.extend((1..=lines_max).map(|line| format!("address_{line}")));
    csv.write_record(&head).map_err(cannot)?;
    let mut pages = [0u32; Lang::ALL.len()];
    for letter in letters {
        let page = &mut pages[letter.language as usize];
        *page += 1;
        let reference = format!("{}-{}", letter.person, letter.notice);
        let name = desk.honorific(letter.language, letter.recipient.name());
        let mut row = vec![batch.to_string(), page.to_string(), letter.language.to_string(), reference, cell(&name)];
        let postal = letter.recipient.postal().chain(std::iter::repeat("")).take(lines_max);
        row.extend(postal.map(cell));
        csv.write_record(&row).map_err(cannot)?;
    }
    csv.into_inner().map_err(|err| Error::Compose(err.to_string()))
}

/// A spreadsheet would run what begins like a formula.
fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn address(desk: &Desk, letter: &Letter<'_>) -> Vec<String> {
    let name = desk.honorific(letter.language, letter.recipient.name());
    let postal = letter.recipient.postal().map(str::to_owned);
    match letter.language {
        Lang::Ja => postal.chain([name]).collect(),
        Lang::En => std::iter::once(name).chain(postal).collect(),
    }
}

/// Paragraphs become blocks: a first line that stands over others is their heading, lines with a mark are a list.
fn blocks(text: &Text) -> Vec<Block> {
    let mut blocks = vec![Block::Heading { level: 1, text: text.subject.clone() }];
    let paragraphs: Vec<&str> = text.body.split("\n\n").map(str::trim).filter(|part| !part.is_empty()).collect();
    for (at, paragraph) in paragraphs.iter().enumerate() {
        let (first, rest) = paragraph.split_once('\n').unwrap_or((paragraph, ""));
        if at + 1 == paragraphs.len() {
            blocks.push(Block::Small((*paragraph).to_owned()));
        } else if rest.is_empty() {
            blocks.push(Block::Paragraph(first.to_owned()));
        } else {
            blocks.push(Block::Heading { level: 2, text: first.trim_start_matches("■ ").to_owned() });
            let mark = |line: &str| line.strip_prefix('・').or_else(|| line.strip_prefix("- ")).map(str::to_owned);
            let items: Option<Vec<String>> = rest.lines().map(mark).collect();
            blocks.push(items.map_or_else(|| Block::Paragraph(rest.to_owned()), Block::List));
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_become_headings_lists_and_a_foot() {
        let body = "山田 太郎 様\n\n■ 漏えいした情報\n・お名前\n・電話番号\n\n■ 概要\n本文です。\n\n受付番号: a";
        let text = Text { subject: "お知らせ".into(), body: body.into() };
        assert_eq!(
            blocks(&text),
            [
                Block::Heading { level: 1, text: "お知らせ".into() },
                Block::Paragraph("山田 太郎 様".into()),
                Block::Heading { level: 2, text: "漏えいした情報".into() },
                Block::List(vec!["お名前".into(), "電話番号".into()]),
                Block::Heading { level: 2, text: "概要".into() },
                Block::Paragraph("本文です。".into()),
                Block::Small("受付番号: a".into()),
            ]
        );
    }

    #[test]
    fn a_cell_is_never_a_formula() {
        assert_eq!(cell("=cmd()"), "'=cmd()");
        assert_eq!(cell("＝cmd()"), "'＝cmd()", "some spreadsheets take it for =");
        assert_eq!(cell("東京都"), "東京都");
    }
}
