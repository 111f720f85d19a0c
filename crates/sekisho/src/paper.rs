//! The executable that typesets: `sekisho-pdf`, which is built apart because of its typesetter.

use anyhow::{Context, Result, bail};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Its name.
pub(crate) const PDF: &str = "sekisho-pdf";

/// How it comes to be there.
pub(crate) const INSTALL: &str =
    "install it with `cargo install --path pdf`, or put the released `sekisho-pdf` beside `sekisho`";

/// A document as a PDF; `None` when the executable is neither beside this one nor in PATH.
pub(crate) fn pdf(document: &[u8]) -> Result<Option<Vec<u8>>> {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(PDF)).filter(|path| path.is_file());
    let program = beside.unwrap_or_else(|| PathBuf::from(PDF));
    let started = Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = match started {
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| format!("cannot start `{}`", program.display()))?,
    };
    let mut input = child.stdin.take().context("the PDF executable has no input")?;
    let document = document.to_vec();
    // It may answer before it has read all: writing and reading go on at the same time.
    let writing = std::thread::spawn(move || input.write_all(&document));
    let output = child.wait_with_output().with_context(|| format!("cannot read from `{}`", program.display()))?;
    let written = writing.join();
    if !output.status.success() || !output.stdout.starts_with(b"%PDF-") || !matches!(written, Ok(Ok(()))) {
        bail!("`{}` made no PDF ({})", program.display(), output.status);
    }
    Ok(Some(output.stdout))
}
