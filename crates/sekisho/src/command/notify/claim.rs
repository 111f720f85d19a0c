//! `sekisho notify claim`: what persons claim of the firm, with decision and payment dates.

use super::super::case::{Format, Place};
use super::super::{Done, Usage};
use super::after::one;
use super::office::{Begin, Office};
use crate::output::say;
use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use sekisho_incident::{CaseId, NoticeStep};
use sekisho_notify::{Claim, ClaimKind, Decision, Event};

/// The most characters of a reference.
const TEXT_CHARS_MAX: usize = 200;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Record a claim.
    #[command(
        after_help = "Example:\n  sekisho notify claim open hakone-2026-1 --person account_holders:HK10000007 --for reissue_fee --amount 1100 --evidence desk-118"
    )]
    Open {
        id: CaseId,
        /// Whose, by the firm's row key.
        #[arg(long, value_name = "REGISTER:ROWKEY")]
        person: String,
        /// For what.
        #[arg(long = "for", value_enum)]
        what: KindArg,
        /// In the currency's smallest unit: yen, cents.
        #[arg(long)]
        amount: u64,
        /// ISO 4217.
        #[arg(long, default_value = "JPY")]
        currency: String,
        /// Where the evidence lies; no names.
        #[arg(long)]
        evidence: String,
        #[command(flatten)]
        place: Place,
    },
    /// Decide a claim.
    #[command(after_help = "Example:\n  sekisho notify claim decide hakone-2026-1 1 accepted --amount 1100")]
    Decide {
        id: CaseId,
        number: u32,
        #[arg(value_enum)]
        decision: DecisionArg,
        /// What is granted; what was claimed without it.
        #[arg(long)]
        amount: Option<u64>,
        /// When; today without it.
        #[arg(long, value_name = "DATE")]
        on: Option<Date>,
        #[command(flatten)]
        place: Place,
    },
    /// Record that a claim was paid.
    #[command(after_help = "Example:\n  sekisho notify claim pay hakone-2026-1 1 --payer insurer --on 2026-12-25")]
    Pay {
        id: CaseId,
        number: u32,
        /// Who paid: the firm, an insurer, a card issuer.
        #[arg(long)]
        payer: String,
        /// When; today without it.
        #[arg(long, value_name = "DATE")]
        on: Option<Date>,
        #[command(flatten)]
        place: Place,
    },
    /// All claims, and their sums.
    #[command(after_help = "Example:\n  sekisho notify claim list hakone-2026-1 --format json")]
    List {
        id: CaseId,
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum KindArg {
    ReissueFee,
    FraudLoss,
    Refund,
    Goodwill,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum DecisionArg {
    Accepted,
    Rejected,
}

impl Command {
    pub(super) fn answer(self) -> Result<Done> {
        match self {
            Command::Open { id, person, what, amount, currency, evidence, place } => {
                check_text("evidence", &evidence)?;
                if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
                    return Err(Usage::error("--currency is three capital letters, such as JPY"));
                }
                let mut office = Office::open(&id, &place, Begin::No)?;
                let (person, _) = one(&office, &person)?;
                let claim = u32::try_from(office.campaign.claims().len())? + 1;
                let what = match what {
                    KindArg::ReissueFee => ClaimKind::ReissueFee,
                    KindArg::FraudLoss => ClaimKind::FraudLoss,
                    KindArg::Refund => ClaimKind::Refund,
                    KindArg::Goodwill => ClaimKind::Goodwill,
                };
                office.decide_and_prove(
                    vec![Event::ClaimOpened { claim, person, what, amount, currency, evidence }],
                    NoticeStep::Claimed,
                )?;
                say!("claim {claim} is open");
            }
            Command::Decide { id, number, decision, amount, on, place } => {
                let mut office = Office::open(&id, &place, Begin::No)?;
                let on = today(&office, on)?;
                let claimed =
                    office.campaign.claims().iter().find(|claim| claim.number == number).map(|claim| claim.amount);
                let (decision, amount) = match decision {
                    DecisionArg::Accepted => (Decision::Accepted, amount.or(claimed).unwrap_or(0)),
                    DecisionArg::Rejected => (Decision::Rejected, amount.unwrap_or(0)),
                };
                office.decide_and_prove(
                    vec![Event::ClaimDecided { claim: number, decision, amount, on }],
                    NoticeStep::Claimed,
                )?;
                say!("claim {number} is decided");
            }
            Command::Pay { id, number, payer, on, place } => {
                check_text("payer", &payer)?;
                let mut office = Office::open(&id, &place, Begin::No)?;
                let on = today(&office, on)?;
                office.decide_and_prove(vec![Event::ClaimPaid { claim: number, payer, on }], NoticeStep::Claimed)?;
                say!("claim {number} is paid");
            }
            Command::List { id, format, place } => list(&Office::open(&id, &place, Begin::No)?, format)?,
        }
        Ok(Done::Yes)
    }
}

/// What has happened: a date in the future is a mistake.
fn today(office: &Office<'_>, on: Option<Date>) -> Result<Date> {
    let today = Timestamp::now().to_zoned(office.zone.clone()).date();
    match on {
        Some(on) if on > today => Err(Usage::error(format!("{on} is after today: record what has happened only"))),
        on => Ok(on.unwrap_or(today)),
    }
}

/// Free texts hold no card data, no individual number and no address, and are short.
fn check_text(name: &str, text: &str) -> Result<()> {
    if let Some(what) = sekisho_incident::card::find(text) {
        return Err(Usage::error(format!("--{name} holds {what}, which is never kept: name a document instead")));
    }
    if sekisho_incident::my_number::find(text) {
        return Err(Usage::error(format!(
            "--{name} holds an individual number, which is never kept: name a document instead"
        )));
    }
    // PRV-1: the journal holds no address.
    if text.contains(['@', '＠']) {
        return Err(Usage::error(format!(
            "--{name} holds a mail address, which is never kept: name a document instead"
        )));
    }
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(Usage::error(format!(
            "--{name} has more than {TEXT_CHARS_MAX} characters: name a document instead"
        )));
    }
    Ok(())
}

fn list(office: &Office<'_>, format: Format) -> Result<()> {
    let claims = office.campaign.claims();
    if let Format::Json = format {
        say!("{}", serde_json::to_string_pretty(claims)?);
        return Ok(());
    }
    for claim in claims {
        let what = serde_json::to_value(claim.what)?;
        let state = state(claim);
        let person = &claim.person.to_string()[..8];
        say!(
            "{:>5}  {person}…  {:<12} {:>12} {}  {state}",
            claim.number,
            what.as_str().unwrap_or(""),
            claim.amount,
            claim.currency
        );
    }
    Ok(())
}

fn state(claim: &Claim) -> String {
    let opened = claim.opened_at;
    match (&claim.decided, &claim.paid) {
        (_, Some((payer, on))) => format!("paid on {on} by {payer}"),
        (Some((Decision::Accepted, amount, on)), None) => format!("accepted on {on}: {amount}; not paid"),
        (Some((Decision::Rejected, _, on)), None) => format!("rejected on {on}"),
        (None, None) => format!("open since {opened}"),
    }
}
