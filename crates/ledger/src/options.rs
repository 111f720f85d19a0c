//! How a ledger is kept, with a named default and a named bound for everything.

use crate::{Error, RealDisk};
use sekisho_model::disk::Disk;
use sekisho_model::{Clock, SourceId, SystemClock};
use sekisho_tlog::SigningKey;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Whether closing a ledger seals what is left in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealOnClose {
    /// Everything is in segments afterwards.
    Yes,
    /// The log stays, and is sealed by the next run.
    No,
}

/// Options of a writer.
#[derive(Clone, Debug)]
pub struct Options {
    /// The ledger's directory.
    pub dir: PathBuf,
    /// Who writes.
    pub source: SourceId,
    /// Where to.
    pub disk: Arc<dyn Disk>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Signs checkpoints; its name is the log's origin.
    pub signing_key: SigningKey,
    /// Where the emergency log lies, best on a second device; `emergency` in the ledger's directory when `None`.
    pub emergency_dir: Option<PathBuf>,
    /// Where a copy of what was signed last is kept outside the ledger, where whoever can write the ledger cannot: a ledger that
    /// was set back to an earlier copy of itself is then not opened and signed anew. `None`: nothing tells.
    pub last_signed_copy: Option<PathBuf>,
    /// A write and its sync must end within this; then the emergency log takes over. A waiter of
    /// [`crate::Ledger::durable`] therefore waits three times this at most.
    pub sync_deadline: Duration,
    /// How long records of responses that nobody waits for may rest in memory, so that one sync serves many of them. Others
    /// do not rest.
    pub linger: Duration,
    /// How long a failed log rests before it is tried again.
    pub retry_interval: Duration,
    /// Bytes that a WAL file is preallocated with.
    pub wal_file_bytes: u64,
    /// A WAL file with this many records is finished and sealed.
    pub seal_after_records: u64,
    /// A WAL file whose first record is this old is finished and sealed.
    pub seal_after: Duration,
    /// How often the Merkle log is signed.
    pub checkpoint_interval: Duration,
    /// How often counts are recorded.
    pub heartbeat_interval: Duration,
    /// Records that may wait to be written; beyond, [`crate::NotDurable::QueueFull`].
    pub queue_records_max: usize,
    /// Bytes that may wait to be written; beyond, [`crate::NotDurable::QueueFull`].
    pub queue_bytes_max: usize,
    /// Whether closing seals what is left.
    pub seal_on_close: SealOnClose,
    /// How long [`crate::Ledger::close`] waits for the disk.
    pub close_deadline: Duration,
}

impl Options {
    /// The smallest WAL file: one block of any size fits.
    pub const WAL_FILE_BYTES_MIN: u64 = 16 * 1024;

    /// Options with every default, on the machine's disk and clock.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, signing_key: SigningKey) -> Options {
        Options {
            dir: dir.into(),
            source: SourceId(1),
            disk: Arc::new(RealDisk),
            clock: Arc::new(SystemClock::new()),
            signing_key,
            emergency_dir: None,
            last_signed_copy: None,
            sync_deadline: Duration::from_secs(1),
            linger: Duration::from_millis(50),
            retry_interval: Duration::from_secs(1),
            wal_file_bytes: 32 * 1024 * 1024,
            seal_after_records: 1_000_000,
            seal_after: Duration::from_secs(3600),
            checkpoint_interval: Duration::from_secs(5),
            heartbeat_interval: Duration::from_secs(60),
            queue_records_max: 65_536,
            queue_bytes_max: 32 * 1024 * 1024,
            seal_on_close: SealOnClose::Yes,
            close_deadline: Duration::from_secs(30),
        }
    }

    /// Where the emergency log lies.
    #[must_use]
    pub fn emergency_dir(&self) -> PathBuf {
        self.emergency_dir.clone().unwrap_or_else(|| self.dir.join("emergency"))
    }

    pub(crate) fn log_place(&self) -> crate::log::Place {
        crate::log::Place {
            disk: Arc::clone(&self.disk),
            dir: self.dir.clone(),
            key: self.signing_key.clone(),
            copy: self.last_signed_copy.clone(),
        }
    }

    /// A block's payload may have this many bytes: a quarter of a file, and never more than a block can say.
    pub(crate) fn payload_bytes_max(&self) -> usize {
        usize::try_from(self.wal_file_bytes / 4).unwrap_or(usize::MAX).min(crate::block::PAYLOAD_BYTES_MAX)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong =
            |option, found: String, expected: &str| Err(Error::Option { option, found, expected: expected.into() });
        if self.wal_file_bytes < Options::WAL_FILE_BYTES_MIN {
            return wrong("wal_file_bytes", self.wal_file_bytes.to_string(), "at least 16384");
        }
        if self.source == crate::QUERY_SOURCE {
            return wrong("source", self.source.0.to_string(), "below the number kept for queries");
        }
        if let Some(copy) = self.last_signed_copy.as_ref().filter(|copy| copy.starts_with(&self.dir)) {
            return wrong("last_signed_copy", copy.display().to_string(), "outside the ledger");
        }
        if self.queue_records_max == 0 {
            return wrong("queue_records_max", "0".into(), "at least 1");
        }
        for (option, value) in [("sync_deadline", self.sync_deadline), ("heartbeat_interval", self.heartbeat_interval)]
        {
            if value.is_zero() {
                return wrong(option, "0".into(), "above zero");
            }
        }
        Ok(())
    }
}
