//! The exposure ledger: write-ahead log, sealed segments, Merkle log, recovery and verification.
//!
//! A [`Ledger`] takes records from any thread and makes them durable in groups; a [`Reader`] gives them back while
//! the writer runs; [`verify()`] checks a directory offline. Read in this order: [`block`] (the log's format),
//! `wal` (its files), `commit` and `lane` (writing), `recover`, [`manifest`], `entry` and `log` (evidence), `keeper`
//! (signing and sealing), [`reader`], [`verify`](mod@verify).
//!
//! ```text
//! MANIFEST                 sealed segments and the blocks they reach
//! wal/<source>-<n>.wal     preallocated; q-<n>.wal holds the questions asked
//! emergency/               the emergency log, unless it lies on another device
//! segments/YYYY/MM/DD/     Parquet
//! log/checkpoint, log/tile C2SP tlog-tiles
//! state/last-signed        what was signed last; nothing older is ever signed again
//! ```

pub mod block;
mod commit;
mod counts;
mod durable;
mod entry;
mod error;
mod keeper;
mod lane;
mod log;
pub mod manifest;
mod options;
mod query;
pub mod reader;
mod real_disk;
mod recover;
mod seal;
mod segment;
mod shared;
pub mod verify;
mod wal;

pub use error::Error;
pub use options::{Options, SealOnClose};
pub use query::{QUERY_SOURCE, QUESTION_WAIT_MAX, append_query};
pub use reader::{Filter, Finding, FindingRow, Reader, ResponseRow, ShownRow, Told};
pub use real_disk::RealDisk;
pub use recover::{Recovery, SEQUENCE_ROOM, TornTail};
pub use shared::RECORD_BYTES_MAX;
pub use verify::{Difference, Given, Report, verify, verify_given};

use commit::Committer;
use keeper::{Closing, Keeper, Order};
use lane::{Event, Lane, Which};
use recover::Recovered;
use sekisho_model::{Record, SourceId, Started};
use shared::Shared;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::Duration;
use wal::Head;

/// A writer of one ledger directory. Cheap to clone; shared by all worker threads. When the last clone is dropped
/// without [`Ledger::close`], what waits is not written any more.
#[derive(Clone, Debug)]
pub struct Ledger {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    events: Sender<Event>,
    orders: Sender<Order>,
    threads: Mutex<Option<Threads>>,
    /// Held by every thread that may still write.
    lock: Weak<sekisho_model::disk::Lock>,
}

#[derive(Debug)]
struct Threads {
    committer: JoinHandle<()>,
    keeper: JoinHandle<Result<(), Error>>,
}

/// The position of a record in the log of its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u64);

/// Whether records become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The log is written and synced in time.
    Healthy,
    /// The first log failed; the emergency log is written.
    Emergency,
    /// Nothing can be made durable: requests that could expose a subject are refused (GW-1).
    Unhealthy,
}

/// Why a record was not accepted or did not become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDurable {
    /// The queue is full.
    #[error("the ledger's queue is full")]
    QueueFull,
    /// The record is longer than [`RECORD_BYTES_MAX`], or than a quarter of a WAL file.
    #[error("the record is too long")]
    TooLong,
    /// The log and the emergency log failed.
    #[error("the ledger cannot be written")]
    Failed,
    /// The sync did not end within the deadline.
    #[error("the ledger's sync passed its deadline of {0:?}")]
    Late(Duration),
    /// The ledger was closed.
    #[error("the ledger is closed")]
    Closed,
}

impl Ledger {
    /// Opens or makes a ledger. What a crash left is recovered; a `Started` record is durable when this returns.
    pub fn open(options: Options) -> Result<(Ledger, Recovery), Error> {
        options.check()?;
        durable::create_root(&*options.disk, &options.dir)?;
        let lock_path = options.dir.join("LOCK");
        let lock = options.disk.try_lock(&lock_path).map_err(Error::disk("lock", &lock_path))?;
        let lock = Arc::new(lock.ok_or_else(|| Error::Locked { dir: options.dir.clone() })?);
        let Recovered { mut log, head, file_number_next, report } = recover::recover(&options)?;
        let held = Arc::downgrade(&lock);
        let numbers = Arc::new(AtomicU64::new(file_number_next));
        let (events, events_of_committer) = channel();
        let lane = |which, dir: &std::path::Path| Lane::start(which, dir, &options, &numbers, &events, &lock);
        let lanes = (lane(Which::Primary, &options.dir.join("wal")), lane(Which::Emergency, &options.emergency_dir()));
        let shared = Arc::new(Shared::new(options, head, report.sequence_first));
        let committer = Committer::new(Arc::clone(&shared), events_of_committer, lanes);
        let (orders, orders_of_keeper) = channel();
        let ledger = Ledger {
            inner: Arc::new(Inner {
                shared: Arc::clone(&shared),
                events,
                orders,
                threads: Mutex::new(None),
                lock: held,
            }),
        };
        let lock_of_keeper = Arc::clone(&lock);
        let committer = spawn("ledger-commit", move || {
            committer.run();
            drop(lock);
        });
        ledger.record_start(report.sequence_first)?;
        let source = shared.options.source;
        if log.head(source) == Head::START {
            // Before anything is told: a source that tells something and of which nothing is signed is none of ours.
            log.add_blocks(source, *shared.head(), shared.options.clock.now())?;
            log.sign()?;
        }
        let signed = log.size_signed();
        let keeper = Keeper { shared, orders: orders_of_keeper, log: Some(log), signed, closing: Closing::No };
        let keeper = spawn("ledger-keep", move || {
            let_others_go_first();
            let outcome = keeper.run();
            drop(lock_of_keeper);
            outcome
        });
        *ledger.inner.threads.lock().expect("no holder of the handles panics") = Some(Threads { committer, keeper });
        Ok((ledger, report))
    }

    fn record_start(&self, sequence_first: u64) -> Result<(), Error> {
        let shared = &self.inner.shared;
        let at = shared.options.clock.now();
        let started = Started { at, sequence_first, version: env!("CARGO_PKG_VERSION").to_owned() };
        let refused = |err| Error::NotDurable { what: "the writer's start", err };
        let position = self.append(Record::Started(started)).map_err(refused)?;
        self.wait_durable(position).map_err(refused)
    }

    /// The source that this writer records.
    #[must_use]
    pub fn source(&self) -> SourceId {
        self.inner.shared.options.source
    }

    /// The next response's sequence number: from 1, never repeated, over restarts too.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.inner.shared.sequence_next.fetch_add(1, Ordering::SeqCst)
    }

    /// Queues a record. Never blocks. Heartbeat counts are kept from `Closed` records. What tells of a response may rest
    /// ([`Options::linger`]) until somebody waits for it; all else is written at once.
    pub fn append(&self, record: Record) -> Result<Position, NotDurable> {
        let (position, wake) = self.inner.shared.append(&record)?;
        // What a response holds is waited for where that matters. All else is rare and decides something: who is kept out,
        // whose a session is, what was withheld. It is to survive an abrupt end, though nobody waits.
        let may_rest = matches!(record, Record::Opened(_) | Record::Exposed(_) | Record::Closed(_));
        drop(record);
        let is_hurried = !may_rest && self.inner.shared.want(position);
        if wake || is_hurried {
            // Without a committer the record stays in the queue, and its waiter was told that the ledger is closed.
            let _ = self.inner.events.send(Event::Wake);
        }
        Ok(position)
    }

    /// Waits until everything up to `position` is durable, at most three times the sync deadline: the block before,
    /// then this one's, in the first and in the emergency log.
    pub async fn durable(&self, position: Position) -> Result<(), NotDurable> {
        if self.is_durable(position) {
            return Ok(());
        }
        self.hasten(position);
        let mut progress = self.inner.shared.subscribe();
        let outcome = progress.wait_for(|progress| progress.outcome(position).is_some()).await;
        outcome.map_err(|_| NotDurable::Closed)?.outcome(position).unwrap_or(Err(NotDurable::Closed))
    }

    /// As [`Ledger::durable`], on this thread.
    pub fn wait_durable(&self, position: Position) -> Result<(), NotDurable> {
        self.hasten(position);
        self.inner.shared.wait_durable(position)
    }

    /// What is waited for does not rest.
    fn hasten(&self, position: Position) {
        if self.inner.shared.want(position) {
            // As in `append`.
            let _ = self.inner.events.send(Event::Wake);
        }
    }

    /// Whether `position` is durable already.
    #[must_use]
    pub fn is_durable(&self, position: Position) -> bool {
        self.inner.shared.is_durable(position)
    }

    /// Whether records become durable now.
    #[must_use]
    pub fn health(&self) -> Health {
        self.inner.shared.health()
    }

    /// Writes what waits and a last heartbeat, signs a checkpoint, then ends. Other clones are refused from now on.
    /// Closing a closed ledger does nothing.
    pub fn close(&self) -> Result<(), Error> {
        let inner = &self.inner;
        let _ = inner.events.send(Event::Close);
        let threads = inner.threads.lock().expect("no holder of the handles panics").take();
        if let Some(threads) = threads {
            inner.join(threads.committer)?;
            let _ = inner.orders.send(Order::Close);
            inner.join(threads.keeper)??;
            inner.wait(|| inner.lock.strong_count() == 0)?;
        }
        Ok(())
    }
}

impl Inner {
    fn join<T>(&self, thread: JoinHandle<T>) -> Result<T, Error> {
        self.wait(|| thread.is_finished())?;
        Ok(thread.join().expect("the ledger's threads do not panic"))
    }

    /// Waits, but not for a disk that hangs.
    fn wait(&self, is_done: impl Fn() -> bool) -> Result<(), Error> {
        let clock = &self.shared.options.clock;
        let deadline = self.shared.options.close_deadline;
        let started = clock.elapsed();
        while !is_done() {
            if clock.elapsed().saturating_sub(started) >= deadline {
                return Err(Error::CloseLate(deadline));
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let _ = self.events.send(Event::Abandon);
    }
}

fn spawn<T: Send + 'static>(name: &str, body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let spawned = std::thread::Builder::new().name(name.into()).spawn(body);
    spawned.expect("the system starts a few threads when a ledger is opened")
}

/// Lowers this thread's priority: sealing takes a processor for a while, and customers' requests are not to wait for it. Under
/// full load it still gets a tenth of one.
fn let_others_go_first() {
    #[cfg(target_os = "linux")]
    {
        const LESS: i32 = 10;
        // Of this thread alone, on Linux. Where it is refused, all goes on as it is.
        let _refused = rustix::process::nice(LESS);
    }
}

/// A new private key for a ledger's log of this name, to be stored in a file with mode 0600.
pub fn generate_signing_key(name: &str) -> Result<String, Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|err| Error::Random(err.to_string()))?;
    sekisho_tlog::checkpoint::generate_signing_key(name, &seed)
        .map_err(|err| Error::Log { dir: std::path::PathBuf::new(), err })
}
