//! `cargo xtask bench proxy`: Sekisho beside nginx as plain proxy, in one run on one machine. `scope` is a benchmark
//! of its own.
//!
//! One worker each, 64 keep-alive connections, no compression, no access log, rounds in turn. CPU is that of the
//! proxy's processes only, by /proc; latencies are wrk's. Each round loads twice: as fast as answers come, which shows CPU and
//! throughput and makes latency a measure of both; and with pauses, so that both proxies get the same requests a second and have
//! time to spare, as a site has on most days. Read `run` for the cases, `servers` for what is started, `report` for what is
//! printed.

mod idle;
mod report;
pub(crate) mod scope;
mod servers;

use crate::process;
use anyhow::{Context, Result, bail};
use report::{Measured, Report, Target};
use servers::{Proxy, Stage};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What to measure, and how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rounds for each case and proxy.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of load in a round.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Keep-alive connections under load.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Registered customers in case (b).
    #[arg(long, default_value_t = 5_000_000)]
    customers: u64,
    /// Idle keep-alive connections.
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Another executable than the one of `cargo xtask dist`.
    #[arg(long)]
    executable: Option<PathBuf>,
}

/// What is asked for, and what stands behind it.
struct Case {
    name: &'static str,
    page: Page,
    sessions: Sessions,
    sync_delay: Option<Duration>,
    cpu_ratio_max: Option<f64>,
    /// The share of nginx's p99 and the milliseconds beside it that are still a hit.
    p99_max: Option<(f64, f64)>,
}

/// Which page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Page {
    Clean,
    Own,
}

/// Which sessions ask.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sessions {
    /// Requests without a cookie.
    None,
    /// The same thousand again and again, as customers who click: an exposure is new to a session once.
    Returning,
    /// Each request another one, so that each response waits for the disk: the worst case.
    New,
}

/// How soon after an answer a connection asks again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// At once: the proxy is the limit.
    AsFastAsAnswered,
    /// After a pause of up to [`PAUSE_MS_MAX`], evenly spread.
    WithPauses,
}

/// Some 3,000 requests a second with 64 connections.
const PAUSE_MS_MAX: u32 = 40;

const CASES: &[Case] = &[
    Case {
        name: "(a) clean page",
        page: Page::Clean,
        sessions: Sessions::None,
        sync_delay: None,
        cpu_ratio_max: Some(1.5),
        p99_max: Some((1.3, 5.0)),
    },
    Case {
        name: "(b) own subject, returning sessions",
        page: Page::Own,
        sessions: Sessions::Returning,
        sync_delay: None,
        cpu_ratio_max: Some(2.5),
        p99_max: Some((1.3, 5.0)),
    },
    Case {
        name: "(b) own subject, fsync + 5 ms",
        page: Page::Own,
        sessions: Sessions::Returning,
        sync_delay: Some(Duration::from_millis(5)),
        cpu_ratio_max: Some(2.5),
        p99_max: Some((1.3, 5.0)),
    },
    Case {
        name: "own subject, every session new",
        page: Page::Own,
        sessions: Sessions::New,
        sync_delay: None,
        cpu_ratio_max: None,
        p99_max: None,
    },
    Case {
        name: "own subject, every session new, fsync + 5 ms",
        page: Page::Own,
        sessions: Sessions::New,
        sync_delay: Some(Duration::from_millis(5)),
        cpu_ratio_max: None,
        p99_max: None,
    },
];

/// The most that an idle connection may hold.
const IDLE_BYTES_MAX: f64 = 40_000.0;

/// Measures all cases and prints markdown.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    for tool in ["nginx", "wrk", "cc"] {
        if process::output_of(Command::new("sh").args(["-c", &format!("command -v {tool}")])).is_err() {
            bail!("`{tool}` is missing: apt-get install nginx-light wrk gcc");
        }
    }
    let stage = Stage::prepare(root, options.executable.as_deref(), options.customers)?;
    let mut report = Report::begin(&stage)?;
    for case in CASES {
        let (nginx, sekisho) = measure_case(&stage, case, options).with_context(|| format!("in case {}", case.name))?;
        report.case(case.name, &nginx, &sekisho, &Target { cpu_ratio_max: case.cpu_ratio_max, p99_max: case.p99_max });
    }
    let nginx = idle::bytes_per_connection(&stage, Proxy::Nginx, options.idle)?;
    let sekisho = idle::bytes_per_connection(&stage, Proxy::Sekisho, options.idle)?;
    report.idle(options.idle, nginx, sekisho, IDLE_BYTES_MAX);
    println!("{}", report.markdown(options));
    Ok(())
}

/// Measures what rules in force cost beside observing, on page (b), and prints a line of markdown.
pub(crate) fn run_rules(root: &Path, options: &Options) -> Result<()> {
    let stage = Stage::prepare(root, options.executable.as_deref(), options.customers)?;
    let case = &CASES[1];
    let (mut observed, mut enforced) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        for (proxy, results) in [(Proxy::Sekisho, &mut observed), (Proxy::Enforced, &mut enforced)] {
            let measured = measure(&stage, proxy, case, options)?;
            eprintln!("round {round}, {proxy:?}: {measured:?}");
            results.push(measured);
        }
    }
    println!("{}", report::rules(&stage, &observed, &enforced, RULES_CPU_RATIO_MAX)?);
    Ok(())
}

/// The most that a request may cost with rules, beside one that is observed.
const RULES_CPU_RATIO_MAX: f64 = 1.05;

/// Rounds of nginx and Sekisho in turn, so that a slow minute of the machine meets both.
fn measure_case(stage: &Stage, case: &Case, options: &Options) -> Result<(Vec<Measured>, Vec<Measured>)> {
    let (mut nginx, mut sekisho) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        for (proxy, results) in [(Proxy::Nginx, &mut nginx), (Proxy::Sekisho, &mut sekisho)] {
            let measured = measure(stage, proxy, case, options)?;
            eprintln!("{}, round {round}, {proxy:?}: {measured:?}", case.name);
            results.push(measured);
        }
    }
    Ok((nginx, sekisho))
}

/// One round of one proxy, after a second of load that does not count.
fn measure(stage: &Stage, proxy: Proxy, case: &Case, options: &Options) -> Result<Measured> {
    let running = stage.start(proxy, case.page == Page::Own, case.sync_delay)?;
    let script = stage.wrk_script(case.page, case.sessions, Pace::AsFastAsAnswered)?;
    load(running.address(), &script, 1, options)?;
    let before = process::cpu_time(&running.pids())?;
    let mut measured = load(running.address(), &script, options.seconds, options)?;
    let used = process::cpu_time(&running.pids())? - before;
    measured.cpu_us = used.as_secs_f64() * 1e6 / measured.requests;
    let script = stage.wrk_script(case.page, case.sessions, Pace::WithPauses)?;
    let paced = load(running.address(), &script, options.seconds, options)?;
    (measured.paced_per_second, measured.paced_p99_ms) = (paced.per_second, paced.p99_ms);
    Ok(measured)
}

/// One run of wrk. A response that is not 200 fails the benchmark: nothing else is worth comparing.
fn load(address: std::net::SocketAddr, script: &Path, seconds: u64, options: &Options) -> Result<Measured> {
    let mut wrk = Command::new("wrk");
    wrk.args(["--latency", "--threads", "1", "--connections", &options.connections.to_string()]);
    wrk.args(["--duration", &format!("{seconds}s"), "--script"]).arg(script).arg(format!("http://{address}/"));
    let text = process::output_of(&mut wrk)?;
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        bail!("wrk met errors:\n{text}");
    }
    report::parse_wrk(&text).with_context(|| format!("cannot read what wrk says:\n{text}"))
}
