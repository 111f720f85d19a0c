//! `[containment]`: after what a session is kept out by itself, and for how long.

use super::section::Section;
use super::units;
use sekisho_gateway::config::{ContainCause, ContainRules};
use sekisho_model::WithheldReason;
use std::time::Duration;

const CAUSES: &str = "\"foreign\", \"canary\", \"card\", \"my_number\", \"secret\", \"crowd\" or \"alert\"";

pub(super) fn read(root: &Section<'_>) -> ContainRules {
    let mut rules = ContainRules::default();
    let Some(section) = root.table("containment", "[containment]") else { return rules };
    for cause in section.strings("on").unwrap_or_default() {
        if let Some(read) = section.parse("on", &cause, "SK060", CAUSES, causes) {
            rules.on.extend(read.value);
        }
    }
    let wants = "a time from \"1s\" to \"24h\", such as \"30m\"";
    let length = |text: &str| units::duration(text).filter(|length| (SECOND..=DAY).contains(length));
    let set = |field: &'static str, place: &mut Duration| {
        if let Some(read) = section.parsed(field, "SK061", wants, length) {
            *place = read.value;
        }
    };
    set("session_for", &mut rules.session_for);
    set("client_for", &mut rules.client_for);
    rules.never = super::resolve::networks(&section, "never");
    section.refuse_unknown();
    rules
}

const SECOND: Duration = Duration::from_secs(1);
/// Longer than that an operator decides.
const DAY: Duration = Duration::from_hours(24);

fn causes(text: &str) -> Option<Vec<ContainCause>> {
    use WithheldReason::{Canary, Card, Crowd, ForeignSubject, MyNumber, NoSubject, PublicRoute, Secret};
    let rules = |reasons: &[WithheldReason]| Some(reasons.iter().map(|reason| ContainCause::Rule(*reason)).collect());
    match text {
        "foreign" => rules(&[ForeignSubject, NoSubject, PublicRoute]),
        "canary" => rules(&[Canary]),
        "card" => rules(&[Card]),
        "my_number" => rules(&[MyNumber]),
        "secret" => rules(&[Secret]),
        "crowd" => rules(&[Crowd]),
        "alert" => Some(vec![ContainCause::Alert]),
        _ => None,
    }
}
