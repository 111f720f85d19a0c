//! Power cuts at arbitrary moments, by seed.

use crate::rig::*;
use sekisho_ledger::{Error, Ledger};
use sekisho_testkit::{Fault, OperationKind, SimDisk};

/// Schedules that a crash test runs through.
const SEEDS: u64 = 300;

/// Writes responses until the power is cut after `operations`; returns the sequences appended in order, and how
/// many of them were acknowledged.
fn run_until_power_cut(disk: &SimDisk, operations: u64) -> (Vec<u64>, usize) {
    let clock = clock();
    disk.power_off_after(operations);
    let (mut appended, mut acknowledged) = (Vec::new(), 0);
    let Ok((ledger, _)) = Ledger::open(options(disk, &clock)) else { return (appended, 0) };
    for _ in 0..40 {
        let sequence = ledger.next_sequence();
        if ledger.append(opened(sequence)).is_err() {
            break;
        }
        let Ok(position) = ledger.append(exposed(sequence)) else { break };
        appended.push(sequence);
        // Every third one is waited for, so that blocks hold several records.
        if sequence.is_multiple_of(3) {
            if ledger.wait_durable(position).is_err() {
                break;
            }
            acknowledged = appended.len();
        }
    }
    (appended, acknowledged)
}

/// Runs a schedule, and says what was lost or invented.
pub(crate) fn crash_once(disk: &SimDisk, seed: u64) -> Result<(), String> {
    let (appended, acknowledged) = run_until_power_cut(disk, 20 + seed % 140);
    let after = disk.crash(seed);
    let clock = clock();
    let (ledger, recovery) = Ledger::open(options(&after, &clock)).map_err(|err| format!("does not open: {err}"))?;
    let found = read_exposed(&after)?;
    if !appended.starts_with(&found) {
        return Err(format!("{found:?} is no prefix of {appended:?}"));
    }
    if found.len() < acknowledged {
        return Err(format!("{acknowledged} were acknowledged, {} recovered", found.len()));
    }
    if appended.iter().any(|sequence| *sequence >= recovery.sequence_first) && !found.is_empty() {
        return Err("a sequence number would repeat".into());
    }
    drop(ledger);
    Ok(())
}

#[test]
fn led_1_led_2_recovery_is_a_prefix_with_every_acknowledged_record() {
    for seed in 0..SEEDS {
        crash_once(&SimDisk::new(), seed).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
}

#[test]
fn led_2_a_second_crash_during_recovery_loses_nothing() {
    for seed in 0..SEEDS / 3 {
        let disk = SimDisk::new();
        let (appended, acknowledged) = run_until_power_cut(&disk, 30 + seed % 100);
        let second = disk.crash(seed);
        second.power_off_after(seed % 23);
        let _ = Ledger::open(options(&second, &clock()));
        let third = second.crash(seed + 1);
        let _ledger = Ledger::open(options(&third, &clock())).unwrap_or_else(|err| panic!("seed {seed}: {err}"));
        let found = exposed_sequences(&third);
        assert!(appended.starts_with(&found) && found.len() >= acknowledged, "seed {seed}");
    }
}

#[test]
fn led_2_what_a_killed_process_left_in_the_cache_is_synced_before_it_is_built_on() {
    // The first process says that it synced and did not; it is killed, not the machine. The next one finds its
    // blocks, goes on, and acknowledges; then the power is cut.
    for seed in 0..100 {
        let disk = SimDisk::new();
        disk.set_fault(|operation| {
            if operation.kind == OperationKind::Sync && operation.path.starts_with("/ledger/wal") {
                Fault::Skip
            } else {
                Fault::None
            }
        });
        let (first, _) = open(&disk, &clock());
        first.wait_durable(append_response(&first)).expect("says so");
        first.close().expect("closes");
        drop(first);
        disk.clear_fault();
        let (second, _) = open(&disk, &clock());
        second.wait_durable(append_response(&second)).expect("is durable");
        let after = disk.crash(seed);
        match Ledger::open(options(&after, &clock())) {
            Ok(_) => assert_eq!(exposed_sequences(&after).len(), 2, "seed {seed}"),
            Err(err @ Error::Corrupt { .. }) => panic!("seed {seed}: {err}"),
            Err(err) => panic!("seed {seed}: {err}"),
        }
    }
}
