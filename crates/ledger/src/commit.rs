//! Group commit: one thread takes what waits, makes it a block, has it written and synced, and tells the waiters.
//!
//! One block is in flight at a time. When its write fails or is late, the same bytes go to the emergency log;
//! when that fails too, the block is kept and tried again until a log works, and the ledger is unhealthy for as
//! long. So the written records are always a prefix of the accepted ones (LED-2).

use crate::block::{self, Header};
use crate::counts::Beat;
use crate::lane::{Event, Lane, LogFile, Which};
use crate::shared::Shared;
use crate::wal::Head;
use crate::{Health, NotDurable, SealOnClose};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How often deadlines are looked at while a write is out.
const POLL_BUSY: Duration = Duration::from_millis(5);
/// How often intervals are looked at otherwise.
const POLL_IDLE: Duration = Duration::from_millis(50);

/// The committing thread's state.
pub(crate) struct Committer {
    shared: Arc<Shared>,
    events: Receiver<Event>,
    primary: Lane,
    emergency: Lane,
    head: Head,
    /// The block that comes next, until it is durable.
    block: Option<Pending>,
    tickets: u64,
    heartbeat_at: Duration,
    closing: bool,
}

/// A block that is not durable yet.
struct Pending {
    bytes: Arc<Vec<u8>>,
    records: u32,
    head: Head,
    since: Duration,
    out: Option<Out>,
}

/// Where the block is being written.
#[derive(Clone, Copy)]
struct Out {
    lane: Which,
    ticket: u64,
    since: Duration,
}

/// What can be done with a block now.
enum Choice {
    Write(Which),
    Wait,
    Nowhere,
}

impl Committer {
    pub(crate) fn new(shared: Arc<Shared>, events: Receiver<Event>, lanes: (Lane, Lane)) -> Committer {
        let head = *shared.head();
        let heartbeat_at = shared.options.clock.elapsed() + shared.options.heartbeat_interval;
        let (primary, emergency) = lanes;
        Committer { shared, events, primary, emergency, head, block: None, tickets: 0, heartbeat_at, closing: false }
    }

    pub(crate) fn run(mut self) {
        loop {
            self.step();
            if self.closing && self.is_done() {
                return self.finish();
            }
            let poll = match &self.block {
                Some(_) => POLL_BUSY,
                None => self.shared.rest(self.now()).map_or(POLL_IDLE, |rest| rest.min(POLL_IDLE)),
            };
            match self.events.recv_timeout(poll) {
                Ok(Event::Abandon) | Err(RecvTimeoutError::Disconnected) => return self.abandon(),
                Ok(event) => self.on(event),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::Wake | Event::Abandon => {}
            Event::Written { lane, ticket, result } => self.on_written(lane, ticket, result),
            Event::Prepared { lane, result } => self.on_prepared(lane, result),
            Event::Close => {
                self.shared.close_queue();
                self.shared.append_heartbeat(Beat::Last);
                self.closing = true;
            }
        }
    }

    fn step(&mut self) {
        let now = self.now();
        self.check_deadline(now);
        self.primary.prepare(now);
        self.emergency.prepare(now);
        if now >= self.heartbeat_at && !self.closing {
            self.shared.append_heartbeat(Beat::OneOfMany);
            self.heartbeat_at = now + self.shared.options.heartbeat_interval;
        }
        self.rotate_when_due(now);
        if self.block.is_none() {
            self.block = self.next_block(now);
        }
        // Before a file can be written, so that the keeper never takes it for finished.
        self.mark_active();
        self.write_block(now);
    }

    fn next_block(&self, now: Duration) -> Option<Pending> {
        let batch = self.shared.take_batch(now)?;
        let header = Header {
            source: self.shared.options.source,
            records: batch.records,
            number: self.head.number + 1,
            position_first: self.head.position_next,
            at: self.shared.options.clock.now(),
            previous: self.head.hash,
        };
        let bytes = block::encode(&header, &batch.payload);
        let head =
            Head { number: header.number, hash: Sha256::digest(&bytes).into(), position_next: header.position_next() };
        Some(Pending { bytes: Arc::new(bytes), records: batch.records, head, since: now, out: None })
    }

    fn write_block(&mut self, now: Duration) {
        let Some(pending) = &self.block else { return };
        if pending.out.is_some() {
            return;
        }
        let (bytes, since) = (Arc::clone(&pending.bytes), pending.since);
        match self.choose(now, since, bytes.len() as u64) {
            Choice::Write(which) => {
                self.tickets += 1;
                let ticket = self.tickets;
                self.lane(which).write(ticket, &bytes);
                let out = Out { lane: which, ticket, since: now };
                self.block.as_mut().expect("is there").out = Some(out);
            }
            Choice::Wait => {}
            Choice::Nowhere => {
                if self.shared.health() != Health::Unhealthy {
                    self.shared.set_health(Health::Unhealthy);
                    self.shared.publish_given_up(NotDurable::Failed);
                }
            }
        }
    }

    /// The first log when it can be written, or will be in a moment; else the emergency log; else nowhere.
    fn choose(&mut self, now: Duration, since: Duration, bytes: u64) -> Choice {
        let deadline = self.shared.options.sync_deadline;
        let file_bytes = self.shared.options.wal_file_bytes;
        let waited = now.saturating_sub(since);
        for (lane, patience) in [(&mut self.primary, deadline), (&mut self.emergency, deadline * 2)] {
            if lane.busy {
                continue;
            }
            lane.make_room(bytes, file_bytes);
            if lane.current.is_some() {
                return Choice::Write(lane.which);
            }
            lane.prepare(now);
            if lane.preparing && lane.trusted && waited < patience {
                return Choice::Wait;
            }
        }
        Choice::Nowhere
    }

    fn on_written(&mut self, which: Which, ticket: u64, result: std::io::Result<()>) {
        let now = self.now();
        let rest = self.shared.options.retry_interval;
        self.lane(which).busy = false;
        let Some(pending) = self.block.take_if(|pending| pending.out.is_some_and(|out| out.ticket == ticket)) else {
            // The answer of a write that was late: its file is not used any more, but the disk works again.
            self.lane(which).retry_at = now;
            self.return_to_first(which);
            return;
        };
        if let Err(err) = result {
            tracing::error!("cannot write the {which:?} log: {err}");
            self.lane(which).fail(now, rest);
            self.block = Some(Pending { out: None, ..pending });
            return;
        }
        let lane = self.lane(which);
        lane.trusted = true;
        if let Some(file) = &mut lane.current {
            file.offset += pending.bytes.len() as u64;
            file.records += u64::from(pending.records);
            file.since.get_or_insert(now);
        }
        self.head = pending.head;
        self.on_health(if which == Which::Primary { Health::Healthy } else { Health::Emergency });
        self.shared.publish_durable(self.head);
    }

    /// After a time in which records were refused, their count is recorded at once.
    fn on_health(&mut self, health: Health) {
        let before = self.shared.health();
        self.shared.set_health(health);
        if before == Health::Unhealthy && !self.closing {
            self.shared.append_heartbeat(Beat::OneOfMany);
        }
    }

    fn on_prepared(&mut self, which: Which, result: Result<LogFile, crate::Error>) {
        let now = self.now();
        let rest = self.shared.options.retry_interval;
        let lane = self.lane(which);
        lane.preparing = false;
        match result {
            Ok(file) => {
                lane.spare = Some(file);
                lane.trusted = true;
            }
            Err(err) => {
                Shared::log_error("cannot make a new log file", &err);
                lane.trusted = false;
                lane.retry_at = now + rest;
            }
        }
        self.return_to_first(which);
    }

    /// When the first log could be written again, the next block goes there; a heartbeat makes sure that there is one.
    fn return_to_first(&self, which: Which) {
        let is_ready = self.primary.spare.is_some() && !self.primary.busy;
        if which == Which::Primary && is_ready && self.shared.health() == Health::Emergency {
            self.shared.append_heartbeat(Beat::OneOfMany);
        }
    }

    /// A write that is late is not waited for; its answer may come at any time, and its file is not used again.
    fn check_deadline(&mut self, now: Duration) {
        let deadline = self.shared.options.sync_deadline;
        let rest = self.shared.options.retry_interval;
        let Some(out) = self.block.as_ref().and_then(|pending| pending.out) else { return };
        if now.saturating_sub(out.since) < deadline {
            return;
        }
        tracing::error!("the sync of the {:?} log passed its deadline of {deadline:?}", out.lane);
        self.lane(out.lane).fail(now, rest);
        self.block.as_mut().expect("was looked at above").out = None;
        let other_works = match out.lane {
            Which::Primary => !self.emergency.busy && (self.emergency.current.is_some() || self.emergency.trusted),
            Which::Emergency => false,
        };
        if !other_works {
            self.shared.set_health(Health::Unhealthy);
            self.shared.publish_given_up(NotDurable::Late(deadline));
        }
    }

    fn rotate_when_due(&mut self, now: Duration) {
        if self.block.is_some() {
            return;
        }
        let options = &self.shared.options;
        let due = |file: &LogFile| {
            file.records >= options.seal_after_records
                || file.since.is_some_and(|since| now.saturating_sub(since) >= options.seal_after)
        };
        for lane in [&mut self.primary, &mut self.emergency] {
            // Without a spare there is nothing to rotate to yet.
            if lane.spare.is_some() && lane.current.as_ref().is_some_and(due) {
                lane.finish();
            }
        }
        // The emergency file is finished as soon as the first log works again, so that it can be sealed.
        if self.shared.health() == Health::Healthy
            && self.emergency.current.as_ref().is_some_and(|file| file.records > 0)
        {
            self.emergency.finish();
        }
    }

    fn is_done(&self) -> bool {
        // An unhealthy ledger closes with what it could write; the rest was refused or reported as late.
        let is_idle = self.block.is_none() && !self.primary.preparing && !self.emergency.preparing;
        is_idle || self.shared.health() == Health::Unhealthy
    }

    fn finish(mut self) {
        self.shared.end();
        self.shared.publish_given_up(NotDurable::Closed);
        // Without spare files and tails of zeros every byte of a closed ledger is covered by a hash.
        let disk = &self.shared.options.disk;
        for lane in [&mut self.primary, &mut self.emergency] {
            for file in lane.current.take().into_iter().chain(lane.spare.take()) {
                let done = if file.offset == 0 {
                    disk.remove(&file.path)
                } else {
                    file.file.set_len(file.offset).and_then(|()| file.file.sync())
                };
                if let Err(err) = done {
                    tracing::warn!("cannot finish `{}`: {err}", file.path.display());
                }
            }
        }
        // Else the keeper, late with its turn, would seal what is to stay.
        if self.shared.options.seal_on_close == SealOnClose::Yes {
            self.shared.active().clear();
        }
    }

    fn abandon(&self) {
        self.shared.close_queue();
        self.shared.end();
        self.shared.publish_given_up(NotDurable::Closed);
    }

    fn mark_active(&self) {
        let lanes = [&self.primary, &self.emergency];
        let files = lanes.iter().flat_map(|lane| lane.current.iter().chain(&lane.spare));
        let paths = files.map(|file| file.path.clone()).collect();
        *self.shared.active() = paths;
    }

    fn lane(&mut self, which: Which) -> &mut Lane {
        match which {
            Which::Primary => &mut self.primary,
            Which::Emergency => &mut self.emergency,
        }
    }

    fn now(&self) -> Duration {
        self.shared.options.clock.elapsed()
    }
}
