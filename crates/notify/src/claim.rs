//! What persons claim of the firm: opened, decided, paid, each with its date; the fold of the journal's events.

use crate::{ClaimKind, Decision, Entry, Event, PersonKey};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

/// One claim.
#[derive(Clone, Debug, Serialize)]
pub struct Claim {
    /// Its number, from 1.
    pub number: u32,
    /// Whose, as a keyed hash.
    pub person: PersonKey,
    /// For what.
    pub what: ClaimKind,
    /// In the currency's smallest unit.
    pub amount: u64,
    /// ISO 4217.
    pub currency: String,
    /// Where the evidence lies.
    pub evidence: String,
    /// When it was recorded.
    pub opened_at: Timestamp,
    /// How it was decided, what is granted, and when.
    pub decided: Option<(Decision, u64, Date)>,
    /// Who paid, and when.
    pub paid: Option<(String, Date)>,
}

impl Claim {
    pub(crate) fn take(claims: &mut Vec<Claim>, entry: &Entry) -> Result<(), String> {
        match &entry.event {
            Event::ClaimOpened { claim, person, what, amount, currency, evidence } => {
                if *claim as usize != claims.len() + 1 {
                    return Err(format!("claim {claim} does not follow claim {}", claims.len()));
                }
                claims.push(Claim {
                    number: *claim,
                    person: *person,
                    what: *what,
                    amount: *amount,
                    currency: currency.clone(),
                    evidence: evidence.clone(),
                    opened_at: entry.at,
                    decided: None,
                    paid: None,
                });
            }
            Event::ClaimDecided { claim, decision, amount, on } => {
                let known = find(claims, *claim)?;
                if known.decided.is_some() {
                    return Err(format!("claim {claim} is decided already"));
                }
                if *decision == Decision::Accepted && *amount == 0 || *decision == Decision::Rejected && *amount > 0 {
                    return Err(format!("claim {claim}: an accepted one grants an amount, a rejected one none"));
                }
                known.decided = Some((*decision, *amount, *on));
            }
            Event::ClaimPaid { claim, payer, on } => {
                let known = find(claims, *claim)?;
                match known.decided {
                    Some((Decision::Accepted, _, decided)) if known.paid.is_none() && decided <= *on => {
                        known.paid = Some((payer.clone(), *on));
                    }
                    Some((Decision::Accepted, _, decided)) if known.paid.is_none() => {
                        return Err(format!("claim {claim} was decided on {decided}, and cannot be paid on {on}"));
                    }
                    Some((Decision::Accepted, ..)) => return Err(format!("claim {claim} is paid already")),
                    _ => return Err(format!("claim {claim} is not accepted")),
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn find(claims: &mut [Claim], number: u32) -> Result<&mut Claim, String> {
    let at = (number as usize).checked_sub(1);
    at.and_then(|at| claims.get_mut(at)).ok_or_else(|| format!("there is no claim {number}"))
}
