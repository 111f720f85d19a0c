//! The keeper: a thread that signs the Merkle log every few seconds, and seals. It never holds up the committer: a disk that
//! hangs here delays the next checkpoint, and nothing else.

use crate::log::Log;
use crate::manifest::Manifest;
use crate::query::QUERY_SOURCE;
use crate::recover::{read_source, sealed_head};
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
            None => {
                let options = &self.shared.options;
                Log::open(Arc::clone(&options.disk), &options.dir, options.signing_key.clone())?
            }
        };
        let options = &self.shared.options;
        let head = *self.shared.head();
        log.add_blocks(options.source, head, options.clock.now())?;
        log.add_blocks(QUERY_SOURCE, self.query_head()?, options.clock.now())?;
        log.sign()?;
        let closing = std::mem::replace(&mut self.closing, Closing::No);
        if closing == Closing::No || options.seal_on_close == SealOnClose::Yes {
            seal(&self.shared, &mut log)?;
        }
        self.log = Some(log);
        Ok(())
    }

    /// The last question that another process recorded.
    fn query_head(&self) -> Result<Head, Error> {
        let options = &self.shared.options;
        let manifest = Manifest::read(&*options.disk, &options.dir)?;
        let sealed = sealed_head(&manifest, &options.dir, QUERY_SOURCE)?;
        let files = read_source(&*options.disk, &[options.dir.join("wal")], QUERY_SOURCE)?;
        Ok(chain(&files, sealed)?.last().map_or(sealed, |placed| Head::of(&placed.block)))
    }
}
