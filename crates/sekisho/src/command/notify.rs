//! `sekisho notify`: who is told, by whose approval, by mail or letter, and what became of it.
//!
//! Read in this order: [`Command`], `office` (what all of them open), `mail` (plan, dry run, approve, send), `after`
//! (status, bounces, post, claims).

mod after;
mod claim;
mod letters;
mod mail;
mod office;

use super::Done;
use super::case::{Format, Place};
use crate::case_log::Refused;
use crate::output::{say_text, tell};
use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use sekisho_incident::CaseId;
use sekisho_notify::State;
use std::path::PathBuf;

/// Tell the persons whose data left: by mail, by letter, by publication.
///
/// Names and addresses are read from the firm's register files at the moment of use; what is kept holds keyed hashes
/// only. No mail goes before two operators have approved the persons, the texts and the configuration.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write a notify.toml to begin with.
    #[command(after_help = "Example:\n  sekisho notify init > notify.toml")]
    Init,
    /// Plan notices for a scope; a later, larger one adds new persons and updates only.
    #[command(
        after_help = "Example:\n  sekisho scope -c sekisho.toml --format csv --register customers.csv > exposed.csv\n  sekisho notify plan hakone-2026-1 --scope exposed.csv -c notify.toml"
    )]
    Plan {
        id: CaseId,
        /// The scope, as `sekisho scope --format csv` writes it.
        #[arg(long, value_name = "FILE")]
        scope: PathBuf,
        #[command(flatten)]
        from: Sources,
        #[command(flatten)]
        place: Place,
    },
    /// Write examples to files, for the approvers to read; nothing is sent.
    #[command(after_help = "Example:\n  sekisho notify dry-run hakone-2026-1 --out examples")]
    DryRun {
        id: CaseId,
        /// Where the examples are written; files that only their owner can read.
        #[arg(long, value_name = "DIR", default_value = "examples")]
        out: PathBuf,
        /// Write, sign and scan every queued mail, keeping three.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        from: Sources,
        #[command(flatten)]
        place: Place,
    },
    /// Approve what is planned; two different operators must.
    #[command(after_help = "Example:\n  sekisho notify approve hakone-2026-1 --operator sato")]
    Approve {
        id: CaseId,
        #[command(flatten)]
        from: Sources,
        #[command(flatten)]
        place: Place,
    },
    /// Send what is queued; after a crash, go on where it stopped.
    #[command(after_help = "Example:\n  sekisho notify send hakone-2026-1")]
    Send {
        id: CaseId,
        /// Also send again what nobody knows of; needs --operator. Some persons may get the mail twice.
        #[arg(long, requires = "operator")]
        resend_unknown: bool,
        /// Also try again what the relay refused, or what came back; needs --operator.
        #[arg(long, requires = "operator")]
        retry_bounced: bool,
        /// Also try again what the scan stopped; needs --operator.
        #[arg(long, requires = "operator")]
        retry_held: bool,
        /// The clock is right, although the journal holds later times.
        #[arg(long)]
        clock_is_right: bool,
        #[command(flatten)]
        from: Sources,
        #[command(flatten)]
        place: Place,
    },
    /// How many notices are in which state.
    #[command(after_help = "Example:\n  sekisho notify status hakone-2026-1 --format json")]
    Status {
        id: CaseId,
        /// List the persons in this state, by register and row key.
        #[arg(long, value_enum)]
        state: Option<StateArg>,
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
        #[command(flatten)]
        from: Sources,
        #[command(flatten)]
        place: Place,
    },
    /// Read delivery reports (DSN): mails, mbox files, or directories of them.
    #[command(after_help = "Example:\n  sekisho notify bounces hakone-2026-1 /var/mail/notice")]
    Bounces {
        id: CaseId,
        #[arg(required = true, value_name = "FILE|DIR")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        from: Sources,
        #[command(flatten)]
        place: Place,
    },
    /// Decide that letters are written instead of mails.
    #[command(after_help = "Example:\n  sekisho notify postal hakone-2026-1 --state bounced")]
    Postal {
        id: CaseId,
        #[command(flatten)]
        whom: Whom,
        #[command(flatten)]
        from: Sources,
        #[command(flatten)]
        place: Place,
    },
    /// Write the letters that wait: a PDF and a CSV for the printing house.
    #[command(after_help = "Example:\n  sekisho notify letters hakone-2026-1 --out letters")]
    Letters {
        id: CaseId,
        /// Where they are written; files that only their owner can read.
        #[arg(long, value_name = "DIR", default_value = "letters")]
        out: PathBuf,
        #[command(flatten)]
        from: Sources,
        #[command(flatten)]
        place: Place,
    },
    /// Record letters that came back.
    #[command(after_help = "Example:\n  sekisho notify returned hakone-2026-1 --person account_holders:HK10000007")]
    Returned {
        id: CaseId,
        #[command(flatten)]
        whom: Whom,
        #[command(flatten)]
        from: Sources,
        #[command(flatten)]
        place: Place,
    },
    /// Record that a published notice stands for those who cannot be reached.
    #[command(
        after_help = "Example:\n  sekisho notify substitute hakone-2026-1 --state returned --publication https://www.example.jp/notice/1"
    )]
    Substitute {
        id: CaseId,
        /// Where it is published.
        #[arg(long, value_name = "URL")]
        publication: String,
        #[command(flatten)]
        whom: Whom,
        #[command(flatten)]
        from: Sources,
        #[command(flatten)]
        place: Place,
    },
    /// What persons claim: opened, decided, paid.
    #[command(subcommand, after_help = "Example:\n  sekisho notify claim list hakone-2026-1 --format json")]
    Claim(claim::Command),
}

#[derive(clap::Args)]
pub(crate) struct Sources {
    /// The texts, the relay, the registers.
    #[arg(short, long, value_name = "FILE", default_value = "notify.toml")]
    config: PathBuf,
    /// The register file, in place of the configuration's, where that has one register.
    #[arg(long, value_name = "FILE")]
    register: Option<PathBuf>,
}

/// Which notices.
#[derive(clap::Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Whom {
    /// All notices in this state.
    #[arg(long, value_enum)]
    state: Vec<StateArg>,
    /// A person, by the firm's row key.
    #[arg(long, value_name = "REGISTER:ROWKEY")]
    person: Vec<String>,
    /// A file of references, as the letters' CSV has them, or of REGISTER:ROWKEY; one a line.
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
}

macro_rules! states {
    ($($variant:ident),*) => {
        #[derive(Clone, Copy, ValueEnum)]
        #[value(rename_all = "snake_case")]
        pub(crate) enum StateArg { $($variant),* }
        impl From<StateArg> for State {
            fn from(value: StateArg) -> State {
                match value { $(StateArg::$variant => State::$variant),* }
            }
        }
    };
}
states!(Queued, Sending, Sent, Unknown, Held, Bounced, Postal, Returned, Substitute, NoAddress);

impl Command {
    /// What the journal, the case or the relay refuses is a "no", with its reason; all else is the environment's.
    pub(crate) fn run(self) -> Result<Done> {
        use sekisho_notify::Error;
        match self.answer() {
            Err(err) if err.is::<Refused>() || err.is::<sekisho_incident::Error>() => no(&err),
            Err(err) if matches!(err.downcast_ref(), Some(Error::Journal { .. } | Error::Read { .. })) => Err(err),
            Err(err) if err.is::<Error>() => no(&err),
            other => other,
        }
    }

    fn answer(self) -> Result<Done> {
        match self {
            Command::Init => {
                say_text!("{}", sekisho_notify::config::SAMPLE);
                Ok(Done::Yes)
            }
            Command::Plan { id, scope, from, place } => mail::plan(&id, &scope, &from, &place),
            Command::DryRun { id, out, all, from, place } => mail::dry_run(&id, &out, all, &from, &place),
            Command::Approve { id, from, place } => mail::approve(&id, &from, &place),
            Command::Send { id, resend_unknown, retry_bounced, retry_held, clock_is_right, from, place } => {
                let order =
                    [(resend_unknown, State::Unknown), (retry_bounced, State::Bounced), (retry_held, State::Held)];
                let again = mail::Again { order, clock_is_right };
                mail::send(&id, again, &from, &place)
            }
            Command::Status { id, state, format, from, place } => {
                after::status(&id, state.map(State::from), format, &from, &place)
            }
            Command::Bounces { id, files, from, place } => after::bounces(&id, &files, &from, &place),
            Command::Postal { id, whom, from, place } => after::postal(&id, &whom, &from, &place),
            Command::Letters { id, out, from, place } => letters::letters(&id, &out, &from, &place),
            Command::Returned { id, whom, from, place } => after::returned(&id, &whom, &from, &place),
            Command::Substitute { id, publication, whom, from, place } => {
                after::substitute(&id, &publication, &whom, &from, &place)
            }
            Command::Claim(command) => command.answer(),
        }
    }
}

fn no(err: &anyhow::Error) -> Result<Done> {
    tell!("error: {err:#}");
    Ok(Done::No)
}
