//! Sends the queued mails of a campaign over a few connections, each mail written, scanned and written down as begun
//! before its data leave.
//!
//! An attempt is durable before the data: after a crash an attempt without an outcome is unknown, and is not sent again.
//! Outcomes are not waited for; losing one to a crash makes an unknown, never a second mail. Read in this order: [`run`],
//! `Worker::turn`, `schedule`.

mod schedule;

use crate::config::Config;
use crate::desk::{Desk, Task, Written};
use crate::smtp::{Connection, Door, Outcome, Whom};
use crate::{Bounce, Campaign, Doubt, Entry, Error, Event, Journal, PersonKey, State, Writer};
use jiff::{SignedDuration, Timestamp};
use schedule::{Job, Next, Schedule};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;
use tokio::sync::oneshot;

/// Connections that fail one after the other, over all workers, before the run ends.
const CONNECT_FAILURES_MAX: u32 = 40;
/// The longest sleep behind a failed connection, in naps.
const CONNECT_NAPS_MAX: u32 = 25;
/// Tries of one mail that follow at once when its connection was lost before the data: relays close idle connections.
const TRIES_AT_ONCE_MAX: u16 = 3;
/// Mails refused for good one after the other before the run ends: such a relay refuses the sender, not the recipients.
/// Addresses that do not exist (5.1.x) or do not take mail (5.2.x) are none of these.
const REFUSALS_MAX: u32 = 25;
/// Mails of unknown end one after the other before the run ends: such a relay would make everybody unknown.
const UNKNOWNS_MAX: u32 = 25;
/// The longest sleep of a worker that has nothing to do.
const NAP_MAX: Duration = Duration::from_millis(200);

/// Tells the time. It may step back.
pub type Clock = dyn Fn() -> Timestamp + Send + Sync;

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Mails that the relay took.
    pub sent: u64,
    /// Answers that put a mail off.
    pub deferred: u64,
    /// Mails of which nobody knows, of this run and found from the run before.
    pub unknown: u64,
    /// Mails refused for good.
    pub bounced: u64,
    /// Mails that the scan stopped.
    pub held: u64,
    /// Persons whose address is gone.
    pub no_address: u64,
    /// Mails that wait for a later run.
    pub left: u64,
    /// Mails that were scanned, held ones included.
    pub scanned: u64,
    /// The persons whose mails the scan stopped, and why.
    pub held_persons: Vec<(PersonKey, String)>,
    /// Why it ended before the queue was empty.
    pub stopped: Option<String>,
}

/// Marks attempts without an outcome, which the process before this one left behind, as unknown.
pub fn settle(campaign: &mut Campaign, journal: &mut Journal, now: Timestamp) -> Result<u64, Error> {
    let events = campaign.in_state(State::Sending).map(|(person, notice, _)| Event::Unknown {
        person,
        notice,
        why: Doubt::Interrupted,
    });
    let entries: Vec<Entry> = events.map(|event| Entry { at: now, by: None, event }).collect();
    journal.append(&entries)?;
    entries.iter().try_for_each(|entry| campaign.apply(entry))?;
    Ok(entries.len() as u64)
}

/// Sends what is queued. `stop` may be set from outside: mails under way are ended, no other is begun.
pub async fn run(
    campaign: Arc<Campaign>,
    desk: Arc<Desk>,
    journal: Journal,
    clock: Arc<Clock>,
    stop: Arc<AtomicBool>,
) -> Result<(Run, Journal), Error> {
    let config = desk.config().clone();
    let door = Door::new(&config.relay)?;
    let schedule = Schedule::new(&campaign, &desk, &config, clock());
    let shared = Arc::new(Shared {
        campaign,
        config,
        sender: desk.sender().clone(),
        door,
        schedule: Mutex::new(schedule),
        writer: Writer::start(journal),
        written: Writers::start(&desk),
        clock,
        stop,
        told: Mutex::new(Told::default()),
    });
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..shared.config.relay.connections {
        let shared = Arc::clone(&shared);
        workers.spawn(async move { Worker { shared, connection: None }.work().await });
    }
    while let Some(ended) = workers.join_next().await {
        ended.map_err(|_| Error::Refused("a sender ended early; run `sekisho notify send` again".to_owned()))?;
    }
    let Some(shared) = Arc::into_inner(shared) else {
        return Err(Error::Refused("a sender is still at work; run `sekisho notify send` again".to_owned()));
    };
    let left = lock(&shared.schedule).left();
    let mut run = shared.told.into_inner().unwrap_or_else(PoisonError::into_inner).run;
    run.left = left;
    let journal = shared.writer.finish()?;
    Ok((run, journal))
}

/// What all workers share.
struct Shared {
    /// As it was at the begin: what is to be written.
    campaign: Arc<Campaign>,
    config: Config,
    sender: lettre::Address,
    door: Door,
    schedule: Mutex<Schedule>,
    writer: Writer,
    written: Writers,
    clock: Arc<Clock>,
    stop: Arc<AtomicBool>,
    told: Mutex<Told>,
}

/// What was counted, and what is failing one after the other.
#[derive(Default)]
struct Told {
    run: Run,
    connect_failures: u32,
    refusals: u32,
    unknowns: u32,
}

struct Worker {
    shared: Arc<Shared>,
    connection: Option<Connection>,
}

impl Worker {
    async fn work(mut self) {
        while !self.shared.stop.load(Ordering::Relaxed) {
            let next = lock(&self.shared.schedule).next((self.shared.clock)());
            match next {
                Next::Job(job) => self.turn(job).await,
                Next::Wait(wait) => tokio::time::sleep(wait.min(NAP_MAX)).await,
                Next::Done => break,
            }
        }
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }

    /// One mail, from its writing to its outcome.
    async fn turn(&mut self, job: Job) {
        let Some(connection) = self.connect().await else { return lock(&self.shared.schedule).put_back(job) };
        let now = (self.shared.clock)();
        let (person, notice) = (job.person, job.notice);
        // The schedule was made of this campaign.
        let Some(task) = self.shared.campaign.task(person, notice) else {
            self.connection = Some(connection);
            return lock(&self.shared.schedule).done(&job);
        };
        let (to, bytes) = match self.shared.written.write(task, now).await {
            Ok(Written::Mail { to, bytes }) => (to, bytes),
            Ok(Written::Held(why)) => return self.held(connection, &job, why),
            Ok(Written::NoAddress(way)) => {
                self.connection = Some(connection);
                self.note(Event::AddressGone { person, notice, way });
                lock(&self.shared.told).run.no_address += 1;
                return lock(&self.shared.schedule).done(&job);
            }
            Err(err) => {
                self.connection = Some(connection);
                self.stop(err.to_string());
                return lock(&self.shared.schedule).put_back(job);
            }
        };
        lock(&self.shared.told).run.scanned += 1;
        let durable = self.shared.writer.append(self.entry(Event::Attempt { person, notice }));
        let durable = async { durable.await.is_ok() };
        let (outcome, connection) = connection.send(&self.shared.sender, &to, &bytes, durable).await;
        self.connection = connection;
        match outcome {
            Some(outcome) => self.ended(job, outcome),
            // The journal can no longer be written; why is told when it is given back.
            None => {
                self.stop("the journal cannot be written".to_owned());
                lock(&self.shared.schedule).put_back(job);
            }
        }
    }

    /// The connection of before, or a new one; `None` when there is none.
    async fn connect(&mut self) -> Option<Connection> {
        if let Some(connection) = self.connection.take() {
            return Some(connection);
        }
        match self.shared.door.open().await {
            Ok(connection) => {
                lock(&self.shared.told).connect_failures = 0;
                Some(connection)
            }
            Err(closed) => {
                let failures = {
                    let mut told = lock(&self.shared.told);
                    told.connect_failures += 1;
                    told.connect_failures
                };
                if closed.is_final || failures >= CONNECT_FAILURES_MAX {
                    self.stop(format!("the relay cannot be used: {}", closed.why));
                } else {
                    tokio::time::sleep(NAP_MAX * failures.min(CONNECT_NAPS_MAX)).await;
                }
                None
            }
        }
    }

    fn held(&mut self, connection: Connection, job: &Job, why: String) {
        self.connection = Some(connection);
        let (person, notice) = (job.person, job.notice);
        self.note(Event::Held { person, notice, why: why.clone() });
        let mut told = lock(&self.shared.told);
        told.run.held += 1;
        told.run.scanned += 1;
        told.run.held_persons.push((person, why));
        drop(told);
        lock(&self.shared.schedule).done(job);
    }

    fn ended(&self, job: Job, outcome: Outcome) {
        let (person, notice) = (job.person, job.notice);
        let mut told = lock(&self.shared.told);
        let is_refusal = is_of_the_relay(&outcome);
        let is_unknown = matches!(outcome, Outcome::Unknown(_));
        told.refusals = if is_refusal { told.refusals + 1 } else { 0 };
        told.unknowns = if is_unknown { told.unknowns + 1 } else { 0 };
        if told.refusals >= REFUSALS_MAX || told.unknowns >= UNKNOWNS_MAX {
            drop(told);
            self.stop(format!("the last {REFUSALS_MAX} mails were all refused, or all of unknown end"));
            told = lock(&self.shared.told);
        }
        let run = &mut told.run;
        match outcome {
            Outcome::Taken { queue_id } => {
                run.sent += 1;
                self.note(Event::Sent { person, notice, code: 250, queue_id });
            }
            Outcome::Unknown(why) => {
                run.unknown += 1;
                self.note(Event::Unknown { person, notice, why });
            }
            // It would refuse everybody: nobody is counted as bounced for that.
            Outcome::Never { code, whom: Whom::Sender, .. } => {
                run.deferred += 1;
                drop(told);
                self.stop(format!("the relay refuses the sender `{}` (reply {code})", self.shared.sender));
                return self.put_off(job, code);
            }
            Outcome::Never { code, status, .. } => {
                run.bounced += 1;
                self.note(Event::Bounced { person, notice, how: Bounce::Refused, code, status });
            }
            Outcome::NotNow { code } if job.tries >= self.shared.config.retry.tries_max => {
                run.bounced += 1;
                self.note(Event::Bounced { person, notice, how: Bounce::TriesSpent, code, status: None });
            }
            Outcome::NotNow { code } => {
                run.deferred += 1;
                drop(told);
                return self.put_off(job, code);
            }
        }
        drop(told);
        lock(&self.shared.schedule).done(&job);
    }

    fn put_off(&self, job: Job, code: u16) {
        let (person, notice) = (job.person, job.notice);
        let is_at_once = code == 0 && job.tries <= TRIES_AT_ONCE_MAX;
        let delay = if is_at_once { SignedDuration::ZERO } else { self.shared.config.retry.delay(job.tries) };
        let until = (self.shared.clock)().saturating_add(delay).unwrap_or(Timestamp::MAX);
        self.note(Event::Deferred { person, notice, code, until });
        lock(&self.shared.schedule).later(job, until);
    }

    fn note(&self, event: Event) {
        self.shared.writer.note(self.entry(event));
    }

    fn entry(&self, event: Event) -> Entry {
        Entry { at: (self.shared.clock)(), by: None, event }
    }

    fn stop(&self, why: String) {
        let mut told = lock(&self.shared.told);
        told.run.stopped.get_or_insert(why);
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

/// A refusal that the next mail would meet as well.
fn is_of_the_relay(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Never { status: Some(status), whom: Whom::Recipient, .. } => {
            !(status.starts_with("5.1.") || status.starts_with("5.2."))
        }
        Outcome::Never { .. } => true,
        _ => false,
    }
}

/// What a panicking holder leaves is still whole: counters and queues are changed in one step each.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Threads that write, sign and scan mails: one a core.
struct Writers(mpsc::Sender<Order>);

struct Order {
    task: Task,
    at: Timestamp,
    answer: oneshot::Sender<Result<Written, Error>>,
}

impl Writers {
    fn start(desk: &Arc<Desk>) -> Writers {
        let (orders, receiver) = mpsc::channel::<Order>();
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..std::thread::available_parallelism().map_or(2, NonZero::get) {
            let (desk, receiver) = (Arc::clone(desk), Arc::clone(&receiver));
            std::thread::spawn(move || {
                loop {
                    let order = lock(&receiver).recv();
                    let Ok(order) = order else { break };
                    // Whoever no longer waits has stopped.
                    let _ = order.answer.send(desk.mail(&order.task, order.at));
                }
            });
        }
        Writers(orders)
    }

    async fn write(&self, task: Task, at: Timestamp) -> Result<Written, Error> {
        let (answer, wait) = oneshot::channel();
        let gone = || Error::Compose("the writing threads have ended".to_owned());
        self.0.send(Order { task, at, answer }).map_err(|_| gone())?;
        wait.await.map_err(|_| gone())?
    }
}
