//! `sekisho webhook`: the keys that the firm's own system needs, a test, and what it has not taken yet.

use super::{Done, check};
use crate::output::say;
use crate::{files, keys, webhook};
use anyhow::{Context, Result};
use jiff::tz::TimeZone;
use sekisho_ledger::RealDisk;
use sekisho_model::{Clock, SystemClock};
use std::path::PathBuf;
use std::sync::Arc;

/// Tell the firm's own systems who is kept out, so that they end the session too.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make the files that the receiver needs: the secret that events are signed with, and the key by which it
    /// recognises a session.
    #[command(after_help = "Example:\n  sekisho webhook keys --keys keys")]
    Keys {
        /// The directory of the keys.
        #[arg(long, value_name = "DIR", default_value = "keys")]
        keys: PathBuf,
    },
    /// Send a test event, once, and say what the receiver answered.
    #[command(after_help = "Example:\n  sekisho webhook test -c sekisho.toml")]
    Test {
        #[arg(short, long, default_value = "sekisho.toml")]
        config: PathBuf,
    },
    /// How many events the receiver has not taken yet.
    #[command(after_help = "Example:\n  sekisho webhook status -c sekisho.toml")]
    Status {
        #[arg(short, long, default_value = "sekisho.toml")]
        config: PathBuf,
    },
}

impl Command {
    pub(crate) fn run(self) -> Result<Done> {
        match self {
            Command::Keys { keys } => make_keys(&keys),
            Command::Test { config } => test(&config),
            Command::Status { config } => status(&config),
        }
    }
}

fn make_keys(directory: &std::path::Path) -> Result<Done> {
    let secret = directory.join("webhook.secret");
    let identity = directory.join("identity.key");
    let did = |made: bool| if made { "wrote" } else { "kept " };
    let key = hex::encode(keys::hash_key(directory)?.identity_key());
    say!("{}  {}  (events are signed with it)", did(webhook::make_secret(&secret)?), secret.display());
    let made = !identity.exists();
    if made {
        files::create_private(&identity, format!("{key}\n").as_bytes())
            .with_context(|| format!("cannot make the key `{}`", identity.display()))?;
    } else {
        let text =
            std::fs::read_to_string(&identity).with_context(|| format!("cannot read `{}`", identity.display()))?;
        if text.trim() != key {
            anyhow::bail!("`{}` belongs to another hash.key: remove it and run this again", identity.display());
        }
    }
    say!("{}  {}  (sessions and accounts are recognised by it)", did(made), identity.display());
    say!("");
    say!("Copy both to the system that receives the events, and only there. Then add to sekisho.toml:");
    say!("");
    say!("[webhook]\nurl = \"https://…\"\nsecret = \"{}\"", secret.display());
    Ok(Done::Yes)
}

fn test(path: &std::path::Path) -> Result<Done> {
    let Some(config) = check::load(path)? else { return Ok(Done::No) };
    let webhook = config.webhook.with_context(|| format!("`{}` has no [webhook]", path.display()))?;
    match webhook::test(&webhook, SystemClock::new().now())? {
        None => {
            say!("{} took the test event", webhook.url);
            Ok(Done::Yes)
        }
        Some(why) => {
            say!("{} did not take the test event: {why}", webhook.url);
            Ok(Done::No)
        }
    }
}

fn status(path: &std::path::Path) -> Result<Done> {
    let Some(config) = check::load(path)? else { return Ok(Done::No) };
    let waiting = webhook::waiting((&config.ledger.directory, Arc::new(RealDisk)), SystemClock::new().now())?;
    match waiting.oldest.and_then(|oldest| jiff::Timestamp::from_microsecond(oldest.0).ok()) {
        None => {
            say!("everything was taken");
            Ok(Done::Yes)
        }
        Some(oldest) => {
            let oldest = oldest.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z");
            say!("{} not taken yet, the oldest of {oldest}", waiting.count);
            Ok(Done::No)
        }
    }
}
