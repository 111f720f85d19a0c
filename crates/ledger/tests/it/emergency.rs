//! A disk that fails, fills up, is slow or hangs: each has its outcome.

use crate::rig::*;
use sekisho_ledger::manifest::Manifest;
use sekisho_ledger::{Health, Ledger, NotDurable, Options, SealOnClose, verify};
use sekisho_model::Record;
use sekisho_testkit::{Fault, Gate, Operation, OperationKind, SimClock, SimDisk};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const WAL: &str = "/ledger/wal";
const EMERGENCY: &str = "/ledger/emergency";

fn is_sync_below(operation: &Operation<'_>, dir: &str) -> bool {
    operation.kind == OperationKind::Sync && operation.path.starts_with(dir)
}

/// A ledger that has both logs prepared.
fn prepared() -> (SimDisk, Arc<SimClock>, Ledger) {
    let (disk, clock) = (SimDisk::new(), clock());
    let (ledger, _) = open(&disk, &clock);
    wait_until("two logs", || {
        wal_files(&disk).iter().any(|path| path.starts_with(EMERGENCY)) && wal_files(&disk).len() >= 3
    });
    ledger.wait_durable(append_response(&ledger)).expect("becomes durable");
    (disk, clock, ledger)
}

#[test]
fn gw_1_an_error_of_the_log_turns_to_the_emergency_log_and_nothing_is_lost() {
    for kind in [OperationKind::Write, OperationKind::Sync] {
        let (disk, clock, ledger) = prepared();
        disk.set_fault(move |operation| {
            let fails = operation.kind == kind && operation.path.starts_with(WAL);
            if fails { Fault::Error(ErrorKind::Other) } else { Fault::None }
        });
        ledger.wait_durable(append_response(&ledger)).expect("the emergency log takes it");
        assert_eq!(ledger.health(), Health::Emergency, "{kind:?}");
        disk.clear_fault();
        clock.advance(Duration::from_secs(2));
        wait_until("health", || ledger.health() == Health::Healthy);
        ledger.wait_durable(append_response(&ledger)).expect("the first log works again");
        assert_eq!(exposed_sequences(&disk), [1, 2, 3], "{kind:?}");
        let after = disk.crash(1);
        let _again = open(&after, &clock);
        assert_eq!(exposed_sequences(&after), [1, 2, 3], "recovery merges both logs");
    }
}

#[test]
fn gw_1_without_both_logs_records_are_refused_until_the_disk_works_again() {
    let (disk, clock, ledger) = prepared();
    disk.set_fault(
        |operation| {
            if operation.kind == OperationKind::Sync { Fault::Error(ErrorKind::Other) } else { Fault::None }
        },
    );
    // One record only: a second might come when the first was refused already.
    let position = ledger.append(exposed(ledger.next_sequence())).expect("is taken");
    assert_eq!(ledger.wait_durable(position), Err(NotDurable::Failed));
    assert_eq!(ledger.health(), Health::Unhealthy);
    assert_eq!(ledger.append(closed(77)), Err(NotDurable::Failed));
    disk.clear_fault();
    clock.advance(Duration::from_secs(2));
    wait_until("health", || ledger.health() == Health::Healthy);
    wait_until("the kept records", || ledger.is_durable(position));
    let lost =
        || records(&disk).iter().map(|r| if let Record::Heartbeat(h) = r { h.records_lost } else { 0 }).sum::<u64>();
    wait_until("the count of lost records", || lost() == 1);
    assert_eq!(exposed_sequences(&disk), [1, 2], "what was accepted before is written in the end");
}

#[test]
fn led_2_what_the_emergency_log_holds_is_found_after_it_was_moved() {
    let (disk, clock, ledger) = prepared();
    disk.set_fault(|operation| {
        let fails = operation.kind == OperationKind::Sync && operation.path.starts_with(WAL);
        if fails { Fault::Error(ErrorKind::Other) } else { Fault::None }
    });
    ledger.wait_durable(append_response(&ledger)).expect("the emergency log takes it");
    // Killed; the configuration then names another place, and later a third one and the first again.
    let killed = disk.copy();
    for (run, place) in [Some("/second"), Some("/third"), None, Some("/second")].into_iter().enumerate() {
        let options = || Options { emergency_dir: place.map(Into::into), ..options(&killed, &clock) };
        let (ledger, _) = Ledger::open(options()).unwrap_or_else(|err| panic!("run {run}: {err}"));
        assert_eq!(exposed_sequences(&killed), [1, 2], "run {run}");
        ledger.close().expect("closes");
        verify(&killed, Path::new(DIR), Some(&vkey())).unwrap_or_else(|told| panic!("run {run}: {told}"));
    }
    // Once they are sealed, the old places are forgotten.
    for seal_on_close in [SealOnClose::Yes, SealOnClose::No] {
        let options = Options { seal_on_close, emergency_dir: Some("/second".into()), ..options(&killed, &clock) };
        Ledger::open(options).expect("opens").0.close().expect("closes");
        assert_eq!(exposed_sequences(&killed), [1, 2]);
    }
    let manifest = Manifest::parse(&killed.bytes(Path::new("/ledger/MANIFEST")).expect("is there")).expect("parses");
    assert_eq!(manifest.emergency_dirs_before, Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_sync_of_fifty_milliseconds_is_only_slow() {
    let (disk, clock, ledger) = prepared();
    let gate = Gate::closed();
    let hold = Arc::clone(&gate);
    disk.set_fault(
        move |operation| if is_sync_below(operation, WAL) { Fault::Wait(Arc::clone(&hold)) } else { Fault::None },
    );
    let position = append_response(&ledger);
    gate.wait_for_arrival();
    clock.advance(Duration::from_millis(50));
    assert!(!ledger.is_durable(position), "nothing is acknowledged before its sync");
    gate.open();
    ledger.wait_durable(position).expect("becomes durable");
    assert_eq!(ledger.health(), Health::Healthy);
}

#[test]
fn a_sync_of_five_seconds_turns_to_the_emergency_log_and_back() {
    let (disk, clock, ledger) = prepared();
    let gate = Gate::closed();
    let hold = Arc::clone(&gate);
    disk.set_fault(
        move |operation| if is_sync_below(operation, WAL) { Fault::Wait(Arc::clone(&hold)) } else { Fault::None },
    );
    let position = append_response(&ledger);
    gate.wait_for_arrival();
    clock.advance(Duration::from_secs(1));
    ledger.wait_durable(position).expect("the emergency log takes it");
    assert_eq!(ledger.health(), Health::Emergency);
    clock.advance(Duration::from_secs(4));
    gate.open();
    wait_until("health", || ledger.health() == Health::Healthy);
    ledger.wait_durable(append_response(&ledger)).expect("becomes durable");
    assert_eq!(exposed_sequences(&disk), [1, 2, 3], "the late write is not counted twice");
}

#[test]
fn a_hung_disk_ends_every_wait_with_late() {
    let (disk, clock, ledger) = prepared();
    let gate = Gate::closed();
    let hold = Arc::clone(&gate);
    disk.set_fault(
        move |operation| {
            if operation.kind == OperationKind::Sync { Fault::Wait(Arc::clone(&hold)) } else { Fault::None }
        },
    );
    let position = append_response(&ledger);
    gate.wait_for_arrival();
    clock.advance(Duration::from_secs(1));
    wait_until("the first log is given up", || {
        // The emergency log's write is out as soon as the first one's deadline was noticed.
        clock.advance(Duration::from_millis(100));
        ledger.health() == Health::Unhealthy
    });
    assert_eq!(ledger.wait_durable(position), Err(NotDurable::Late(Duration::from_secs(1))));
    assert_eq!(ledger.append(closed(77)), Err(NotDurable::Failed));
    gate.open();
    clock.advance(Duration::from_secs(2));
    wait_until("health", || ledger.health() != Health::Unhealthy);
    wait_until("the kept records", || ledger.is_durable(position));
}

#[test]
fn a_full_disk_is_noticed_and_survived() {
    let (disk, clock, ledger) = prepared();
    disk.set_bytes_max(Some(0));
    // Preallocated files take what comes until they are full; then nothing can be made.
    let mut last = Ok(());
    while last.is_ok() {
        let sequence = ledger.next_sequence();
        last = ledger.append(exposed(sequence)).and_then(|position| ledger.wait_durable(position));
    }
    assert_eq!(ledger.health(), Health::Unhealthy);
    disk.set_bytes_max(None);
    clock.advance(Duration::from_secs(2));
    wait_until("health", || ledger.health() == Health::Healthy);
    ledger.wait_durable(append_response(&ledger)).expect("becomes durable");
}
