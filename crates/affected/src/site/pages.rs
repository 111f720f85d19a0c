//! The pages as bytes, each padded to the same length, made once. What is mistyped alone is answered with a page of its
//! own, because it shows again what was typed.

use crate::Error;
use crate::code::Mistyped;
use crate::config::Firm;
use crate::notice::{Field, Left, Notice, Standing};
use crate::words::{Language, Words};
use askama::Template;
use axum::body::Bytes;

/// Bytes of every page. Without a fixed length, whoever sees the encrypted line could tell a result from none; for
/// the same reason no proxy may compress it.
pub const ANSWER_BYTES: usize = 32 << 10;

pub(super) const STYLE: &str = include_str!("../../templates/style.css");

/// A page in both languages.
#[derive(Clone, Debug)]
pub(super) struct Both([Bytes; 2]);

/// All pages.
#[derive(Debug)]
pub(super) struct Pages {
    firm: Firm,
    has_mail: bool,
    form: Both,
    mail_form: Both,
    mailed: Both,
    unknown: Both,
    busy: Both,
    found: Vec<Both>,
}

#[derive(Template)]
#[template(path = "form.html")]
struct FormPage<'a> {
    w: &'static Words,
    firm: &'a str,
    contact: Vec<&'a str>,
    problem: Option<&'a str>,
    typed: &'a str,
    has_mail: bool,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct MailPage<'a> {
    w: &'static Words,
    firm: &'a str,
    contact: Vec<&'a str>,
    problem: Option<&'a str>,
    typed: &'a str,
}

#[derive(Template)]
#[template(path = "text.html")]
struct TextPage<'a> {
    w: &'static Words,
    firm: &'a str,
    contact: Vec<&'a str>,
    title: &'a str,
    paragraphs: &'a [&'a str],
}

#[derive(Template)]
#[template(path = "found.html")]
struct FoundPage<'a> {
    w: &'static Words,
    firm: &'a str,
    contact: Vec<&'a str>,
    title: &'a str,
    period: &'a str,
    version: u32,
    left: Vec<&'a str>,
    not_found: Vec<&'a str>,
    not_examined: Vec<&'a str>,
    advice: Vec<&'a str>,
}

impl Both {
    pub(super) fn of(&self, language: Language) -> Bytes {
        self.0[language as usize].clone()
    }

    fn make(page: impl Fn(Language) -> Result<Bytes, Error>) -> Result<Both, Error> {
        let [ja, en] = Language::ALL;
        Ok(Both([page(ja)?, page(en)?]))
    }
}

impl Pages {
    pub(super) fn new(firm: &Firm, has_mail: bool) -> Result<Pages, Error> {
        let text = |language: Language, title, paragraphs: &[&str]| {
            let (firm, contact) = head(firm, language);
            padded("-", &TextPage { w: language.words(), firm, contact, title, paragraphs })
        };
        Ok(Pages {
            firm: firm.clone(),
            has_mail,
            form: Both::make(|language| form(firm, has_mail, language, None, ""))?,
            mail_form: Both::make(|language| mail_form(firm, language, None, ""))?,
            mailed: Both::make(|language| text(language, language.words().mailed_title, &language.words().mailed))?,
            unknown: Both::make(|language| text(language, language.words().unknown_title, &language.words().unknown))?,
            busy: Both::make(|language| text(language, language.words().busy_title, &[language.words().busy]))?,
            found: Vec::new(),
        })
    }

    /// Makes a page for each set of fields; returns the number of the first.
    pub(super) fn add(&mut self, notice: &Notice, sets: &[Left]) -> Result<u32, Error> {
        let first = u32::try_from(self.found.len()).unwrap_or(u32::MAX);
        for &left in sets {
            let page = Both::make(|language| found(&self.firm, language, notice, left))?;
            self.found.push(page);
        }
        Ok(first)
    }

    pub(super) fn form(&self) -> Both {
        self.form.clone()
    }

    pub(super) fn mail_form(&self) -> Both {
        self.mail_form.clone()
    }

    pub(super) fn mailed(&self) -> Both {
        self.mailed.clone()
    }

    pub(super) fn unknown(&self) -> Both {
        self.unknown.clone()
    }

    pub(super) fn busy(&self) -> Both {
        self.busy.clone()
    }

    pub(super) fn found(&self, page: u32) -> Both {
        self.found[page as usize].clone()
    }

    pub(super) fn mistyped(&self, language: Language, problem: Mistyped, typed: &str) -> Result<Bytes, Error> {
        form(&self.firm, self.has_mail, language, Some(language.words().mistyped(problem)), typed)
    }

    pub(super) fn mail_mistyped(&self, language: Language, typed: &str) -> Result<Bytes, Error> {
        mail_form(&self.firm, language, Some(language.words().mail_problem), typed)
    }
}

fn head(firm: &Firm, language: Language) -> (&str, Vec<&str>) {
    (language.of(&firm.name), firm.contact.iter().map(|line| language.of(line)).collect())
}

fn form(firm: &Firm, has_mail: bool, language: Language, problem: Option<&str>, typed: &str) -> Result<Bytes, Error> {
    let (firm, contact) = head(firm, language);
    padded("-", &FormPage { w: language.words(), firm, contact, problem, typed, has_mail })
}

fn mail_form(firm: &Firm, language: Language, problem: Option<&str>, typed: &str) -> Result<Bytes, Error> {
    let (firm, contact) = head(firm, language);
    padded("-", &MailPage { w: language.words(), firm, contact, problem, typed })
}

fn found(firm: &Firm, language: Language, notice: &Notice, left: Left) -> Result<Bytes, Error> {
    let (firm, contact) = head(firm, language);
    let label = |field| -> &str {
        let field: &Field = field;
        if language == Language::Ja { &field.ja } else { &field.en }
    };
    let fields = |standing| notice.fields_in(left, standing).map(label).collect();
    let page = FoundPage {
        w: language.words(),
        firm,
        contact,
        title: language.of(&notice.title),
        period: language.of(&notice.period),
        version: notice.version,
        left: fields(Standing::Left),
        not_found: fields(Standing::NotFound),
        not_examined: fields(Standing::NotExamined),
        advice: notice.advice.iter().map(|paragraph| language.of(paragraph)).collect(),
    };
    padded(&notice.case, &page)
}

/// The page, filled up with a comment of spaces.
fn padded(case: &str, page: &impl Template) -> Result<Bytes, Error> {
    const COMMENT_BYTES: usize = "<!---->".len();
    // The templates have no filters of their own, so that writing to a string cannot fail.
    let mut text = page.render().map_err(|err| Error::Config(err.to_string()))?;
    let too_large = Error::PageTooLarge { case: case.to_owned(), bytes: text.len(), max: ANSWER_BYTES - COMMENT_BYTES };
    let spaces = ANSWER_BYTES.checked_sub(text.len() + COMMENT_BYTES).ok_or(too_large)?;
    text.push_str("<!--");
    text.extend(std::iter::repeat_n(' ', spaces));
    text.push_str("-->");
    Ok(text.into())
}
