//! Developer tasks, run as `cargo xtask …`. Nothing of the product depends on this.
//!
//! Read `tidy` for what the layout may not become, `dist` for what is given to others, `bench` for the figures of
//! BENCHMARKS.md and `crash` for what 200 real kills prove.

mod bench;
mod crash;
mod customers;
mod dist;
mod process;
mod sekisho;
mod tidy;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::Path;

/// Developer tasks.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Fail on a forbidden dependency, licence or construct, and on source files that nothing includes.
    Tidy,
    /// Build the executable as it is given to others, and say where it is; takes half an hour the first time.
    Dist,
    /// Kill the gateway under load, again and again, and compare what clients received with the recovered ledger.
    Crash(crash::Options),
    /// Measure, and print markdown for BENCHMARKS.md.
    #[command(subcommand)]
    Bench(Bench),
}

#[derive(Subcommand)]
enum Bench {
    /// Sekisho beside nginx as plain proxy, in one run.
    Proxy(bench::Options),
    /// The questions asked of a million sealed exposures, beside DuckDB and SQLite over the same rows.
    Scope(bench::scope::Options),
    /// What rules in force cost beside observing.
    Rules(bench::Options),
}

fn main() -> Result<()> {
    let root = workspace_root();
    match Arguments::parse().task {
        Task::Tidy => tidy::run(root),
        Task::Dist => dist::build(root).map(|executable| println!("{}", executable.display())),
        Task::Bench(Bench::Proxy(options)) => bench::run(root, &options),
        Task::Bench(Bench::Rules(options)) => bench::run_rules(root, &options),
        Task::Bench(Bench::Scope(options)) => bench::scope::run(root, &options),
        Task::Crash(options) => crash::run(root, &options),
    }
}

/// The directory of the workspace's `Cargo.toml`, where this crate was built.
fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this crate lies in crates/xtask")
}
