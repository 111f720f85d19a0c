//! What enforcement would have done: replays a ledger's records and says, route by route, whose data its responses held
//! beside whose session it was, and what each class of route would have ended.
//!
//! Read in this order: [`replay`], [`Replay`] (one record after the other), [`RouteSeen`] (what a route showed),
//! [`RouteSeen::effect`] (what a class forbids of it), [`RouteSeen::suggestion`] (the class that fits).
//!
//! The same rule as the gateway's, with one approximation: the ledger does not say which two findings are one value. In
//! one part, somebody else is taken for family when all that is shown of them is mail or telephone number, the same
//! columns of the own person are shown, and there are at most [`FAMILY_MAX`] of them; somebody in a register where the
//! own person is not known is taken for the same person when mail or telephone number of both are shown. Responses so
//! judged are counted as `shared` beside. Whose a session is follows the records: a session that was bound by its own
//! response is nobody's in that response, and one that a gateway forgot by disuse is not forgotten here.

use crate::text::count;
use sekisho_ledger::{Error, Reader};
use sekisho_model::{
    Bound, Exposed, Exposure, FieldKind, FieldSet, Record, RegisterDescription, RegisterId, ResponseId, SessionKey,
    SourceId, Subject, Timestamp, Transaction, WithheldOutcome, WithheldReason,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Others in one part who may be family.
pub const FAMILY_MAX: usize = 4;
/// Responses that must have been seen before a class is suggested.
pub const SEEN_MIN: u64 = 100;
/// Responses of ten thousand that may contradict a suggested class: 0.1 %.
pub const CONTRADICTING_PER_10_000_MAX: u64 = 10;
/// Sessions that are named as contradicting.
const NAMED_MAX: usize = 3;

/// A class of route, as the configuration names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The session's own persons.
    Own,
    /// Anybody, to an account of staff or a partner.
    Staff,
    /// Nobody.
    Public,
}

impl Class {
    /// The class's name in configuration files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Class::Own => "own",
            Class::Staff => "staff",
            Class::Public => "public",
        }
    }
}

/// Whose data a response held beside whose session it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    /// The session's own persons only.
    Own,
    /// The session is somebody's, and others were shown.
    Others,
    /// The session is nobody's, or there is none.
    Nobody,
    /// The session is an account's.
    Account,
}

const KINDS: [Kind; 4] = [Kind::Own, Kind::Others, Kind::Nobody, Kind::Account];

/// What forbids a class of these.
fn forbids(class: Class, kind: Kind) -> bool {
    match class {
        Class::Own => kind != Kind::Own,
        Class::Staff => kind != Kind::Account,
        Class::Public => true,
    }
}

/// Responses with subjects, by whose they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// The session's own persons only.
    pub own: u64,
    /// Of those, with somebody else's mail or telephone number that is taken for a shared one.
    pub shared: u64,
    /// A bound session, and others.
    pub others: u64,
    /// A session that is nobody's, or none.
    pub nobody: u64,
    /// An account of staff or a partner.
    pub account: u64,
}

impl Counts {
    /// All responses with subjects.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.own + self.others + self.nobody + self.account
    }
}

/// What a class would have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// Responses.
    pub responses: u64,
    /// Sessions; clients, where there was none.
    pub sessions: u64,
    /// Persons whom those would not have been shown.
    pub persons: u64,
}

/// What enforcement did in fact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Responses that ended.
    pub ended: u64,
    /// Responses with masked values.
    pub masked: u64,
    /// Responses that passed where a rule only recorded, or its ramp did not reach.
    pub passed: u64,
}

/// One route in the period.
#[derive(Debug, Default)]
pub struct RouteSeen {
    /// Responses, with and without subjects.
    pub responses: u64,
    /// Responses with subjects.
    pub counts: Counts,
    /// Responses with planted customers.
    pub canaries: u64,
    /// What enforcement did.
    pub done: Done,
    receivers: BTreeMap<[u8; 16], Receiver>,
}

/// A session, or a client without one.
#[derive(Debug, Default)]
struct Receiver {
    session: Option<SessionKey>,
    client: String,
    responses: BTreeMap<Kind, u64>,
    /// Who was shown; an own person stands with `Own` only.
    persons: BTreeMap<Subject, BTreeSet<Kind>>,
}

/// The class that fits what a route showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suggestion {
    /// This one.
    Class(Class),
    /// None, and why.
    None(String),
}

/// Everything that a period showed.
#[derive(Debug, Default)]
pub struct Report {
    /// By the route's name in the ledger.
    pub routes: BTreeMap<String, RouteSeen>,
}

/// Replays the ledger: sealed segments first, then the log behind them. Log-ins before the period count.
pub fn replay(reader: &Reader, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Report, Error> {
    let reader = reader.pin()?;
    let mut replay = Replay::new(from, to);
    reader.records(&mut |source, record| replay.record(source, &record))?;
    Ok(replay.finish())
}

/// A report in the making.
#[derive(Debug)]
pub struct Replay {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    owners: HashMap<(SourceId, SessionKey), Owner>,
    registers: HashMap<SourceId, Vec<RegisterDescription>>,
    open: HashMap<ResponseId, Open>,
    report: Report,
}

#[derive(Clone, Debug, Default)]
struct Owner {
    subjects: Vec<Subject>,
    is_account: bool,
}

/// A response that has not ended.
#[derive(Debug)]
struct Open {
    transaction: Transaction,
    kind: Option<Kind>,
    shared: bool,
    own: HashSet<Subject>,
    others: HashSet<Subject>,
    planted: bool,
    outcome: Option<WithheldOutcome>,
}

impl Replay {
    /// Begins with nothing; `from` and `to` bound the responses by their requests.
    #[must_use]
    pub fn new(from: Option<Timestamp>, to: Option<Timestamp>) -> Replay {
        Replay {
            from,
            to,
            owners: HashMap::new(),
            registers: HashMap::new(),
            open: HashMap::new(),
            report: Report::default(),
        }
    }

    /// Takes the next record of a source.
    pub fn record(&mut self, source: SourceId, record: &Record) {
        match record {
            Record::Started(_) => self.started(source),
            Record::Registers(registers) => _ = self.registers.insert(source, registers.registers.clone()),
            Record::Bound(bound) => self.bound(source, bound),
            Record::Opened(opened) => self.open(source, opened.sequence, &opened.transaction),
            Record::Exposed(exposed) => self.exposed(source, exposed),
            Record::Withheld(withheld) => {
                self.open(source, withheld.sequence, &withheld.transaction);
                let response = ResponseId { source, sequence: withheld.sequence };
                if let Some(open) = self.open.get_mut(&response) {
                    open.outcome = stricter(open.outcome, withheld.outcome);
                    open.planted |= withheld.reason == WithheldReason::Canary;
                }
                // What was ended or masked is no exposure, and would be forbidden again.
                if withheld.outcome != WithheldOutcome::Passed {
                    self.judge(response, &withheld.exposures);
                }
            }
            Record::Closed(closed) => {
                let response = ResponseId { source, sequence: closed.sequence };
                if let Some(transaction) = &closed.transaction {
                    self.open(source, closed.sequence, transaction);
                }
                if let Some(open) = self.open.remove(&response) {
                    self.closed(open);
                }
            }
            Record::Heartbeat(_) | Record::Suspect(_) | Record::Query(_) | Record::Alert(_) => {}
            Record::Contained(_) | Record::Released(_) => {}
        }
    }

    /// The report; responses that never ended count too.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let open: Vec<Open> = std::mem::take(&mut self.open).into_values().collect();
        open.into_iter().for_each(|open| self.closed(open));
        self.report
    }

    /// A new run knows the sessions of the one before.
    fn started(&mut self, source: SourceId) {
        self.registers.remove(&source);
        let ended: Vec<ResponseId> = self.open.keys().filter(|id| id.source == source).copied().collect();
        for id in ended {
            let open = self.open.remove(&id).expect("it was listed");
            self.closed(open);
        }
    }

    fn bound(&mut self, source: SourceId, bound: &Bound) {
        let owner = Owner { subjects: bound.subjects.clone(), is_account: bound.account.is_some() };
        match owner.subjects.is_empty() && !owner.is_account {
            true => drop(self.owners.remove(&(source, bound.session))),
            false => drop(self.owners.insert((source, bound.session), owner)),
        }
    }

    fn open(&mut self, source: SourceId, sequence: u64, transaction: &Transaction) {
        let is_asked =
            self.from.is_none_or(|from| from <= transaction.at) && self.to.is_none_or(|to| transaction.at < to);
        if is_asked {
            self.open.entry(ResponseId { source, sequence }).or_insert_with(|| Open {
                transaction: transaction.clone(),
                kind: None,
                shared: false,
                own: HashSet::new(),
                others: HashSet::new(),
                planted: false,
                outcome: None,
            });
        }
    }

    fn exposed(&mut self, source: SourceId, exposed: &Exposed) {
        self.judge(ResponseId { source, sequence: exposed.sequence }, &exposed.exposures);
    }

    /// Whose one part is.
    fn judge(&mut self, response: ResponseId, exposures: &[Exposure]) {
        let Some(open) = self.open.get_mut(&response) else { return };
        let registers = self.registers.get(&response.source).map_or(&[][..], Vec::as_slice);
        let is_planted =
            |exposure: &Exposure| described(registers, exposure.subject.register).is_some_and(|it| it.is_canary);
        let shown = exposures.iter().filter(|exposure| !exposure.fields.is_empty());
        let (planted, persons): (Vec<&Exposure>, Vec<&Exposure>) = shown.partition(|exposure| is_planted(exposure));
        open.planted |= !planted.is_empty();
        if persons.is_empty() {
            return;
        }
        let owner = open.transaction.session.and_then(|session| self.owners.get(&(response.source, session)));
        let own = owner.map_or(&[][..], |owner| &owner.subjects);
        let others = others(own, &persons, registers);
        let kind = match owner {
            Some(owner) if owner.is_account => Kind::Account,
            Some(_) if others.foreign.is_empty() => Kind::Own,
            Some(_) => Kind::Others,
            None => Kind::Nobody,
        };
        open.kind = open.kind.max(Some(kind));
        open.shared |= others.shared;
        let (own, others): (Vec<Subject>, Vec<Subject>) = persons
            .iter()
            .map(|exposure| exposure.subject)
            .partition(|subject| kind == Kind::Own || (kind == Kind::Others && !others.foreign.contains(subject)));
        open.own.extend(own);
        open.others.extend(others);
    }

    fn closed(&mut self, open: Open) {
        let route = self.report.routes.entry(open.transaction.route.clone()).or_default();
        route.responses += 1;
        route.canaries += u64::from(open.planted);
        match open.outcome {
            Some(WithheldOutcome::Ended) => route.done.ended += 1,
            Some(WithheldOutcome::Masked) => route.done.masked += 1,
            Some(WithheldOutcome::Passed) => route.done.passed += 1,
            None => {}
        }
        let Some(kind) = open.kind else { return };
        let counts = &mut route.counts;
        match kind {
            Kind::Own => counts.own += 1,
            Kind::Others => counts.others += 1,
            Kind::Nobody => counts.nobody += 1,
            Kind::Account => counts.account += 1,
        }
        counts.shared += u64::from(kind == Kind::Own && open.shared);
        let Transaction { session, client, client_key, .. } = open.transaction;
        let receiver = route.receivers.entry(session.map_or(client_key, |session| session.0)).or_default();
        (receiver.session, receiver.client) = (session, client.to_string());
        *receiver.responses.entry(kind).or_default() += 1;
        for subject in open.own {
            receiver.persons.entry(subject).or_default().insert(Kind::Own);
        }
        for subject in open.others {
            receiver.persons.entry(subject).or_default().insert(kind);
        }
    }
}

impl RouteSeen {
    /// What a class would have ended, for the receivers that `reaches` admits by their keyed hash.
    pub fn effect(&self, class: Class, reaches: impl Fn([u8; 16]) -> bool) -> Effect {
        let mut effect = Effect::default();
        let mut persons: HashSet<Subject> = HashSet::new();
        for (_, receiver) in self.receivers.iter().filter(|(key, _)| reaches(**key)) {
            let forbidden = KINDS.iter().filter(|kind| forbids(class, **kind));
            let responses: u64 = forbidden.filter_map(|kind| receiver.responses.get(kind)).sum();
            effect.responses += responses;
            effect.sessions += u64::from(responses > 0);
            let hidden = |kinds: &BTreeSet<Kind>| kinds.iter().any(|kind| forbids(class, *kind));
            persons.extend(receiver.persons.iter().filter(|(_, kinds)| hidden(kinds)).map(|(subject, _)| *subject));
        }
        effect.persons = persons.len() as u64;
        effect
    }

    /// The class that fits: `public` where nobody's data was shown, `own` and `staff` where at least 99.9 % of the
    /// responses with subjects are what the class allows, and at least [`SEEN_MIN`] were seen.
    #[must_use]
    pub fn suggestion(&self) -> Suggestion {
        let all = self.counts.all();
        if all == 0 && self.responses >= SEEN_MIN {
            return Suggestion::Class(Class::Public);
        }
        if all < SEEN_MIN {
            let what = if all == 0 { "responses" } else { "responses with customers" };
            let seen = count(if all == 0 { self.responses } else { all });
            return Suggestion::None(format!("{seen} {what} seen; {SEEN_MIN} are needed"));
        }
        for class in [Class::Own, Class::Staff] {
            if self.fits(class) {
                return Suggestion::Class(class);
            }
        }
        Suggestion::None(self.contradiction())
    }

    /// Whether a class allows enough of what was shown, and enough was seen.
    #[must_use]
    pub fn fits(&self, class: Class) -> bool {
        let all = self.counts.all();
        let against = match class {
            Class::Own => all - self.counts.own,
            Class::Staff => all - self.counts.account,
            Class::Public => all,
        };
        let seen = if class == Class::Public { self.responses } else { all };
        seen >= SEEN_MIN && against * 10_000 <= seen * CONTRADICTING_PER_10_000_MAX
    }

    /// Which responses keep the likelier class from fitting, and whose they were.
    fn contradiction(&self) -> String {
        let Counts { own, others, nobody, account, .. } = self.counts;
        let class = if account > own { Class::Staff } else { Class::Own };
        let told = match class {
            Class::Staff => [(own + others, "to customers"), (nobody, "to sessions of nobody"), (0, "")],
            _ => [(others, "with others"), (nobody, "to sessions of nobody"), (account, "to accounts")],
        };
        let told = told.into_iter().filter(|(number, _)| *number > 0);
        let told: Vec<String> = told.map(|(number, what)| format!("{} {what}", count(number))).collect();
        let of = count(self.counts.all());
        format!("not `{}`: {}, of {of}; in {}", class.name(), told.join(", "), self.contradicting(class).join(", "))
    }

    /// The receivers with the most responses that a class forbids.
    #[must_use]
    pub fn contradicting(&self, class: Class) -> Vec<String> {
        let number = |receiver: &Receiver| -> u64 {
            let forbidden = receiver.responses.iter().filter(|(kind, _)| forbids(class, **kind));
            forbidden.map(|(_, number)| number).sum()
        };
        let mut receivers: Vec<(u64, &Receiver)> =
            self.receivers.values().map(|it| (number(it), it)).filter(|(number, _)| *number > 0).collect();
        receivers.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        let named = receivers.iter().take(NAMED_MAX).map(|(_, receiver)| match receiver.session {
            Some(session) => format!("session {}…", &session.to_string()[..8]),
            None => receiver.client.clone(),
        });
        let mut named: Vec<String> = named.collect();
        if receivers.len() > NAMED_MAX {
            named.push(format!("{} more", count((receivers.len() - NAMED_MAX) as u64)));
        }
        named
    }

    /// Another route's responses join these: routes of the ledger that one route of the configuration covers.
    pub fn join(&mut self, other: &RouteSeen) {
        self.responses += other.responses;
        self.canaries += other.canaries;
        let (mine, theirs) = (&mut self.counts, &other.counts);
        mine.own += theirs.own;
        mine.shared += theirs.shared;
        mine.others += theirs.others;
        mine.nobody += theirs.nobody;
        mine.account += theirs.account;
        self.done.ended += other.done.ended;
        self.done.masked += other.done.masked;
        self.done.passed += other.done.passed;
        for (key, receiver) in &other.receivers {
            let mine = self.receivers.entry(*key).or_default();
            (mine.session, mine.client) = (receiver.session, receiver.client.clone());
            for (kind, number) in &receiver.responses {
                *mine.responses.entry(*kind).or_default() += number;
            }
            for (subject, kinds) in &receiver.persons {
                mine.persons.entry(*subject).or_default().extend(kinds);
            }
        }
    }
}

struct Others {
    foreign: HashSet<Subject>,
    shared: bool,
}

/// Who of a part is somebody else, family and the same person in another register apart.
fn others(own: &[Subject], shown: &[&Exposure], registers: &[RegisterDescription]) -> Others {
    let contact = |exposure: &Exposure| contact_kinds(registers, exposure);
    let is_own = |exposure: &&&Exposure| own.contains(&exposure.subject);
    let own_contacts: HashSet<FieldKind> = shown.iter().filter(is_own).flat_map(|own| contact(own)).collect();
    let strangers: Vec<&Exposure> = shown.iter().filter(|it| !is_own(it)).copied().collect();
    let may_share = |exposure: &&Exposure| {
        let contacts = contact(exposure);
        let is_elsewhere = !own.iter().any(|own| own.register == exposure.subject.register);
        let shares = contacts.iter().any(|kind| own_contacts.contains(kind));
        let only_contacts = contacts.len() == exposure.fields.iter().count();
        shares && (is_elsewhere || (only_contacts && contacts.iter().all(|kind| own_contacts.contains(kind))))
    };
    let sharing: Vec<Subject> = strangers.iter().copied().filter(|it| may_share(it)).map(|it| it.subject).collect();
    let shared = !sharing.is_empty() && sharing.len() <= FAMILY_MAX;
    let foreign = strangers.iter().map(|it| it.subject).filter(|it| !shared || !sharing.contains(it)).collect();
    Others { foreign, shared }
}

/// The mail and telephone columns among the fields shown.
fn contact_kinds(registers: &[RegisterDescription], exposure: &Exposure) -> Vec<FieldKind> {
    let Some(register) = described(registers, exposure.subject.register) else { return Vec::new() };
    let fields: FieldSet = exposure.fields;
    let kinds = fields.iter().filter_map(|field| register.fields.get(usize::from(field.0))).map(|field| field.kind);
    kinds.filter(|kind| matches!(kind, FieldKind::Email | FieldKind::Phone)).collect()
}

fn described(registers: &[RegisterDescription], id: RegisterId) -> Option<&RegisterDescription> {
    registers.iter().find(|known| known.id == id)
}

fn stricter(before: Option<WithheldOutcome>, now: WithheldOutcome) -> Option<WithheldOutcome> {
    let rank = |outcome| match outcome {
        WithheldOutcome::Passed => 0,
        WithheldOutcome::Masked => 1,
        WithheldOutcome::Ended => 2,
    };
    Some(before.filter(|before| rank(*before) >= rank(now)).unwrap_or(now))
}

#[cfg(test)]
mod tests;
