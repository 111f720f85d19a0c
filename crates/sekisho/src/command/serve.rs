//! `sekisho serve`: the gateway as configured, until it is told to end.

use super::{Done, check};
use crate::config::Config;
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
        let keys = keys::load(&config.keys)?;
        let index = index(&config, &keys.hash)?;
        let running = Running::start(config.gateway.clone(), &config.ledger, &keys, index, None)?;
        for address in running.gateway.addresses() {
            eprintln!("sekisho serves on {address}");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
        runtime.block_on(until_told(&self.config, &running, &keys.hash))?;
        eprintln!("ending: open requests have until their deadline");
        running.stop()?;
        Ok(Done::Yes)
    }
}

/// Waits for SIGTERM or Ctrl-C; reloads at each SIGHUP.
async fn until_told(path: &Path, running: &Running, key: &Arc<sekisho_edm::HashKey>) -> Result<()> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let (mut hangup, mut terminate) = (listen(SignalKind::hangup())?, listen(SignalKind::terminate())?);
    let mut interrupt = listen(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => match reload(path, running, key) {
                Ok(()) => eprintln!("reloaded `{}`", path.display()),
                Err(err) => eprintln!("error: {err:#}\nthe old configuration stays in force"),
            },
        }
    }
}

/// Everything that can be wrong is found before anything changes, save what the gateway itself refuses.
fn reload(path: &Path, running: &Running, key: &Arc<sekisho_edm::HashKey>) -> Result<()> {
    let Some(config) = check::load(path)? else { bail!("`{}` has errors", path.display()) };
    let index = index(&config, key)?;
    running.gateway.reload(config.gateway)?;
    if index.registers() != running.index().registers() {
        running.swap_index(index)?;
    }
    Ok(())
}

/// The built index; every configured register must be in it.
fn index(config: &Config, key: &Arc<sekisho_edm::HashKey>) -> Result<Index> {
    let index = register_index::read(&register_index::path(&config.ledger), key)?;
    let index = index.unwrap_or_else(|| Index::empty(Arc::clone(key)));
    for register in &config.registers {
        let name = &register.config.name;
        if !index.registers().iter().any(|built| built.name == *name) {
            bail!("register `{name}` is not built yet: run `sekisho register build`");
        }
    }
    Ok(index)
}
