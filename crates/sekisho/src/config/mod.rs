//! `sekisho.toml`: what the operator wrote becomes what the gateway is told, once and with all errors at once.
//!
//! Read in this order: [`load`], [`Config`], `resolve` (field by field), `section` (typed reading with places),
//! `checks` (what only the whole file and the machine can say). Codes are listed in `docs/diagnostics.md`.

mod canaries;
mod checks;
mod containment;
mod incidents;
mod ledger;
mod logins;
mod resolve;
mod rules;
mod section;
#[cfg(test)]
mod tests;
mod tokens;
mod units;
mod watch;
mod webhook;

pub(crate) use incidents::Incidents;
pub(crate) use ledger::Ledger;
pub(crate) use resolve::{default_workers, origin};
use sekisho_edm::RegisterConfig;
use sekisho_model::Diagnostic;
use std::path::{Path, PathBuf};
pub(crate) use units::duration;
pub(crate) use webhook::Webhook;

/// Everything that `serve` needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The gateway's part.
    pub(crate) gateway: sekisho_gateway::config::Config,
    /// The firm's registers.
    pub(crate) registers: Vec<Register>,
    /// How the ledger is kept.
    pub(crate) ledger: Ledger,
    /// Where the keys are kept.
    pub(crate) keys: PathBuf,
    /// Where the firm's own system is told who is kept out.
    pub(crate) webhook: Option<Webhook>,
    /// Where the gateway's events begin cases.
    pub(crate) incidents: Option<Incidents>,
}

/// One register and its file.
#[derive(Clone, Debug)]
pub(crate) struct Register {
    /// What the file's columns hold.
    pub(crate) config: RegisterConfig,
    /// The firm's file.
    pub(crate) file: PathBuf,
    /// Whether its persons are planted ones, whom no legitimate response holds.
    pub(crate) is_canary: bool,
}

/// A file that was read: the configuration when it can be used, and everything there is to tell.
pub(crate) struct Loaded {
    /// `None` when any diagnostic is an error.
    pub(crate) config: Option<Config>,
    /// Errors and warnings, in the file's order.
    pub(crate) told: Vec<Diagnostic>,
    /// The file's text, to show the places.
    pub(crate) text: String,
}

/// How much is read of the files that a configuration names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What every command needs: whether they are there, the registers' columns.
    Surface,
    /// All that `serve` and `register build` would stumble over: certificates, the registers' rows.
    Whole,
}

/// Reads and checks a configuration. Paths in it are relative to its directory.
pub(crate) fn load(path: &Path, depth: Depth) -> std::io::Result<Loaded> {
    let text = std::fs::read_to_string(path)?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let (config, told) = resolve::resolve(&text, &path.display().to_string(), directory, depth);
    Ok(Loaded { config, told, text })
}
