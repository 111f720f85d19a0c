//! A ledger on a simulated disk and clock, and the records that the tests append.

use sekisho_ledger::{Error, Ledger, Options, Position, Reader, Recovery, SealOnClose};
use sekisho_model::*;
use sekisho_testkit::{SimClock, SimDisk};
use sekisho_tlog::{SigningKey, VerifyingKey};
use std::path::Path;
use std::sync::Arc;

pub(crate) const DIR: &str = "/ledger";
pub(crate) const T0: Timestamp = Timestamp(1_700_000_000_000_000);

pub(crate) fn clock() -> Arc<SimClock> {
    Arc::new(SimClock::at(T0))
}

pub(crate) fn options(disk: &SimDisk, clock: &Arc<SimClock>) -> Options {
    Options {
        disk: Arc::new(disk.clone()),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        // The clock stands still in most tests, and a record would rest for ever.
        linger: std::time::Duration::ZERO,
        wal_file_bytes: 16 * 1024,
        seal_on_close: SealOnClose::No,
        ..Options::new(DIR, SigningKey::from_seed("ledger.example/1", &[7; 32]).expect("a good name"))
    }
}

/// The key that verifies what these ledgers sign.
pub(crate) fn vkey() -> VerifyingKey {
    verifying(&SigningKey::from_seed("ledger.example/1", &[7; 32]).expect("a good name"))
}

pub(crate) fn verifying(key: &SigningKey) -> VerifyingKey {
    VerifyingKey::parse(key.verifier()).expect("parses")
}

pub(crate) fn open(disk: &SimDisk, clock: &Arc<SimClock>) -> (Ledger, Recovery) {
    Ledger::open(options(disk, clock)).expect("opens")
}

pub(crate) fn transaction(sequence: u64) -> Transaction {
    Transaction {
        at: T0,
        client: std::net::IpAddr::from([192, 0, 2, u8::try_from(sequence % 250).expect("small")]),
        client_key: [3; 16],
        session: sequence.is_multiple_of(2).then_some(SessionKey([4; 16])),
        route: "/mypage".into(),
        method: "GET".into(),
        status: 200,
    }
}

pub(crate) fn opened(sequence: u64) -> Record {
    Record::Opened(Opened { sequence, transaction: transaction(sequence) })
}

pub(crate) fn exposed(sequence: u64) -> Record {
    let id = u32::try_from(sequence % 1000).expect("small");
    Record::Exposed(Exposed {
        sequence,
        at: T0,
        span: ByteRange { start: 10, end: 90 },
        exposures: vec![Exposure {
            subject: Subject { register: RegisterId(0), id: SubjectId(id) },
            fields: FieldSet(0b101),
            reflected: FieldSet::EMPTY,
        }],
        generic: vec![Generic { kind: GenericKind::Pan, value: Some([9; 8]), reflected: false }],
    })
}

pub(crate) fn closed(sequence: u64) -> Record {
    Record::Closed(Closed {
        sequence,
        at: T0,
        transaction: None,
        inspection: Inspection::Inspected,
        disposition: Disposition::Released,
        body_bytes_released: 100,
    })
}

/// Appends the records of one response; the last position is returned.
pub(crate) fn append_response(ledger: &Ledger) -> Position {
    let sequence = ledger.next_sequence();
    ledger.append(opened(sequence)).expect("is taken");
    ledger.append(exposed(sequence)).expect("is taken");
    ledger.append(closed(sequence)).expect("is taken")
}

pub(crate) fn records(disk: &SimDisk) -> Vec<Record> {
    let reader = Reader::open(DIR, Arc::new(disk.clone())).expect("opens");
    let mut records = Vec::new();
    reader.records(&mut |_, record| records.push(record)).expect("reads");
    records
}

/// Exposed sequences that the ledger on this disk holds.
pub(crate) fn exposed_sequences(disk: &SimDisk) -> Vec<u64> {
    let sequence = |record: Record| if let Record::Exposed(exposed) = record { Some(exposed.sequence) } else { None };
    records(disk).into_iter().filter_map(sequence).collect()
}

/// The same, where it may be that they cannot be read: as an outcome that a test can count.
pub(crate) fn read_exposed(disk: &SimDisk) -> Result<Vec<u64>, String> {
    let reader = Reader::open(DIR, Arc::new(disk.clone())).map_err(|err| format!("cannot be read: {err}"))?;
    let mut sequences = Vec::new();
    let mut each = |_, record| {
        if let Record::Exposed(exposed) = record {
            sequences.push(exposed.sequence);
        }
    };
    reader.records(&mut each).map_err(|err| format!("cannot be read: {err}"))?;
    Ok(sequences)
}

/// Closes after a crash. A disk that hangs is no loss, and fails the test.
pub(crate) fn close_after_crash(ledger: &Ledger) -> Result<(), String> {
    match ledger.close() {
        Err(err @ Error::CloseLate(_)) => panic!("{err}"),
        outcome => outcome.map_err(|err| format!("does not close: {err}")),
    }
}

pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..60_000 {
        if condition() {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(1));
    }
    panic!("waited for a minute: {what}");
}

pub(crate) fn wal_files(disk: &SimDisk) -> Vec<std::path::PathBuf> {
    let is_wal = |path: &Path| path.extension().is_some_and(|extension| extension == "wal");
    disk.files().into_iter().filter(|path| is_wal(path)).collect()
}
