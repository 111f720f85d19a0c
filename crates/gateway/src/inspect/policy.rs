//! What a route may show to whom, and what happens to the rest. Pure: decides, does nothing.
//!
//! Read in this order: [`Policy`] (what the configuration says), `judge` (what of a part it forbids, and why), `owned`
//! (whose a finding is). Reflected values are never forbidden, so that nobody learns by echo who is a customer.

use super::binding::Owner;
use sekisho_edm::{Finding, Found, Index};
use sekisho_model::{
    ByteRange, Exposure, FieldKind, FieldSet, Generic, GenericKind, RegisterId, Subject, WithheldReason,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroU32;

/// Whom a route serves, and so whose data it may show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouteClass {
    /// Not said: anybody's data passes and is recorded.
    #[default]
    Observed,
    /// Everybody, signed in or not: nobody's data.
    Public,
    /// Customers: the session's own persons'.
    Own,
    /// The firm's staff, signed in: anybody's, within their budgets.
    Staff,
    /// Another firm's systems, signed in: anybody's, within their budgets.
    Partner,
}

impl RouteClass {
    /// Whether sessions on it must belong to an account of staff or a partner.
    #[must_use]
    pub fn needs_account(self) -> bool {
        matches!(self, RouteClass::Staff | RouteClass::Partner)
    }

    /// Whether its responses are made for whoever asked.
    #[must_use]
    pub fn is_personal(self) -> bool {
        matches!(self, RouteClass::Own | RouteClass::Staff | RouteClass::Partner)
    }
}

/// What is done with a part that a rule forbids; a later one is the stricter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// The rule is off here.
    Allow,
    /// It passes and is recorded.
    #[default]
    Record,
    /// Its values are replaced, the response goes on; where that cannot be done, it ends.
    Mask,
    /// The response ends before it.
    Block,
}

/// A route's rules. `Policy::default()` records and forbids nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whom the route serves.
    pub class: RouteClass,
    /// Somebody else's data, by `class`.
    pub foreign: Action,
    /// Planted customers.
    pub canary: Action,
    /// Payment card numbers, anybody's.
    pub card: Action,
    /// Individual numbers (マイナンバー), anybody's.
    pub my_number: Action,
    /// Password hashes, tokens and other stored secrets.
    pub secret: Action,
    /// Subjects beyond `subjects_per_minute_max`.
    pub crowd: Action,
    /// Distinct subjects that one session, or one client without one, may be shown within a minute.
    pub subjects_per_minute_max: Option<NonZeroU32>,
    /// Sessions, of a hundred, for which the rules are enforced; for the others they are recorded.
    pub ramp: Ramp,
}

/// A share of the sessions, the same ones each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ramp(u8);

impl Default for Ramp {
    fn default() -> Ramp {
        Ramp(100)
    }
}

impl Ramp {
    /// `percent` of the sessions; `None` beyond 100.
    #[must_use]
    pub fn percent(percent: u8) -> Option<Ramp> {
        (percent <= 100).then_some(Ramp(percent))
    }

    /// Whether whoever has this keyed hash is among them.
    #[must_use]
    pub fn reaches(self, key: [u8; 16]) -> bool {
        u32::from(u16::from_le_bytes([key[0], key[1]])) * 100 < u32::from(self.0) << 16
    }
}

impl Policy {
    /// Whether a part can be held against anything.
    pub(super) fn is_idle(&self, canaries: &[RegisterId]) -> bool {
        let is_enforced = |action: Action| action >= Action::Mask;
        let canary_rule = self.canary > Action::Allow && !canaries.is_empty();
        self.class == RouteClass::Observed
            && self.subjects_per_minute_max.is_none()
            && !canary_rule
            && ![self.card, self.my_number, self.secret].into_iter().any(is_enforced)
    }

    /// Whether anything that is found can end or change a response.
    pub(super) fn can_withhold(&self) -> bool {
        let actions = [self.foreign, self.canary, self.card, self.my_number, self.secret, self.crowd];
        actions.into_iter().any(|action| action >= Action::Mask) && self.ramp.0 > 0
    }

    fn action(&self, reason: WithheldReason) -> Action {
        match reason {
            WithheldReason::ForeignSubject | WithheldReason::NoSubject | WithheldReason::PublicRoute => self.foreign,
            WithheldReason::Canary => self.canary,
            WithheldReason::Card => self.card,
            WithheldReason::MyNumber => self.my_number,
            WithheldReason::Secret => self.secret,
            WithheldReason::Crowd => self.crowd,
        }
    }
}

/// What of a part the policy forbids.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Forbidden {
    pub(super) action: Action,
    pub(super) reason: WithheldReason,
    /// Every rule that forbids something of it, the gravest first.
    pub(super) rules: Vec<WithheldReason>,
    pub(super) exposures: Vec<Exposure>,
    pub(super) generic: Vec<Generic>,
    /// Indices of the findings it is about.
    pub(super) findings: Vec<usize>,
}

/// What the rules are asked about.
pub(super) struct Case<'a> {
    pub(super) policy: &'a Policy,
    pub(super) index: &'a Index,
    /// Registers of planted customers.
    pub(super) canaries: &'a [RegisterId],
    pub(super) findings: &'a [Finding],
}

/// What of these may not leave, by the strictest rule that forbids any; `owner` is whose the session is, and looked up
/// only when it is needed. `admits` counts a subject against the minute's limit and says whether it is within it.
pub(super) fn judge(
    case: &Case<'_>,
    owner: impl FnOnce() -> Option<Owner>,
    mut admits: impl FnMut(Subject, NonZeroU32) -> bool,
) -> Option<Forbidden> {
    let Case { policy, findings, .. } = case;
    if policy.is_idle(case.canaries) || !findings.iter().any(is_counted) {
        return None;
    }
    let foreign = match policy.class {
        RouteClass::Observed => HashMap::new(),
        _ => foreign(policy.class, owner, findings),
    };
    let mut reasons = Vec::new();
    let mut broken: HashSet<WithheldReason> = HashSet::new();
    for (at, finding) in findings.iter().enumerate() {
        // All of them: a rule that only records does not shield a finding from a stricter one.
        let found =
            by_kind(case, finding).chain(foreign.get(&at).copied()).chain(by_number(case, finding, &mut admits));
        let found: Vec<WithheldReason> = found.filter(|reason| policy.action(*reason) > Action::Allow).collect();
        broken.extend(&found);
        if let Some(action) = found.iter().map(|reason| policy.action(*reason)).max() {
            let of_action = found.into_iter().filter(|reason| policy.action(*reason) == action);
            reasons.extend(of_action.map(|reason| (at, reason)));
        }
    }
    let action = reasons.iter().map(|(_, reason)| policy.action(*reason)).max()?;
    let of_action = reasons.into_iter().filter(|(_, reason)| policy.action(*reason) == action);
    let (mut at, reasons): (Vec<usize>, Vec<WithheldReason>) = of_action.unzip();
    at.dedup();
    let told = at.iter().map(|at| &findings[*at]);
    let mut fields: BTreeMap<Subject, FieldSet> = BTreeMap::new();
    for (subject, found) in told.clone().filter_map(counted) {
        let known = fields.entry(subject).or_insert(FieldSet::EMPTY);
        *known = known.union(found);
    }
    let exposure = |(subject, fields)| Exposure { subject, fields, reflected: FieldSet::EMPTY };
    Some(Forbidden {
        action,
        reason: first_of(&reasons),
        rules: GRAVITY.into_iter().filter(|rule| broken.contains(rule)).collect(),
        exposures: fields.into_iter().map(exposure).collect(),
        generic: told.filter_map(generic).collect(),
        findings: at,
    })
}

/// The planted customers among these: one in a response is an incident, whatever becomes of the part. `None` on a route
/// that may show them.
pub(super) fn planted(case: &Case<'_>) -> Option<Forbidden> {
    if case.policy.canary == Action::Allow || case.canaries.is_empty() {
        return None;
    }
    let is_planted = |(subject, _): &(Subject, FieldSet)| case.canaries.contains(&subject.register);
    let mut fields: BTreeMap<Subject, FieldSet> = BTreeMap::new();
    for (subject, found) in case.findings.iter().filter_map(counted).filter(is_planted) {
        let known = fields.entry(subject).or_insert(FieldSet::EMPTY);
        *known = known.union(found);
    }
    let exposure = |(subject, fields)| Exposure { subject, fields, reflected: FieldSet::EMPTY };
    let exposures: Vec<Exposure> = fields.into_iter().map(exposure).collect();
    let reason = WithheldReason::Canary;
    (!exposures.is_empty()).then_some(Forbidden {
        action: case.policy.canary,
        reason,
        rules: vec![reason],
        exposures,
        generic: Vec::new(),
        findings: Vec::new(),
    })
}

/// Every rule, the gravest first.
const GRAVITY: [WithheldReason; 8] = [
    WithheldReason::Canary,
    WithheldReason::Secret,
    WithheldReason::MyNumber,
    WithheldReason::Card,
    WithheldReason::ForeignSubject,
    WithheldReason::NoSubject,
    WithheldReason::PublicRoute,
    WithheldReason::Crowd,
];

/// The gravest, for the record.
fn first_of(reasons: &[WithheldReason]) -> WithheldReason {
    GRAVITY.into_iter().find(|reason| reasons.contains(reason)).unwrap_or(WithheldReason::Crowd)
}

/// The rules that forbid the value as such, whoever sees it.
fn by_kind(case: &Case<'_>, finding: &Finding) -> impl Iterator<Item = WithheldReason> + use<> {
    let Case { policy, index, canaries, .. } = case;
    let kind = generic(finding).map(|value| value.kind);
    let subject = counted(finding);
    let has = |kind| {
        subject.is_some_and(|(subject, fields)| !fields.intersection(of_kind(index, subject.register, kind)).is_empty())
    };
    let is_canary = subject.is_some_and(|(subject, _)| canaries.contains(&subject.register));
    // A card or a secret on a route that only records them is in the ledger as what it is, and needs no second record.
    let is_secret = policy.secret >= Action::Mask && has(FieldKind::Secret);
    let is_number = policy.my_number >= Action::Mask && kind == Some(GenericKind::MyNumber);
    let is_card = policy.card >= Action::Mask && (kind == Some(GenericKind::Pan) || has(FieldKind::Pan));
    let told = [
        (is_canary, WithheldReason::Canary),
        (is_secret, WithheldReason::Secret),
        (is_number, WithheldReason::MyNumber),
        (is_card, WithheldReason::Card),
    ];
    told.into_iter().filter(|(is, _)| *is).map(|(_, reason)| reason)
}

/// A register's columns of one kind.
fn of_kind(index: &Index, register: RegisterId, kind: FieldKind) -> FieldSet {
    let registers = index.registers();
    let Some(register) = registers.iter().find(|known| known.id == register) else { return FieldSet::EMPTY };
    let columns = register.fields.iter().zip(0..).filter(|(field, _)| field.kind == kind);
    columns.map(|(_, at)| sekisho_model::FieldIndex(at)).collect()
}

fn by_number(
    case: &Case<'_>,
    finding: &Finding,
    admits: &mut impl FnMut(Subject, NonZeroU32) -> bool,
) -> Option<WithheldReason> {
    let (subject, _) = counted(finding)?;
    let max = case.policy.subjects_per_minute_max?;
    (!admits(subject, max)).then_some(WithheldReason::Crowd)
}

/// The findings that belong to somebody whom the class does not serve, by index.
///
/// A value that the session's own person has too is that person's, whoever else has it: families share mails. Who shares
/// such a value in another register is the same person there, with all that this register knows: a customer who also
/// applied for a seminar. Within one register others stay others.
fn foreign(
    class: RouteClass,
    owner: impl FnOnce() -> Option<Owner>,
    findings: &[Finding],
) -> HashMap<usize, WithheldReason> {
    let owner = if class == RouteClass::Public { None } else { owner() };
    let reason = match (class, &owner) {
        (RouteClass::Public | RouteClass::Observed, _) => WithheldReason::PublicRoute,
        (RouteClass::Own, Some(owner)) if !owner.subjects.is_empty() => WithheldReason::ForeignSubject,
        (RouteClass::Staff | RouteClass::Partner, Some(owner)) if owner.account.is_some() => return HashMap::new(),
        _ => WithheldReason::NoSubject,
    };
    let own = match (class, &owner) {
        (RouteClass::Own, Some(owner)) => &*owner.subjects,
        _ => &[],
    };
    let is_own = |finding: &&Finding| counted(finding).is_some_and(|(subject, _)| own.contains(&subject));
    let own_places: HashSet<ByteRange> = findings.iter().filter(is_own).map(|finding| finding.span).collect();
    // The values of heads and trailers have no place of their own.
    let is_shared = |finding: &&Finding| !finding.span.is_empty() && own_places.contains(&finding.span);
    let shared = findings.iter().filter(is_shared).filter_map(counted);
    let elsewhere: HashSet<Subject> =
        shared.map(|(subject, _)| subject).filter(|it| !is_register_of(own, *it)).collect();
    let is_foreign = |finding: &&Finding| {
        !is_own(finding)
            && !is_shared(finding)
            && counted(finding).is_some_and(|(subject, _)| !elsewhere.contains(&subject))
    };
    (0..findings.len()).filter(|at| is_foreign(&&findings[*at])).map(|at| (at, reason)).collect()
}

/// Whether the session's own person stands in the subject's register, as somebody.
fn is_register_of(own: &[Subject], subject: Subject) -> bool {
    own.iter().any(|own| own.register == subject.register)
}

fn is_counted(finding: &Finding) -> bool {
    counted(finding).is_some() || generic(finding).is_some()
}

/// A subject and the fields that leave, echoes apart.
fn counted(finding: &Finding) -> Option<(Subject, FieldSet)> {
    match finding.found {
        Found::Subject { subject, fields, .. } if !fields.is_empty() => Some((subject, fields)),
        Found::Subject { .. } | Found::Generic(_) => None,
    }
}

/// An unregistered value, echoes apart.
fn generic(finding: &Finding) -> Option<Generic> {
    match finding.found {
        Found::Generic(value) if !value.reflected => Some(value),
        Found::Generic(_) | Found::Subject { .. } => None,
    }
}

#[cfg(test)]
mod tests;
