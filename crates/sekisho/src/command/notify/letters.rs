//! `sekisho notify letters`: the letters that wait, as a PDF for each language and a CSV for the printing house.
//!
//! A batch has as many letters as the typesetter takes at once. Order: the files first, synced; then the journal. A crash between leaves files that the next run writes again under the
//! same number, and no letter counts as written that is not there.

use super::super::Done;
use super::super::case::Place;
use super::Sources;
use super::office::{Begin, Office};
use crate::output::{say, tell};
use crate::{files, paper};
use anyhow::{Context, Result};
use jiff::Timestamp;
use sekisho_incident::{CaseId, NoticeStep};
use sekisho_notify::desk::Desk;
use sekisho_notify::letter::{self, LETTERS_MAX, Letter};
use sekisho_notify::template::Lang;
use sekisho_notify::{Event, PersonKey, State};
use sha2::{Digest, Sha256};
use std::path::Path;

pub(super) fn letters(id: &CaseId, out: &Path, from: &Sources, place: &Place) -> Result<Done> {
    let mut office = Office::open(id, place, Begin::No)?;
    let desk = office.desk(from)?;
    // A letter tells no less than a mail.
    super::mail::check_approved(&office.campaign, &desk, id)?;
    let waiting = office.campaign.in_state(State::Postal).filter(|(_, _, notice)| notice.batch.is_none());
    let waiting: Vec<(PersonKey, u16)> = waiting.map(|(person, notice, _)| (person, notice)).collect();
    let (mut written, mut problems) = (0, 0);
    for some in waiting.chunks(LETTERS_MAX) {
        let (letters, stopped) = compose(&office, &desk, some);
        problems += stopped;
        if letters.is_empty() {
            continue;
        }
        let events = match batch(&office, &desk, out, &letters)? {
            Some(events) => events,
            None => return Ok(Done::No),
        };
        written += letters.len();
        drop(letters);
        office.decide(events)?;
    }
    if written == 0 {
        say!("no letter waits");
    } else {
        office.prove(NoticeStep::Letters)?;
    }
    Ok(if problems == 0 { Done::Yes } else { Done::No })
}

/// The letters of these notices, and how many cannot be written.
fn compose<'a>(office: &Office<'_>, desk: &'a Desk, notices: &[(PersonKey, u16)]) -> (Vec<Letter<'a>>, u64) {
    let (mut letters, mut problems) = (Vec::new(), 0);
    for &(person, notice) in notices {
        let Some(task) = office.campaign.task(person, notice) else { continue };
        match desk.letter(&task, Timestamp::now()) {
            Ok(Some((recipient, language, text))) => letters.push(Letter { person, notice, recipient, language, text }),
            Ok(None) => {
                tell!("warning: {person}-{notice} has no postal address in the register; it waits");
                problems += 1;
            }
            Err(why) => {
                tell!("warning: the scan stopped the letter {person}-{notice}: {why}");
                problems += 1;
            }
        }
    }
    letters.sort_by_key(|letter| (letter.language, letter.person, letter.notice));
    (letters, problems)
}

/// Writes the files of a batch; what is to be recorded of it, or `None` when there is nothing to make a PDF with.
fn batch(office: &Office<'_>, desk: &Desk, out: &Path, letters: &[Letter<'_>]) -> Result<Option<Vec<Event>>> {
    let batch = office.campaign.batches() + 1;
    files::private_directory(out).with_context(|| format!("cannot make `{}`", out.display()))?;
    let csv = letter::csv(desk, batch, letters)?;
    let csv_path = out.join(format!("letters-{batch}.csv"));
    write(&csv_path, &csv)?;
    say!("{}: {} letters", csv_path.display(), letters.len());
    let mut pdf_hash = Sha256::new();
    for language in Lang::ALL {
        let of_language = letters.iter().position(|letter| letter.language == language);
        let Some(first) = of_language else { continue };
        let count = letters[first..].iter().take_while(|letter| letter.language == language).count();
        let of_language = &letters[first..first + count];
        let document = letter::document(desk, language, of_language, Timestamp::now(), &office.zone)?;
        let Some(pdf) = paper::pdf(&document).context("the letters still wait")? else {
            let (name, install) = (paper::PDF, paper::INSTALL);
            tell!("error: there is no `{name}`, so no PDF was made: {install}; the letters still wait");
            return Ok(None);
        };
        pdf_hash.update(&pdf);
        let path = out.join(format!("letters-{batch}-{language}.pdf"));
        write(&path, &pdf)?;
        say!("{}: {count} pages or more", path.display());
    }
    let printed = letters.iter().map(|letter| Event::Printed { person: letter.person, notice: letter.notice, batch });
    let (csv_sha256, pdf_sha256) = (hex::encode(Sha256::digest(&csv)), hex::encode(pdf_hash.finalize()));
    Ok(Some(std::iter::once(Event::Batch { batch, csv_sha256, pdf_sha256 }).chain(printed).collect()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    files::replace_private(path, |file| file.write_all(bytes))
        .with_context(|| format!("cannot write `{}`", path.display()))
}
