//! `sekisho verify`: whether a ledger is whole, offline.

use super::Done;
use anyhow::{Context, Result};
use sekisho_ledger::{Given, RealDisk, Report, verify_given};
use sekisho_scope::text::count;
use sekisho_tlog::{Checkpoint, VerifyingKey};
use std::io::Write as _;
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
        let (output, done) = match verify_given(&RealDisk, &self.ledger, &Given { key: key.as_ref(), since }) {
            Ok(report) => (self.told(&report), Done::Yes),
            Err(difference) => (format!("{name} is NOT whole\n  {difference}\n"), Done::No),
        };
        match std::io::stdout().write_all(output.as_bytes()) {
            // A closed pipe (`| head`) is the reader's choice; the exit code still tells.
            Err(err) if err.kind() != std::io::ErrorKind::BrokenPipe => Err(err).context("cannot write the answer"),
            _ => Ok(done),
        }
    }

    fn told(&self, report: &Report) -> String {
        let mut lines = vec![
            format!("{} is whole", self.ledger.display()),
            format!("  entries signed     {}", count(report.entries)),
            format!("  blocks             {} ({} not signed yet)", count(report.blocks), count(report.unsigned)),
            format!("  segments           {}", count(report.segments)),
        ];
        if report.entries == 0 {
            lines.push("  nothing is signed yet: the gateway was ended before it served anybody".to_owned());
        }
        if report.questions_unsigned > 0 {
            lines.push(format!(
                "  questions          {} recorded by the command line and not signed yet: the gateway signs them while",
                count(report.questions_unsigned)
            ));
            lines.push("                     it runs, or when it starts".to_owned());
        }
        if !report.torn.is_empty() {
            lines.push(format!("  torn ends          {} (a writer runs, or was cut off)", report.torn.len()));
        }
        if let Some(since) = &self.since {
            lines.push(format!("  goes on from       {}", since.display()));
        }
        if !report.key_given {
            lines.push(
                "  checked with the ledger's own key: give --key FILE to rule out that it was signed anew".to_owned(),
            );
        }
        lines.join("\n") + "\n"
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
