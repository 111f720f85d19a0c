//! The registers' index as a file beside the ledger: built from the firm's files, replaced whole, subject numbers kept.

use crate::config::Register;
use crate::files;
use crate::report::{self, Shown};
use anyhow::{Context, Result, bail};
use sekisho_edm::{HashKey, Index, IndexBuilder};
use sekisho_ledger::{Reader, RealDisk};
use sekisho_model::{Record, Timestamp};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the index of a ledger's registers lies: `ledger` has `ledger.index`.
pub(crate) fn path(ledger: &Path) -> PathBuf {
    let mut name = ledger.file_name().unwrap_or_default().to_owned();
    name.push(".index");
    ledger.with_file_name(name)
}

/// Reads the index; `None` when none was built yet.
pub(crate) fn read(path: &Path, key: &Arc<HashKey>) -> Result<Option<Index>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(err).with_context(|| format!("cannot read the index `{}`", path.display())),
    };
    let index = Index::read_from(BufReader::new(file), Arc::clone(key));
    let help = || {
        format!(
            "cannot use the index `{}`: restore it from a copy, or begin a new ledger with a new index; the ledger's persons \
             have the numbers of this one, and another would give them to others",
            path.display()
        )
    };
    Ok(Some(index.with_context(help)?))
}

/// A ledger whose index is gone: a new one would give its persons' numbers to others, and the ledger would then tell of them.
fn refuse_other_numbers(ledger: &Path, index: &Path) -> Result<()> {
    if !ledger.join("MANIFEST").exists() {
        return Ok(());
    }
    let mut has_persons = false;
    let reader = Reader::open(ledger, Arc::new(RealDisk));
    let read = reader.and_then(|reader| {
        reader.events(&mut |_, record| {
            if let Record::Registers(registers) = record {
                has_persons |= registers.registers.iter().any(|register| register.persons > 0);
            }
        })
    });
    read.with_context(|| format!("cannot read the ledger `{}`", ledger.display()))?;
    if has_persons {
        bail!(
            "the index `{}` is missing, and the ledger tells of persons by its numbers: restore it from a copy, or begin a new \
             ledger; a new index would give the numbers to others",
            index.display()
        );
    }
    Ok(())
}

/// Builds the index of these registers on the one before, and writes it. What is wrong with a file was told before it fails.
pub(crate) fn build(ledger: &Path, key: &Arc<HashKey>, registers: &[Register], now: Timestamp) -> Result<Index> {
    let path = &path(ledger);
    let mut builder = match read(path, key)? {
        Some(previous) => IndexBuilder::on(&previous, now),
        None => {
            refuse_other_numbers(ledger, path)?;
            IndexBuilder::new(Arc::clone(key), now)
        }
    };
    let mut good = true;
    for register in registers {
        let name = register.file.display().to_string();
        let file = File::open(&register.file).with_context(|| format!("cannot read `{name}`"))?;
        let told = match builder.register(&register.config, BufReader::new(file), &name) {
            Ok(built) => built.warnings,
            Err(errors) => {
                good = false;
                errors
            }
        };
        // Places in a register file are told by name: its lines hold personal data and are not shown.
        report::print(&told, Shown { file: &name, text: "" });
    }
    if !good {
        bail!("no index was built: a register's file cannot be used");
    }
    let index = builder.build();
    files::replace_private(path, |output| index.write_to(output).map_err(io::Error::other))
        .with_context(|| format!("cannot write the index `{}`", path.display()))?;
    Ok(index)
}
