//! `sekisho edm scan`: whose data is in a file that was found. The same detector as the gateway's, over a file instead of
//! a response; the answer has the form of `sekisho scope`, so that a case takes both.

use super::row_keys::{self, RegisterFile};
use super::{Done, Usage};
use crate::{keys, register_index};
use anyhow::{Context, Result};
use clap::ValueEnum;
use sekisho_edm::{Found, Index, Reflected, Scanner};
use sekisho_gateway::inspect::{SNIFF_BYTES, reason_name, text_forms};
use sekisho_model::{
    ByteRange, Clock, Closed, Disposition, Exposed, Exposure, FieldSet, Generic, Inspection, Opened, Record, Registers,
    SourceId, Subject, SystemClock, Timestamp, Transaction, Uninspectable,
};
use sekisho_scope::table::{Colour, render_found};
use sekisho_scope::{Answer, Question, answer_records};
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 256 * 1024;
/// Distinct values without a register that are kept of one file; further ones are counted as the last.
const GENERIC_MAX: usize = 1_000_000;

/// Exact data match on files.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    Scan(Scan),
}

/// Whose data is in a file that was found, which fields, and what was not examined.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  sekisho edm scan found.csv\n  sekisho edm scan --format json found/*.txt > found.json && sekisho case take hakone-2026-2 found.json\n  gunzip -c dump.sql.gz | sekisho edm scan -"
)]
pub(crate) struct Scan {
    /// The files; `-` is standard input. Archives, office files and PDF are not opened: unpack them first.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The ledger whose registers are looked for.
    #[arg(long, value_name = "DIR", default_value = "ledger")]
    ledger: PathBuf,
    #[arg(long, value_name = "DIR", default_value = "keys")]
    keys: PathBuf,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// For --format csv: the firm's register file, to name the persons by row key. Its name is the register's, or say which.
    #[arg(long, value_name = "[NAME=]FILE", value_parser = row_keys::register_file)]
    register: Option<RegisterFile>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
}

impl Command {
    pub(crate) fn run(self) -> Result<Done> {
        let Command::Scan(scan) = self;
        scan.run()
    }
}

/// A file that was looked at.
struct Examined {
    name: String,
    bytes: u64,
    not_examined: Option<Uninspectable>,
    persons: BTreeMap<Subject, FieldSet>,
    generic: Vec<Generic>,
    /// In a file that is read in two forms, each value counts once, save My Numbers, which have nothing to know them by.
    read_twice: Option<HashSet<Generic>>,
}

impl Scan {
    fn run(self) -> Result<Done> {
        let index = register_index::read(&register_index::path(&self.ledger), &keys::hash_key(&self.keys)?)?;
        let index = Arc::new(index.with_context(|| {
            format!("no register was built for `{}`: run `sekisho register build`", self.ledger.display())
        })?);
        let examined: Vec<Examined> = self.files.iter().map(|file| examine(&index, file)).collect::<Result<_>>()?;
        let now = SystemClock::new().now();
        let answer = answer(&index, &examined, now);
        let (output, done) = match self.format {
            Format::Table => (table(&examined, &answer), Done::Yes),
            Format::Json => (json(&examined, &answer)?, Done::Yes),
            Format::Csv => self.csv(&index, &answer)?,
        };
        match std::io::stdout().write_all(&output) {
            Err(err) if err.kind() != std::io::ErrorKind::BrokenPipe => Err(err).context("cannot write the answer"),
            _ => Ok(done),
        }
    }

    fn csv(&self, index: &Index, answer: &Answer) -> Result<(Vec<u8>, Done)> {
        let Some(file) = &self.register else {
            return Err(Usage::error(
                "--format csv needs --register FILE: the index itself does not know the row keys",
            ));
        };
        row_keys::csv(answer, index, file, &[])
    }
}

fn examine(index: &Arc<Index>, path: &Path) -> Result<Examined> {
    let is_input = path == Path::new("-");
    let name = if is_input { "standard input".to_owned() } else { path.display().to_string() };
    let cannot = || format!("cannot read `{name}`");
    let mut input: Box<dyn Read> = match is_input {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(File::open(path).with_context(cannot)?),
    };
    let (persons, generic) = (BTreeMap::new(), Vec::new());
    let mut examined =
        Examined { name: name.clone(), bytes: 0, not_examined: None, persons, generic, read_twice: None };
    let mut chunk = Vec::new();
    input.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut chunk).with_context(cannot)?;
    let forms = text_forms(&chunk[..chunk.len().min(SNIFF_BYTES)]);
    examined.not_examined = forms.as_ref().err().copied();
    let scanner = |form| Scanner::new(Arc::clone(index), form, Arc::new(Reflected::default()));
    let mut scanners: Vec<Scanner> = forms.into_iter().flatten().map(scanner).collect();
    examined.read_twice = (scanners.len() > 1).then(HashSet::new);
    let mut findings = Vec::new();
    while !chunk.is_empty() {
        examined.bytes += chunk.len() as u64;
        for scanner in &mut scanners {
            scanner.feed(&chunk, &mut findings);
            findings.drain(..).for_each(|finding| examined.note(finding.found));
        }
        chunk.clear();
        input.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut chunk).with_context(cannot)?;
    }
    for scanner in &mut scanners {
        scanner.finish(&mut findings);
        findings.drain(..).for_each(|finding| examined.note(finding.found));
    }
    if !scanners.is_empty() && scanners.iter().all(Scanner::is_malformed) {
        examined.not_examined = Some(Uninspectable::Charset);
    }
    Ok(examined)
}

impl Examined {
    fn note(&mut self, found: Found) {
        match found {
            Found::Subject { subject, fields, .. } => {
                let known = self.persons.entry(subject).or_default();
                *known = known.union(fields);
            }
            Found::Generic(generic) => {
                let is_new =
                    self.read_twice.as_mut().is_none_or(|known| generic.value.is_none() || known.insert(generic));
                if is_new && self.generic.len() < GENERIC_MAX {
                    self.generic.push(generic);
                }
            }
        }
    }

    fn records(&self, sequence: u64, at: Timestamp) -> Vec<Record> {
        let transaction = Transaction {
            at,
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
            client_key: [0; 16],
            session: None,
            route: self.name.clone(),
            method: "GET".to_owned(),
            status: 200,
        };
        let none = FieldSet::EMPTY;
        let exposures = self.persons.iter().map(|(subject, fields)| Exposure {
            subject: *subject,
            fields: *fields,
            reflected: none,
        });
        let (span, exposures) = (ByteRange { start: 0, end: self.bytes }, exposures.collect());
        let inspection = self.not_examined.map_or(Inspection::Inspected, Inspection::NotInspectable);
        let (disposition, transaction_told) = (Disposition::Released, None);
        vec![
            Record::Opened(Opened { sequence, transaction }),
            Record::Exposed(Exposed { sequence, at, span, exposures, generic: self.generic.clone() }),
            Record::Closed(Closed {
                sequence,
                at,
                transaction: transaction_told,
                inspection,
                disposition,
                body_bytes_released: self.bytes,
            }),
        ]
    }
}

/// Each file counts as a response that was inspected, or was not.
fn answer(index: &Index, examined: &[Examined], now: Timestamp) -> Answer {
    let registers = Registers { at: now, registers: index.registers().to_vec() };
    let mut records = vec![(SourceId(0), Record::Registers(registers))];
    for (sequence, file) in (1..).zip(examined) {
        records.extend(file.records(sequence, now).into_iter().map(|record| (SourceId(0), record)));
    }
    answer_records(&Question::default(), &records, now)
}

fn table(examined: &[Examined], answer: &Answer) -> Vec<u8> {
    let mut text = String::new();
    for file in examined {
        let state = match file.not_examined {
            None => format!("{} persons", file.persons.len()),
            Some(reason) => format!("not examined: {}", reason_name(reason)),
        };
        text.push_str(&format!("{}   {} bytes, {state}\n", file.name, sekisho_scope::text::count(file.bytes)));
    }
    let colour = if std::io::stdout().is_terminal() { Colour::Yes } else { Colour::No };
    format!("{text}\n{}", render_found(answer, colour)).into_bytes()
}

/// The contract of `sekisho scope`, and the files.
fn json(examined: &[Examined], answer: &Answer) -> Result<Vec<u8>> {
    let mut told: serde_json::Value = serde_json::from_str(&answer.to_json())?;
    let files = examined.iter().map(|file| {
        serde_json::json!({
            "file": file.name,
            "bytes": file.bytes,
            "persons": file.persons.len(),
            "not_examined": file.not_examined.map(reason_name),
        })
    });
    told["files"] = files.collect();
    Ok(format!("{told}\n").into_bytes())
}
