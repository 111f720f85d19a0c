//! Which mail is next: the domains take turns, each as fast as its throttle allows, deferred ones when their time comes.
//!
//! Pure: the clock is given. Deferred mails wait at most the longest delay of the configuration, whatever the clock does.

use crate::config::Config;
use crate::desk::Desk;
use crate::throttle::{Allowed, Throttle};
use crate::{Campaign, PersonKey, State};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// A mail to be sent: 24 bytes, for there is one a person.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) person: PersonKey,
    pub(super) notice: u16,
    /// Tries so far, this one included once it is given out.
    pub(super) tries: u16,
    domain: Domain,
}

/// A receiving domain by its place in [`Schedule::domains`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Domain(u32);

/// What a worker is to do.
#[derive(Debug)]
pub(super) enum Next {
    Job(Job),
    Wait(Duration),
    Done,
}

#[derive(Debug)]
pub(super) struct Schedule {
    /// Each once; the empty one is of those who have no address.
    domains: Vec<Box<str>>,
    ready: BTreeMap<Domain, VecDeque<Job>>,
    /// Domains with ready mails, in turn.
    turns: VecDeque<Domain>,
    /// Deferred mails, by the time they are due, latest first.
    deferred: Vec<(Timestamp, Job)>,
    throttle: Throttle,
    under_way: usize,
    wait_max: SignedDuration,
    delay_max: SignedDuration,
}

impl Schedule {
    pub(super) fn new(campaign: &Campaign, desk: &Desk, config: &Config, now: Timestamp) -> Schedule {
        let mut schedule = Schedule {
            domains: Vec::new(),
            ready: BTreeMap::new(),
            turns: VecDeque::new(),
            deferred: Vec::new(),
            throttle: Throttle::new(config.limits, config.limits_by_domain.clone()),
            under_way: 0,
            wait_max: config.retry.wait_max,
            delay_max: config.retry.delay_max(),
        };
        let mut known: HashMap<Box<str>, Domain> = HashMap::new();
        for (person, number, notice) in campaign.all() {
            let name = desk.recipient(person).map_or_else(String::new, crate::register::Recipient::domain);
            // What went in the last 24 hours counts against the day, whichever process sent it.
            if let Some(at) = notice.attempted_at() {
                schedule.throttle.remember(&name, now.duration_since(at));
            }
            if notice.state != State::Queued {
                continue;
            }
            let domain = *known.entry(name.into_boxed_str()).or_insert_with_key(|name| {
                schedule.domains.push(name.clone());
                // There are fewer domains than persons, and memory for fewer persons than this.
                Domain(u32::try_from(schedule.domains.len() - 1).unwrap_or(u32::MAX))
            });
            let job = Job { person, notice: number, tries: notice.attempts, domain };
            match notice.until() {
                Some(until) => schedule.deferred.push((until, job)),
                None => schedule.add(job),
            }
        }
        schedule.deferred.sort_by_key(|(until, _)| std::cmp::Reverse(*until));
        schedule
    }

    /// The next mail, how long to wait for one, or that nothing more is for this run.
    pub(super) fn next(&mut self, now: Timestamp) -> Next {
        self.wake(now);
        let mut wait: Option<SignedDuration> = None;
        for _ in 0..self.turns.len() {
            let Some(domain) = self.turns.pop_front() else { break };
            let name = &self.domains[domain.0 as usize];
            // Who has no address has no domain, and waits for none.
            let allowed = if name.is_empty() { Allowed::Now } else { self.throttle.take(name, now) };
            match allowed {
                Allowed::Now => {
                    let queue = self.ready.get_mut(&domain);
                    let job = queue.and_then(VecDeque::pop_front);
                    if self.ready.get(&domain).is_some_and(|queue| !queue.is_empty()) {
                        self.turns.push_back(domain);
                    } else {
                        self.ready.remove(&domain);
                    }
                    if let Some(mut job) = job {
                        self.under_way += 1;
                        job.tries = job.tries.saturating_add(1);
                        return Next::Job(job);
                    }
                }
                Allowed::After(after) => {
                    wait = Some(wait.map_or(after, |wait| wait.min(after)));
                    self.turns.push_back(domain);
                }
                Allowed::WhenDone => self.turns.push_back(domain),
            }
        }
        if let Some((until, _)) = self.deferred.last() {
            let due = until.duration_since(now).max(SignedDuration::ZERO);
            wait = Some(wait.map_or(due, |wait| wait.min(due)));
        }
        match wait {
            Some(wait) if wait <= self.wait_max => Next::Wait(wait.unsigned_abs().max(Duration::from_millis(1))),
            _ if self.under_way > 0 => Next::Wait(Duration::from_millis(5)),
            _ => Next::Done,
        }
    }

    /// A mail has an outcome.
    pub(super) fn done(&mut self, job: &Job) {
        self.under_way = self.under_way.saturating_sub(1);
        self.throttle.done(&self.domains[job.domain.0 as usize]);
    }

    /// A mail was not begun.
    pub(super) fn put_back(&mut self, mut job: Job) {
        self.done(&job);
        job.tries = job.tries.saturating_sub(1);
        self.add(job);
    }

    /// A mail is to be tried again.
    pub(super) fn later(&mut self, job: Job, until: Timestamp) {
        self.done(&job);
        let at = self.deferred.partition_point(|(other, _)| *other > until);
        self.deferred.insert(at, (until, job));
    }

    /// Mails that are still here.
    pub(super) fn left(&self) -> u64 {
        (self.deferred.len() + self.ready.values().map(VecDeque::len).sum::<usize>()) as u64
    }

    fn wake(&mut self, now: Timestamp) {
        // A wait that is longer than any delay is a clock that stepped back: such a mail is due a delay from now.
        let latest = now.saturating_add(self.delay_max).unwrap_or(Timestamp::MAX);
        for (until, _) in self.deferred.iter_mut().take_while(|(until, _)| *until > latest) {
            *until = latest;
        }
        while self.deferred.last().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, job)) = self.deferred.pop() {
                self.add(job);
            }
        }
    }

    fn add(&mut self, job: Job) {
        let domain = job.domain;
        let queue = self.ready.entry(domain).or_default();
        if queue.is_empty() {
            self.turns.push_back(domain);
        }
        queue.push_back(job);
    }
}
