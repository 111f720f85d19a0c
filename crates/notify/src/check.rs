//! The scan of a mail before it goes: it must hold exactly its own recipient's address and name, and nobody else's data.
//!
//! It reads the bytes that would be sent, not what they were made from, with a decoder of its own: a fault in the making
//! is no fault here. Firm-side addresses (the sender's, the contact's) are told to it and pass.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sekisho_edm::{Finding, Found, Index, Reflected, Scanner, TextForm};
use sekisho_model::{ByteRange, FieldKind, GenericKind, Subject};
use std::collections::HashSet;
use std::sync::Arc;

/// Whose mail it should be.
#[derive(Clone, Debug)]
pub struct Own<'a> {
    /// The person in the index.
    pub subject: Subject,
    /// The address, as the register has it.
    pub mail: &'a str,
    /// The name, as the register has it.
    pub name: &'a str,
}

/// Scans mails of one run.
#[derive(Debug)]
pub struct Check {
    index: Arc<Index>,
    reflected: Arc<Reflected>,
    /// Addresses that are the firm's, in lower case.
    firm: HashSet<String>,
}

impl Check {
    /// `firm_texts` are what the firm says in every mail: addresses in them are its own.
    #[must_use]
    pub fn new<'a>(index: Arc<Index>, firm_texts: impl IntoIterator<Item = &'a str>) -> Check {
        let firm = firm_texts.into_iter().flat_map(addresses).collect();
        Check { index, reflected: Arc::new(Reflected::default()), firm }
    }

    /// What is wrong with a mail to this person, without any value.
    pub fn mail(&self, bytes: &[u8], own: &Own<'_>) -> Result<(), String> {
        let read = read(bytes)?;
        if read.to.len() != 1 || !read.to[0].eq_ignore_ascii_case(own.mail.trim()) {
            return Err("it is not addressed to its recipient alone".to_owned());
        }
        if !read.text.contains(own.name.trim()) || own.name.trim().is_empty() {
            return Err("it does not hold its recipient's name".to_owned());
        }
        // The address first: names are looked for around values of the same person.
        let text = format!("{}\n{}\n{}", read.to[0], read.subject, read.text);
        self.text(&text, own)
    }

    /// What is wrong with a mail that holds nothing of a register, without any value.
    pub fn single(&self, bytes: &[u8], to: &str) -> Result<(), String> {
        let read = read(bytes)?;
        if read.to.len() != 1 || !read.to[0].eq_ignore_ascii_case(to) {
            return Err("it is not addressed to its recipient alone".to_owned());
        }
        let text = format!("{}\n{}\n{}", read.to[0], read.subject, read.text);
        let findings = self.findings(&text);
        findings.iter().try_for_each(|finding| match &finding.found {
            Found::Subject { .. } => Err("it holds data of a person".to_owned()),
            Found::Generic(generic) => self.generic(&text, finding, generic.kind, to),
        })
    }

    /// The same for a letter's text, which has no address of mail.
    pub fn text(&self, text: &str, own: &Own<'_>) -> Result<(), String> {
        let findings = self.findings(text);
        findings.iter().try_for_each(|finding| self.finding(text, finding, &findings, own))
    }

    fn findings(&self, text: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut scanner = Scanner::new(Arc::clone(&self.index), TextForm::default(), Arc::clone(&self.reflected));
        scanner.feed(text.as_bytes(), &mut findings);
        scanner.finish(&mut findings);
        findings
    }

    fn finding(&self, text: &str, finding: &Finding, all: &[Finding], own: &Own<'_>) -> Result<(), String> {
        match finding.found {
            Found::Subject { subject, fields, .. } if subject == own.subject => {
                let register = &self.index.registers()[usize::from(subject.register.0)];
                let is_needed = |field: &sekisho_model::Field| {
                    matches!(field.kind, FieldKind::Email | FieldKind::Name | FieldKind::Kana | FieldKind::Romaji)
                };
                let more =
                    fields.iter().map(|field| &register.fields[usize::from(field.0)]).find(|field| !is_needed(field));
                more.map_or(Ok(()), |field| Err(format!("it holds its recipient's `{}`", field.name)))
            }
            Found::Subject { subject, .. } => {
                // A family shares an address: the same bytes are the recipient's own too.
                let is_own = |other: &Finding| {
                    other.span == finding.span
                        && matches!(other.found, Found::Subject { subject, .. } if subject == own.subject)
                };
                if all.iter().any(is_own) || self.is_put_together(text, finding, all, own) {
                    return Ok(());
                }
                let register = &self.index.registers()[usize::from(subject.register.0)].name;
                Err(format!("it holds data of another person of `{register}`"))
            }
            Found::Generic(generic) => self.generic(text, finding, generic.kind, own.mail.trim()),
        }
    }

    /// Whether a name of somebody who shares the recipient's address is put together from the recipient's own name and a word
    /// of the text: 福田 詩織 and 誠 in 「誠に」 are no 福田 誠. A mail that told of that person would hold the name as it is
    /// written, with nothing but a space or a sign in it.
    fn is_put_together(&self, text: &str, finding: &Finding, all: &[Finding], own: &Own<'_>) -> bool {
        let Found::Subject { subject, fields, reflected } = finding.found else { return false };
        let register = &self.index.registers()[usize::from(subject.register.0)];
        let is_name = |field: sekisho_model::FieldIndex| {
            let kind = register.fields[usize::from(field.0)].kind;
            matches!(kind, FieldKind::Name | FieldKind::Kana | FieldKind::Romaji)
        };
        let gap = usize::try_from(finding.gap.start).ok().zip(usize::try_from(finding.gap.end).ok());
        let gap = gap.and_then(|(start, end)| text.get(start..end)).unwrap_or("");
        let is_apart = gap.chars().any(char::is_alphanumeric);
        let of_recipient = |place: ByteRange| {
            all.iter().any(|other| {
                matches!(other.found, Found::Subject { subject, .. } if subject == own.subject)
                    && other.places().any(|known| known.start <= place.start && place.end <= known.end)
            })
        };
        reflected.is_empty() && fields.iter().all(is_name) && is_apart && finding.places().any(of_recipient)
    }

    /// What is a card's, a person's number or an address by its form. `own` is the recipient's address.
    fn generic(&self, text: &str, finding: &Finding, kind: GenericKind, own: &str) -> Result<(), String> {
        match kind {
            GenericKind::Email => {
                let span = usize::try_from(finding.span.start).ok().zip(usize::try_from(finding.span.end).ok());
                let value = span.and_then(|(start, end)| text.get(start..end)).unwrap_or("").to_lowercase();
                let known = self.firm.contains(&value) || value == own.to_lowercase();
                known.then_some(()).ok_or_else(|| "it holds a mail address that is not the firm's".to_owned())
            }
            GenericKind::Pan => Err("it holds a card number".to_owned()),
            GenericKind::MyNumber => Err("it holds an individual number".to_owned()),
        }
    }
}

/// The addresses in a text of the firm, in lower case.
fn addresses(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "@._%+-".contains(c);
    let words = text.split(|c: char| !is_part(c)).map(|word| word.trim_matches('.'));
    words.filter(|word| word.contains('@')).map(str::to_lowercase).collect()
}

/// A mail as its receiver reads it.
struct Read {
    to: Vec<String>,
    subject: String,
    text: String,
}

fn read(bytes: &[u8]) -> Result<Read, String> {
    let mail = std::str::from_utf8(bytes).map_err(|_| "its bytes are not UTF-8".to_owned())?;
    let (head, body) = mail.split_once("\r\n\r\n").ok_or("it has no end of its head")?;
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.split("\r\n") {
        match (line.strip_prefix([' ', '\t']), line.split_once(':'), headers.last_mut()) {
            (Some(more), _, Some((_, value))) => {
                value.push(' ');
                value.push_str(more);
            }
            (None, Some((name, value)), _) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            _ => return Err("its head cannot be read".to_owned()),
        }
    }
    if headers.iter().any(|(name, _)| matches!(name.as_str(), "cc" | "bcc" | "resent-to")) {
        return Err("it has more than one recipient".to_owned());
    }
    let all = |name: &str| {
        headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    let to = all("to").into_iter().flat_map(|value| value.split(',')).map(|one| address(one).to_owned()).collect();
    let subject = words(&all("subject").join(" "))?;
    let text = match all("content-transfer-encoding").first().copied().unwrap_or("7bit") {
        encoding if encoding.eq_ignore_ascii_case("base64") => decode_base64(body)?,
        encoding if encoding.eq_ignore_ascii_case("7bit") => body.to_owned(),
        _ => return Err("its body has an encoding that the scan does not read".to_owned()),
    };
    Ok(Read { to, subject, text })
}

fn address(one: &str) -> &str {
    one.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(one.trim(), |(address, _)| address.trim())
}

fn decode_base64(body: &str) -> Result<String, String> {
    let digits: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(digits).map_err(|_| "its body is not base64".to_owned())?;
    String::from_utf8(bytes).map_err(|_| "its body is not UTF-8".to_owned())
}

/// Encoded words (RFC 2047) of UTF-8; white space between two of them is none.
fn words(value: &str) -> Result<String, String> {
    let cannot = || "its subject cannot be read".to_owned();
    let mut bytes = Vec::new();
    let mut after_word = false;
    for word in value.split_whitespace() {
        let parts: Option<Vec<&str>> =
            word.strip_prefix("=?").and_then(|word| word.strip_suffix("?=")).map(|word| word.splitn(3, '?').collect());
        let encoded = parts.filter(|parts| parts.len() == 3 && parts[0].eq_ignore_ascii_case("utf-8"));
        if !(bytes.is_empty() || after_word && encoded.is_some()) {
            bytes.push(b' ');
        }
        after_word = encoded.is_some();
        match encoded.as_deref() {
            None => bytes.extend_from_slice(word.as_bytes()),
            Some([_, "b" | "B", text]) => bytes.extend(STANDARD.decode(text).map_err(|_| cannot())?),
            Some([_, "q" | "Q", text]) => quoted(text, &mut bytes).ok_or_else(cannot)?,
            Some(_) => return Err(cannot()),
        }
    }
    String::from_utf8(bytes).map_err(|_| cannot())
}

fn quoted(text: &str, bytes: &mut Vec<u8>) -> Option<()> {
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = match first {
            b'_' => {
                bytes.push(b' ');
                more
            }
            b'=' => {
                bytes.extend(hex::decode(more.get(..2)?).ok()?);
                &more[2..]
            }
            other => {
                bytes.push(*other);
                more
            }
        };
    }
    Some(())
}
