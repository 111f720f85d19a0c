//! A campaign is the fold of its journal: who is told what, in which state each notice is, which claims are open.
//!
//! Pure but for [`Campaign::read`] and [`Campaign::open`], which fold a file: no clock. An event that the state before it does not allow is an error, so that a journal cannot
//! lead two readers to two answers. Read in this order: [`State`], [`Campaign::apply`], `next` (the table of states).

use crate::claim::Claim;
use crate::{Bounce, Entry, Error, Event, Extent, Head, Journal, PersonKey, Way};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;

/// Different operators who must agree before the first mail.
pub const APPROVERS_MIN: usize = 2;

/// How far the clock may be behind the journal before that is an error.
pub const CLOCK_BACK_MAX: SignedDuration = SignedDuration::from_mins(10);

/// Where a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits to be sent.
    Queued,
    /// Between the attempt and its outcome. In a journal that nobody is writing it means unknown.
    Sending,
    /// The relay took it.
    Sent,
    /// Nobody knows.
    Unknown,
    /// The scan stopped it.
    Held,
    /// It will not arrive.
    Bounced,
    /// A letter is to be written, or was.
    Postal,
    /// The letter came back.
    Returned,
    /// A published notice stands for it.
    Substitute,
    /// There is no address; an operator decides.
    NoAddress,
}

impl State {
    /// Every state, in the order in which they are shown.
    pub const ALL: [State; 10] = [
        State::Queued,
        State::Sending,
        State::Sent,
        State::Unknown,
        State::Held,
        State::Bounced,
        State::Postal,
        State::Returned,
        State::Substitute,
        State::NoAddress,
    ];

    /// As it is shown: what is being sent when nobody is sending is of unknown end.
    #[must_use]
    pub fn shown(self, is_running: bool) -> State {
        if self == State::Sending && !is_running { State::Unknown } else { self }
    }

    /// Its name as `--state` takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Sending => "sending",
            State::Sent => "sent",
            State::Unknown => "unknown",
            State::Held => "held",
            State::Bounced => "bounced",
            State::Postal => "postal",
            State::Returned => "returned",
            State::Substitute => "substitute",
            State::NoAddress => "no_address",
        }
    }
}

/// One notice to one person: 40 bytes, for there is one a person.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The fields that left, sorted.
    pub fields: Arc<[String]>,
    /// How it was to go.
    pub way: Way,
    /// Where it is.
    pub state: State,
    /// Mails that were begun.
    pub attempts: u16,
    until: Moment,
    attempted_at: Moment,
    /// The batch of letters that it was written in.
    pub batch: Option<NonZero<u32>>,
}

/// Microseconds since 1970, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment(i64);

/// All notices of one case.
#[derive(Debug, Default)]
pub struct Campaign {
    persons: BTreeMap<PersonKey, Vec<Notice>>,
    /// Sets of fields, each once: there are few, and many persons.
    sets: HashSet<Arc<[String]>>,
    approvals: Vec<(String, String)>,
    claims: Vec<Claim>,
    batches: u32,
    /// The latest time of any entry.
    latest: Option<Timestamp>,
    lines: u64,
}

/// How many notices are in which state, and how many persons there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Persons who are to be told.
    pub persons: u64,
    /// Notices, updates included.
    pub notices: u64,
    /// Of these, updates.
    pub updates: u64,
    /// By state's name; a notice is in exactly one.
    pub by_state: BTreeMap<&'static str, u64>,
}

impl Campaign {
    /// The fold of a journal that another process may be writing; `known` are heads that it must have gone through.
    pub fn read(path: &Path, known: &[Head]) -> Result<(Campaign, Extent), Error> {
        let mut campaign = Campaign::default();
        let extent = Journal::read(path, known, |entry| campaign.apply(&entry))?;
        Ok((campaign, extent))
    }

    /// The same of a journal that is opened for writing.
    pub fn open(path: &Path, known: &[Head]) -> Result<(Journal, Campaign, Extent), Error> {
        let mut campaign = Campaign::default();
        let (journal, extent) = Journal::open(path, known, |entry| campaign.apply(&entry))?;
        Ok((journal, campaign, extent))
    }

    /// Takes in one more entry; on an error nothing has changed.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Error> {
        self.lines += 1;
        let refused = self.take(entry);
        if let Err(what) = refused {
            self.lines -= 1;
            return Err(Error::Transition { line: self.lines + 1, what });
        }
        self.latest = self.latest.max(Some(entry.at));
        Ok(())
    }

    fn take(&mut self, entry: &Entry) -> Result<(), String> {
        match &entry.event {
            Event::Planned { person, notice, fields, way } => return self.plan(*person, *notice, fields, *way),
            Event::Approved { of } => {
                let by = entry.by.clone().ok_or("an approval has no operator")?;
                self.approvals.push((of.clone(), by));
            }
            Event::Batch { batch, .. } => {
                if *batch != self.batches + 1 {
                    return Err(format!("batch {batch} does not follow batch {}", self.batches));
                }
                self.batches = *batch;
            }
            Event::ClaimOpened { .. } | Event::ClaimDecided { .. } | Event::ClaimPaid { .. } => {
                return Claim::take(&mut self.claims, entry);
            }
            _ => return self.step(entry),
        }
        Ok(())
    }

    fn plan(&mut self, person: PersonKey, number: u16, fields: &[String], way: Way) -> Result<(), String> {
        let state = match way {
            Way::Mail => State::Queued,
            Way::Letter => State::Postal,
            Way::NotInRegister | Way::NoAddress => State::NoAddress,
        };
        let notices = self.persons.get(&person).map_or(&[][..], Vec::as_slice);
        let count = notices.len();
        let is_next = usize::from(number) == count + 1;
        let is_again = usize::from(number) == count && notices.last().is_some_and(Notice::may_be_replanned);
        if !is_next && !is_again {
            return Err(format!("notice {number} of {person} cannot be planned: {count} are, and the last was begun"));
        }
        let fields = self.interned(fields);
        let planned =
            Notice { fields, way, state, attempts: 0, until: Moment::NEVER, attempted_at: Moment::NEVER, batch: None };
        let notices = self.persons.entry(person).or_default();
        if is_again {
            notices.pop();
        }
        // Most persons have one notice: room for more is not made before it is needed.
        notices.reserve_exact(1);
        notices.push(planned);
        Ok(())
    }

    fn step(&mut self, entry: &Entry) -> Result<(), String> {
        let Some((person, number)) = entry.event.notice() else { return Ok(()) };
        let at = usize::from(number).checked_sub(1);
        let notice = self.persons.get_mut(&person).zip(at).and_then(|(notices, at)| notices.get_mut(at));
        let notice = notice.ok_or_else(|| format!("there is no notice {number} of {person}"))?;
        let before = notice.state;
        notice.state = next(notice, &entry.event).ok_or_else(|| {
            format!("notice {number} of {person} is {} and cannot be {}", before.name(), entry.event.name())
        })?;
        match &entry.event {
            Event::Attempt { .. } => {
                notice.attempts = notice.attempts.saturating_add(1);
                notice.attempted_at = Moment::of(entry.at);
            }
            Event::Printed { batch, .. } => notice.batch = NonZero::new(*batch),
            // An order begins the tries anew.
            Event::Requeued { .. } => notice.attempts = 0,
            _ => {}
        }
        notice.until = match &entry.event {
            Event::Deferred { until, .. } => Moment::of(*until),
            _ => Moment::NEVER,
        };
        Ok(())
    }

    fn interned(&mut self, fields: &[String]) -> Arc<[String]> {
        if let Some(set) = self.sets.get(fields) {
            return Arc::clone(set);
        }
        let set: Arc<[String]> = fields.into();
        self.sets.insert(Arc::clone(&set));
        set
    }

    /// A person's notices, the first at 0.
    #[must_use]
    pub fn notices(&self, person: PersonKey) -> &[Notice] {
        self.persons.get(&person).map_or(&[], Vec::as_slice)
    }

    /// Every notice, by person and number.
    pub fn all(&self) -> impl Iterator<Item = (PersonKey, u16, &Notice)> {
        self.persons.iter().flat_map(|(person, notices)| {
            // No person has 65,536 notices: `plan` counts them in 16 bits.
            (1u16..).zip(notices).map(|(number, notice)| (*person, number, notice))
        })
    }

    /// The notices in this state.
    pub fn in_state(&self, state: State) -> impl Iterator<Item = (PersonKey, u16, &Notice)> {
        self.all().filter(move |(_, _, notice)| notice.state == state)
    }

    /// How many are where. What is being sent counts as unknown when nobody is sending.
    #[must_use]
    pub fn counts(&self, is_running: bool) -> Counts {
        let mut counts = Counts { persons: self.persons.len() as u64, ..Counts::default() };
        let shown = State::ALL.iter().filter(|state| is_running || **state != State::Sending);
        counts.by_state.extend(shown.map(|state| (state.name(), 0)));
        for (_, number, notice) in self.all() {
            counts.notices += 1;
            counts.updates += u64::from(number > 1);
            *counts.by_state.entry(notice.state.shown(is_running).name()).or_default() += 1;
        }
        counts
    }

    /// SHA-256 over everything that was ever planned: what approvals are bound to. Sending does not change it, planning
    /// anybody or anything more does.
    #[must_use]
    pub fn plan_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for (person, number, notice) in self.all() {
            hash.update(person.bytes());
            hash.update(number.to_le_bytes());
            hash.update([notice.way as u8]);
            hash.update((notice.fields.len() as u64).to_le_bytes());
            for field in notice.fields.iter() {
                hash.update((field.len() as u64).to_le_bytes());
                hash.update(field.as_bytes());
            }
        }
        hash.finalize().into()
    }

    /// The operators who approved exactly this, each once.
    #[must_use]
    pub fn approvers(&self, of: &str) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.approvals.iter().filter(|(what, _)| what == of).map(|(_, by)| by.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The claims, by number.
    #[must_use]
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// Batches of letters so far.
    #[must_use]
    pub fn batches(&self) -> u32 {
        self.batches
    }

    /// An error when the clock is far behind what the journal holds: mails would be dated wrong, and waits endless.
    pub fn check_clock(&self, now: Timestamp) -> Result<(), Error> {
        let Some(latest) = self.latest else { return Ok(()) };
        let behind = latest.duration_since(now);
        if behind <= CLOCK_BACK_MAX {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "the clock is {} min behind the journal, whose latest entry is of {latest}; nothing was sent: set the clock, or \
             say --clock-is-right if it was wrong then",
            behind.as_mins()
        )))
    }
}

impl Moment {
    const NEVER: Moment = Moment(i64::MIN);

    fn of(at: Timestamp) -> Moment {
        Moment(at.as_microsecond())
    }

    fn timestamp(self) -> Option<Timestamp> {
        // `NEVER` is before the first time that there is.
        Timestamp::from_microsecond(self.0).ok()
    }
}

impl Notice {
    /// Not before this, when it was deferred; to the microsecond.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        self.until.timestamp()
    }

    /// When the last attempt began; to the microsecond.
    #[must_use]
    pub fn attempted_at(&self) -> Option<Timestamp> {
        self.attempted_at.timestamp()
    }

    /// Nobody has been told anything by it, and nobody will be by what was begun.
    #[must_use]
    pub fn may_be_replanned(&self) -> bool {
        match self.state {
            State::Queued | State::NoAddress | State::Held => true,
            State::Postal => self.batch.is_none(),
            _ => false,
        }
    }
}

/// The state after an event; `None` when it cannot follow.
fn next(notice: &Notice, event: &Event) -> Option<State> {
    use State::{Bounced, Held, NoAddress, Postal, Queued, Returned, Sending, Sent, Substitute, Unknown};
    let state = notice.state;
    Some(match (event, state) {
        (Event::Attempt { .. }, Queued) => Sending,
        (Event::Sent { .. }, Sending | Unknown) => Sent,
        (Event::Deferred { .. }, Sending) => Queued,
        (Event::Unknown { .. }, Sending) => Unknown,
        (Event::Bounced { how: Bounce::Returned, .. }, Sent | Unknown | Sending) => Bounced,
        (Event::Bounced { .. }, Sending) => Bounced,
        (Event::Held { .. }, Queued) => Held,
        (Event::AddressGone { .. }, Queued) => NoAddress,
        (Event::Requeued { .. }, Unknown | Held | Bounced) => Queued,
        // An operator may also distrust a relay that said yes.
        (Event::Postal { .. }, Bounced | Unknown | Sent | Held | NoAddress) => Postal,
        (Event::Printed { .. }, Postal) => Postal,
        (Event::Returned { .. }, Postal) if notice.batch.is_some() => Returned,
        (Event::Substituted { .. }, Returned | NoAddress | Bounced | Unknown | Postal) => Substitute,
        _ => return None,
    })
}

impl Event {
    /// The notice that it is about.
    #[must_use]
    pub fn notice(&self) -> Option<(PersonKey, u16)> {
        match self {
            Event::Planned { person, notice, .. }
            | Event::Attempt { person, notice }
            | Event::Sent { person, notice, .. }
            | Event::Deferred { person, notice, .. }
            | Event::Unknown { person, notice, .. }
            | Event::Bounced { person, notice, .. }
            | Event::Held { person, notice, .. }
            | Event::AddressGone { person, notice, .. }
            | Event::Requeued { person, notice }
            | Event::Postal { person, notice }
            | Event::Printed { person, notice, .. }
            | Event::Returned { person, notice }
            | Event::Substituted { person, notice, .. } => Some((*person, *notice)),
            Event::Approved { .. }
            | Event::Batch { .. }
            | Event::ClaimOpened { .. }
            | Event::ClaimDecided { .. }
            | Event::ClaimPaid { .. } => None,
        }
    }

    /// What it makes of a notice, in a word.
    fn name(&self) -> &'static str {
        match self {
            Event::Planned { .. } => "planned",
            Event::Approved { .. } => "approved",
            Event::Attempt { .. } => "attempted",
            Event::Sent { .. } => "sent",
            Event::Deferred { .. } => "deferred",
            Event::Unknown { .. } => "unknown",
            Event::Bounced { .. } => "bounced",
            Event::Held { .. } => "held",
            Event::AddressGone { .. } => "without an address",
            Event::Requeued { .. } => "queued again",
            Event::Postal { .. } => "sent by post",
            Event::Printed { .. } => "printed",
            Event::Batch { .. } => "batched",
            Event::Returned { .. } => "returned",
            Event::Substituted { .. } => "substituted",
            Event::ClaimOpened { .. } | Event::ClaimDecided { .. } | Event::ClaimPaid { .. } => "claimed",
        }
    }
}
