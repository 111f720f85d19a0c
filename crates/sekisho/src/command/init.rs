//! `sekisho init`: a commented configuration and new keys, to begin with.

use super::Done;
use crate::output::say;
use crate::{files, keys};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// Write a commented sekisho.toml and new keys.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sekisho init --upstream http://127.0.0.1:3000 /etc/sekisho")]
pub(crate) struct Arguments {
    /// Where to write them.
    #[arg(default_value = ".")]
    directory: PathBuf,
    /// The site that Sekisho will stand in front of.
    #[arg(long, default_value = "http://127.0.0.1:3000", value_parser = super::observe::upstream)]
    upstream: super::observe::UpstreamUrl,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<Done> {
        let config = self.directory.join("sekisho.toml");
        if config.exists() {
            bail!("`{}` is there already; remove it, or give another directory", config.display());
        }
        let key_directory = self.directory.join("keys");
        files::private_directory(&self.directory)
            .with_context(|| format!("cannot make `{}`", self.directory.display()))?;
        let had_keys = key_directory.join("hash.key").exists();
        let keys = keys::load_or_create(&key_directory)?;
        let text = include_str!("sekisho.toml").replace("http://127.0.0.1:3000", self.upstream.text());
        files::create_private(&config, text.as_bytes())
            .with_context(|| format!("cannot write `{}`", config.display()))?;
        say!("wrote   {}", config.display());
        let did = if had_keys { "kept " } else { "wrote" };
        say!("{did}   {}/  (back it up; without it nothing recorded can be read)", key_directory.display());
        say!("verify  {}", keys.signing.verifier());
        say!("");
        say!("Give the last line to whoever shall verify the ledger. Next:");
        say!("  sekisho check -c {}", config.display());
        Ok(Done::Yes)
    }
}
