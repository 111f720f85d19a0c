//! Real kills: `sekisho observe` is killed with SIGKILL under load, again and again on one ledger.
//!
//! Every customer of the register stands in exactly one page, and every page is asked for once. So each customer's
//! values that a client received (in a part of a response too) must be in the recovered ledger: one that is missing
//! cannot hide behind another response. This proves nothing about fsync, which the simulated disk's tests do.

mod client;
mod upstream;

use crate::process::{self, Running};
use crate::{customers, sekisho};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Pages that clients ask for before one kill, at most.
const PAGES_PER_RUN: u64 = 400;
/// Connections that ask at the same time.
const CLIENTS: usize = 4;
/// A kill comes between these times after the load began.
const KILL_AFTER_MS: std::ops::Range<u64> = 20..400;

/// Exposures that a client must have received before a kill: fewer, and it shows nothing. One page has more.
const EXPOSURES_PER_RUN_MIN: usize = 4;
/// The same over all kills, for each of them on the average.
const EXPOSURES_MEAN_MIN: usize = 20;

/// How often to kill.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Kills.
    #[arg(long, default_value_t = 200)]
    runs: u64,
    /// Where the times of the kills come from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Another executable than the release build.
    #[arg(long)]
    executable: Option<PathBuf>,
}

/// What the kills showed.
#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
    responses: u64,
    partial: u64,
    received: BTreeSet<(u64, Field)>,
}

/// The fields that pages show.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Field {
    AccountId,
    Email,
}

impl Field {
    fn column(self) -> &'static str {
        match self {
            Field::AccountId => "account_id",
            Field::Email => "email",
        }
    }
}

/// Kills, recovers, compares.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let executable = match &options.executable {
        Some(path) => path.canonicalize()?,
        None => sekisho::build_release(root)?,
    };
    let folder = sekisho::target_directory(root)?.join("crash");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let register = folder.join("customers.csv");
    customers::write_csv(&register, options.runs * PAGES_PER_RUN * upstream::CUSTOMERS_PER_PAGE)?;
    let upstream = upstream::start()?;

    let mut tally = Tally::default();
    for run in 0..options.runs {
        let kill_after = KILL_AFTER_MS.start + mix(options.seed, run) % (KILL_AFTER_MS.end - KILL_AFTER_MS.start);
        let outcome =
            one(&executable, &folder, &register, upstream, run, Duration::from_millis(kill_after), &mut tally);
        match outcome {
            Ok(()) => tally.passed += 1,
            Err(err) => {
                tally.failed += 1;
                eprintln!("kill {run}, {kill_after} ms after the load began: {err:#}");
            }
        }
    }
    println!(
        "{} responses received, {} of them in part; {} exposures received",
        tally.responses,
        tally.partial,
        tally.received.len()
    );
    println!("{} passed, {} failed", tally.passed, tally.failed);
    let wanted = options.runs as usize * EXPOSURES_MEAN_MIN;
    if tally.received.len() < wanted {
        bail!("{} exposures received where {wanted} are wanted: the kills show too little", tally.received.len());
    }
    if tally.failed > 0 {
        bail!("{} of {} kills lost something", tally.failed, options.runs);
    }
    Ok(())
}

fn one(
    executable: &Path,
    folder: &Path,
    register: &Path,
    upstream: std::net::SocketAddr,
    run: u64,
    kill_after: Duration,
    tally: &mut Tally,
) -> Result<()> {
    let (ledger, log, listen) = (folder.join("ledger"), folder.join("sekisho.log"), process::free_address()?);
    let mut command = Command::new(executable);
    command.arg("observe").args(["--upstream", &format!("http://{upstream}"), "--listen", &listen.to_string()]);
    command.arg("--ledger").arg(&ledger).arg("--keys").arg(folder.join("keys")).arg("--register").arg(register);
    let gateway = Running::start(&mut command, &log)?.listens_on(listen, &log)?;

    let first_page = run * PAGES_PER_RUN;
    let load = client::load(listen, first_page..first_page + PAGES_PER_RUN, CLIENTS);
    std::thread::sleep(kill_after);
    gateway.kill()?;
    let responses = load.received()?;
    tally.responses += responses.len() as u64;
    tally.partial += responses.iter().filter(|response| response.extent == client::Extent::Part).count() as u64;
    let before = tally.received.len();
    tally.received.extend(responses.iter().flat_map(|response| upstream::customers_in(&response.bytes)));

    let received = tally.received.len() - before;
    if received < EXPOSURES_PER_RUN_MIN {
        bail!("{received} exposures received where {EXPOSURES_PER_RUN_MIN} are wanted: this kill shows too little");
    }

    sekisho::verify(executable, &ledger)?;
    let recorded = sekisho::scope(executable, &ledger, &folder.join("keys"), register)
        .context("cannot ask the recovered ledger")?;
    let is_recorded = |number: u64, field: Field| {
        let fields = recorded.get(&customers::account_id(number));
        fields.is_some_and(|fields| fields.iter().any(|name| name == field.column()))
    };
    let lost: Vec<_> = tally.received.iter().filter(|(number, field)| !is_recorded(*number, *field)).collect();
    if let Some((number, field)) = lost.first() {
        let id = customers::account_id(*number);
        bail!("{} received exposures are not in the ledger, the first: {id} {}", lost.len(), field.column());
    }
    Ok(())
}

/// A number that depends on both in no visible way (splitmix64).
fn mix(seed: u64, run: u64) -> u64 {
    let mut x = seed.wrapping_add(run.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
