//! `sekisho verify`: whether a ledger is whole, offline.

use super::Done;
use anyhow::{Context, Result};
use sekisho_ledger::{Difference, Given, RealDisk, Report, verify_given};
use sekisho_scope::text::count;
use sekisho_tlog::{Checkpoint, VerifyingKey};
use std::path::{Path, PathBuf};

/// Check a ledger against its signed log, offline; names the first difference.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  sekisho verify ledger --key keys/ledger.vkey\n  cp ledger/log/checkpoint audit/2026-11-30     keep it elsewhere\n  sekisho verify ledger --key keys/ledger.vkey --since audit/2026-11-30"
)]
pub(crate) struct Arguments {
    /// The ledger.
    #[arg(value_name = "DIR")]
    ledger: PathBuf,
    /// The public key's file, from where it is kept safe. Without it a ledger that was rewritten and signed anew
    /// cannot be told from the true one.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// An earlier `log/checkpoint` that was kept elsewhere: the ledger must go on from it. Without it a ledger that was set
    /// back as a whole to an earlier copy cannot be told from the true one.
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<Done> {
        let name = self.ledger.display();
        std::fs::read_dir(&self.ledger).with_context(|| format!("cannot read the ledger `{name}`"))?;
        // What was given wrongly is no fault of the ledger.
        let key = self.key.as_deref().map(key).transpose()?;
        let note = self.since.as_deref().map(checkpoint).transpose()?;
        let since = self.since.as_deref().zip(note.as_deref());
        match verify_given(&RealDisk, &self.ledger, &Given { key: key.as_ref(), since }) {
            Ok(report) => {
                println!("{name} is whole");
                self.print(&report);
                Ok(Done::Yes)
            }
            Err(difference) => {
                self.print_difference(&difference);
                Ok(Done::No)
            }
        }
    }

    fn print(&self, report: &Report) {
        println!("  entries signed     {}", count(report.entries));
        if report.entries == 0 {
            println!("  nothing is signed yet: the gateway was ended before it served anybody");
        }
        println!("  blocks             {} ({} not signed yet)", count(report.blocks), count(report.unsigned));
        if report.questions_unsigned > 0 {
            println!(
                "  questions          {} recorded by the command line and not signed yet: the gateway signs them while it\n                     runs, or when it starts",
                count(report.questions_unsigned)
            );
        }
        println!("  segments           {}", count(report.segments));
        if !report.torn.is_empty() {
            println!("  torn ends          {} (a writer runs, or was cut off)", report.torn.len());
        }
        if let Some(since) = &self.since {
            println!("  goes on from       {}", since.display());
        }
        if !report.key_given {
            println!("  checked with the ledger's own key: give --key FILE to rule out that it was signed anew");
        }
    }

    fn print_difference(&self, difference: &Difference) {
        println!("{} is NOT whole\n  {difference}", self.ledger.display());
    }
}

fn key(path: &Path) -> Result<VerifyingKey> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the key `{name}`"))?;
    VerifyingKey::parse(text.trim_end()).with_context(|| format!("`{name}` is no public key of a ledger"))
}

/// The bytes of a checkpoint. Who signed it is part of what is verified.
fn checkpoint(path: &Path) -> Result<Vec<u8>> {
    let name = path.display();
    let note = std::fs::read(path).with_context(|| format!("cannot read the checkpoint `{name}`"))?;
    Checkpoint::open_unverified(&note).with_context(|| format!("`{name}` is no checkpoint of a ledger"))?;
    Ok(note)
}
