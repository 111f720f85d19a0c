//! The log without crashes: what goes in comes out, in order, and damage is named.

use crate::rig::*;
use proptest::prelude::*;
use sekisho_ledger::{
    Error, Filter, Finding, FindingRow, Ledger, NotDurable, Options, Position, QUESTION_WAIT_MAX, Reader,
    SEQUENCE_ROOM, SealOnClose, append_query, block, manifest,
};
use sekisho_model::disk::Disk as _;
use sekisho_model::*;
use sekisho_testkit::{Fault, OperationKind, SimDisk};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn what_was_appended_is_read_back_in_order() {
    let (disk, clock) = (SimDisk::new(), clock());
    let (ledger, _) = open(&disk, &clock);
    let sequence = ledger.next_sequence();
    let appended = [opened(sequence), exposed(sequence), closed(sequence)];
    let positions = appended.clone().map(|record| ledger.append(record).expect("is taken"));
    ledger.wait_durable(positions[2]).expect("becomes durable");
    assert!(positions.iter().all(|position| ledger.is_durable(*position)));
    let found = records(&disk);
    assert!(matches!(found[0], Record::Started(Started { sequence_first: 1, .. })));
    assert_eq!(found[1..], appended);
}

#[test]
fn durable_can_be_awaited_on_a_runtime_of_one_thread() {
    let (disk, clock) = (SimDisk::new(), clock());
    let (ledger, _) = open(&disk, &clock);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("builds");
    let position = append_response(&ledger);
    runtime.block_on(ledger.durable(position)).expect("becomes durable");
}

#[test]
fn records_that_nobody_waits_for_rest_and_share_a_block() {
    let (disk, clock) = (SimDisk::new(), clock());
    let linger = Duration::from_millis(20);
    let (ledger, _) = Ledger::open(Options { linger, ..options(&disk, &clock) }).expect("opens");
    let syncs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&syncs);
    disk.set_fault(move |operation| {
        let is_sync = operation.kind == OperationKind::Sync && operation.path.starts_with("/ledger/wal");
        count.fetch_add(usize::from(is_sync), Ordering::SeqCst);
        Fault::None
    });
    let last = (0..50).fold(Position(0), |_, _| append_response(&ledger));
    clock.advance(linger);
    wait_until("the rested records", || ledger.is_durable(last));
    // One for all, or two when the committer met the clock between two of them.
    // A new file may have been filled beside.
    let syncs = syncs.load(Ordering::SeqCst);
    assert!(syncs <= 3, "{syncs} syncs for 150 records");
}

#[test]
fn what_decides_something_does_not_rest_though_nobody_waits() {
    let (disk, clock) = (SimDisk::new(), clock());
    let linger = Duration::from_secs(3600);
    let (ledger, _) = Ledger::open(Options { linger, ..options(&disk, &clock) }).expect("opens");
    let suspect = Suspect {
        at: Timestamp(2),
        first: Timestamp(1),
        client: "192.0.2.1".parse().expect("an address"),
        session: None,
        route: "/search".to_owned(),
        requests: 20,
        reason: SuspectReason::BlindInjection,
    };
    let position = ledger.append(Record::Suspect(suspect)).expect("is queued");
    wait_until("the decision", || ledger.is_durable(position));
}

#[test]
fn a_record_that_is_waited_for_does_not_rest_and_takes_the_resting_ones_along() {
    let (disk, clock) = (SimDisk::new(), clock());
    let linger = Duration::from_secs(3600);
    let (ledger, _) = Ledger::open(Options { linger, ..options(&disk, &clock) }).expect("opens");
    let resting = append_response(&ledger);
    let waited_for = append_response(&ledger);
    ledger.wait_durable(waited_for).expect("becomes durable though the clock stands still");
    assert!(ledger.is_durable(resting));
    let unwritten = append_response(&ledger);
    ledger.close().expect("closing writes what rests");
    assert!(ledger.is_durable(unwritten));
}

#[test]
fn a_log_goes_on_over_many_files_and_restarts() {
    let (disk, clock) = (SimDisk::new(), clock());
    let mut expected = Vec::new();
    for _ in 0..3 {
        let (ledger, _) = open(&disk, &clock);
        for _ in 0..200 {
            let sequence = ledger.next_sequence();
            ledger.append(opened(sequence)).expect("is taken");
            let position = ledger.append(exposed(sequence)).expect("is taken");
            ledger.wait_durable(position).expect("becomes durable");
            expected.push(sequence);
        }
        ledger.close().expect("closes");
    }
    assert_eq!(exposed_sequences(&disk), expected);
    let mut unique = expected.clone();
    unique.dedup();
    assert_eq!(unique, expected, "no sequence number is given out twice");
    assert!((1..=600).eq(expected), "a writer that was closed leaves no numbers out");
}

#[test]
fn numbers_are_left_out_after_an_abrupt_end_only_sealed_or_not() {
    for seal_on_close in [SealOnClose::Yes, SealOnClose::No] {
        let (disk, clock) = (SimDisk::new(), clock());
        let options = || Options { seal_on_close, ..options(&disk, &clock) };
        let (ledger, _) = Ledger::open(options()).expect("opens");
        let first = ledger.next_sequence();
        let position = ledger.append(closed(first)).expect("is taken");
        ledger.wait_durable(position).expect("becomes durable");
        ledger.close().expect("closes");
        let (ledger, recovery) = Ledger::open(options()).expect("opens again");
        assert_eq!((first, recovery.sequence_first), (1, 2), "{seal_on_close:?}");
        // The disk as it would be after a power cut now.
        let after_a_cut = disk.crash(7);
        drop(ledger);
        let cut = Options { disk: Arc::new(after_a_cut), ..options() };
        let (_ledger, recovery) = Ledger::open(cut).expect("opens after a power cut");
        assert_eq!(recovery.sequence_first, 2 + SEQUENCE_ROOM, "{seal_on_close:?}");
    }
}

#[test]
fn a_second_writer_is_refused() {
    let (disk, clock) = (SimDisk::new(), clock());
    let (_ledger, _) = open(&disk, &clock);
    assert!(matches!(Ledger::open(options(&disk, &clock)), Err(Error::Locked { .. })));
}

#[test]
fn a_closed_ledger_takes_no_record() {
    let (disk, clock) = (SimDisk::new(), clock());
    let (ledger, _) = open(&disk, &clock);
    let position = append_response(&ledger);
    ledger.close().expect("closes");
    ledger.wait_durable(position).expect("closing writes what waits");
    assert_eq!(ledger.append(closed(9)), Err(NotDurable::Closed));
    assert!(matches!(records(&disk).last(), Some(Record::Heartbeat(_))), "the last word is a count");
}

#[test]
fn led_4_a_heartbeat_counts_what_was_closed() {
    let (disk, clock) = (SimDisk::new(), clock());
    let (ledger, _) = open(&disk, &clock);
    append_response(&ledger);
    append_response(&ledger);
    clock.advance(Duration::from_secs(61));
    let heartbeat = || {
        records(&disk)
            .into_iter()
            .find_map(|r| if let Record::Heartbeat(heartbeat) = r { Some(heartbeat) } else { None })
    };
    wait_until("a heartbeat", || heartbeat().is_some());
    let found = heartbeat().expect("was there");
    assert_eq!((found.inspected, found.bytes_scanned, found.sequence_next), (2, 200, 3));
}

#[test]
fn led_5_a_question_is_recorded_while_the_gateway_writes() {
    let (disk, clock) = (SimDisk::new(), clock());
    let (ledger, _) = open(&disk, &clock);
    let query = |persons| Query { at: T0, operator: "sato".into(), question: "--from 2026-11-01".into(), persons };
    for persons in 0..3 {
        append_query(Path::new(DIR), &disk, &*clock, query(persons)).expect("is recorded");
    }
    ledger.wait_durable(append_response(&ledger)).expect("the gateway writes on");
    let reader = Reader::open(DIR, Arc::new(disk.clone())).expect("opens");
    let mut found = Vec::new();
    let mut each = |_, record: Record| {
        if let Record::Query(query) = record {
            found.push(query.persons);
        }
    };
    reader.events(&mut each).expect("reads");
    assert_eq!(found, [0, 1, 2]);
}

#[test]
fn led_5_a_question_waits_for_another_one_and_says_so_when_that_does_not_end() {
    let (disk, clock) = (SimDisk::new(), clock());
    let (_ledger, _) = open(&disk, &clock);
    let query = || Query { at: T0, operator: "sato".into(), question: "all".into(), persons: 0 };
    let ask = || append_query(Path::new(DIR), &disk, &*clock, query());
    let other = || disk.try_lock(Path::new("/ledger/LOCK-queries")).expect("locks").expect("is free");
    std::thread::scope(|scope| {
        let held = other();
        let asking = scope.spawn(ask);
        drop(held);
        asking.join().expect("ends").expect("is recorded after the other one");

        let _held = other();
        let asking = scope.spawn(ask);
        wait_until("the end of the wait", || {
            clock.advance(QUESTION_WAIT_MAX);
            asking.is_finished()
        });
        let err = asking.join().expect("ends").expect_err("the other one does not end");
        let told = err.to_string();
        assert!(matches!(err, Error::QuestionsLocked { .. }) && told.contains("ask again"), "{told}");
        assert!(!told.contains("stop"), "nobody is told to stop the gateway: {told}");
    });
}

#[test]
fn led_2_a_question_whose_write_was_cut_off_is_a_torn_end() {
    for seed in 0..64 {
        let (disk, clock) = (SimDisk::new(), clock());
        let query = |text: &str| Query { at: T0, operator: "sato".into(), question: text.into(), persons: 0 };
        let ask = |disk: &SimDisk, text: &str| append_query(Path::new(DIR), disk, &*clock, query(text));
        open(&disk, &clock).0.close().expect("closes");
        ask(&disk, "first").expect("is recorded");
        // Written and not synced.
        disk.set_fault(|operation| match operation.kind {
            OperationKind::Sync => Fault::Error(std::io::ErrorKind::Other),
            _ => Fault::None,
        });
        ask(&disk, &"x".repeat(2000)).expect_err("is not recorded");
        let after = disk.crash(seed);
        ask(&after, "third").unwrap_or_else(|err| panic!("seed {seed}: {err}"));
        let asked = records(&after).into_iter().filter(|record| matches!(record, Record::Query(_))).count();
        assert!((2..=3).contains(&asked), "seed {seed}: {asked}");
    }
}

#[test]
fn exposures_are_joined_with_their_request_and_filtered() {
    let (disk, clock) = (SimDisk::new(), clock());
    let (ledger, _) = open(&disk, &clock);
    for _ in 0..9 {
        append_response(&ledger);
    }
    ledger.wait_durable(append_response(&ledger)).expect("becomes durable");
    let reader = Reader::open(DIR, Arc::new(disk)).expect("opens");
    let count = |filter: Filter| {
        let mut rows = 0;
        let each = |row: FindingRow| rows += usize::from(matches!(row.found, Finding::Person(_)));
        reader.findings(&filter, each).expect("reads");
        rows
    };
    assert_eq!(count(Filter::default()), 10);
    assert_eq!(count(Filter { session: Some(SessionKey([4; 16])), ..Filter::default() }), 5);
    assert_eq!(count(Filter { client: Some("192.0.2.3/32".parse().expect("a net")), ..Filter::default() }), 1);
    let subject = Subject { register: RegisterId(0), id: SubjectId(7) };
    assert_eq!(count(Filter { subject: Some(subject), ..Filter::default() }), 1);
    assert_eq!(count(Filter { to: Some(T0), ..Filter::default() }), 0);
}

#[test]
fn a_broken_block_before_a_sound_one_is_damage_with_its_place() {
    let (disk, clock) = (SimDisk::new(), clock());
    let (ledger, _) = open(&disk, &clock);
    for _ in 0..5 {
        ledger.wait_durable(append_response(&ledger)).expect("becomes durable");
    }
    ledger.close().expect("closes");
    let file = wal_files(&disk)[0].clone();
    disk.tamper(&file, |bytes| bytes[50] ^= 1);
    drop(ledger);
    match Ledger::open(options(&disk, &clock)) {
        Err(Error::Corrupt { file: found, offset, .. }) => assert_eq!((found, offset), (file, 0)),
        other => panic!("damage must be found, not {other:?}"),
    }
}

#[test]
fn a_full_queue_and_a_long_record_are_refused_and_counted() {
    let (disk, clock) = (SimDisk::new(), clock());
    let (ledger, _) = open(&disk, &clock);
    let long = Record::Query(Query { at: T0, operator: "x".repeat(1_100_000), question: String::new(), persons: 0 });
    assert_eq!(ledger.append(long), Err(NotDurable::TooLong));
    ledger.close().expect("closes");
    let lost =
        records(&disk).iter().map(|r| if let Record::Heartbeat(h) = r { h.records_lost } else { 0 }).sum::<u64>();
    assert_eq!(lost, 1);
}

#[test]
fn the_parsers_take_any_bytes() {
    let header =
        block::Header { source: SourceId(1), records: 1, number: 1, position_first: 0, at: T0, previous: [0; 32] };
    let sound = block::encode(&header, b"\x06payload");
    for cut in 0..=sound.len() {
        block::fuzz_block(&sound[..cut]);
    }
    for at in 0..sound.len() {
        let mut changed = sound.clone();
        changed[at] ^= 0x10;
        assert!(block::parse(&changed).is_none(), "byte {at}");
    }
    let manifest = manifest::Manifest::default().to_bytes();
    for at in 0..manifest.len() {
        let mut changed = manifest.clone();
        changed[at] ^= 1;
        assert!(manifest::Manifest::parse(&changed).is_err(), "byte {at}");
        manifest::fuzz_manifest(&manifest[..at]);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_panic(data in proptest::collection::vec(any::<u8>(), 0..300)) {
        block::fuzz_block(&data);
        manifest::fuzz_manifest(&data);
    }
}

/// Of each thread of this process: its name and its nice value, from `/proc`.
#[cfg(target_os = "linux")]
fn threads() -> Vec<(String, i32)> {
    let stats = std::fs::read_dir("/proc/self/task").expect("threads").filter_map(|thread| {
        // One may have ended meanwhile.
        std::fs::read_to_string(thread.ok()?.path().join("stat")).ok()
    });
    let read = |stat: String| {
        let (before, after) = stat.rsplit_once(") ")?;
        let name = before.split_once('(')?.1.to_owned();
        Some((name, after.split(' ').nth(16)?.parse().ok()?))
    };
    stats.filter_map(read).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn sealing_lets_other_threads_go_first() {
    let (_ledger, _) = Ledger::open(options(&SimDisk::new(), &clock())).expect("opens");
    let nice_of = |wanted: &str| threads().into_iter().filter(|(name, _)| name == wanted).map(|(_, nice)| nice).max();
    wait_until("the keeper's lower priority", || {
        nice_of("ledger-commit").is_some_and(|commit| nice_of("ledger-keep").is_some_and(|keep| keep > commit))
    });
}
