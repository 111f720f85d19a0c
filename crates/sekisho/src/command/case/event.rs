//! `sekisho case event`: an instant from which deadlines run, an intrusion, or a note.

use super::{Place, RoleArg, instant};
use crate::command::{Done, Usage};
use anyhow::{Context, Result};
use jiff::Timestamp;
use sekisho_incident::{Actor, Body, Case, CaseId, Clock};

/// What it is told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    id: CaseId,
    /// aware, classified_major, materiality_determined, new_facts, contained, vendor_notified, intrusion or note.
    what: String,
    /// When it was; now without it.
    #[arg(long, allow_hyphen_values = true)]
    at: Option<String>,
    /// The zone in which its day is counted; the case's without it.
    #[arg(long)]
    zone: Option<String>,
    /// Whose awareness or decision; the operator's without it.
    #[arg(long)]
    actor: Option<String>,
    #[arg(long, value_enum, default_value = "firm")]
    role: RoleArg,
    /// Where the evidence lies.
    #[arg(long, default_value = "")]
    evidence: String,
    /// The intrusion that it belongs to.
    #[arg(long)]
    intrusion: Option<String>,
    /// The number of the event that it corrects.
    #[arg(long)]
    corrects: Option<usize>,
    /// An intrusion's name.
    #[arg(long)]
    name: Option<String>,
    /// An intrusion's begin.
    #[arg(long)]
    from: Option<String>,
    /// An intrusion's end.
    #[arg(long)]
    to: Option<String>,
    /// In words.
    #[arg(long, default_value = "")]
    text: String,
    #[command(flatten)]
    place: Place,
}

impl Arguments {
    pub(super) fn run(self) -> Result<Done> {
        let (operator, id) = (self.place.operator(), self.id.clone());
        let place = self.place.clone();
        place.record(&id, |case, now| {
            let case = case.with_context(|| format!("there is no case `{id}`; open it first"))?;
            self.body(case, operator, now)
        })
    }

    fn body(self, case: &Case, operator: String, now: Timestamp) -> Result<Body> {
        Ok(match self.what.as_str() {
            "note" => Body::Note { text: self.text },
            "intrusion" => Body::Intrusion {
                id: self.name.ok_or_else(|| Usage::error("an intrusion needs --name"))?,
                from: self.from.map(|text| instant(&text, now, &case.zone)).transpose()?,
                to: self.to.map(|text| instant(&text, now, &case.zone)).transpose()?,
                text: self.text,
            },
            what => {
                let clock: Clock = what.parse()?;
                if matches!(clock, Clock::Submitted(_)) {
                    return Err(Usage::error("a submission has a text: use `sekisho case submit`"));
                }
                let zone = self.zone.unwrap_or_else(|| case.zone.clone());
                let at = self.at.map_or(Ok(now), |text| instant(&text, now, &zone))?;
                let actor = Actor { name: self.actor.unwrap_or(operator), role: self.role.into() };
                let (evidence, intrusion, corrects) = (self.evidence, self.intrusion, self.corrects);
                Body::Clock { clock, at, zone, actor, evidence, intrusion, corrects }
            }
        })
    }
}
