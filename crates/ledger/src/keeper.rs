//! The keeper: a thread that signs the Merkle log every few seconds, and seals. It never holds up the committer: a disk that
//! hangs here delays the next checkpoint, and nothing else.

use crate::log::{Log, last_signed_path};
use crate::manifest::Manifest;
use crate::query::QUERY_SOURCE;
use crate::recover::{check_head, read_source, sealed_head};
use crate::seal::seal;
use crate::shared::Shared;
use crate::wal::{Head, chain};
use crate::{Error, SealOnClose};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How often the interval is looked at.
const POLL: Duration = Duration::from_millis(50);

/// What the keeper is told.
pub(crate) enum Order {
    /// Sign everything, then end.
    Close,
}

pub(crate) struct Keeper {
    pub(crate) shared: Arc<Shared>,
    pub(crate) orders: Receiver<Order>,
    /// `None` after an error: it is then read again from what was signed last.
    pub(crate) log: Option<Log>,
    /// How many entries were signed, whatever the disk says.
    pub(crate) signed: u64,
    pub(crate) closing: Closing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    No,
    Yes,
}

impl Keeper {
    pub(crate) fn run(mut self) -> Result<(), Error> {
        let mut sign_at = Duration::ZERO;
        loop {
            let now = self.shared.options.clock.elapsed();
            if now >= sign_at {
                sign_at = now + self.shared.options.checkpoint_interval;
                if let Err(err) = self.keep() {
                    Shared::log_error("cannot sign or seal", &err);
                }
            }
            match self.orders.recv_timeout(POLL) {
                Ok(Order::Close) => return self.finish(),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.closing = Closing::Yes;
        self.keep()
    }

    /// After an error nothing in memory is trusted: the log is continued from the disk.
    fn keep(&mut self) -> Result<(), Error> {
        let mut log = match self.log.take() {
            Some(log) => log,
            None => self.reopen()?,
        };
        let options = &self.shared.options;
        let head = *self.shared.head();
        log.add_blocks(options.source, head, options.clock.now())?;
        match self.query_head(&log) {
            Ok(head) => log.add_blocks(QUERY_SOURCE, head, options.clock.now())?,
            // The gateway's own records are signed all the same.
            Err(err) => Shared::log_error("cannot sign the questions that were asked", &err),
        }
        log.sign()?;
        self.signed = log.size_signed();
        let closing = std::mem::replace(&mut self.closing, Closing::No);
        if closing == Closing::No || options.seal_on_close == SealOnClose::Yes {
            seal(&self.shared, &mut log)?;
            self.signed = log.size_signed();
        }
        self.log = Some(log);
        Ok(())
    }

    /// The log from the disk again. One that has less than was signed is not gone on with.
    fn reopen(&self) -> Result<Log, Error> {
        let options = &self.shared.options;
        let mut log = Log::open(options.log_place())?;
        if log.size_signed() < self.signed {
            let what = format!("{} entries were signed, and it says {}", self.signed, log.size_signed());
            return Err(Error::corrupt(&last_signed_path(&options.dir), 0, what));
        }
        log.mend()?;
        Ok(log)
    }

    /// The last question that another process recorded; those that were signed must be before it.
    fn query_head(&self, log: &Log) -> Result<Head, Error> {
        let options = &self.shared.options;
        let manifest = Manifest::read(&*options.disk, &options.dir)?;
        let sealed = sealed_head(&manifest, &options.dir, QUERY_SOURCE)?;
        let wal = options.dir.join("wal");
        let files = read_source(&*options.disk, std::slice::from_ref(&wal), QUERY_SOURCE)?;
        let blocks = chain(&files, sealed)?;
        check_head(&wal, &blocks, sealed, log.head(QUERY_SOURCE))?;
        Ok(blocks.last().map_or(sealed, |placed| Head::of(&placed.block)))
    }
}
