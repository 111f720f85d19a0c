//! `sekisho serve`: the gateway as configured, until it is told to end.

use super::{Done, check};
use crate::config::Config;
use crate::incidents::Incidents;
use crate::output::tell;
use crate::running::Running;
use crate::{keys, register_index};
use anyhow::{Context, Result, bail};
use sekisho_edm::Index;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// Serve as configured. SIGHUP reloads; SIGTERM and Ctrl-C end it when open requests have ended.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  sekisho serve -c sekisho.toml\n  kill -HUP $(pidof sekisho)     after a change of the file, a certificate or a register"
)]
pub(crate) struct Arguments {
    /// The configuration.
    #[arg(short, long, default_value = "sekisho.toml")]
    config: PathBuf,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<Done> {
        let Some(config) = check::load(&self.config)? else { return Ok(Done::No) };
        // Whoever keeps the keys where this account cannot write makes the token by hand, or does without.
        if let Err(err) = keys::make_admin_token(&config.keys) {
            tell!("warning: {err:#}; nobody can be kept out by command");
        }
        let keys = keys::load(&config.keys)?;
        let index = index(&config, &keys.hash)?;
        let opening = config.incidents.as_ref().map(|incidents| Incidents::start(incidents, &config.keys));
        let (incidents, events) = opening.transpose()?.unzip();
        let ledger = (&config.ledger, config.webhook.as_ref());
        let running = Running::start_with(config.gateway.clone(), ledger, &keys, index, events)?;
        for address in running.gateway.addresses() {
            tell!("sekisho serves on {address}");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
        runtime.block_on(until_told(&self.config, &config, &running, &keys.hash))?;
        tell!("ending: open requests have until their deadline");
        running.stop()?;
        incidents.into_iter().for_each(Incidents::stop);
        Ok(Done::Yes)
    }
}

/// Waits for SIGTERM or Ctrl-C; reloads at each SIGHUP.
async fn until_told(path: &Path, started: &Config, running: &Running, key: &Arc<sekisho_edm::HashKey>) -> Result<()> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let (mut hangup, mut terminate) = (listen(SignalKind::hangup())?, listen(SignalKind::terminate())?);
    let mut interrupt = listen(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => match reload(path, started, running, key) {
                Ok(()) => tell!("reloaded `{}`", path.display()),
                Err(err) => tell!("error: {err:#}\nthe old configuration stays in force"),
            },
        }
    }
}

/// All or nothing: what is wrong with the file or the index is found before anything changes.
fn reload(path: &Path, started: &Config, running: &Running, key: &Arc<sekisho_edm::HashKey>) -> Result<()> {
    let Some(config) = check::load(path)? else { bail!("`{}` has errors", path.display()) };
    for (what, same) in [
        ("[ledger]", config.ledger == started.ledger),
        ("[keys]", config.keys == started.keys),
        ("[webhook]", config.webhook == started.webhook),
        ("[incidents]", config.incidents == started.incidents),
    ] {
        if !same {
            bail!("{what} cannot change without a restart");
        }
    }
    let index = index(&config, key)?;
    running.reload(config.gateway, index)
}

/// The built index; every configured register must be in it.
fn index(config: &Config, key: &Arc<sekisho_edm::HashKey>) -> Result<Index> {
    let index = register_index::read(&register_index::path(&config.ledger.directory), key)?;
    let index = index.unwrap_or_else(|| Index::empty(Arc::clone(key)));
    for register in &config.registers {
        let name = &register.config.name;
        if !index.registers().iter().any(|built| built.name == *name) {
            bail!("register `{name}` is not built yet: run `sekisho register build`");
        }
    }
    Ok(index)
}
