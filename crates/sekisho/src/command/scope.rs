//! `sekisho scope`: whose data left, which fields, since when, and what was not examined.

use super::row_keys::{self, RegisterFile};
use super::{Done, Usage, check};
use crate::config::Register;
use crate::output::tell;
use crate::{keys, register_index, times};
use anyhow::{Context, Result};
use clap::ValueEnum;
use jiff::tz::TimeZone;
use sekisho_edm::Index;
use sekisho_ledger::{Reader, RealDisk, append_query};
use sekisho_model::{AccountKey, Clock, Query, SessionKey, SubjectId, SystemClock, Timestamp};
use sekisho_scope::table::{Colour, render};
use sekisho_scope::{Answer, Question};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// Routes that a hint names.
const ROUTES_MAX: usize = 50;

/// Ask the ledger: whose data left, which fields, since when. Every question is itself recorded.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  sekisho scope --ledger ledger --from -48h\n  sekisho scope --ledger ledger --client 203.0.113.0/24 --format csv --register customers.csv"
)]
pub(crate) struct Arguments {
    /// The ledger.
    #[arg(long, value_name = "DIR", default_value = "ledger")]
    ledger: PathBuf,
    /// Take ledger, keys and registers from this configuration.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["ledger", "keys"])]
    config: Option<PathBuf>,
    /// The keys; needed for --subject and --format csv.
    #[arg(long, value_name = "DIR", default_value = "keys")]
    keys: PathBuf,
    /// From this time on: 2026-11-23T09:00:00+09:00, 2026-11-23, -48h.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<String>,
    /// A client's address, or a network such as 203.0.113.0/24.
    #[arg(long, value_name = "ADDRESS|PREFIX", value_parser = network)]
    client: Option<ipnet::IpNet>,
    /// A session's keyed hash: `sessions` in the JSON lists those that fields went to.
    #[arg(long, value_name = "HASH", value_parser = session)]
    session: Option<SessionKey>,
    /// An account's keyed hash, as alerts name it: all sessions that were ever its.
    #[arg(long, value_name = "HASH", value_parser = account)]
    account: Option<AccountKey>,
    /// A route's name.
    #[arg(long)]
    route: Option<String>,
    /// One person, by the firm's row key: account_holders:1024.
    #[arg(long, value_name = "REGISTER:ROWKEY", value_parser = subject)]
    subject: Option<(String, String)>,
    /// How to answer.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// For --format csv: the firm's register file, to name the persons by row key. Its name is the register's, or say which.
    #[arg(long, value_name = "[NAME=]FILE", value_parser = row_keys::register_file)]
    register: Option<RegisterFile>,
    /// Who asks; recorded in the ledger. Default: $SUDO_USER, else $USER.
    #[arg(long)]
    operator: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
}

impl Arguments {
    pub(crate) fn run(mut self) -> Result<Done> {
        let mut registers = Vec::new();
        if let Some(path) = &self.config {
            let Some(config) = check::load(path)? else { return Ok(Done::No) };
            (self.ledger, self.keys, registers) = (config.ledger.directory, config.keys, config.registers);
        }
        if self.format == Format::Csv && self.register.is_none() {
            self.register = Some(row_keys::only_register(&registers)?);
        }
        let clock = SystemClock::new();
        let now = clock.now();
        let cannot_read = || format!("cannot read the ledger `{}`", self.ledger.display());
        let reader = Reader::open(&self.ledger, Arc::new(RealDisk)).with_context(cannot_read)?;
        let sessions = self.account.map(|account| reader.sessions_of(account)).transpose().with_context(cannot_read)?;
        let Some(question) = self.question(now)? else {
            // Whether somebody is a customer is an answer, too.
            self.record(&clock, 0)?;
            return Ok(Done::No);
        };
        let question = Question { sessions: sessions.map(Arc::new), ..question };
        let answer = sekisho_scope::ask(&reader, &question, now).with_context(cannot_read)?;
        if let Some(route) = self.route.as_ref().filter(|_| answer.coverage.responses == 0) {
            let known = reader.routes(ROUTES_MAX).with_context(cannot_read)?;
            if !known.contains(route) {
                let known = known.into_iter().collect::<Vec<_>>().join(", ");
                tell!("hint: no request came by a route `{route}`; the ledger has: {known}");
            }
        }
        let (output, done) = self.output(&answer, &registers)?;
        self.record(&clock, answer.persons())?;
        print(&output)?;
        Ok(done)
    }

    /// The question; `None` when nobody in the register has the row key that is asked about, which was told.
    fn question(&self, now: Timestamp) -> Result<Option<Question>> {
        let zone = TimeZone::system();
        let time = |text: &Option<String>| {
            text.as_ref().map(|text| times::parse(text, now, &zone)).transpose().map_err(Usage::error)
        };
        let (from, to) = (time(&self.from)?, time(&self.to)?);
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            return Err(Usage::error("--from is not before --to: no time lies between them"));
        }
        let subject = match self.subject_id()? {
            Some((register, None)) => {
                tell!("register `{register}` has no row with this key, and had none in any build");
                return Ok(None);
            }
            Some((register, Some(id))) => Some((register, id)),
            None => None,
        };
        let (client, session, route) = (self.client, self.session, self.route.clone());
        let lists_sessions = self.format != Format::Csv;
        Ok(Some(Question { from, to, client, session, sessions: None, route, subject, lists_sessions }))
    }

    fn subject_id(&self) -> Result<Option<(String, Option<SubjectId>)>> {
        let Some((register, row_key)) = &self.subject else { return Ok(None) };
        let index = self.index()?;
        if !index.registers().iter().any(|known| known.name == *register) {
            let known = index.registers().iter().map(|known| known.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Usage::error(format!("there is no register `{register}`; the index has: {known}")));
        }
        Ok(Some((register.clone(), index.subject(register, row_key))))
    }

    fn index(&self) -> Result<Index> {
        let path = register_index::path(&self.ledger);
        let index = register_index::read(&path, &keys::hash_key(&self.keys)?)?;
        index.with_context(|| format!("there is no index `{}`: no register was built for this ledger", path.display()))
    }

    fn output(&self, answer: &Answer, registers: &[Register]) -> Result<(Vec<u8>, Done)> {
        match self.format {
            Format::Table => {
                let colour = if std::io::stdout().is_terminal() { Colour::Yes } else { Colour::No };
                Ok((render(answer, &TimeZone::system(), colour).into_bytes(), Done::Yes))
            }
            Format::Json => Ok((format!("{}\n", answer.to_json()).into_bytes(), Done::Yes)),
            Format::Csv => {
                let file = self.register.as_ref().context("--format csv needs --register FILE")?;
                row_keys::csv(answer, &self.index()?, file, registers)
            }
        }
    }

    /// LED-5: the question is in the ledger before its answer is shown.
    fn record(&self, clock: &SystemClock, persons: u64) -> Result<()> {
        let account = || std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).ok();
        let operator = self.operator.clone().or_else(account).unwrap_or_else(|| "unknown".to_owned());
        let question = self.asked();
        let query = Query { at: clock.now(), operator, question, persons };
        append_query(&self.ledger, &RealDisk, clock, query)
            .context("cannot record the question (LED-5); no answer is given")
    }

    /// The question without the person's row key, which is the firm's number of a customer (PRV-1).
    fn asked(&self) -> String {
        let mut asked = format!(
            "scope --format {}",
            self.format.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
        );
        let mut add = |flag: &str, value: Option<String>| {
            if let Some(value) = value {
                asked.push_str(&format!(" --{flag} {value}"));
            }
        };
        add("from", self.from.clone());
        add("to", self.to.clone());
        add("client", self.client.map(|client| client.to_string()));
        add("session", self.session.map(|session| session.to_string()));
        add("account", self.account.map(|account| account.to_string()));
        add("route", self.route.clone());
        add("subject", self.subject.as_ref().map(|(register, _)| format!("{register}:…")));
        asked
    }
}

/// A closed pipe (`| head`) is the reader's choice, not an error.
fn print(output: &[u8]) -> Result<()> {
    match std::io::stdout().write_all(output) {
        Err(err) if err.kind() != std::io::ErrorKind::BrokenPipe => Err(err).context("cannot write the answer"),
        _ => Ok(()),
    }
}

fn network(text: &str) -> Result<ipnet::IpNet, String> {
    let network = text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from));
    network.map(canonical).ok_or_else(|| "write an address or a network, such as 203.0.113.0/24".to_owned())
}

/// `::ffff:192.0.2.1` is `192.0.2.1`, as the ledger writes it.
fn canonical(network: ipnet::IpNet) -> ipnet::IpNet {
    let ipnet::IpNet::V6(six) = network else { return network };
    let four = six.addr().to_ipv4_mapped().zip(six.prefix_len().checked_sub(96));
    four.and_then(|(address, bits)| ipnet::Ipv4Net::new(address, bits).ok()).map_or(network, ipnet::IpNet::V4)
}

fn session(text: &str) -> Result<SessionKey, String> {
    let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map(SessionKey).ok_or_else(|| "write the 32 hexadecimal digits of the session's keyed hash".to_owned())
}

fn account(text: &str) -> Result<AccountKey, String> {
    let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map(AccountKey).ok_or_else(|| "write the 32 hexadecimal digits of the account's keyed hash".to_owned())
}

fn subject(text: &str) -> Result<(String, String), String> {
    let (register, row_key) = text.split_once(':').ok_or("write register and row key, such as account_holders:1024")?;
    Ok((register.to_owned(), row_key.to_owned()))
}
