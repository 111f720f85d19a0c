//! Appends with 128 in flight on a real disk, and the reading of a million sealed exposures:
//! `cargo run --release -p sekisho-ledger --example throughput -- DIR [ROWS]`. DIR must not exist.

use sekisho_ledger::{Filter, Ledger, Options, Reader, RealDisk};
use sekisho_model::*;
use sekisho_tlog::SigningKey;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

const IN_FLIGHT: usize = 128;
const RUN: Duration = Duration::from_secs(3);

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let dir = PathBuf::from(arguments.next().expect("usage: throughput DIR [ROWS]"));
    let rows = arguments.next().map_or(1_000_000, |rows| rows.to_string_lossy().parse().expect("a number of rows"));
    let key = SigningKey::from_seed("bench.example/1", &[1; 32]).expect("a good name");
    let (ledger, _) = Ledger::open(Options::new(&dir, key)).expect("opens");
    latency(&ledger);
    fill(&ledger, rows);
    ledger.close().expect("closes");
    read(&dir);
}

/// Two runtimes of one thread, as the gateway's workers; each task waits for its record before the next.
fn latency(ledger: &Ledger) {
    let started = Instant::now();
    let workers: Vec<_> =
        (0..2).map(|_| ledger.clone()).map(|ledger| std::thread::spawn(move || work(&ledger))).collect();
    let mut waits: Vec<Duration> = workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect();
    let seconds = started.elapsed().as_secs_f64();
    waits.sort();
    let (half, most) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
    println!(
        "{:.0} appends/s with {IN_FLIGHT} in flight; durable() p50 {half:?}, p99 {most:?}",
        waits.len() as f64 / seconds
    );
}

fn work(ledger: &Ledger) -> Vec<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("builds");
    let tasks = tokio::task::LocalSet::new();
    let until = Instant::now() + RUN;
    tasks.block_on(&runtime, async {
        let running: Vec<_> = (0..IN_FLIGHT / 2)
            .map(|_| {
                let ledger = ledger.clone();
                tokio::task::spawn_local(async move {
                    let mut waits = Vec::new();
                    while Instant::now() < until {
                        let started = Instant::now();
                        let position = ledger.append(exposed(ledger.next_sequence(), 1)).expect("is taken");
                        ledger.durable(position).await.expect("becomes durable");
                        waits.push(started.elapsed());
                    }
                    waits
                })
            })
            .collect();
        let mut waits = Vec::new();
        for task in running {
            waits.extend(task.await.expect("no panic"));
        }
        waits
    })
}

fn fill(ledger: &Ledger, rows: u64) {
    for _ in 0..rows / 10 {
        let sequence = ledger.next_sequence();
        let client = std::net::Ipv4Addr::from(0xC633_6400 | u32::try_from(sequence % 256).expect("small")).into();
        let transaction = Transaction {
            at: SystemClock::new().now(),
            client,
            client_key: [1; 16],
            session: Some(SessionKey([2; 16])),
            route: "/mypage".into(),
            method: "GET".into(),
            status: 200,
        };
        let opened = ledger.append(Record::Opened(Opened { sequence, transaction })).expect("is taken");
        let last = ledger.append(exposed(sequence, 10)).expect("is taken");
        if sequence.is_multiple_of(1000) {
            ledger.wait_durable(last.max(opened)).expect("becomes durable");
        }
        let closed = Closed {
            sequence,
            at: SystemClock::new().now(),
            transaction: None,
            inspection: Inspection::Inspected,
            disposition: Disposition::Released,
            body_bytes_released: 10_000,
        };
        ledger.append(Record::Closed(closed)).expect("is taken");
    }
}

fn exposed(sequence: u64, subjects: u32) -> Record {
    let first = u32::try_from(sequence % 100_000).expect("small");
    let exposure = |id| Exposure {
        subject: Subject { register: RegisterId(0), id: SubjectId(id) },
        fields: FieldSet(0b111),
        reflected: FieldSet::EMPTY,
    };
    let exposures = (first..first + subjects).map(exposure).collect();
    let span = ByteRange { start: 0, end: 10_000 };
    Record::Exposed(Exposed { sequence, at: SystemClock::new().now(), span, exposures, generic: Vec::new() })
}

fn read(dir: &std::path::Path) {
    let reader = Reader::open(dir, Arc::new(RealDisk)).expect("opens");
    let subject = Some(Subject { register: RegisterId(0), id: SubjectId(77) });
    let client = Some("198.51.100.7/32".parse().expect("a net"));
    for (name, filter) in [
        ("all findings", Filter::default()),
        ("one subject", Filter { subject, ..Filter::default() }),
        ("one client", Filter { client, ..Filter::default() }),
    ] {
        let started = Instant::now();
        let mut rows = 0u64;
        reader.findings(&filter, |_| rows += 1).expect("reads");
        println!("{name}: {rows} rows in {:?}", started.elapsed());
    }
}
