//! Sealing: nothing is lost or doubled, whenever the power is cut.

use crate::rig::*;
use parquet::file::reader::{FileReader, SerializedFileReader};
use sekisho_ledger::{Filter, Finding, FindingRow, Ledger, Options, Reader, ResponseRow, SealOnClose, Told, verify};
use sekisho_model::*;
use sekisho_testkit::{SimClock, SimDisk};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn sealing(disk: &SimDisk, clock: &Arc<SimClock>) -> Options {
    Options { seal_on_close: SealOnClose::Yes, seal_after_records: 40, ..options(disk, clock) }
}

/// One record of each kind, with every part that can be empty empty once and filled once.
fn one_of_each(first: u64) -> Vec<Record> {
    let session = Some(SessionKey([4; 16]));
    let request = Transaction { client: "2001:db8::1".parse().expect("an address"), session, ..transaction(first) };
    let field = Field { name: "mail".into(), kind: FieldKind::Email, not_examined: None, values_not_indexed: 3 };
    let register = RegisterDescription {
        id: RegisterId(0),
        name: "account_holders".into(),
        fields: vec![field],
        persons: 9,
        subject_next: 9,
        built_at: T0,
        is_canary: false,
    };
    let exposure = |id| Exposure {
        subject: Subject { register: RegisterId(0), id: SubjectId(id) },
        fields: FieldSet(u64::MAX),
        reflected: FieldSet(1 << 63),
    };
    let end = |sequence, transaction, inspection| {
        Record::Closed(Closed {
            sequence,
            at: T0,
            transaction,
            inspection,
            disposition: Disposition::ClientGone,
            body_bytes_released: u64::MAX,
        })
    };
    vec![
        Record::Registers(Registers { at: T0, registers: vec![register] }),
        opened(first),
        Record::Exposed(Exposed {
            sequence: first,
            at: T0,
            span: ByteRange { start: 0, end: u64::MAX },
            exposures: vec![exposure(u32::MAX), exposure(3), exposure(2)],
            generic: vec![Generic { kind: GenericKind::MyNumber, value: None, reflected: true }],
        }),
        end(first, None, Inspection::Inspected),
        end(first + 1, Some(request), Inspection::NotInspectable(Uninspectable::Container)),
        end(first + 2, Some(transaction(first)), Inspection::WithoutBody),
        Record::Suspect(Suspect {
            at: T0,
            first: T0,
            client: "192.0.2.1".parse().expect("an address"),
            session,
            route: "/search".into(),
            requests: 400,
            reason: SuspectReason::BlindInjection,
        }),
        Record::Alert(Alert {
            at: T0,
            kind: AlertKind::Peers,
            client: "192.0.2.1".parse().expect("an address"),
            session,
            account: Some(AccountKey([5; 16])),
            route: "/staff".into(),
            window_s: 3600,
            count: u64::MAX,
            limit: 57,
            peers_quantile: Some(38),
            without_case: None,
        }),
        exposed(first + 7),
        opened(first + 8),
    ]
}

#[test]
fn sealing_loses_nothing_and_keeps_the_order() {
    let (disk, clock) = (SimDisk::new(), clock());
    let mut appended = Vec::new();
    for _ in 0..3 {
        let (ledger, _) = Ledger::open(sealing(&disk, &clock)).expect("opens");
        for record in one_of_each(ledger.next_sequence()) {
            let position = ledger.append(record.clone()).expect("is taken");
            ledger.wait_durable(position).expect("becomes durable");
            appended.push(record);
        }
        ledger.close().expect("closes");
    }
    assert!(wal_files(&disk).is_empty(), "everything is in segments");
    let own = |record: &Record| !matches!(record, Record::Started(_) | Record::Heartbeat(_));
    assert_eq!(records(&disk).into_iter().filter(own).collect::<Vec<_>>(), appended);
    let report = verify(&disk, Path::new(DIR), None).expect("verifies");
    assert!(report.segments >= 3, "{report:?}");
}

#[test]
fn an_exposure_finds_its_request_in_the_segment_before() {
    let (disk, clock) = (SimDisk::new(), clock());
    let (ledger, _) = Ledger::open(sealing(&disk, &clock)).expect("opens");
    let first = ledger.next_sequence();
    ledger.append(opened(first)).expect("is taken");
    for _ in 0..60 {
        ledger.wait_durable(append_response(&ledger)).expect("becomes durable");
    }
    clock.advance(Duration::from_secs(5));
    wait_until("a segment", || disk.files().iter().any(|path| path.to_string_lossy().ends_with("000001.parquet")));
    ledger.append(exposed(first)).expect("is taken");
    ledger.wait_durable(ledger.append(closed(first)).expect("is taken")).expect("becomes durable");
    let check = || {
        let reader = Reader::open(DIR, Arc::new(disk.clone())).expect("opens");
        let count = |filter: &Filter| {
            let (mut persons, mut of_first) = (0, 0);
            let each = |row: FindingRow| {
                let is_person = u32::from(matches!(row.found, Finding::Person(_)));
                persons += is_person;
                of_first += if row.response.sequence == first { is_person } else { 0 };
            };
            reader.findings(filter, each).expect("reads");
            (persons, of_first)
        };
        // Only a row whose request is known is admitted by a client.
        let client = Some("192.0.2.0/24".parse().expect("a network"));
        let of_clients = Filter { client, ..Filter::default() };
        assert_eq!(count(&of_clients), (61, 1));
        let mut ends = 0;
        let each = |row: ResponseRow| ends += u32::from(matches!(row.told, Told::Ended { .. }));
        reader.responses(&of_clients, Duration::ZERO, each).expect("reads");
        assert_eq!(ends, 61);
        let subject = Some(Subject { register: RegisterId(0), id: SubjectId(5) });
        assert_eq!(count(&Filter { subject, ..Filter::default() }).0, 1);
    };
    check();
    ledger.close().expect("closes");
    check();
}

/// Runs and seals until the power is cut, and says what was lost, doubled, or does not verify.
pub(crate) fn crash_once(disk: &SimDisk, seed: u64) -> Result<(), String> {
    disk.power_off_after(120 + seed * 7 % 420);
    let first_clock = clock();
    let (mut appended, mut acknowledged) = (Vec::new(), 0);
    if let Ok((ledger, _)) = Ledger::open(sealing(disk, &first_clock)) {
        for round in 0..60 {
            let Ok(position) = ledger.append(exposed(ledger.next_sequence())) else { break };
            appended.push(appended.len() as u64 + 1);
            if ledger.wait_durable(position).is_err() {
                break;
            }
            acknowledged = appended.len();
            if round % 8 == 0 {
                first_clock.advance(Duration::from_secs(5));
            }
        }
        let _ = ledger.close();
    }
    let after = disk.crash(seed);
    let clock = clock();
    for _ in 0..2 {
        let (ledger, _) = Ledger::open(sealing(&after, &clock)).map_err(|err| format!("does not open: {err}"))?;
        let found = read_exposed(&after)?;
        if !appended.starts_with(&found) || found.len() < acknowledged {
            return Err(format!("{acknowledged} of {} acknowledged, found {found:?}", appended.len()));
        }
        close_after_crash(&ledger)?;
    }
    verify(&after, Path::new(DIR), None).map_err(|difference| difference.to_string())?;
    Ok(())
}

#[test]
fn led_2_sealing_cut_off_anywhere_loses_and_doubles_nothing() {
    for seed in 0..200 {
        crash_once(&SimDisk::new(), seed).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
}

/// What an auditor's tool reads of a file: its metadata by key.
fn notes(disk: &SimDisk, ending: &str) -> std::collections::HashMap<String, String> {
    let is_it = |path: &&std::path::PathBuf| path.to_string_lossy().ends_with(ending);
    let path = disk.files().iter().rfind(is_it).expect("a sealed file").clone();
    let bytes = bytes::Bytes::from(disk.bytes(&path).expect("bytes"));
    let file = SerializedFileReader::new(bytes).expect("Parquet");
    let notes = file.metadata().file_metadata().key_value_metadata().expect("notes").clone();
    notes.into_iter().map(|note| (note.key, note.value.unwrap_or_default())).collect()
}

#[test]
fn a_sealed_file_says_what_its_numbers_mean() {
    let (disk, clock) = (SimDisk::new(), clock());
    let (ledger, _) = Ledger::open(sealing(&disk, &clock)).expect("opens");
    let registers = one_of_each(1).swap_remove(0);
    ledger.append(registers.clone()).expect("is taken");
    // Twice as many responses as a segment has: the second begins without a description of its own.
    for segment in 1..=2 {
        for _ in 0..60 {
            ledger.wait_durable(append_response(&ledger)).expect("becomes durable");
        }
        clock.advance(Duration::from_secs(5));
        let name = format!("{segment:06}.parquet");
        wait_until("a segment", || disk.files().iter().any(|path| path.to_string_lossy().ends_with(&name)));
    }
    ledger.close().expect("closes");
    for ending in ["000001.parquet", "000002.parquet", "000002.subject.parquet"] {
        let notes = notes(&disk, ending);
        let told: Vec<Registers> = serde_json::from_str(&notes["sekisho.registers"]).expect("JSON");
        assert_eq!(
            told.into_iter().map(Record::Registers).collect::<Vec<_>>(),
            std::slice::from_ref(&registers),
            "{ending}"
        );
        assert!(notes["sekisho.columns"].contains("`fields`"));
    }
}

/// What accounts were shown is read from segments and log alike: by whose the session was then, echoes left out.
#[test]
fn what_accounts_were_shown_is_in_segments_and_log() {
    let (disk, clock) = (SimDisk::new(), Arc::new(SimClock::at(T0)));
    let staff = SessionKey([4; 16]);
    let account = |number| Some(AccountKey([number; 16]));
    let bound = |at, session, account| Record::Bound(Bound { at, session, subjects: Vec::new(), by: None, account });
    let shows = |sequence: u64, at: i64, session, fields| {
        let subject = Subject { register: RegisterId(0), id: SubjectId(u32::try_from(sequence).expect("small")) };
        let transaction = Transaction { session: Some(session), route: "/staff".into(), ..transaction(sequence) };
        let exposure = Exposure { subject, fields: FieldSet(fields), reflected: FieldSet(1) };
        let span = ByteRange { start: 0, end: 1 };
        let at = Timestamp(T0.0 + at);
        [
            Record::Opened(Opened { sequence, transaction }),
            Record::Exposed(Exposed { sequence, at, span, exposures: vec![exposure], generic: Vec::new() }),
        ]
    };
    let write = |records: Vec<Record>, seal: SealOnClose| {
        let (ledger, _) = Ledger::open(Options { seal_on_close: seal, ..sealing(&disk, &clock) }).expect("it opens");
        records.into_iter().for_each(|record| _ = ledger.append(record).expect("accepted"));
        ledger.close().expect("it closes");
    };
    let mut first = vec![bound(T0, staff, account(1))];
    first.extend(shows(2, 20, staff, 1));
    first.extend(shows(1, 10, staff, 1));
    first.extend(shows(3, 30, staff, 0));
    first.extend(shows(4, 40, SessionKey([5; 16]), 1));
    write(first, SealOnClose::Yes);
    let mut then = Vec::from(shows(100, 50, staff, 1));
    then.push(bound(Timestamp(T0.0 + 60), staff, account(2)));
    then.extend(shows(101, 70, staff, 1));
    then.push(bound(Timestamp(T0.0 + 80), staff, None));
    then.extend(shows(102, 90, staff, 1));
    write(then, SealOnClose::No);

    let reader = Reader::open("/ledger", Arc::new(disk.clone())).expect("a ledger");
    let shown = |from| {
        let mut rows = Vec::new();
        reader.shown(Timestamp(T0.0 + from), |row| rows.push((row.account.0[0], row.subject.id.0))).expect("readable");
        rows
    };
    assert_eq!(shown(0), [(1, 1), (1, 2), (1, 100), (2, 101)]);
    assert_eq!(shown(20), [(1, 2), (1, 100), (2, 101)]);
    let sessions =
        |number| reader.sessions_of(AccountKey([number; 16])).expect("readable").into_iter().collect::<Vec<_>>();
    assert_eq!(sessions(1), [staff]);
    assert_eq!(sessions(3), []);
}

#[test]
fn who_is_kept_out_is_told_from_segments_and_log_and_the_longest_order_counts() {
    let (disk, clock) = (SimDisk::new(), clock());
    let target = Target::Account(AccountKey([5; 16]));
    let contained = |until| {
        let (reason, by) = (ContainReason::Operator, "sato".to_owned());
        Record::Contained(Contained { at: T0, target, until, reason, by, sequence: None })
    };
    let released = Record::Released(Released { at: T0, target, by: "sato".to_owned() });
    let (long, short) = (Some(T0.after(Duration::from_hours(2))), Some(T0.after(Duration::from_hours(1))));
    let story = [
        (contained(short), Some(short)),
        (contained(None), Some(None)),
        (contained(long), Some(None)),
        (released, None),
        (contained(long), Some(long)),
        (contained(short), Some(long)),
    ];
    for (record, expected) in story {
        let (ledger, _) = Ledger::open(sealing(&disk, &clock)).expect("opens");
        let position = ledger.append(record.clone()).expect("is taken");
        ledger.wait_durable(position).expect("becomes durable");
        let told = || {
            let reader = Reader::open(DIR, Arc::new(disk.clone())).expect("a ledger");
            reader.contained(T0).expect("readable").first().map(|contained| contained.until)
        };
        assert_eq!(told(), expected, "in the log, after {record:?}");
        ledger.close().expect("closes");
        assert_eq!(told(), expected, "sealed, after {record:?}");
    }
}
