//! `sekisho register canaries`: a file of planted customers like the firm's own.

use super::{Done, Usage};
use crate::canaries::{self, CANARIES_MAX, Column};
use crate::output::{say_text, tell};
use crate::{files, learn, register_file};
use anyhow::{Context, Result, anyhow, bail};
use clap::builder::NonEmptyStringValueParser;
use encoding_rs::SHIFT_JIS;
use sekisho_edm::Encoding;
use std::path::{Path, PathBuf};

/// Make planted customers: rows like the firm's own that are nobody's. One in a response is an incident.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  sekisho register canaries --like customers.csv --count 20 --out canaries.csv --mail-domain mail.firm.example"
)]
pub(crate) struct Arguments {
    /// The firm's register file; columns, forms and encoding are its.
    #[arg(long, value_name = "FILE")]
    like: PathBuf,
    /// How many.
    #[arg(long, default_value_t = 20)]
    count: usize,
    /// The new file; an existing one is never overwritten.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A domain of the firm's own, so that nobody real gets mail.
    #[arg(long, value_name = "DOMAIN", value_parser = NonEmptyStringValueParser::new())]
    mail_domain: String,
    /// The same rows each time; for tests. Whoever knows it can tell the rows.
    #[arg(long)]
    seed: Option<u64>,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<Done> {
        if !(1..=CANARIES_MAX).contains(&self.count) {
            return Err(Usage::error(format!("--count is from 1 to {CANARIES_MAX}")));
        }
        canaries::check_mail_domain(&self.mail_domain)?;
        if self.out.exists() {
            bail!("`{}` is there already, and is not overwritten", self.out.display());
        }
        let learnt = learn::learn(&self.like)?;
        let (text, encoding) = register_file::read(&self.like, Encoding::Auto)?;
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let header: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
        let firm = reader.records().map(|row| Ok(row?.iter().map(str::to_owned).collect()));
        let firm: Vec<Vec<String>> = firm.collect::<Result<_, csv::Error>>().with_context(|| self.cannot_read())?;
        let columns = learnt.guesses.iter().enumerate().map(|(at, guess)| Column {
            name: guess.name.clone(),
            kind: guess.kind,
            is_row_key: at == learnt.row_key,
        });
        let columns: Vec<Column> = columns.collect();
        let seed = match self.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|err| anyhow!("the system has no randomness: {err}"))?,
        };
        let rows = canaries::plant(&columns, &firm, self.count, &self.mail_domain, seed)?;
        let line_end = if text.contains("\r\n") { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let has_mark = std::fs::read(&self.like).is_ok_and(|bytes| bytes.starts_with(b"\xef\xbb\xbf"));
        let mut written = csv::WriterBuilder::new().terminator(line_end).from_writer(Vec::new());
        written.write_record(&header)?;
        rows.iter().try_for_each(|row| written.write_record(row))?;
        let written = String::from_utf8(written.into_inner().map_err(|err| anyhow!("{err}"))?)?;
        let bytes = match encoding {
            Encoding::ShiftJis => SHIFT_JIS.encode(&written).0.into_owned(),
            _ if has_mark => format!("\u{feff}{written}").into_bytes(),
            _ => written.into_bytes(),
        };
        files::create_private(&self.out, &bytes).with_context(|| format!("cannot write `{}`", self.out.display()))?;
        self.tell(&columns);
        say_text!("{}", toml(learnt, &self.out));
        Ok(Done::Yes)
    }

    fn cannot_read(&self) -> String {
        format!("cannot read `{}`", self.like.display())
    }

    /// What to do with the file, to standard error: standard output is the TOML.
    fn tell(&self, columns: &[Column]) {
        let empty: Vec<&str> = columns
            .iter()
            .filter(|column| column.kind == sekisho_model::FieldKind::Pan)
            .map(|column| column.name.as_str())
            .collect();
        tell!("{}: {} planted customers, none of them in {}.\n", self.out.display(), self.count, self.like.display());
        tell!("  Mails      at {}: they reach the firm or nobody.", self.mail_domain);
        tell!("  Telephone  090-00…, 080-00…, 070-00…: blocks that are not assigned.");
        if !empty.is_empty() {
            tell!("  Cards      left empty ({}): no number that could pay is made.", empty.join(", "));
        }
        tell!("  My Number  never made; such a column stays empty.\n");
        tell!("Next:");
        tell!("  1. Insert the rows into the firm's database, as customers without a log-in.");
        tell!("  2. Leave them out of mailings, statements, reports and trading.");
        tell!("  3. Keep them out of {}, and give no list of them away.", self.like.display());
        tell!("  4. Add this to sekisho.toml, then `sekisho register build` and `kill -HUP`.");
        tell!("  5. Where staff list all customers, add `canary = \"allow\"` to the route.\n");
    }
}

/// The planted file as a register, with the columns of the firm's.
fn toml(mut learnt: learn::Learnt, out: &Path) -> String {
    learnt.name = out.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    learnt.file = out.to_owned();
    learnt.to_toml().replacen("[[register]]\n", "[[register]]\ncanary = true\n", 1)
}
