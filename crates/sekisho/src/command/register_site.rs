//! `sekisho register-site`: the public register across firms.

use super::Done;
use crate::output::say;
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use sekisho_watch::State;
use sekisho_watch::register;
use sekisho_watch::report::Report;
use std::path::PathBuf;

/// The public register of incidents across firms, as a static site.
#[derive(Subcommand)]
pub(crate) enum Command {
    Build(Build),
}

/// Build the site from entries and, where there is one, a watch.
///
/// Every figure needs a source; what is not known says unknown. The same input gives the same bytes. Pages of the watch
/// belong to an entry by their address, or by a `--case` that is the entry's id.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  sekisho register-site build --entries registry --out site --base-url https://register.example/\n  sekisho register-site build --entries registry --watch watch --out site --base-url https://register.example/"
)]
pub(crate) struct Build {
    /// The directory of the entries, a TOML file each.
    #[arg(long, value_name = "DIR", default_value = "registry")]
    entries: PathBuf,
    /// The directory of a watch whose pages belong to the entries.
    #[arg(long, value_name = "DIR")]
    watch: Option<PathBuf>,
    /// The directory of that watch's keys.
    #[arg(long, value_name = "DIR", default_value = "watch-keys")]
    keys: PathBuf,
    /// Where the site is written.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Where the site will lie; the feeds name their entries by it.
    #[arg(long, value_name = "URL")]
    base_url: String,
}

impl Command {
    pub(crate) fn run(self) -> Result<Done> {
        match self {
            Command::Build(build) => build.run(),
        }
    }
}

impl Build {
    fn run(self) -> Result<Done> {
        let base_url = sekisho_watch::parse_url(&self.base_url)?;
        let base_url = if base_url.ends_with('/') { base_url } else { format!("{base_url}/") };
        let incidents = register::read(&self.entries)?;
        if incidents.is_empty() {
            bail!("`{}` has no entries (*.toml)", self.entries.display());
        }
        let watch = self.watch.as_ref().map(|dir| {
            State::read(dir, &self.keys).with_context(|| format!("cannot read the watch in `{}`", dir.display()))
        });
        let report = watch.transpose()?.map(|state| Report::of(&state.watched));
        let site = register::build(&incidents, report.as_ref(), &base_url)?;
        register::write(&site, &self.out)?;
        say!("{} incidents, {} files in `{}`", incidents.len(), site.files.len(), self.out.display());
        Ok(Done::Yes)
    }
}
