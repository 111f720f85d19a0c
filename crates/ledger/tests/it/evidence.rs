//! The Merkle log, its checkpoints, and verification.

use crate::rig::*;
use sekisho_ledger::{Ledger, Options, append_query, verify};
use sekisho_model::Query;
use sekisho_model::disk::{Disk, Open};
use sekisho_testkit::SimDisk;
use sekisho_tlog::{Checkpoint, SigningKey};
use std::path::Path;
use std::time::Duration;

const CHECKPOINT: &str = "/ledger/log/checkpoint";
const LAST_SIGNED: &str = "/ledger/state/last-signed";

fn checkpoint(disk: &SimDisk, path: &str) -> Option<Checkpoint> {
    disk.bytes(Path::new(path)).map(|note| Checkpoint::open(&note, &vkey()).expect("a published checkpoint verifies"))
}

/// A closed ledger of two runs, with several files, entries and a question.
fn closed_ledger() -> SimDisk {
    let disk = SimDisk::new();
    for _ in 0..2 {
        let clock = clock();
        let (ledger, _) = open(&disk, &clock);
        for step in 0..6 {
            for _ in 0..20 {
                ledger.wait_durable(append_response(&ledger)).expect("becomes durable");
            }
            let before = checkpoint(&disk, CHECKPOINT).map_or(0, |checkpoint| checkpoint.size);
            clock.advance(Duration::from_secs(5));
            wait_until("a checkpoint", || {
                checkpoint(&disk, CHECKPOINT).map_or(0, |checkpoint| checkpoint.size) > before
            });
            if step == 3 {
                let query = Query { at: T0, operator: "sato".into(), question: "all".into(), persons: 1 };
                append_query(Path::new(DIR), &disk, &*clock, query).expect("is recorded");
            }
        }
        ledger.close().expect("closes");
    }
    disk
}

#[test]
fn a_closed_ledger_verifies_and_everything_in_it_is_signed() {
    let disk = closed_ledger();
    let report = verify(&disk, Path::new(DIR), Some(&vkey())).expect("verifies");
    assert!(report.entries > 10 && report.blocks > 10 && report.segments > 0, "{report:?}");
    assert_eq!((report.unsigned, report.torn.len(), report.key_given), (0, 0, true));
    let other = SigningKey::from_seed("ledger.example/1", &[8; 32]).expect("a good name");
    verify(&disk, Path::new(DIR), Some(&verifying(&other))).expect_err("signed by another key");
}

#[test]
fn a_seal_that_did_not_end_leaves_a_whole_ledger_and_a_stranger_does_not() {
    let disk = closed_ledger();
    let next = verify(&disk, Path::new(DIR), None).expect("verifies").segments + 1;
    let folder = Path::new(DIR).join("segments/2017/07/13");
    disk.create_dir_all(&folder).expect("a folder");
    let place = |name: String| drop(disk.open(&folder.join(name), Open::Create).expect("a file"));
    place(format!("{next:06}.parquet"));
    verify(&disk, Path::new(DIR), None).expect("the next segment's number, which no MANIFEST names yet");
    place(format!("{:06}.parquet", next + 1));
    let told = verify(&disk, Path::new(DIR), None).expect_err("nobody of the ledger's wrote that");
    assert!(told.to_string().contains("none of the ledger's"), "{told}");
}

#[test]
fn led_3_tiles_that_a_kill_left_unsigned_are_gone_before_the_log_goes_on() {
    let disk = closed_ledger();
    let size = checkpoint(&disk, CHECKPOINT).expect("a checkpoint").size;
    // Further than the next run comes, so that it is not written over by chance.
    let width = size + 60;
    assert!(width < 256, "all entries are in the first tile");
    let folder = Path::new(DIR).join("log/tile/0/000.p");
    let unsigned = folder.join(width.to_string());
    let signed = disk.bytes(&folder.join(size.to_string())).expect("the signed tile");
    let file = disk.open(&unsigned, Open::Create).expect("a file");
    file.write_all_at(&[&signed[..], &[7; 60 * 32]].concat(), 0).expect("written");
    verify(&disk, Path::new(DIR), Some(&vkey())).expect("what was never signed changes nothing");
    let (ledger, _) = open(&disk, &clock());
    assert!(!disk.exists(&unsigned), "a later log of that width would differ from it");
    ledger.wait_durable(append_response(&ledger)).expect("becomes durable");
    ledger.close().expect("closes");
    verify(&disk, Path::new(DIR), Some(&vkey())).expect("verifies");
}

#[test]
fn a_flipped_byte_anywhere_is_found_and_named() {
    let disk = closed_ledger();
    for file in disk.files() {
        let length = disk.bytes(&file).expect("is there").len();
        for at in (0..length).step_by(length / 40 + 1).chain(length.checked_sub(1)) {
            let changed = disk.copy();
            changed.tamper(&file, |bytes| bytes[at] ^= 0x20);
            let found = verify(&changed, Path::new(DIR), Some(&vkey()));
            assert!(found.is_err(), "byte {at} of `{}`", file.display());
        }
    }
}

#[test]
fn a_removed_file_is_found() {
    use sekisho_model::disk::Disk as _;
    let disk = closed_ledger();
    for file in disk.files() {
        let changed = disk.copy();
        changed.remove(&file).expect("removes");
        // Smaller partial tiles are copies of what the rest implies.
        let is_copy = file.to_string_lossy().contains(".p/");
        let found = verify(&changed, Path::new(DIR), Some(&vkey()));
        assert!(found.is_err() || is_copy, "`{}`", file.display());
    }
}

#[test]
fn a_ledger_restored_from_an_old_copy_is_not_signed_again() {
    let disk = closed_ledger();
    let old = SimDisk::new();
    let (ledger, _) = open(&old, &clock());
    ledger.close().expect("closes");
    for name in [CHECKPOINT, LAST_SIGNED] {
        let newer = disk.bytes(Path::new(name)).expect("was signed");
        old.tamper(Path::new(name), |bytes| *bytes = newer);
    }
    drop(ledger);
    Ledger::open(options(&old, &clock())).expect_err("the log is shorter than what was signed");
}

/// The size of the published checkpoint, or what is wrong with it.
fn published(disk: &SimDisk) -> Result<u64, String> {
    let Some(note) = disk.bytes(Path::new(CHECKPOINT)) else { return Ok(0) };
    let opened = Checkpoint::open(&note, &vkey());
    opened.map(|checkpoint| checkpoint.size).map_err(|err| format!("what was published: {err}"))
}

/// Runs with checkpoints until the power is cut, and says what breaks LED-3.
pub(crate) fn crash_once(disk: &SimDisk, seed: u64) -> Result<(), String> {
    let keys = Path::new("/keys");
    disk.create_dir_all(keys).expect("makes");
    disk.sync_dir(Path::new("/")).expect("syncs");
    disk.power_off_after(40 + seed % 160);
    let options = |disk, clock| Options { last_signed_copy: Some(keys.join("last-signed")), ..options(disk, clock) };
    let first_clock = clock();
    let mut seen = 0;
    if let Ok((ledger, _)) = Ledger::open(options(disk, &first_clock)) {
        for _ in 0..12 {
            let Ok(position) = ledger.append(exposed(ledger.next_sequence())) else { break };
            if ledger.wait_durable(position).is_err() {
                break;
            }
            first_clock.advance(Duration::from_secs(5));
            seen = seen.max(published(disk)?);
            std::thread::yield_now();
        }
        // The keeper signs what is durable, until its disk is gone.
        let _ = ledger.close();
        seen = seen.max(published(disk)?);
    }
    let after = disk.crash(seed);
    if after.exists(Path::new("/ledger/MANIFEST")) {
        verify(&after, Path::new(DIR), Some(&vkey())).map_err(|told| format!("after the cut: {told}"))?;
    }
    let clock = clock();
    let (ledger, _) = Ledger::open(options(&after, &clock)).map_err(|err| format!("does not open: {err}"))?;
    let size = published(&after)?;
    if size < seen {
        return Err(format!("the checkpoint went back from {seen} to {size}"));
    }
    close_after_crash(&ledger)?;
    verify(&after, Path::new(DIR), Some(&vkey())).map_err(|told| told.to_string())?;
    Ok(())
}

#[test]
fn led_3_a_published_checkpoint_verifies_and_never_goes_back() {
    for seed in 0..200 {
        crash_once(&SimDisk::new(), seed).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
}
