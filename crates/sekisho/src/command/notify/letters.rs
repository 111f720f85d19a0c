//! `sekisho notify letters`: the letters that wait, as a PDF for each language and a CSV for the printing house.
//!
//! Order: the files first, synced; then the journal. A crash between leaves files that the next run writes again under the
//! same number, and no letter counts as written that is not there.

use super::super::Done;
use super::super::case::Place;
use super::Sources;
use super::office::{Begin, Office};
use crate::files;
use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use sekisho_incident::{CaseId, NoticeStep};
use sekisho_notify::letter::{self, LETTERS_MAX, Letter};
use sekisho_notify::template::Lang;
use sekisho_notify::{Event, State};
use sha2::{Digest, Sha256};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

/// The executable that makes PDF files.
const PDF: &str = "sekisho-pdf";

pub(super) fn letters(id: &CaseId, out: &Path, from: &Sources, place: &Place) -> Result<Done> {
    let mut office = Office::open(id, place, Begin::No)?;
    let desk = office.desk(from)?;
    let now = Timestamp::now();
    let mut letters = Vec::new();
    let mut problems = 0u64;
    let waiting = office.campaign.in_state(State::Postal).filter(|(_, _, notice)| notice.batch.is_none());
    for (person, notice, _) in waiting {
        let Some(task) = office.campaign.task(person, notice) else { continue };
        match desk.letter(&task, now) {
            Ok(Some((recipient, language, text))) => letters.push(Letter { person, notice, recipient, language, text }),
            Ok(None) => {
                eprintln!("warning: {person}-{notice} has no postal address in the register; it waits");
                problems += 1;
            }
            Err(why) => {
                eprintln!("warning: the scan stopped the letter {person}-{notice}: {why}");
                problems += 1;
            }
        }
        if letters.len() == LETTERS_MAX {
            eprintln!("warning: a batch has {LETTERS_MAX} letters; run the command again for the others");
            break;
        }
    }
    if letters.is_empty() {
        println!("no letter waits");
        return Ok(if problems == 0 { Done::Yes } else { Done::No });
    }
    letters.sort_by_key(|letter| (letter.language, letter.person, letter.notice));
    let batch = office.campaign.batches() + 1;
    files::private_directory(out).with_context(|| format!("cannot make `{}`", out.display()))?;
    let csv = letter::csv(&desk, batch, &letters)?;
    let csv_path = out.join(format!("letters-{batch}.csv"));
    write(&csv_path, &csv)?;
    println!("{}: {} letters", csv_path.display(), letters.len());
    let mut pdf_hash = Sha256::new();
    for language in Lang::ALL {
        let of_language = letters.iter().position(|letter| letter.language == language);
        let Some(first) = of_language else { continue };
        let count = letters[first..].iter().take_while(|letter| letter.language == language).count();
        let document = letter::document(&desk, language, &letters[first..first + count], now, &office.zone)?;
        let Some(pdf) = pdf(&document)? else {
            eprintln!(
                "error: there is no `{PDF}` beside `sekisho` or in PATH, so no PDF was made: install it with `cargo install \
                 --path crates/pdf` or put the released `{PDF}` beside `sekisho`; the letters still wait"
            );
            return Ok(Done::No);
        };
        pdf_hash.update(&pdf);
        let path = out.join(format!("letters-{batch}-{language}.pdf"));
        write(&path, &pdf)?;
        println!("{}: {count} pages or more", path.display());
    }
    let printed = letters.iter().map(|letter| Event::Printed { person: letter.person, notice: letter.notice, batch });
    let (csv_sha256, pdf_sha256) = (hex::encode(Sha256::digest(&csv)), hex::encode(pdf_hash.finalize()));
    let events = std::iter::once(Event::Batch { batch, csv_sha256, pdf_sha256 }).chain(printed).collect();
    drop(letters);
    office.decide(events)?;
    office.prove(NoticeStep::Letters)?;
    Ok(if problems == 0 { Done::Yes } else { Done::No })
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    files::replace_private(path, |file| file.write_all(bytes))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

/// The document as a PDF; `None` when the executable is not there.
fn pdf(document: &[u8]) -> Result<Option<Vec<u8>>> {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(PDF)).filter(|path| path.is_file());
    let program = beside.unwrap_or_else(|| PathBuf::from(PDF));
    let started = Process::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
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
        bail!("`{}` made no PDF ({}); the letters still wait", program.display(), output.status);
    }
    Ok(Some(output.stdout))
}
