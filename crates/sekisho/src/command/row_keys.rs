//! `--format csv`: an answer by the firm's row keys, joined from its register file. Which column they are is the built
//! register's word, not a guess from the file.

use super::{Done, Usage};
use crate::config::Register;
use crate::output::tell;
use crate::register_file;
use anyhow::{Context, Result};
use sekisho_edm::{Encoding, Index};
use sekisho_scope::{Answer, rows};
use std::path::{Path, PathBuf};

/// What `--register` says: a file, or which register's it is, too.
#[derive(Clone, Debug)]
pub(crate) struct RegisterFile {
    name: Option<String>,
    file: PathBuf,
}

/// Reads `FILE` or `NAME=FILE`. A file whose own name has an equals sign is one when it is there.
pub(crate) fn register_file(text: &str) -> Result<RegisterFile, String> {
    match text.split_once('=').filter(|_| !Path::new(text).exists()) {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok(RegisterFile { name: Some(name.to_owned()), file: file.into() })
        }
        Some(_) => Err("write the register's file, or its name and file as NAME=FILE".to_owned()),
        None => Ok(RegisterFile { name: None, file: text.into() }),
    }
}

/// The file of the only configured register; with several of them, which to choose from.
pub(crate) fn only_register(registers: &[Register]) -> Result<RegisterFile> {
    let persons: Vec<&Register> = registers.iter().filter(|register| !register.is_canary).collect();
    match persons[..] {
        [only] => Ok(RegisterFile { name: Some(only.config.name.clone()), file: only.file.clone() }),
        [] => Err(Usage::error("--format csv needs --register FILE: the ledger itself does not know the row keys")),
        _ => {
            let choices = persons.iter().map(|one| format!("--register {}={}", one.config.name, one.file.display()));
            let choices = choices.collect::<Vec<_>>().join(" or ");
            Err(Usage::error(format!("--format csv lists the persons of one register: write {choices}")))
        }
    }
}

/// The list, and whether everybody of the answer is in it. `registers` are the configured ones, where there is a configuration.
pub(crate) fn csv(
    answer: &Answer,
    index: &Index,
    of: &RegisterFile,
    registers: &[Register],
) -> Result<(Vec<u8>, Done)> {
    let file = of.file.as_path();
    let name = of.name(registers);
    let known: Vec<&str> = answer.registers.iter().map(|register| register.name.as_str()).collect();
    let row_key = index.row_key(&name).filter(|_| known.contains(&name.as_str())).ok_or_else(|| {
        let (file, known) = (file.display(), if known.is_empty() { "none".to_owned() } else { known.join(", ") });
        Usage::error(format!(
            "there is no register `{name}` in the answer; it knows: {known}. Say whose file it is: --register NAME={file}"
        ))
    })?;
    let (text, _) = register_file::read(file, Encoding::Auto)?;
    let keys = rows::row_keys(text.as_bytes(), row_key)
        .with_context(|| format!("`{}` is not a file of register `{name}`", file.display()))?;
    let mut output = Vec::new();
    let joined = rows::write(answer, index, &name, keys, &mut output)?;
    if joined.missing == 0 {
        return Ok((output, Done::Yes));
    }
    let missing = match joined.missing {
        1 => "1 person".to_owned(),
        more => format!("{} persons", sekisho_scope::text::count(more)),
    };
    tell!(
        "warning: the list lacks {missing} of `{name}` in the answer, not found in {} (a former customer stands in the file of \
         an earlier day)",
        file.display()
    );
    Ok((output, Done::No))
}

impl RegisterFile {
    /// The register's name: as given, as configured for this file, or the file's own.
    fn name(&self, registers: &[Register]) -> String {
        let same = |register: &&Register| {
            register.file == self.file || register.file.canonicalize().ok() == self.file.canonicalize().ok()
        };
        let configured = || registers.iter().find(same).map(|register| register.config.name.clone());
        let own = || self.file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        self.name.clone().or_else(configured).unwrap_or_else(own)
    }
}
