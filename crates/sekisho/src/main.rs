//! Sekisho's executable: the command line and the wiring of the parts.
//!
//! One file a command in `command/`; what they share is beside this file. Exit codes: 0 done, 1 the answer is "no",
//! 2 usage, 3 the environment failed.

mod canaries;
mod case_log;
mod command;
mod config;
mod files;
mod help;
mod incidents;
mod keys;
mod learn;
mod live;
mod logs;
mod output;
mod paper;
mod past;
mod register_file;
mod register_index;
mod report;
mod running;
mod signals;
#[cfg(feature = "bench-faults")]
mod slow_disk;
mod times;
mod webhook;

use crate::output::tell;
use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser};
use command::{Command, Done, Usage};
use std::process::ExitCode;

/// Many small blocks of many sizes a request: `BENCHMARKS.md` has what this saves beside the C library's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The checkpoint in front of a financial firm's customer systems.
///
/// Sekisho inspects what leaves, writes down whose data it was before the bytes go out, and answers: who, which
/// fields, since when.
#[derive(Parser)]
#[command(
    version,
    arg_required_else_help = true,
    max_term_width = 80,
    after_help = "Examples:\n  sekisho demo --exit\n  sekisho observe --upstream http://127.0.0.1:3000 --register customers.csv\n  sekisho scope --ledger ledger --from -48h"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let matches = help::fitted(Arguments::command()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|err| err.exit());
    logs::start();
    let done = arguments.command.run();
    match done.and_then(|done| output::finish().context("cannot write the answer").map(|()| done)) {
        Ok(Done::Yes) => ExitCode::SUCCESS,
        Ok(Done::No) => ExitCode::from(1),
        Err(err) => {
            tell!("error: {err:#}");
            ExitCode::from(if err.is::<Usage>() { 2 } else { 3 })
        }
    }
}
