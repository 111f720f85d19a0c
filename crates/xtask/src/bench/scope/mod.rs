//! `cargo xtask bench scope`: the questions asked of a million sealed exposures, beside DuckDB and SQLite over the
//! same rows, in one run on one machine.
//!
//! The ledger is written, and asked in one process, by `sekisho-scope`'s example `million`; the executable is asked as an
//! operator does, its start and the record of the question (LED-5) included. Cold means that the ledger's pages are
//! given back to the system before each question. `peers.py` is what the others are asked.

use crate::process::output_of;
use crate::sekisho::{build_release, target_directory};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const PEERS: &str = include_str!("peers.py");
/// What Sekisho is beside: the names that `peers.py` gives.
const PEER_NAMES: [&str; 3] = ["DuckDB on the sealed files", "DuckDB", "SQLite"];

/// How much to write and how often to ask.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Exposures in the ledger.
    #[arg(long, default_value_t = 1_000_000)]
    exposures: u64,
    /// Sealed segments that they lie in.
    #[arg(long, default_value_t = 8)]
    segments: u64,
    /// Times that each question is asked.
    #[arg(long, default_value_t = 15)]
    repeats: usize,
    /// Measure Sekisho only.
    #[arg(long)]
    alone: bool,
}

/// What the example says of one question.
#[derive(Deserialize)]
struct Asked {
    question: String,
    arguments: Option<Vec<String>>,
    persons: u64,
    responses: u64,
    p50_ms: f64,
    best_ms: f64,
    cpu_ms: f64,
}

/// What `peers.py` says.
#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    Peer { peer: String, question: String, p50_ms: f64, persons: u64 },
    Sealed { columns: Vec<String>, notes: Vec<String> },
}

/// Writes the ledger, asks, and prints markdown.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let (executable, example) = (build_release(root)?, build_example(root)?);
    let folder = target_directory(root)?.join("bench/scope");
    let ledger = folder.join("ledger");
    if ledger.exists() {
        fs::remove_dir_all(&ledger)?;
    }
    fs::create_dir_all(&folder)?;
    let (exposures, segments) = (options.exposures.to_string(), options.segments.to_string());
    output_of(Command::new(&example).arg("write").arg(&ledger).args([&exposures, &segments]))?;
    let asked = output_of(Command::new(&example).arg("ask").arg(&ledger).arg(options.repeats.to_string()))?;
    let asked: Vec<Asked> = asked.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let told = if options.alone { Vec::new() } else { peers(&folder, &ledger, options.repeats, &asked)? };
    println!("{}", heading(options, &ledger)?);
    println!("| question | persons | responses | `ask()` p50, ms | best | CPU | executable warm | cold |");
    println!("|---|---|---|---|---|---|---|---|");
    for question in &asked {
        println!("{}", line(question, &executable, &ledger, options.repeats)?);
    }
    print_peers(&asked, &told)
}

fn build_example(root: &Path) -> Result<PathBuf> {
    let build = ["build", "--release", "--locked", "--quiet", "--package", "sekisho-scope", "--example", "million"];
    let status = Command::new(env!("CARGO")).args(build).current_dir(root).status()?;
    if !status.success() {
        bail!("the example does not build");
    }
    Ok(target_directory(root)?.join("release/examples/million"))
}

fn heading(options: &Options, ledger: &Path) -> Result<String> {
    let shell = |text: &str| output_of(Command::new("sh").args(["-c", text])).map(|out| out.trim().to_owned());
    let bytes = output_of(Command::new("du").arg("-sb").arg(ledger))?;
    let bytes: f64 = bytes.split_whitespace().next().context("du says nothing")?.parse()?;
    Ok(format!(
        "{} exposures in {} segments, {:.0} MB; {} cores, load {} before, {}; p50 of {}\n",
        options.exposures,
        options.segments,
        bytes / 1e6,
        shell("nproc")?,
        shell("cut -d' ' -f1 /proc/loadavg")?,
        shell("date -u +%F")?,
        options.repeats,
    ))
}

fn line(asked: &Asked, executable: &Path, ledger: &Path, repeats: usize) -> Result<String> {
    let [warm, cold] = match &asked.arguments {
        Some(arguments) => {
            let ask = |before: fn(&Path) -> Result<()>| -> Result<String> {
                let times = (0..repeats).map(|_| {
                    before(ledger)?;
                    let mut command = Command::new(executable);
                    command.args(["scope", "--format", "json", "--ledger"]).arg(ledger).args(arguments);
                    let began = Instant::now();
                    output_of(&mut command)?;
                    Ok(began.elapsed().as_secs_f64() * 1e3)
                });
                Ok(format!("{:.0}", median(times.collect::<Result<_>>()?)))
            };
            [ask(|_| Ok(()))?, ask(forget)?]
        }
        None => ["–".to_owned(), "–".to_owned()],
    };
    let Asked { question, persons, responses, p50_ms, best_ms, cpu_ms, .. } = asked;
    Ok(format!("| {question} | {persons} | {responses} | {p50_ms:.0} | {best_ms:.0} | {cpu_ms:.0} | {warm} | {cold} |"))
}

/// Gives the ledger's pages back to the system, so that the next reader meets the disk.
fn forget(ledger: &Path) -> Result<()> {
    let script = "find \"$0\" -type f -exec dd if={} iflag=nocache count=0 status=none ';'";
    output_of(Command::new("sh").args(["-c", script]).arg(ledger)).map(drop)
}

fn peers(folder: &Path, ledger: &Path, repeats: usize, asked: &[Asked]) -> Result<Vec<Told>> {
    let environment = folder.join("venv");
    if !environment.join("bin/python").exists() {
        output_of(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        output_of(Command::new(environment.join("bin/pip")).args(["install", "--quiet", "duckdb==2.0.0"]))?;
    }
    let script = folder.join("peers.py");
    fs::write(&script, PEERS)?;
    let flag = |name: &str| {
        let mut arguments = asked.iter().filter_map(|asked| asked.arguments.as_ref()).flatten();
        arguments.find(|found| *found == name)?;
        arguments.next().cloned()
    };
    let (from, to) = (flag("--from").context("no --from")?, flag("--to").context("no --to")?);
    let micros = |time: &str| -> Result<String> {
        let seconds = output_of(Command::new("date").args(["-u", "-d", time, "+%s"]))?;
        Ok(format!("{}000000", seconds.trim()))
    };
    let mut command = Command::new(environment.join("bin/python"));
    command.arg(&script).arg(ledger).arg(folder).arg(repeats.to_string());
    command.args([micros(&from)?, micros(&to)?, flag("--session").context("no --session")?]);
    Ok(output_of(&mut command)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// The peers' figures; a peer that counts other persons than Sekisho fails the benchmark.
fn print_peers(asked: &[Asked], told: &[Told]) -> Result<()> {
    let mut figures: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for told in told {
        match told {
            Told::Peer { peer, question, p50_ms, persons } => {
                let ours = asked.iter().find(|asked| asked.question == *question).context("an unknown question")?;
                if ours.persons != *persons {
                    bail!("{peer} counts {persons} persons for {question}, Sekisho {}", ours.persons);
                }
                figures.insert((peer, question), *p50_ms);
            }
            Told::Sealed { columns, notes } => {
                println!("\nDuckDB reads the sealed files: {}; metadata: {}.\n", columns.join(", "), notes.join(", "));
            }
        }
    }
    if figures.is_empty() {
        return Ok(());
    }
    println!("| question | `ask()` p50, ms | {} |", PEER_NAMES.join(" | "));
    println!("|---|---|---|---|---|");
    for asked in asked {
        let peers = PEER_NAMES.map(|peer| {
            figures.get(&(peer, asked.question.as_str())).map_or_else(|| "–".to_owned(), |ms| format!("{ms:.0}"))
        });
        println!("| {} | {:.0} | {} |", asked.question, asked.p50_ms, peers.join(" | "));
    }
    Ok(())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
