//! What the workers, the committer and the keeper of one ledger share: the queue, the progress, the health.

use crate::counts::{Beat, Counts};
use crate::wal::Head;
use crate::{Error, Health, NotDurable, Options, Position};
use sekisho_model::Record;
use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;

/// One record may have this many bytes; beyond, [`NotDurable::TooLong`].
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// Room that is made at once for a record; most are shorter.
const RECORD_BYTES_USUAL: usize = 256;

/// Records that will share a block.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) payload: Vec<u8>,
    pub(crate) records: u32,
}

/// Records that wait to be written.
#[derive(Debug)]
pub(crate) struct Queue {
    batches: VecDeque<Batch>,
    /// When the oldest record came.
    since: Duration,
    records: usize,
    bytes: usize,
    position_next: u64,
    pub(crate) counts: Counts,
    closed: bool,
}

/// How far the log is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    /// Positions below this are durable.
    pub(crate) durable: u64,
    /// Positions below this are not waited for any longer, unless they are durable.
    pub(crate) given_up: u64,
    /// Why not.
    pub(crate) reason: NotDurable,
}

/// The shared state.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    queue: Mutex<Queue>,
    progress: watch::Sender<Progress>,
    progress_changed: Condvar,
    progress_lock: Mutex<()>,
    durable: AtomicU64,
    /// Positions below this are waited for, or were.
    wanted: AtomicU64,
    health: AtomicU8,
    pub(crate) sequence_next: AtomicU64,
    /// The last durable block.
    head: Mutex<Head>,
    /// Files that may still be written: never sealed or removed.
    active: Mutex<BTreeSet<PathBuf>>,
}

impl Shared {
    pub(crate) fn new(options: Options, head: Head, sequence_first: u64) -> Shared {
        let position_next = head.position_next;
        let (progress, _) =
            watch::channel(Progress { durable: position_next, given_up: 0, reason: NotDurable::Failed });
        Shared {
            options,
            queue: Mutex::new(Queue {
                batches: VecDeque::new(),
                since: Duration::ZERO,
                records: 0,
                bytes: 0,
                position_next,
                counts: Counts::default(),
                closed: false,
            }),
            progress,
            progress_changed: Condvar::new(),
            progress_lock: Mutex::new(()),
            durable: AtomicU64::new(position_next),
            wanted: AtomicU64::new(position_next),
            health: AtomicU8::new(0),
            sequence_next: AtomicU64::new(sequence_first),
            head: Mutex::new(head),
            active: Mutex::new(BTreeSet::new()),
        }
    }

    /// Queues a record for others. Whether the committer must be woken is said beside its position.
    pub(crate) fn append(&self, record: &Record) -> Result<(Position, bool), NotDurable> {
        let bytes =
            postcard::to_extend(record, Vec::with_capacity(RECORD_BYTES_USUAL)).map_err(|_| NotDurable::TooLong)?;
        let mut queue = self.queue();
        let refused = if queue.closed {
            Some(NotDurable::Closed)
        } else if self.health() == Health::Unhealthy {
            Some(NotDurable::Failed)
        } else if bytes.len() > RECORD_BYTES_MAX.min(self.options.payload_bytes_max()) {
            Some(NotDurable::TooLong)
        } else if queue.records >= self.options.queue_records_max
            || queue.bytes + bytes.len() > self.options.queue_bytes_max
        {
            Some(NotDurable::QueueFull)
        } else {
            None
        };
        // A response is counted even when its record is lost; the loss is counted beside it.
        if let Record::Closed(closed) = record {
            queue.counts.add(closed);
        }
        if let Some(reason) = refused {
            queue.counts.records_lost += 1;
            return Err(reason);
        }
        let was_empty = queue.records == 0;
        Ok((self.push(&mut queue, &bytes), was_empty))
    }

    /// Queues a heartbeat, whatever the state of the queue: it is small, and one a minute. It does not rest.
    pub(crate) fn append_heartbeat(&self, beat: Beat) {
        let mut queue = self.queue();
        let at = self.options.clock.now();
        let heartbeat = queue.counts.take(at, self.sequence_next.load(Ordering::SeqCst), beat);
        let bytes = postcard::to_stdvec(&Record::Heartbeat(heartbeat)).expect("a heartbeat can always be encoded");
        let position = self.push(&mut queue, &bytes);
        self.want(position);
    }

    fn push(&self, queue: &mut Queue, record: &[u8]) -> Position {
        if queue.records == 0 {
            queue.since = self.options.clock.elapsed();
        }
        queue.push(record, self.options.payload_bytes_max())
    }

    /// Somebody waits for a record: it is to be written without rest. Whether the committer must be woken: whoever
    /// waits beside another who is not served yet need not.
    pub(crate) fn want(&self, position: Position) -> bool {
        let wanted_before = self.wanted.fetch_max(position.0 + 1, Ordering::SeqCst);
        wanted_before <= self.durable.load(Ordering::SeqCst)
    }

    /// The oldest records that wait, when they are due: wanted, a whole block, or rested long enough.
    pub(crate) fn take_batch(&self, now: Duration) -> Option<Batch> {
        let mut queue = self.queue();
        if self.rest_of(&queue, now)? > Duration::ZERO {
            return None;
        }
        let batch = queue.batches.pop_front()?;
        queue.records -= batch.records as usize;
        queue.bytes -= batch.payload.len();
        Some(batch)
    }

    /// How long the records that wait may still rest; `None` when there are none.
    pub(crate) fn rest(&self, now: Duration) -> Option<Duration> {
        self.rest_of(&self.queue(), now)
    }

    fn rest_of(&self, queue: &Queue, now: Duration) -> Option<Duration> {
        let position_first = queue.position_next - queue.records as u64;
        if queue.records == 0 {
            return None;
        }
        if queue.closed || queue.batches.len() > 1 || self.wanted.load(Ordering::SeqCst) > position_first {
            return Some(Duration::ZERO);
        }
        Some((queue.since + self.options.linger).saturating_sub(now))
    }

    /// No record is taken from now on.
    pub(crate) fn close_queue(&self) {
        self.queue().closed = true;
    }

    pub(crate) fn publish_durable(&self, head: Head) {
        *self.head() = head;
        self.durable.store(head.position_next, Ordering::SeqCst);
        self.publish(|progress| progress.durable = head.position_next);
    }

    /// Everybody who waits now is told that it will not be in time.
    pub(crate) fn publish_given_up(&self, reason: NotDurable) {
        let position_next = self.queue().position_next;
        self.publish(|progress| {
            progress.given_up = position_next;
            progress.reason = reason;
        });
    }

    fn publish(&self, change: impl FnOnce(&mut Progress)) {
        self.progress.send_modify(change);
        let guard = self.progress_lock.lock().expect("no holder of the progress panics");
        self.progress_changed.notify_all();
        drop(guard);
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(crate) fn is_durable(&self, position: Position) -> bool {
        position.0 < self.durable.load(Ordering::SeqCst)
    }

    /// Waits on this thread. For opening, closing and tests; workers use [`crate::Ledger::durable`].
    pub(crate) fn wait_durable(&self, position: Position) -> Result<(), NotDurable> {
        let mut guard = self.progress_lock.lock().expect("no holder of the progress panics");
        loop {
            let progress = *self.progress.borrow();
            if let Some(outcome) = progress.outcome(position) {
                return outcome;
            }
            guard = self.progress_changed.wait(guard).expect("no holder of the progress panics");
        }
    }

    pub(crate) fn health(&self) -> Health {
        match self.health.load(Ordering::SeqCst) {
            0 => Health::Healthy,
            1 => Health::Emergency,
            _ => Health::Unhealthy,
        }
    }

    /// The ledger ends as its owner wishes: nothing is accepted any more, and nothing is wrong.
    pub(crate) fn end(&self) {
        self.health.store(health_number(Health::Unhealthy), Ordering::SeqCst);
    }

    pub(crate) fn set_health(&self, health: Health) {
        let number = health_number(health);
        if self.health.swap(number, Ordering::SeqCst) != number {
            match health {
                Health::Healthy => tracing::info!("the ledger is healthy"),
                Health::Emergency => tracing::error!("the ledger writes its emergency log"),
                Health::Unhealthy => tracing::error!("the ledger cannot be written: records are refused"),
            }
        }
    }

    pub(crate) fn head(&self) -> MutexGuard<'_, Head> {
        self.head.lock().expect("no holder of the head panics")
    }

    pub(crate) fn active(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.active.lock().expect("no holder of the list panics")
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no holder of the queue panics")
    }

    pub(crate) fn log_error(what: &str, err: &Error) {
        let mut text = err.to_string();
        let mut source = std::error::Error::source(err);
        while let Some(err) = source {
            text = format!("{text}: {err}");
            source = err.source();
        }
        tracing::error!("{what}: {text}");
    }
}

impl Queue {
    fn push(&mut self, record: &[u8], payload_bytes_max: usize) -> Position {
        if self.batches.back().is_none_or(|batch| batch.payload.len() + record.len() > payload_bytes_max) {
            self.batches.push_back(Batch::default());
        }
        let batch = self.batches.back_mut().expect("was just made sure of");
        batch.payload.extend_from_slice(record);
        batch.records += 1;
        self.records += 1;
        self.bytes += record.len();
        self.position_next += 1;
        Position(self.position_next - 1)
    }
}

impl Progress {
    pub(crate) fn outcome(&self, position: Position) -> Option<Result<(), NotDurable>> {
        if position.0 < self.durable {
            Some(Ok(()))
        } else if position.0 < self.given_up {
            Some(Err(self.reason))
        } else {
            None
        }
    }
}

fn health_number(health: Health) -> u8 {
    match health {
        Health::Healthy => 0,
        Health::Emergency => 1,
        Health::Unhealthy => 2,
    }
}
