//! `sekisho case submit`: a report was sent; its text is kept, and that it was sent is recorded.

use super::{Lang, Place, Rules, instant};
use crate::command::Done;
use crate::output::say;
use anyhow::{Context, Result};
use sekisho_incident::{Body, CaseId, Error, card, report};
use std::path::PathBuf;

/// What it is told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    id: CaseId,
    obligation: String,
    /// The text that was sent; the present draft without it.
    #[arg(long)]
    file: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "ja")]
    lang: Lang,
    /// When it was sent; now without it.
    #[arg(long, allow_hyphen_values = true)]
    at: Option<String>,
    #[arg(long)]
    receipt: Option<String>,
    #[arg(long)]
    late_reason: Option<String>,
    /// The intrusion that it is about; without it, the case as a whole.
    #[arg(long)]
    intrusion: Option<String>,
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    place: Place,
}

impl Arguments {
    /// Keeps the text that was sent, then records that it was. The text comes first: a record of a text that is nowhere would
    /// be worse than a text without a record.
    pub(super) fn run(self) -> Result<Done> {
        let Arguments { id, obligation, file, lang, at, receipt, late_reason, intrusion, rules, place } = self;
        let case = place.case(&id)?;
        let draft = report::draft(&case, &rules.read()?, &obligation, lang.into())?;
        let text = match &file {
            Some(file) => std::fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?,
            None => draft.markdown(&case, lang.into()).into_bytes(),
        };
        if let Some(what) = card::find(&String::from_utf8_lossy(&text)) {
            return Err(Error::Card { index: case.timeline.len() + 1, place: "file", what }.into());
        }
        let sha256 = report::sha256(&text);
        let (kept, is_new) = place.open()?.keep_snapshot(&sha256, &text)?;
        let recorded = place.record(&id, |case, now| {
            let case = case.with_context(|| format!("there is no case `{id}`"))?;
            let at = at.map_or(Ok(now), |text| instant(&text, now, &case.zone))?;
            let version = u32::try_from(case.submissions(&obligation, intrusion.as_deref()).count() + 1)?;
            let zone = case.zone.clone();
            Ok(Body::Submitted { obligation, intrusion, version, sha256, at, zone, receipt, late_reason })
        });
        if recorded.is_err() && is_new {
            // What was refused was not sent: its text has no place among those that were.
            std::fs::remove_file(&kept).with_context(|| format!("cannot remove `{}`", kept.display()))?;
        }
        let done = recorded?;
        say!("  text kept as {}", kept.display());
        Ok(done)
    }
}
