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

/// A person as the register has it: one piece of memory, for there is one a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Row key, name, mail address, and the lines of the postal address with a line break between them.
    cells: Box<str>,
    row_key_bytes: u32,
    name_bytes: u32,
    mail_bytes: u32,
    register: u16,
    language: Option<Lang>,
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
    /// None when a cell has more bytes than there is memory for in any machine that this runs on.
    fn new(
        register: usize,
        row_key: &str,
        name: &str,
        mail: &str,
        language: Option<Lang>,
        postal: &[String],
    ) -> Option<Recipient> {
        let bytes = |text: &str| u32::try_from(text.len()).ok();
        Some(Recipient {
            row_key_bytes: bytes(row_key)?,
            name_bytes: bytes(name)?,
            mail_bytes: bytes(mail)?,
            register: u16::try_from(register).ok()?,
            language,
            cells: format!("{row_key}{name}{mail}{}", postal.join("\n")).into_boxed_str(),
        })
    }

    /// The register's place in the configuration.
    #[must_use]
    pub fn register(&self) -> usize {
        usize::from(self.register)
    }

    /// The firm's key of the row.
    #[must_use]
    pub fn row_key(&self) -> &str {
        self.cut(0, self.row_key_bytes)
    }

    /// The name on one line; empty when the register has none that can be used.
    #[must_use]
    pub fn name(&self) -> &str {
        self.cut(self.row_key_bytes, self.name_bytes)
    }

    /// The mail address, if it can be used.
    #[must_use]
    pub fn mail(&self) -> Option<&str> {
        Some(self.cut(self.row_key_bytes + self.name_bytes, self.mail_bytes)).filter(|mail| !mail.is_empty())
    }

    /// The same as the relay is told it.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        self.mail().and_then(address)
    }

    /// The language, if the row names one.
    #[must_use]
    pub fn language(&self) -> Option<Lang> {
        self.language
    }

    /// The lines of the postal address; none when there is no address.
    pub fn postal(&self) -> impl Iterator<Item = &str> {
        let begin = self.row_key_bytes + self.name_bytes + self.mail_bytes;
        self.cells[begin as usize..].lines()
    }

    /// Whether there is a postal address.
    #[must_use]
    pub fn has_postal(&self) -> bool {
        self.postal().next().is_some()
    }

    /// How this person can be reached.
    #[must_use]
    pub fn way(&self) -> Way {
        match (self.mail(), self.name().is_empty(), self.has_postal()) {
            (Some(_), false, _) => Way::Mail,
            (_, false, true) => Way::Letter,
            _ => Way::NoAddress,
        }
    }

    /// The receiving domain, in lower case; empty without an address.
    #[must_use]
    pub fn domain(&self) -> String {
        let domain = self.mail().and_then(|mail| mail.rsplit_once('@'));
        domain.map_or_else(String::new, |(_, domain)| domain.to_ascii_lowercase())
    }

    fn cut(&self, begin: u32, bytes: u32) -> &str {
        &self.cells[begin as usize..(begin + bytes) as usize]
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
                let postal: Vec<String> =
                    if is_complete { postal.into_iter().filter(|line| !line.is_empty()).collect() } else { Vec::new() };
                let mail = cell(columns.mail);
                let mail = address(mail).map_or("", |_| mail);
                let language = columns.language.and_then(|at| Lang::of(cell(at)));
                let name = line_of(cell(columns.person));
                match Recipient::new(place, cell(columns.row_key), &name, mail, language, &postal) {
                    Some(recipient) => {
                        place_of.insert(recipient);
                    }
                    None => errors.push(format!("row {line} is too long")),
                }
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
