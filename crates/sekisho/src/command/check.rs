//! `sekisho check`: everything that is wrong with a configuration, at once.

use super::Done;
use crate::config::{self, Depth};
use crate::output::say;
use crate::report::{self, Shown};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Tell everything that is wrong with a configuration.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sekisho check -c sekisho.toml")]
pub(crate) struct Arguments {
    /// The configuration.
    #[arg(short, long, default_value = "sekisho.toml")]
    config: PathBuf,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<Done> {
        let Some(config) = read(&self.config, Depth::Whole)? else { return Ok(Done::No) };
        let gateway = &config.gateway;
        let counts = [
            (gateway.listeners.len(), "listener"),
            (gateway.upstreams.len(), "upstream"),
            (gateway.routes.len(), "route"),
            (config.registers.len(), "register"),
        ];
        let parts = counts.map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }));
        say!("{}: good ({})", self.config.display(), parts.join(", "));
        Ok(Done::Yes)
    }
}

/// Loads a configuration and tells what there is to tell; `None` when it cannot be used.
pub(crate) fn load(path: &Path) -> Result<Option<config::Config>> {
    read(path, Depth::Surface)
}

fn read(path: &Path, depth: Depth) -> Result<Option<config::Config>> {
    let loaded = config::load(path, depth).with_context(|| format!("cannot read `{}`", path.display()))?;
    report::print(&loaded.told, Shown { file: &path.display().to_string(), text: &loaded.text });
    Ok(loaded.config)
}
