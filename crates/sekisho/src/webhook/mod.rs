//! Tells the firm's own systems who is kept out and who is let in again, so that they end the session too.
//!
//! The ledger is the queue: a decision is told when it is made, and what was not told yet is read from there after a restart.
//! `event` (what is told, signed), `queue` (what is tried when), `state` (what was told already), `send` (one attempt), and here
//! the thread that joins them. The receiver's side is described in `docs/webhook.md`.

mod event;
mod queue;
mod send;
mod state;

use crate::{config, files};
use anyhow::{Context, Result};
use event::{Event, Secret};
use queue::{Next, Queue};
use sekisho_gateway::inspect::{Decision, DecisionSender, Decisions, Deliveries, decisions};
use sekisho_ledger::{Filter, Reader};
use sekisho_model::disk::Disk;
use sekisho_model::{Clock, Record, Timestamp};
use send::{Outcome, Sender};
use state::State;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the thread sleeps at most, so that what was left out is found.
const TURN_MAX: Duration = Duration::from_secs(30);

/// The thread that tells. It ends when the gateway has ended.
pub(crate) struct Webhook {
    thread: Option<JoinHandle<()>>,
}

struct Telling {
    sender: Sender,
    queue: Queue,
    state: State,
    ledger: Source,
    clock: Arc<dyn Clock>,
    deliveries: Arc<Deliveries>,
    /// There are decisions in the ledger that are not in the queue.
    is_behind: bool,
}

/// Where past decisions are read.
struct Source {
    directory: PathBuf,
    disk: Arc<dyn Disk>,
}

impl Webhook {
    /// Begins to tell, with what was decided and not told before. Give the sender to the gateway.
    pub(crate) fn start(
        webhook: &config::Webhook,
        ledger: (&Path, Arc<dyn Disk>),
        clock: Arc<dyn Clock>,
    ) -> Result<(Webhook, DecisionSender)> {
        let (input, output) = decisions();
        let (directory, disk) = ledger;
        let mut telling = Telling {
            sender: Sender::new(webhook)?,
            queue: Queue::default(),
            state: State::open(state_path(directory), clock.now())?,
            ledger: Source { directory: directory.to_owned(), disk },
            clock,
            deliveries: Arc::clone(&input.deliveries),
            is_behind: false,
        };
        telling.catch_up().context("cannot read from the ledger who was kept out")?;
        let thread = std::thread::Builder::new().name("webhook".to_owned()).spawn(move || telling.run(&output));
        Ok((Webhook { thread: Some(thread.context("cannot start the webhook's thread")?) }, input))
    }

    /// Waits for the thread, whose gateway has ended: an attempt that is under way is ended first.
    pub(crate) fn stop(mut self) {
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the webhook's thread panicked");
        }
    }
}

impl Telling {
    fn run(mut self, decisions: &Decisions) {
        loop {
            let now = self.clock.now();
            let pause = match self.queue.next(now) {
                Next::Send(event) => {
                    self.attempt(&event);
                    Duration::ZERO
                }
                Next::Wait(until) => until.since(now).min(TURN_MAX),
                Next::Nothing => TURN_MAX,
            };
            match decisions.channel.recv_timeout(pause) {
                Ok(decision) => self.take(&decision),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while let Ok(decision) = decisions.channel.try_recv() {
                self.take(&decision);
            }
            self.is_behind |= decisions.take_missed();
            if self.is_behind
                && self.queue.len() < queue::WAITING_MAX / 2
                && let Err(err) = self.catch_up()
            {
                tracing::error!("cannot read from the ledger who was kept out: {err:#}");
            }
            self.give_up();
            self.deliveries.waiting.store(self.queue.len() as u64, Ordering::Relaxed);
        }
    }

    fn take(&mut self, decision: &Decision) {
        let event = Event::of(decision);
        if !self.state.has_told(&event.id) && !self.queue.push(event) {
            self.is_behind = true;
        }
    }

    fn attempt(&mut self, event: &Event) {
        let outcome = self.sender.send(event, self.clock.now());
        let now = self.clock.now();
        match outcome {
            Outcome::Delivered => {
                self.queue.delivered(&event.id);
                self.deliveries.delivered.fetch_add(1, Ordering::Relaxed);
                return self.told(event);
            }
            Outcome::Refused(status) => {
                tracing::warn!(webhook.id = event.id, status, "the webhook's receiver refuses an event");
                self.queue.refused(&event.id, now);
            }
            Outcome::Unreachable(why) => {
                tracing::warn!(webhook.id = event.id, "cannot reach the webhook's receiver: {why}");
                self.queue.unreachable(now);
            }
        }
        self.deliveries.failed.fetch_add(1, Ordering::Relaxed);
    }

    fn give_up(&mut self) {
        for event in self.queue.give_up(self.clock.now()) {
            tracing::error!(webhook.id = event.id, "an event is too old and is not told to the webhook's receiver");
            self.deliveries.given_up.fetch_add(1, Ordering::Relaxed);
            self.told(&event);
        }
    }

    /// A state that cannot be written means that a restart tells it again: the receiver knows it by its id.
    fn told(&mut self, event: &Event) {
        if let Err(err) = self.state.tell(&event.id, event.at, self.queue.oldest()) {
            tracing::error!("{err:#}");
        }
    }

    /// Takes from the ledger what is not told yet.
    fn catch_up(&mut self) -> Result<()> {
        self.is_behind = false;
        for decision in self.ledger.decisions_since(self.state.since())? {
            self.take(&decision);
        }
        Ok(())
    }
}

impl Source {
    fn decisions_since(&self, since: Timestamp) -> Result<Vec<Decision>> {
        let reader = Reader::open(&self.directory, Arc::clone(&self.disk))?;
        let filter = Filter { from: Some(since), ..Filter::default() };
        let mut decisions = Vec::new();
        reader.decisions(&filter, |record| match record {
            Record::Contained(contained) => decisions.push(Decision::Contained(contained)),
            Record::Released(released) => decisions.push(Decision::Released(released)),
            _ => {}
        })?;
        Ok(decisions)
    }
}

/// What a receiver has not taken yet.
pub(crate) struct Waiting {
    /// How many.
    pub(crate) count: usize,
    /// When the oldest one was decided.
    pub(crate) oldest: Option<Timestamp>,
}

/// Reads, without a gateway, what is not told yet.
pub(crate) fn waiting(ledger: (&Path, Arc<dyn Disk>), now: Timestamp) -> Result<Waiting> {
    let (directory, disk) = ledger;
    let path = state_path(directory);
    if !path.exists() {
        return Ok(Waiting { count: 0, oldest: None });
    }
    let state = State::open(path, now)?;
    let source = Source { directory: directory.to_owned(), disk };
    let decisions = source.decisions_since(state.since())?;
    let waiting: Vec<Event> = decisions.iter().map(Event::of).filter(|event| !state.has_told(&event.id)).collect();
    Ok(Waiting { count: waiting.len(), oldest: waiting.iter().map(|event| event.at).min() })
}

/// Sends a test event, once. What the receiver said, where it did not take it.
pub(crate) fn test(webhook: &config::Webhook, now: Timestamp) -> Result<Option<String>> {
    Ok(match Sender::new(webhook)?.send(&Event::test(now), now) {
        Outcome::Delivered => None,
        Outcome::Refused(status) => Some(format!("it answers {status}")),
        Outcome::Unreachable(why) => Some(why),
    })
}

/// Makes a secret, where there is none.
pub(crate) fn make_secret(path: &Path) -> Result<bool> {
    if path.exists() {
        return Ok(false);
    }
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(&mut bytes[..]).context("the system gives no random bytes")?;
    let text = Secret::text_of(&bytes[..]);
    files::create_private(path, format!("{text}\n").as_bytes())
        .with_context(|| format!("cannot make the key `{}`", path.display()))?;
    Ok(true)
}

/// Whether a file holds a secret; why not, else.
pub(crate) fn check_secret(text: &str) -> Result<()> {
    Secret::parse(text).map(drop)
}

fn state_path(ledger: &Path) -> PathBuf {
    ledger.join("state/webhook.json")
}
