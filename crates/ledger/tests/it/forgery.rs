//! Somebody who can write the ledger's directory, and has no key, changes it: verification says so, and no writer signs it.

use crate::rig::*;
use sekisho_ledger::manifest::{Manifest, Segment};
use sekisho_ledger::{Error, Given, Ledger, Options, SealOnClose, append_query, verify, verify_given};
use sekisho_model::disk::{Disk, Open};
use sekisho_model::{Query, SourceId, Timestamp};
use sekisho_testkit::{SimClock, SimDisk};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const MANIFEST: &str = "/ledger/MANIFEST";
const COPY: &str = "/keys/last-signed";

/// A gateway that was killed after it had recorded two exposures and signed them.
fn signed_then_killed() -> SimDisk {
    let (disk, clock) = (SimDisk::new(), clock());
    let (ledger, _) = open(&disk, &clock);
    append_response(&ledger);
    ledger.wait_durable(append_response(&ledger)).expect("becomes durable");
    clock.advance(Duration::from_secs(5));
    wait_until("the signature", || {
        verify(&disk, Path::new(DIR), Some(&vkey())).is_ok_and(|report| report.unsigned == 0)
    });
    disk.copy()
}

/// A ledger in which nothing happened, in one segment.
fn empty_segment() -> (SimDisk, Segment) {
    let disk = SimDisk::new();
    let options = Options { seal_on_close: SealOnClose::Yes, ..options(&disk, &clock()) };
    Ledger::open(options).expect("opens").0.close().expect("closes");
    let segment = manifest(&disk).segments.pop().expect("a segment");
    (disk, segment)
}

fn manifest(disk: &SimDisk) -> Manifest {
    Manifest::parse(&disk.bytes(Path::new(MANIFEST)).expect("is there")).expect("parses")
}

/// The blocks that the last signed entry commits to, and the last one's hash in hex.
fn last_signed_run(disk: &SimDisk) -> (u64, String) {
    let is_bundle = |path: &&PathBuf| path.starts_with("/ledger/log/tile/entries");
    let widest = disk.files().iter().filter(is_bundle).filter_map(|path| disk.bytes(path)).max_by_key(Vec::len);
    let text = String::from_utf8_lossy(&widest.expect("entries")).into_owned();
    let last = |name: &str| text.lines().rev().find_map(|line| line.strip_prefix(name)).expect("a line").to_owned();
    let block_last = last("blocks ").split(' ').nth(1).expect("two numbers").parse().expect("a number");
    (block_last, last("head "))
}

fn remove_below(disk: &SimDisk, dirs: &[&str]) {
    for path in disk.files() {
        if dirs.iter().any(|dir| path.starts_with(dir)) {
            disk.remove(&path).expect("removes");
        }
    }
}

/// Puts a foreign segment in the place of the gateway's blocks.
fn forge(disk: &SimDisk, change: impl FnOnce(&mut Segment)) {
    let (other, mut segment) = empty_segment();
    for file in &segment.files {
        let path = Path::new(DIR).join(&file.path);
        let bytes = other.bytes(&path).expect("is there");
        disk.create_dir_all(path.parent().expect("a folder")).expect("makes");
        disk.open(&path, Open::Create).expect("makes").write_all_at(&bytes, 0).expect("writes");
    }
    change(&mut segment);
    let mut forged = manifest(disk);
    forged.segments.push(segment);
    disk.tamper(Path::new(MANIFEST), |bytes| *bytes = forged.to_bytes());
}

/// It is no whole ledger, and nobody who opens it makes it one. What was said is returned.
fn is_refused(disk: &SimDisk) -> (String, Error) {
    let told = verify(disk, Path::new(DIR), Some(&vkey())).expect_err("is not whole").to_string();
    verify(disk, Path::new(DIR), None).expect_err("is not whole with the ledger's own key");
    let err = Ledger::open(options(disk, &clock())).expect_err("is not gone on with");
    verify(disk, Path::new(DIR), Some(&vkey())).expect_err("is not whole after that either");
    (told, err)
}

#[test]
fn led_3_a_segment_that_nobody_signed_does_not_excuse_missing_blocks() {
    let killed = signed_then_killed();
    let (block_last, head) = last_signed_run(&killed);
    let exact = |segment: &mut Segment| (segment.block_last, segment.block_last_hash) = (block_last, head.clone());
    let beyond = |segment: &mut Segment| {
        (segment.block_last, segment.block_last_hash, segment.position_next) = (1_000_000, "00".repeat(32), 10_000_000);
    };
    for change in [&exact as &dyn Fn(&mut Segment), &beyond] {
        for blocks in ["removed", "left"] {
            let disk = killed.copy();
            forge(&disk, change);
            if blocks == "removed" {
                remove_below(&disk, &["/ledger/wal", "/ledger/emergency"]);
            }
            let (told, err) = is_refused(&disk);
            assert!(told.contains("MANIFEST") && told.contains("no signed entry"), "{told}");
            assert!(err.to_string().contains("segment 1 has no signed entry"), "{err}");
        }
    }
}

#[test]
fn led_3_a_segment_that_was_changed_after_it_was_signed_is_not_gone_on_with() {
    let (disk, _) = empty_segment();
    let change = |change: &dyn Fn(&mut Segment)| {
        let (changed, mut forged) = (disk.copy(), manifest(&disk));
        change(&mut forged.segments[0]);
        changed.tamper(Path::new(MANIFEST), |bytes| *bytes = forged.to_bytes());
        let (told, err) = is_refused(&changed);
        assert!(told.contains("not as it was signed") && err.to_string().contains("not as it was signed"), "{told}");
    };
    change(&|segment| segment.sequence_next = segment.sequence_next.map(|next| next + 5));
    change(&|segment| segment.sequence_next = None);
    change(&|segment| segment.files[0].sha256 = "00".repeat(32));
    change(&|segment| segment.to = T0.after(Duration::from_hours(1)));
}

#[test]
fn led_3_blocks_that_were_made_anew_are_not_signed_in_place_of_the_signed_ones() {
    // As many blocks, with sound checksums and a sound chain, of another day.
    let (disk, other) = (signed_then_killed(), SimDisk::new());
    let (ledger, _) = open(&other, &clock());
    for _ in 0..9 {
        let sequence = ledger.next_sequence();
        ledger.wait_durable(ledger.append(closed(sequence)).expect("is taken")).expect("becomes durable");
    }
    remove_below(&disk, &["/ledger/wal", "/ledger/emergency"]);
    for path in wal_files(&other) {
        let bytes = other.bytes(&path).expect("is there");
        disk.open(&path, Open::Create).expect("makes").write_all_at(&bytes, 0).expect("writes");
    }
    let (_, err) = is_refused(&disk);
    assert!(err.to_string().contains("not the one that was signed"), "{err}");
}

#[test]
fn led_3_blocks_that_were_made_anew_while_their_writer_runs_are_not_sealed() {
    let write = |began: Timestamp| {
        let (disk, clock) = (SimDisk::new(), Arc::new(SimClock::at(began)));
        let options = Options { seal_on_close: SealOnClose::Yes, ..options(&disk, &clock) };
        let (ledger, _) = Ledger::open(options).expect("opens");
        for _ in 0..3 {
            let position = ledger.append(exposed(ledger.next_sequence())).expect("is taken");
            ledger.wait_durable(position).expect("becomes durable");
        }
        (disk, ledger)
    };
    // The same blocks, sound and of the same lengths, of another second.
    let ((disk, ledger), (other, _other_ledger)) = (write(T0), write(T0.after(Duration::from_secs(1))));
    let has_blocks = |path: &&PathBuf| other.bytes(path).is_some_and(|bytes| bytes.starts_with(b"SKWB"));
    let written = wal_files(&other).iter().find(has_blocks).expect("a file with blocks").clone();
    let theirs = other.bytes(&written).expect("is there");
    let path =
        wal_files(&disk).into_iter().find(|path| disk.bytes(path).is_some_and(|bytes| bytes.starts_with(b"SKWB")));
    disk.tamper(&path.expect("a file with blocks"), |bytes| *bytes = theirs);
    let err = ledger.close().expect_err("is not what was committed");
    // The next block of the writer, its last heartbeat, does not continue them.
    assert!(matches!(err, Error::Corrupt { .. }), "{err}");
    assert_eq!(manifest(&disk).segments, []);
    verify(&disk, Path::new(DIR), Some(&vkey())).expect_err("is not whole");
}

#[test]
fn led_3_a_ledger_that_tells_something_and_of_which_nothing_is_signed_is_not_whole() {
    let killed = signed_then_killed();
    remove_below(&killed, &["/ledger/log", "/ledger/state"]);
    let (told, err) = is_refused(&killed);
    assert!(told.contains("nothing is signed"), "{told}");
    assert!(matches!(err, Error::NothingSigned { .. }) && err.to_string().contains("from a copy"), "{err}");

    let (sealed, _) = empty_segment();
    remove_below(&sealed, &["/ledger/log", "/ledger/state"]);
    let (told, _) = is_refused(&sealed);
    assert!(told.contains("no signed entry"), "{told}");

    let without_state = signed_then_killed();
    remove_below(&without_state, &["/ledger/state"]);
    assert!(matches!(is_refused(&without_state).1, Error::NothingSigned { .. }));
}

#[test]
fn led_3_blocks_of_a_source_of_which_nothing_is_signed_are_none_of_the_ledgers() {
    // Somebody wants the ledger to tell of exposures that never were.
    let (disk, other) = (signed_then_killed(), SimDisk::new());
    let another = Options { source: SourceId(2), ..options(&other, &clock()) };
    let (ledger, _) = Ledger::open(another).expect("opens");
    ledger.wait_durable(append_response(&ledger)).expect("becomes durable");
    for written in wal_files(&other).into_iter().filter(|path| path.starts_with("/ledger/wal")) {
        let bytes = other.bytes(&written).expect("is there");
        disk.open(&written, Open::Create).expect("makes").write_all_at(&bytes, 0).expect("writes");
    }
    let (told, err) = is_refused(&disk);
    assert!(told.contains("source 2") && err.to_string().contains("source 2"), "{told}; {err}");
}

#[test]
fn a_ledger_verifies_while_it_is_written_signed_and_sealed() {
    let (disk, clock) = (SimDisk::new(), clock());
    // The clock runs ahead of the disk, which is not late for that.
    let sync_deadline = Duration::from_hours(1);
    let options = Options { seal_after_records: 20, sync_deadline, ..options(&disk, &clock) };
    let (ledger, _) = Ledger::open(options).expect("opens");
    let check = || verify(&disk, Path::new(DIR), Some(&vkey())).unwrap_or_else(|told| panic!("{told}"));
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            while manifest(&disk).segments.len() < 4 {
                ledger.wait_durable(append_response(&ledger)).expect("becomes durable");
                clock.advance(Duration::from_secs(1));
            }
        });
        while !writing.is_finished() {
            check();
        }
    });
    ledger.close().expect("closes");
    assert!(check().segments >= 4);
}

#[test]
fn led_3_a_published_checkpoint_is_missed_and_published_again() {
    let disk = signed_then_killed();
    remove_below(&disk, &["/ledger/log/checkpoint"]);
    let told = verify(&disk, Path::new(DIR), Some(&vkey())).expect_err("is missed").to_string();
    assert!(told.contains("log/checkpoint"), "{told}");
    open(&disk, &clock()).0.close().expect("closes");
    verify(&disk, Path::new(DIR), Some(&vkey())).expect("is whole again");
}

#[test]
fn led_3_an_older_published_checkpoint_is_a_difference() {
    let disk = signed_then_killed();
    let published = Path::new("/ledger/log/checkpoint");
    let older = disk.bytes(published).expect("is there");
    for _ in 0..2 {
        open(&disk, &clock()).0.close().expect("closes");
    }
    disk.tamper(published, |bytes| *bytes = older);
    let told = verify(&disk, Path::new(DIR), Some(&vkey())).expect_err("is no crash's work").to_string();
    assert!(told.contains("which was signed last"), "{told}");
}

/// Runs, seals and asks until the process is killed after so many operations on the disk.
fn killed_after(operations: u64) -> (SimDisk, bool) {
    let (disk, clock) = (SimDisk::new(), clock());
    disk.power_off_after(operations);
    let options = || Options { seal_on_close: SealOnClose::Yes, seal_after_records: 20, ..options(&disk, &clock) };
    let is_open = match Ledger::open(options()) {
        Err(_) => false,
        Ok((ledger, _)) => {
            for _ in 0..12 {
                let Ok(position) = ledger.append(exposed(ledger.next_sequence())) else { break };
                if ledger.wait_durable(position).is_err() {
                    break;
                }
                clock.advance(Duration::from_secs(5));
            }
            let _ = ledger.close();
            true
        }
    };
    (disk, is_open)
}

#[test]
fn led_3_a_kill_or_a_power_cut_anywhere_leaves_a_whole_ledger() {
    let mut begun_only = 0;
    for operations in 0..260 {
        let (disk, is_open) = killed_after(operations);
        for left in [disk.copy(), disk.crash(operations)] {
            if !left.exists(Path::new(MANIFEST)) {
                assert!(!is_open, "a ledger that takes records has a MANIFEST");
                continue;
            }
            let check = |when: &str| {
                verify(&left, Path::new(DIR), Some(&vkey()))
                    .unwrap_or_else(|told| panic!("{operations} operations, {when}: {told}"))
            };
            let report = check("as it was left");
            begun_only += u32::from(report.entries == 0 && report.blocks > 0);
            let opened = Ledger::open(options(&left, &clock())).unwrap_or_else(|err| panic!("{operations}: {err}"));
            opened.0.close().unwrap_or_else(|err| panic!("{operations}: {err}"));
            assert!(check("after it was opened again").entries > 0);
        }
    }
    assert!(begun_only > 0, "killed between the first block and the first signature");
}

/// A ledger after one run and after two more, with the copies of what was signed last.
fn grown_with_copies() -> (SimDisk, SimDisk) {
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new("/keys")).expect("makes");
    let run = || {
        let (ledger, _) = Ledger::open(with_copy(&disk)).expect("opens");
        ledger.wait_durable(append_response(&ledger)).expect("becomes durable");
        ledger.close().expect("closes");
    };
    run();
    let earlier = disk.copy();
    run();
    run();
    (earlier, disk)
}

fn with_copy(disk: &SimDisk) -> Options {
    Options { last_signed_copy: Some(COPY.into()), ..options(disk, &clock()) }
}

#[test]
fn led_3_a_ledger_that_was_set_back_is_told_by_a_checkpoint_that_was_kept() {
    let (earlier, later) = grown_with_copies();
    let checkpoint = |disk: &SimDisk| disk.bytes(Path::new("/ledger/log/checkpoint")).expect("is there");
    let check = |disk: &SimDisk, kept: &[u8]| {
        let key = vkey();
        let given = Given { key: Some(&key), since: Some((Path::new("kept"), kept)) };
        verify_given(disk, Path::new(DIR), &given).map_err(|told| told.to_string())
    };
    check(&later, &checkpoint(&earlier)).expect("goes on from it");
    check(&later, &checkpoint(&later)).expect("is the same");
    let told = check(&earlier, &checkpoint(&later)).expect_err("is older");
    assert!(told.contains("`kept`") && told.contains("was set back"), "{told}");
    verify(&earlier, Path::new(DIR), Some(&vkey())).expect("nothing else tells it");

    // Gone on with, the earlier copy has entries of its own.
    for _ in 0..4 {
        open(&earlier, &clock()).0.close().expect("closes");
    }
    let told = check(&earlier, &checkpoint(&later)).expect_err("has another past");
    assert!(told.contains("is another one"), "{told}");
    let mut changed = checkpoint(&later);
    changed[40] ^= 1;
    assert!(check(&later, &changed).expect_err("is not signed").starts_with("`kept`"));
}

#[test]
fn led_3_a_ledger_that_was_set_back_is_not_opened_where_a_copy_tells() {
    let (earlier, later) = grown_with_copies();
    let newest = later.bytes(Path::new(COPY)).expect("is kept");
    assert_eq!(Some(&newest), later.bytes(Path::new("/ledger/state/last-signed")).as_ref());

    let set_back = earlier.copy();
    set_back.tamper(Path::new(COPY), |bytes| *bytes = newest.clone());
    let err = Ledger::open(with_copy(&set_back)).expect_err("is older than the copy");
    let Error::SetBack { found, expected, .. } = err else { panic!("{err}") };
    assert!(found < expected && err.to_string().contains(COPY), "{err}");

    let another = earlier.copy();
    for _ in 0..4 {
        open(&another, &clock()).0.close().expect("closes");
    }
    another.tamper(Path::new(COPY), |bytes| *bytes = newest.clone());
    let err = Ledger::open(with_copy(&another)).expect_err("is another one");
    assert!(matches!(err, Error::AnotherLog { .. }), "{err}");

    let emptied = SimDisk::new();
    emptied.create_dir_all(Path::new("/keys")).expect("makes");
    emptied.open(Path::new(COPY), Open::Create).expect("makes").write_all_at(&newest, 0).expect("writes");
    let err = Ledger::open(with_copy(&emptied)).expect_err("is empty");
    assert!(matches!(err, Error::SetBack { found: 0, .. }), "{err}");
}

#[test]
fn a_copy_that_is_older_or_missing_is_renewed_and_one_that_cannot_be_written_holds_up_nothing() {
    let (earlier, later) = grown_with_copies();
    let older = earlier.bytes(Path::new(COPY)).expect("is kept");
    let is_renewed = |disk: &SimDisk| {
        Ledger::open(with_copy(disk)).expect("opens").0.close().expect("closes");
        assert_eq!(disk.bytes(Path::new(COPY)), disk.bytes(Path::new("/ledger/state/last-signed")));
    };
    later.tamper(Path::new(COPY), |bytes| *bytes = older);
    is_renewed(&later);
    later.remove(Path::new(COPY)).expect("removes");
    is_renewed(&later);
    let nowhere = Options { last_signed_copy: Some("/nowhere/last-signed".into()), ..options(&later, &clock()) };
    Ledger::open(nowhere).expect("opens").0.close().expect("closes");
    verify(&later, Path::new(DIR), Some(&vkey())).expect("is signed all the same");
    let inside = Options { last_signed_copy: Some("/ledger/copy".into()), ..options(&later, &clock()) };
    assert!(matches!(Ledger::open(inside), Err(Error::Option { option: "last_signed_copy", .. })));
}

#[test]
fn led_5_questions_asked_while_no_gateway_runs_are_told_and_signed_when_the_next_one_starts() {
    let disk = signed_then_killed();
    let question = |text: &str| Query { at: T0, operator: "sato".into(), question: text.into(), persons: 0 };
    for text in ["all", "all of yesterday"] {
        append_query(Path::new(DIR), &disk, &*clock(), question(text)).expect("is recorded");
    }
    let check = |disk: &SimDisk| verify(disk, Path::new(DIR), Some(&vkey()));
    assert_eq!(check(&disk).expect("is whole").questions_unsigned, 2);
    let file = Path::new("/ledger/wal/q-000001.wal");
    let length = disk.bytes(file).expect("is there").len();
    for at in 0..length {
        let changed = disk.copy();
        changed.tamper(file, |bytes| bytes[at] ^= 0x20);
        let told = check(&changed).expect_err("a changed question is no torn end").to_string();
        assert!(told.contains("q-000001.wal"), "byte {at}: {told}");
    }
    open(&disk, &clock()).0.close().expect("closes");
    assert_eq!(check(&disk).expect("is whole").questions_unsigned, 0);
    disk.remove(file).expect("removes");
    check(&disk).expect_err("was signed");
}
