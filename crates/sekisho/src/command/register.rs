//! `sekisho register`: learn a file's columns, build the index, say what is in it.

use super::{Done, check};
use crate::output::{say, say_text, tell};
use crate::{keys, learn, register_index};
use anyhow::{Result, bail};
use sekisho_model::{Clock, SystemClock};
use sekisho_scope::text::{count, duration, pad};
use std::path::PathBuf;

/// Customer registers: learn a file's columns, build the index, show its state.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    Learn(Learn),
    Build(Build),
    Status(Status),
    Canaries(super::canaries::Arguments),
}

/// Guess a file's columns and print them as TOML.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sekisho register learn customers.csv >> sekisho.toml")]
pub(crate) struct Learn {
    /// The CSV file, in UTF-8 or Shift_JIS; its first row names the columns.
    file: PathBuf,
}

/// Build the index from the configured files. `serve` takes it up at SIGHUP.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sekisho register build -c sekisho.toml && kill -HUP $(pidof sekisho)")]
pub(crate) struct Build {
    /// The configuration.
    #[arg(short, long, default_value = "sekisho.toml")]
    config: PathBuf,
}

/// Show the built registers: age, persons, fields.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sekisho register status -c sekisho.toml")]
pub(crate) struct Status {
    /// The configuration.
    #[arg(short, long, default_value = "sekisho.toml")]
    config: PathBuf,
}

impl Command {
    pub(crate) fn run(self) -> Result<Done> {
        match self {
            Command::Learn(arguments) => arguments.run(),
            Command::Build(arguments) => arguments.run(),
            Command::Status(arguments) => arguments.run(),
            Command::Canaries(arguments) => arguments.run(),
        }
    }
}

impl Learn {
    /// The table goes to standard error and the TOML to standard output, so that it can be appended to a file.
    fn run(self) -> Result<Done> {
        let learnt = learn::learn(&self.file)?;
        tell!("{}, {} rows looked at:\n", self.file.display(), count(learnt.rows as u64));
        tell!("{}", learnt.to_table());
        say_text!("{}", learnt.to_toml());
        Ok(Done::Yes)
    }
}

impl Build {
    fn run(self) -> Result<Done> {
        let Some(config) = check::load(&self.config)? else { return Ok(Done::No) };
        if config.registers.is_empty() {
            bail!("`{}` has no [[register]]; `sekisho register learn FILE` proposes one", self.config.display());
        }
        let key = keys::hash_key(&config.keys)?;
        let index = register_index::build(&config.ledger.directory, &key, &config.registers, SystemClock::new().now())?;
        for register in index.registers() {
            say!("built {}: {} persons", register.name, count(register.persons));
        }
        Ok(Done::Yes)
    }
}

impl Status {
    fn run(self) -> Result<Done> {
        let Some(config) = check::load(&self.config)? else { return Ok(Done::No) };
        let path = register_index::path(&config.ledger.directory);
        let Some(index) = register_index::read(&path, &keys::hash_key(&config.keys)?)? else {
            say!("no register is built: run `sekisho register build -c {}`", self.config.display());
            return Ok(Done::No);
        };
        let now = SystemClock::new().now();
        for register in index.registers() {
            let (persons, age) = (count(register.persons), duration(now.since(register.built_at).as_secs()));
            say!("{}   {persons} persons, built {age} ago", register.name);
            for field in &register.fields {
                let state = match (&field.not_examined, field.values_not_indexed) {
                    (Some(reason), _) => format!("not examined: {reason}"),
                    (None, 0) => "looked for".to_owned(),
                    (None, more) => format!("looked for, save {} values that could not be indexed", count(more)),
                };
                say!("  {}  {}  {state}", pad(&field.name, 16), pad(field.kind.name(), 10));
            }
        }
        Ok(Done::Yes)
    }
}
