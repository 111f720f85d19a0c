//! Every sync of the ledger: what is lost without it, or why it stands all the same. One that is not listed fails the test.
//!
//! A place is a kind of file or directory that is synced. A scenario runs on a disk that leaves one place's syncs out, cuts the
//! power, and says what broke a stated guarantee; some schedule must. A panic or a wait that does not end is no proof, and
//! fails the test.

use crate::rig::*;
use crate::{crash, evidence, seal};
use sekisho_ledger::{Ledger, Options, append_query};
use sekisho_model::{Query, Record};
use sekisho_testkit::{Fault, Operation, OperationKind, SimDisk};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A run that is cut off; what broke is an error.
type Scenario = fn(&Arc<Watch>, u64) -> Result<(), String>;

/// Why a sync is there.
enum Proof {
    /// Without it the scenario says a loss, within so many schedules.
    Lost(Scenario, u64),
    /// No guarantee needs it.
    Stands(&'static str),
}
use Proof::{Lost, Stands};

/// Where the power is cut among the threads differs from run to run, so the search is wide; it ends at the first loss.
const WIDE: u64 = 5000;

const PLACES: &[(&str, Proof)] = &[
    ("a block of the log", Lost(log, WIDE)),
    ("a block of the emergency log", Lost(emergency, WIDE)),
    ("a block that recovery found", Lost(recovery, WIDE)),
    ("a question", Lost(question, WIDE)),
    ("the name of a questions' file", Lost(question, WIDE)),
    ("names of log files", Lost(log, WIDE)),
    ("names of emergency files", Lost(emergency, WIDE)),
    ("names in the ledger", Lost(log, WIDE)),
    ("the ledger's own name", Lost(log, WIDE)),
    ("the emergency log's own name elsewhere", Lost(emergency_elsewhere, WIDE)),
    ("the MANIFEST", Lost(log, WIDE)),
    ("a segment's file", Lost(sealing, WIDE)),
    ("names of segments' files", Lost(sealing, WIDE)),
    ("folders of segments", Lost(sealing, WIDE)),
    ("a tile", Lost(signing, WIDE)),
    ("names of tiles", Lost(signing, WIDE)),
    ("folders of tiles", Lost(signing, WIDE)),
    ("last-signed", Lost(signing, WIDE)),
    ("last-signed's name", Lost(signing, WIDE)),
    ("the published checkpoint", Lost(signing, WIDE)),
    ("the published checkpoint's name, and that of the tiles", Lost(signing, WIDE)),
    ("the copy of last-signed", Lost(signing, WIDE)),
    ("zeros of a new file", Stands("for speed: a block's own sync makes its bytes and the length durable")),
    (
        "the cut end of a finished file",
        Stands("so that a closed ledger has no zeros; zeros that come back are read as such"),
    ),
    ("the copy's name", Stands("a copy that is older after a cut is renewed, but tells less until then")),
];

/// What a scenario does with the disk at the moment.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Writing,
    /// The first log's syncs fail.
    Failing,
    /// A second process recovers what the first one left.
    Recovering,
    /// The command line records a question.
    Asking,
}

/// Names the place of each sync, and leaves one place out.
#[derive(Default)]
struct Watch {
    left_out: Option<&'static str>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// What was done last with a file.
    last: BTreeMap<PathBuf, OperationKind>,
    /// Files of the process before.
    found: BTreeSet<PathBuf>,
    seen: BTreeSet<&'static str>,
    unlisted: BTreeSet<String>,
}

impl Watch {
    fn disk(self: &Arc<Watch>) -> SimDisk {
        let (disk, watch) = (SimDisk::new(), Arc::clone(self));
        disk.set_fault(move |operation| watch.fault(operation));
        disk
    }

    fn phase(&self, phase: Phase) {
        let mut state = self.state.lock().expect("nobody panics");
        state.phase = phase;
        if phase == Phase::Recovering {
            state.found = state.last.keys().cloned().collect();
        }
    }

    fn fault(&self, operation: &Operation<'_>) -> Fault {
        let mut state = self.state.lock().expect("nobody panics");
        let is_sync = [OperationKind::Sync, OperationKind::SyncDirectory].contains(&operation.kind);
        let mut fault = Fault::None;
        if is_sync {
            match state.place(operation) {
                Some(place) => {
                    state.seen.insert(place);
                    if self.left_out == Some(place) {
                        fault = Fault::Skip;
                    }
                }
                None => _ = state.unlisted.insert(format!("{:?} {}", operation.kind, operation.path.display())),
            }
            let is_first_log = operation.kind == OperationKind::Sync && operation.path.starts_with("/ledger/wal");
            if state.phase == Phase::Failing && is_first_log {
                fault = Fault::Error(ErrorKind::Other);
            }
        }
        state.last.insert(operation.path.to_path_buf(), operation.kind);
        fault
    }
}

impl State {
    fn place(&self, operation: &Operation<'_>) -> Option<&'static str> {
        let path = operation.path;
        let name = path.to_str()?;
        if operation.kind == OperationKind::SyncDirectory { self.directory(path) } else { self.file(operation, name) }
    }

    fn file(&self, operation: &Operation<'_>, name: &str) -> Option<&'static str> {
        let is_log = name.starts_with("/ledger/wal/1-");
        let is_emergency = name.starts_with("/ledger/emergency/1-") || name.starts_with("/elsewhere/emergency/1-");
        if is_log || is_emergency {
            return Some(match self.last.get(operation.path) {
                _ if self.found.contains(operation.path) => "a block that recovery found",
                Some(OperationKind::SetLength) => "the cut end of a finished file",
                _ if operation.earlier == 0 => "zeros of a new file",
                _ if is_emergency => "a block of the emergency log",
                _ => "a block of the log",
            });
        }
        let files = [
            ("/ledger/wal/q-", "a question"),
            ("/ledger/MANIFEST.tmp", "the MANIFEST"),
            ("/ledger/segments/", "a segment's file"),
            ("/ledger/log/tile/", "a tile"),
            ("/ledger/state/last-signed.tmp", "last-signed"),
            ("/ledger/log/checkpoint.tmp", "the published checkpoint"),
            ("/keys/last-signed.tmp", "the copy of last-signed"),
        ];
        files.into_iter().find(|(begin, _)| name.starts_with(begin)).map(|(_, place)| place)
    }

    fn directory(&self, path: &Path) -> Option<&'static str> {
        let depth_below = |root: &str| path.strip_prefix(root).ok().map(|below| below.components().count());
        match path.to_str()? {
            "/" => return Some("the ledger's own name"),
            "/ledger" => return Some("names in the ledger"),
            "/ledger/wal" if self.phase == Phase::Asking => return Some("the name of a questions' file"),
            "/ledger/wal" => return Some("names of log files"),
            "/ledger/emergency" | "/elsewhere/emergency" => return Some("names of emergency files"),
            "/elsewhere" => return Some("the emergency log's own name elsewhere"),
            "/ledger/log" => return Some("the published checkpoint's name, and that of the tiles"),
            "/ledger/state" => return Some("last-signed's name"),
            "/keys" => return Some("the copy's name"),
            _ => {}
        }
        match (depth_below("/ledger/segments"), depth_below("/ledger/log/tile")) {
            (Some(3), _) => Some("names of segments' files"),
            (Some(0..3), _) => Some("folders of segments"),
            (_, Some(2)) => Some("names of tiles"),
            (_, Some(0..2)) => Some("folders of tiles"),
            _ => None,
        }
    }
}

fn log(watch: &Arc<Watch>, seed: u64) -> Result<(), String> {
    crash::crash_once(&watch.disk(), seed)
}

fn signing(watch: &Arc<Watch>, seed: u64) -> Result<(), String> {
    evidence::crash_once(&watch.disk(), seed)
}

fn sealing(watch: &Arc<Watch>, seed: u64) -> Result<(), String> {
    seal::crash_once(&watch.disk(), seed)
}

/// What was acknowledged must be there after a power cut.
fn holds(disk: &SimDisk, seed: u64, options: impl Fn(&SimDisk) -> Options, acknowledged: &[u64]) -> Result<(), String> {
    let after = disk.crash(seed);
    let (_ledger, _) = Ledger::open(options(&after)).map_err(|err| format!("does not open: {err}"))?;
    let found = read_exposed(&after)?;
    if found == acknowledged { Ok(()) } else { Err(format!("{acknowledged:?} were acknowledged, {found:?} recovered")) }
}

fn append(ledger: &Ledger) -> u64 {
    let sequence = ledger.next_sequence();
    ledger.wait_durable(ledger.append(exposed(sequence)).expect("is taken")).expect("becomes durable");
    sequence
}

fn emergency(watch: &Arc<Watch>, seed: u64) -> Result<(), String> {
    emergency_at(watch, seed, None)
}

fn emergency_elsewhere(watch: &Arc<Watch>, seed: u64) -> Result<(), String> {
    emergency_at(watch, seed, Some("/elsewhere/emergency"))
}

/// The first log fails, and the emergency log takes what comes.
fn emergency_at(watch: &Arc<Watch>, seed: u64, dir: Option<&str>) -> Result<(), String> {
    let (disk, clock) = (watch.disk(), clock());
    let options = |disk: &SimDisk| Options { emergency_dir: dir.map(PathBuf::from), ..options(disk, &clock) };
    let (ledger, _) = Ledger::open(options(&disk)).expect("opens");
    let first = append(&ledger);
    watch.phase(Phase::Failing);
    let second = append(&ledger);
    holds(&disk, seed, options, &[first, second])
}

/// The first process was killed before the disk had its blocks; the second builds on them.
fn recovery(watch: &Arc<Watch>, seed: u64) -> Result<(), String> {
    let (disk, clock) = (SimDisk::new(), clock());
    let lies = Arc::clone(watch);
    disk.set_fault(move |operation| {
        let fault = lies.fault(operation);
        let is_block = operation.kind == OperationKind::Sync && operation.path.starts_with("/ledger/wal");
        if is_block { Fault::Skip } else { fault }
    });
    let (first, _) = open(&disk, &clock);
    let before = append(&first);
    first.close().expect("closes");
    let watched = Arc::clone(watch);
    disk.set_fault(move |operation| watched.fault(operation));
    watch.phase(Phase::Recovering);
    let (second, _) = open(&disk, &clock);
    let then = append(&second);
    holds(&disk, seed, |disk| options(disk, &clock), &[before, then])
}

/// The command line records a question, and says so.
fn question(watch: &Arc<Watch>, seed: u64) -> Result<(), String> {
    let (disk, clock) = (watch.disk(), clock());
    open(&disk, &clock).0.close().expect("closes");
    watch.phase(Phase::Asking);
    let query = Query { at: T0, operator: "sato".into(), question: "all".into(), persons: 1 };
    append_query(Path::new(DIR), &disk, &*clock, query).expect("is recorded");
    let after = disk.crash(seed);
    let is_there = records(&after).iter().any(|record| matches!(record, Record::Query(_)));
    if is_there { Ok(()) } else { Err("the question is not there".to_owned()) }
}

#[test]
fn led_1_led_2_led_3_every_sync_is_listed() {
    let (mut seen, mut unlisted) = (BTreeSet::new(), BTreeSet::new());
    for scenario in [log, signing, sealing, emergency, emergency_elsewhere, recovery, question] as [Scenario; 7] {
        for seed in (0..200).step_by(20) {
            let watch = Arc::new(Watch::default());
            scenario(&watch, seed).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
            let state = watch.state.lock().expect("nobody panics");
            seen.extend(state.seen.iter().copied());
            unlisted.extend(state.unlisted.iter().cloned());
        }
    }
    assert!(unlisted.is_empty(), "not listed: {unlisted:?}");
    assert_eq!(
        seen,
        PLACES.iter().map(|(place, _)| *place).collect(),
        "places that are listed and places that are synced"
    );
}

#[test]
fn led_1_led_2_led_3_every_sync_is_needed_or_says_why_it_stands() {
    for (place, proof) in PLACES {
        match proof {
            Stands(why) => assert!(!why.is_empty()),
            Lost(scenario, schedules) => {
                let left_out = || Arc::new(Watch { left_out: Some(place), ..Watch::default() });
                let is_lost = (0..*schedules).any(|seed| scenario(&left_out(), seed).is_err());
                assert!(is_lost, "no schedule loses anything without the sync of {place}");
            }
        }
    }
}
