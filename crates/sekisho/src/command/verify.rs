//! `sekisho verify`: whether a ledger is whole, offline.

use super::Done;
use anyhow::{Context, Result};
use sekisho_ledger::RealDisk;
use sekisho_scope::text::count;
use std::path::PathBuf;

/// Check a ledger against its signed log, offline; names the first difference.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sekisho verify ledger --key keys/ledger.vkey")]
pub(crate) struct Arguments {
    /// The ledger.
    #[arg(value_name = "DIR")]
    ledger: PathBuf,
    /// The public key's file, from where it is kept safe. Without it a ledger that was rewritten and signed anew
    /// cannot be told from the true one.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<Done> {
        let name = self.ledger.display();
        std::fs::read_dir(&self.ledger).with_context(|| format!("cannot read the ledger `{name}`"))?;
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read the key `{}`", path.display()))
        };
        let key = self.key.as_ref().map(read).transpose()?;
        match sekisho_ledger::verify(&RealDisk, &self.ledger, key.as_deref().map(str::trim_end)) {
            Ok(report) => {
                println!("{name} is whole");
                println!("  entries signed     {}", count(report.entries));
                println!("  blocks             {} ({} not signed yet)", count(report.blocks), count(report.unsigned));
                println!("  segments           {}", count(report.segments));
                if !report.torn.is_empty() {
                    println!("  torn ends          {} (a writer runs, or was cut off)", report.torn.len());
                }
                if !report.key_given {
                    println!(
                        "  checked with the ledger's own key: give --key FILE to rule out that it was signed anew"
                    );
                }
                Ok(Done::Yes)
            }
            Err(difference) => {
                println!("{name} is NOT whole\n  {difference}");
                Ok(Done::No)
            }
        }
    }
}
