//! `[ledger]`: where the ledger is kept, how long the disk may take, and when it is sealed and signed.

use super::resolve::Places;
use super::section::{Section, Source};
use super::units;
use sekisho_ledger::Options;
use sekisho_model::Diagnostic;
use sekisho_tlog::SigningKey;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the disk of a laptop or a shared machine may take, where nobody configured it.
const PATIENT_SYNC_DEADLINE: Duration = Duration::from_secs(10);
/// Longer than clients wait for an answer.
const SYNC_DEADLINE_MAX: Duration = Duration::from_secs(60);

/// How the ledger is kept. What is `None` has the ledger's own default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Where it is kept.
    pub(crate) directory: PathBuf,
    /// Where the emergency log is kept, best on another device.
    pub(crate) emergency_directory: Option<PathBuf>,
    /// A write and its sync must end within this; then the emergency log takes over.
    pub(crate) sync_deadline: Option<Duration>,
    /// How long a failed log rests before it is tried again.
    pub(crate) retry_interval: Option<Duration>,
    /// A log whose first record is this old is sealed.
    pub(crate) seal_after: Option<Duration>,
    /// A log with this many records is sealed.
    pub(crate) seal_after_records: Option<u64>,
    /// How often the log is signed.
    pub(crate) checkpoint_interval: Option<Duration>,
    /// How often counts are recorded.
    pub(crate) heartbeat_interval: Option<Duration>,
    /// How long ending waits for the disk.
    pub(crate) close_deadline: Option<Duration>,
    /// How long every sync is delayed, for benchmarks.
    #[cfg(feature = "bench-faults")]
    pub(crate) sync_delay: Option<Duration>,
}

impl Ledger {
    /// Every default, with a disk that may be slow: a trial must not refuse records because a laptop is busy.
    pub(crate) fn patient(directory: &Path) -> Ledger {
        let sync_deadline = Some(PATIENT_SYNC_DEADLINE);
        Ledger { directory: directory.to_owned(), sync_deadline, ..Ledger::default() }
    }

    /// What the ledger's writer is told.
    pub(crate) fn options(&self, signing_key: SigningKey) -> Options {
        let default = Options::new(&self.directory, signing_key);
        Options {
            emergency_dir: self.emergency_directory.clone(),
            sync_deadline: self.sync_deadline.unwrap_or(default.sync_deadline),
            retry_interval: self.retry_interval.unwrap_or(default.retry_interval),
            seal_after: self.seal_after.unwrap_or(default.seal_after),
            seal_after_records: self.seal_after_records.unwrap_or(default.seal_after_records),
            checkpoint_interval: self.checkpoint_interval.unwrap_or(default.checkpoint_interval),
            heartbeat_interval: self.heartbeat_interval.unwrap_or(default.heartbeat_interval),
            close_deadline: self.close_deadline.unwrap_or(default.close_deadline),
            #[cfg(feature = "bench-faults")]
            disk: crate::slow_disk::slow(self.sync_delay),
            ..default
        }
    }
}

/// Reads `[ledger]`. Paths are relative to `base`.
pub(super) fn read(root: &Section<'_>, source: &Source<'_>, base: &Path, places: &mut Places) -> Ledger {
    let mut ledger = Ledger { directory: base.join("ledger"), ..Ledger::default() };
    let Some(section) = root.table("ledger", "[ledger]") else { return ledger };
    if let Some(directory) = section.string("directory") {
        ledger.directory = base.join(directory.value);
        places.ledger = directory.span;
    }
    if let Some(directory) = section.string("emergency_directory") {
        ledger.emergency_directory = Some(base.join(directory.value));
        places.emergency = directory.span;
    }
    let duration = |field: &'static str, warn: &dyn Fn(Duration, &Range<usize>)| {
        let wants = "a duration such as \"250ms\", \"5s\", \"2m\" or \"1h\"";
        let read = section.parsed(field, "SK005", wants, units::duration)?;
        warn(read.value, &read.span);
        Some(read.value)
    };
    let fine = |_: Duration, _: &Range<usize>| {};
    ledger.sync_deadline = duration("sync_deadline", &|value, span| too_patient(source, value, span));
    ledger.retry_interval = duration("retry_interval", &fine);
    ledger.seal_after = duration("seal_after", &fine);
    ledger.seal_after_records = section.number("seal_after_records").map(|number| number.value);
    ledger.checkpoint_interval = duration("checkpoint_interval", &fine);
    ledger.heartbeat_interval = duration("heartbeat_interval", &fine);
    ledger.close_deadline = duration("close_deadline", &fine);
    #[cfg(feature = "bench-faults")]
    {
        ledger.sync_delay = duration("sync_delay", &fine);
    }
    section.refuse_unknown();
    ledger
}

fn too_patient(source: &Source<'_>, value: Duration, span: &Range<usize>) {
    if value > SYNC_DEADLINE_MAX {
        let title = format!("clients wait up to {} s for a disk that hangs", value.as_secs() * 3);
        let help = "responses that show somebody's data wait for the ledger, three times this at most: 1s to 10s";
        source.tell(Diagnostic::warning("SK038", title).help(help), span);
    }
}
