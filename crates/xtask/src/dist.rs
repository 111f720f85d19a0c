//! `cargo xtask dist`: the executable as it is given to others, built with the profile `dist` and laid out by what an hour of
//! customers makes it do (profile-guided optimisation).
//!
//! Four steps: an executable that counts where it goes; an hour of 1,000 customers on the sample broker
//! (`tests/enforce/hour.py`, none of the pages of the benchmarks); the counts merged; the executable built by them. What has
//! not changed since is not done again. Building takes twice as long as with the profile alone.

use crate::process::output_of;
use crate::sekisho::target_directory;
use anyhow::{Context, Result, bail};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds it, and says where it is.
pub(crate) fn build(root: &Path) -> Result<PathBuf> {
    let folder = target_directory(root)?.join("dist-guided");
    fs::create_dir_all(&folder)?;
    let host = host()?;
    let raw = folder.join("raw");
    let counting =
        cargo_build(root, &folder.join("counting"), &host, &format!("-Cprofile-generate={}", raw.display()))?;
    let counts = counts(root, &folder, &counting, &raw)?;
    // Named by what is in it, so that cargo builds anew when that changes.
    let mut hasher = DefaultHasher::new();
    fs::read(&counts)?.hash(&mut hasher);
    let named = folder.join(format!("{:016x}.profdata", hasher.finish()));
    fs::copy(&counts, &named)?;
    let guided = cargo_build(root, &folder.join("guided"), &host, &format!("-Cprofile-use={}", named.display()))?;
    let executable = folder.join("sekisho");
    fs::copy(guided, &executable)?;
    Ok(executable)
}

/// Builds in a target folder of its own: other flags would build everything of the usual one anew. With the target named,
/// build scripts and macros do not get the flags.
fn cargo_build(root: &Path, target: &Path, host: &str, flags: &str) -> Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--profile", "dist", "--locked", "--quiet", "--package", "sekisho", "--target", host]);
    let status = cargo.env("CARGO_TARGET_DIR", target).env("RUSTFLAGS", flags).current_dir(root).status()?;
    if !status.success() {
        bail!("the executable does not build with `{flags}`");
    }
    Ok(target.join(host).join("dist").join("sekisho"))
}

/// What the counting executable counts, merged; kept for as long as that executable is the same.
fn counts(root: &Path, folder: &Path, counting: &Path, raw: &Path) -> Result<PathBuf> {
    let merged = folder.join("merged.profdata");
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    if modified(&merged) > modified(counting) {
        return Ok(merged);
    }
    let profdata = profdata()?;
    if raw.exists() {
        fs::remove_dir_all(raw)?;
    }
    visits(root, folder, counting)?;
    output_of(Command::new(profdata).arg("merge").arg("--output").arg(&merged).arg(raw))
        .context("cannot merge the counts: is this `llvm-profdata` older than the compiler's LLVM?")?;
    Ok(merged)
}

/// The hour. The site is not what is measured, and built as usual.
fn visits(root: &Path, folder: &Path, counting: &Path) -> Result<()> {
    let site = ["build", "--release", "--locked", "--quiet", "--package", "sekisho-demo", "--example", "site"];
    let status = Command::new(env!("CARGO")).args(site).current_dir(root).status()?;
    if !status.success() {
        bail!("the sample broker does not build");
    }
    // The script looks for the site beside the executable.
    let examples = counting.with_file_name("examples");
    fs::create_dir_all(&examples)?;
    fs::copy(target_directory(root)?.join("release/examples/site"), examples.join("site"))?;
    let mut hour = Command::new("python3");
    hour.arg(root.join("tests/enforce/hour.py")).args(["--seed", "1"]).env("SEKISHO", counting).current_dir(folder);
    output_of(&mut hour).context("the hour of customers did not pass").map(drop)
}

fn host() -> Result<String> {
    let said = output_of(Command::new("rustc").arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc does not name its host")?;
    Ok(host.to_owned())
}

/// The compiler's own tool, where that component is installed; else the newest of the system's.
fn profdata() -> Result<PathBuf> {
    let sysroot = PathBuf::from(output_of(Command::new("rustc").args(["--print", "sysroot"]))?.trim());
    let own = sysroot.join("lib/rustlib").join(host()?).join("bin/llvm-profdata");
    let numbered = (19..40).rev().map(|version| PathBuf::from(format!("/usr/bin/llvm-profdata-{version}")));
    std::iter::once(own)
        .chain(numbered)
        .find(|path| path.exists())
        .context("`llvm-profdata` is missing: `rustup component add llvm-tools`, or `apt-get install llvm-19`")
}
