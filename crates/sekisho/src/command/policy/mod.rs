//! `sekisho policy`: what enforcement would have done, and the switch to enforce.
//!
//! Read in this order: `report` (asks the ledger), `table` (for people), `edit` (the configuration's text).

mod edit;
mod report;
mod table;

use super::Done;
use anyhow::Result;

/// What enforcement would have done, by route; and the switch that enforces it.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    Report(report::Arguments),
    Enforce(edit::Enforce),
    Ramp(edit::RampTo),
}

impl Command {
    pub(crate) fn run(self) -> Result<Done> {
        match self {
            Command::Report(arguments) => arguments.run(),
            Command::Enforce(arguments) => arguments.run(),
            Command::Ramp(arguments) => arguments.run(),
        }
    }
}
