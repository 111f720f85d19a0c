//! The firm's register file at this moment: whose mail address, name, language and postal address.
//!
//! Rows are kept for the persons who are asked for only, and as long as the command runs: nothing of them is stored.

use crate::config::Register;
use crate::template::Lang;
use crate::{Error, NoticeKey, PersonKey, Way};
use lettre::Address;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Complaints about one file that are told in full.
const ERRORS_MAX: usize = 20;
/// Characters of a name or of a line of an address; beyond, the person counts as having none, and an operator decides.
const LINE_CHARS_MAX: usize = 200;

/// A person as the register has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The register's place in the configuration.
    pub register: usize,
    /// The firm's key of the row.
    pub row_key: String,
    /// The name.
    pub name: String,
    /// The mail address, if it can be used.
    pub mail: Option<Address>,
    /// The language, if the row names one.
    pub language: Option<Lang>,
    /// The lines of the postal address; none when there is no address.
    pub postal: Vec<String>,
}

/// Persons by their keyed hash.
pub type Recipients = HashMap<PersonKey, Recipient>;

/// Values stay out of logs.
impl std::fmt::Debug for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recipient").field("register", &self.register).finish_non_exhaustive()
    }
}

impl Recipient {
    /// How this person can be reached.
    #[must_use]
    pub fn way(&self) -> Way {
        match (&self.mail, self.name.is_empty(), self.postal.is_empty()) {
            (Some(_), false, _) => Way::Mail,
            (_, false, false) => Way::Letter,
            _ => Way::NoAddress,
        }
    }

    /// The receiving domain, in lower case.
    #[must_use]
    pub fn domain(&self) -> String {
        self.mail.as_ref().map_or_else(String::new, |mail| mail.domain().to_ascii_lowercase())
    }
}

/// Reads a register file that was decoded to UTF-8: the rows whose persons `wanted` asks for.
pub fn read(
    text: &str,
    register: &Register,
    place: usize,
    person: impl Fn(&str) -> PersonKey,
    wanted: impl Fn(PersonKey) -> bool,
    into: &mut Recipients,
) -> Result<(), Error> {
    let wrong = |what: String| Error::Table { path: register.file.clone(), what };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let header: Vec<String> = reader
        .headers()
        .map_err(|err| wrong(err.to_string()))?
        .iter()
        .map(|name| name.trim().trim_start_matches('\u{feff}').to_owned())
        .collect();
    let columns = Columns::find(&header, register).map_err(wrong)?;
    let mut errors = Vec::new();
    let mut row = csv::StringRecord::new();
    let mut line = 1u64;
    loop {
        line += 1;
        match reader.read_record(&mut row) {
            Ok(false) => break,
            Ok(true) => {}
            Err(err) => {
                errors.push(err.to_string());
                break;
            }
        }
        let cell = |at: usize| row.get(at).unwrap_or("").trim();
        let key = person(cell(columns.row_key));
        if !wanted(key) {
            continue;
        }
        match into.entry(key) {
            // Which of two rows is meant cannot be known, and a wrong address would be a leak.
            Entry::Occupied(_) => errors.push(format!("row {line} has the key of a row before it")),
            Entry::Vacant(place_of) => {
                let postal: Vec<String> = columns.postal.iter().map(|at| line_of(cell(*at))).collect();
                let is_complete = postal.last().is_some_and(|line| !line.is_empty());
                place_of.insert(Recipient {
                    register: place,
                    row_key: cell(columns.row_key).to_owned(),
                    name: line_of(cell(columns.person)),
                    mail: address(cell(columns.mail)),
                    language: columns.language.and_then(|at| Lang::of(cell(at))),
                    postal: if is_complete {
                        postal.into_iter().filter(|line| !line.is_empty()).collect()
                    } else {
                        Vec::new()
                    },
                });
            }
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    let more = errors.len().saturating_sub(ERRORS_MAX);
    errors.truncate(ERRORS_MAX);
    if more > 0 {
        errors.push(format!("and {more} more"));
    }
    Err(wrong(format!("\n  {}", errors.join("\n  "))))
}

/// A cell as one line of text: a line break would begin another line of a mail, and marks of direction would turn the
/// firm's own words around. Too long a one is empty.
fn line_of(cell: &str) -> String {
    let is_shown = |c: &char| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let spaced =
        cell.chars().filter(is_shown).map(|c| if c.is_control() || "\u{2028}\u{2029}".contains(c) { ' ' } else { c });
    let mut line = String::new();
    let mut was_break = false;
    for c in spaced {
        if c != ' ' || !was_break {
            line.push(c);
        }
        was_break = c == ' ';
    }
    let line = line.trim();
    if line.chars().count() > LINE_CHARS_MAX { String::new() } else { line.to_owned() }
}

/// An address that any relay takes: ASCII, one person.
pub(crate) fn address(text: &str) -> Option<Address> {
    text.is_ascii().then(|| text.parse().ok()).flatten()
}

struct Columns {
    row_key: usize,
    mail: usize,
    person: usize,
    language: Option<usize>,
    postal: Vec<usize>,
}

impl Columns {
    fn find(header: &[String], register: &Register) -> Result<Columns, String> {
        let mut missing = Vec::new();
        let mut find = |name: &str| {
            let at = header.iter().position(|known| known == name);
            if at.is_none() {
                missing.push(format!("`{name}`"));
            }
            at.unwrap_or(0)
        };
        let columns = Columns {
            row_key: find(&register.config.row_key),
            mail: find(&register.mail),
            person: find(&register.person),
            language: register.language.as_deref().map(&mut find),
            postal: register.postal.iter().map(|name| find(name)).collect(),
        };
        if missing.is_empty() {
            return Ok(columns);
        }
        Err(format!("it has no column {}; it has: {}", missing.join(", "), header.join(", ")))
    }
}

/// The person of a register's row.
pub fn person_of<'a>(key: &'a NoticeKey, case: &'a str, register: &'a Register) -> impl Fn(&str) -> PersonKey + 'a {
    move |row_key| key.person(case, &register.name, row_key)
}
