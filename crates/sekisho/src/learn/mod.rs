//! Guesses what a register file's columns hold, from its header and a sample of its rows.
//!
//! A proposal for the operator to read, never more: examples are shown masked, and why each guess was made. Read in
//! this order: [`learn`], [`Guess`], `recognise` (one value), `mask` (showing a value without showing it).

mod mask;
mod recognise;
#[cfg(test)]
mod tests;

use crate::config::Register;
use crate::register_file;
use anyhow::{Context, Result, bail};
use recognise::Shape;
use sekisho_edm::register::{line_in, separator};
use sekisho_edm::{ColumnConfig, Encoding, RegisterConfig};
use sekisho_model::FieldKind;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Bytes of the file that are looked at.
const SAMPLE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Rows of the sample that are looked at.
const SAMPLE_ROWS_MAX: usize = 5_000;
/// Part of a column's values, in percent, that must look alike for a guess by their form.
const ALIKE_PERCENT_MIN: usize = 80;

/// Why a column of account ids needs the operator's care.
const SHORT_NUMBER: &str = "short: years and prices would match";

/// What a file seems to be.
pub(crate) struct Learnt {
    /// The register's name: the file's.
    pub(crate) name: String,
    /// The file.
    pub(crate) file: PathBuf,
    /// Its encoding.
    pub(crate) encoding: Encoding,
    /// Every column, in the file's order.
    pub(crate) guesses: Vec<Guess>,
    /// The column of the row keys.
    pub(crate) row_key: usize,
    /// Rows looked at.
    pub(crate) rows: usize,
}

/// What a column seems to hold.
#[derive(Debug)]
pub(crate) struct Guess {
    /// The column.
    pub(crate) name: String,
    /// The kind.
    pub(crate) kind: FieldKind,
    /// For account ids: the form of all of them.
    pub(crate) pattern: Option<String>,
    /// A value, masked.
    pub(crate) example: String,
    /// Values that look like the kind, in percent of those that are not empty.
    pub(crate) alike_percent: usize,
    /// Why.
    pub(crate) why: &'static str,
}

/// Looks at a file.
pub(crate) fn learn(path: &Path) -> Result<Learnt> {
    let (text, encoding) = register_file::sample(path, SAMPLE_BYTES_MAX)?;
    let name = register_name(path);
    learn_text(&text, encoding, path, name).with_context(|| format!("cannot learn from `{}`", path.display()))
}

fn learn_text(text: &str, encoding: Encoding, path: &Path, name: String) -> Result<Learnt> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers()?.iter().map(|name| name.trim().to_owned()).collect();
    check_header(&header)?;
    let rows = reader.records().take(SAMPLE_ROWS_MAX).collect::<Result<Vec<_>, _>>()?;
    if rows.is_empty() {
        bail!("the file has no row below the columns' names");
    }
    let lines: Vec<u64> = rows.iter().map(|row| line_in(text, row.position().map_or(0, csv::Position::line))).collect();
    let column = |at: usize| -> Vec<&str> { rows.iter().map(|row| row.get(at).unwrap_or("").trim()).collect() };
    let columns: Vec<Vec<&str>> = (0..header.len()).map(column).collect();
    let row_key = row_key(&header, &columns, &lines)?;
    let guesses = header
        .iter()
        .zip(&columns)
        .enumerate()
        .map(|(at, (name, values))| guess(name, values, at == row_key))
        .collect();
    Ok(Learnt { name, file: path.to_owned(), encoding, guesses, row_key, rows: rows.len() })
}

/// The columns' names stand in clear in ledger and answers: a value among them is a customer's (PRV-1).
fn check_header(header: &[String]) -> Result<()> {
    if header.iter().all(String::is_empty) {
        bail!("the file is empty; its first row names the columns");
    }
    if let Some(at) = header.iter().position(|name| recognise::is_value(name)) {
        let column = at + 1;
        bail!(
            "the first row holds a value in column {column}, not the columns' names: put a row with their names above it"
        );
    }
    if let Some(twice) =
        (1..header.len()).map(|at| &header[at]).find(|name| header.iter().filter(|it| it == name).count() > 1)
    {
        bail!("the file has the column `{twice}` twice: rename one of them");
    }
    if let [only] = header
        && let Some(separator) = separator(only)
    {
        bail!("the file has one column only, whose name holds a {separator}: export it with commas between the cells");
    }
    Ok(())
}

/// The column by which persons are known over all rebuilds: one that is called their number, else called an id, else any
/// that is unique and no name, address or date. A number that repeats is an error: another column in its place would give
/// everybody a second number once the file is corrected.
fn row_key(header: &[String], columns: &[Vec<&str>], lines: &[u64]) -> Result<usize> {
    let all = || 0..header.len();
    let is_unique = |at: &usize| repeats(&columns[*at], lines).is_none();
    let by_name = |named: fn(&str) -> bool| all().filter(move |at| named(&header[*at]));
    if let Some(at) = by_name(recognise::named_key).find(is_unique) {
        return Ok(at);
    }
    // A code that many rows share (of a branch, of a plan) numbers nobody.
    let is_nearly = |at: &usize| columns[*at].iter().collect::<HashSet<_>>().len() * 2 > lines.len();
    let numbers = || by_name(recognise::named_id).filter(|at| recognise::name_allows_key(&header[*at]));
    let wrong = by_name(recognise::named_key).next().or_else(|| numbers().filter(is_nearly).find(|at| !is_unique(at)));
    if let Some((at, lines)) = wrong.and_then(|at| Some((at, repeats(&columns[at], lines)?))) {
        bail!(
            "{lines} in column `{}`, by which a person would be known: correct the file, or name another row_key in a \
             configuration (`sekisho init`, `sekisho register build`)",
            header[at]
        );
    }
    let good = |at: &usize| is_unique(at) && recognise::may_be_key(&header[*at], &columns[*at]);
    numbers().find(is_unique).or_else(|| all().find(good)).context(
        "no column has a value of its own in every row, to know a person by; names, addresses and dates of birth are none",
    )
}

/// Why a column's values do not tell its rows apart; `None` where they do.
fn repeats(values: &[&str], lines: &[u64]) -> Option<String> {
    let mut seen = HashMap::new();
    for (value, line) in values.iter().zip(lines) {
        if value.is_empty() {
            return Some(format!("line {line} has no value"));
        }
        if let Some(before) = seen.insert(*value, line) {
            return Some(format!("lines {before} and {line} have the same value"));
        }
    }
    None
}

fn guess(name: &str, values: &[&str], is_row_key: bool) -> Guess {
    let present: Vec<&str> = values.iter().copied().filter(|value| !value.is_empty()).collect();
    let percent = |count: usize| if present.is_empty() { 0 } else { count * 100 / present.len() };
    let alike = |shape: Shape| percent(present.iter().filter(|value| recognise::shape(value) == shape).count());
    let made = |kind: FieldKind, alike_percent: usize, why: &'static str| Guess {
        name: name.to_owned(),
        kind,
        pattern: None,
        example: present.first().map_or_else(String::new, |value| mask::mask(value, kind)),
        alike_percent,
        why,
    };
    for (shape, kind, why) in recognise::BY_FORM {
        let alike = alike(shape);
        if alike >= ALIKE_PERCENT_MIN && recognise::name_allows(name, kind) {
            return made(kind, alike, why);
        }
    }
    if let Some(pattern) = recognise::account_pattern(&present)
        && (recognise::named_id(name) || is_row_key)
    {
        return Guess { pattern: Some(pattern), ..made(FieldKind::AccountId, 100, "one form, and called an id") };
    }
    match recognise::kind_by_name(name) {
        Some(FieldKind::AccountId) if present.iter().any(|value| recognise::is_short_number(value)) => {
            made(FieldKind::AccountId, 100, SHORT_NUMBER)
        }
        Some(kind) => made(kind, 100, "by the column's name"),
        None => made(FieldKind::Text, 100, "nothing known"),
    }
}

/// A register's name from its file's: `customers.csv` is `customers`.
fn register_name(path: &Path) -> String {
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    if stem.is_empty() { "register".to_owned() } else { stem }
}

impl Learnt {
    /// As a register of a configuration, without the columns that nothing looks for.
    pub(crate) fn register(&self) -> Register {
        let columns = self.guesses.iter().map(|guess| ColumnConfig {
            name: guess.name.clone(),
            kind: guess.kind,
            pattern: guess.pattern.clone(),
        });
        let config = RegisterConfig {
            name: self.name.clone(),
            row_key: self.guesses[self.row_key].name.clone(),
            columns: columns.collect(),
            // The sample may end before the first row that tells.
            encoding: Encoding::Auto,
        };
        Register { config, file: self.file.clone(), is_canary: false }
    }

    /// As TOML, to stand in a configuration.
    pub(crate) fn to_toml(&self) -> String {
        use std::fmt::Write as _;
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let encoding = if self.encoding == Encoding::ShiftJis { "shift_jis" } else { "utf-8" };
        let mut toml = String::from("[[register]]\n");
        let file = self.file.to_string_lossy();
        let pairs = [
            ("name", self.name.as_str()),
            ("file", &file),
            ("row_key", &self.guesses[self.row_key].name),
            ("encoding", encoding),
        ];
        for (field, value) in pairs {
            writeln!(toml, "{field} = {}", quoted(value)).expect("a String can always be written");
        }
        for guess in &self.guesses {
            let (name, kind) = (quoted(&guess.name), quoted(guess.kind.name()));
            write!(toml, "\n[[register.column]]\nname = {name}\nkind = {kind}\n")
                .expect("a String can always be written");
            if let Some(pattern) = &guess.pattern {
                writeln!(toml, "pattern = {}", quoted(pattern)).expect("a String can always be written");
            }
        }
        toml
    }

    /// For people: every column, its kind, a masked example and why.
    pub(crate) fn to_table(&self) -> String {
        use sekisho_scope::text::{pad, pad_left, width};
        use std::fmt::Write as _;
        let columns = self.guesses.iter().map(|guess| width(&guess.name)).max().unwrap_or(0).clamp(6, 20);
        let examples = self.guesses.iter().map(|guess| width(&guess.example)).max().unwrap_or(0).clamp(7, 22);
        let mut table = String::new();
        let (column, example) = (pad("column", columns), pad("example", examples));
        writeln!(table, "  {column}  kind        {example}   like it").expect("a String can always be written");
        for (at, guess) in self.guesses.iter().enumerate() {
            let kind = pad(guess.kind.name(), 10);
            let why = if at == self.row_key { format!("{}; row key", guess.why) } else { guess.why.to_owned() };
            let (name, example) = (pad(&guess.name, columns), pad(&guess.example, examples));
            let percent = pad_left(&format!("{}%", guess.alike_percent), 5);
            let line = format!("  {name}  {kind}  {example}  {percent}  {why}");
            writeln!(table, "{}", line.trim_end()).expect("a String can always be written");
        }
        table
    }
}
