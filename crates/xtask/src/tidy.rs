//! What the repository may not become: checked by `cargo xtask tidy` and by `cargo test`.
//!
//! `edges` holds the table of forbidden dependencies, `supply` the licences, bans and sources of deny.toml, and
//! `sources` what may not stand in a source file. Each returns its complaints as sentences; only `run` prints.

mod edges;
mod sources;
mod supply;

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand};
use std::path::Path;

/// Lines beyond which a file is worth a second thought; reported, not refused.
const FILE_LINES_MAX: usize = 500;

/// Prints every complaint; fails when there is one.
pub(crate) fn run(root: &Path) -> Result<()> {
    let findings = check(root)?;
    for note in &findings.notes {
        eprintln!("note: {note}");
    }
    for error in &findings.errors {
        eprintln!("error: {error}");
    }
    if !findings.errors.is_empty() {
        bail!("the repository is not tidy: {} errors", findings.errors.len());
    }
    println!("tidy: {} packages, {} source files, 0 errors", findings.packages, findings.files);
    Ok(())
}

/// What was found, as sentences.
struct Findings {
    errors: Vec<String>,
    notes: Vec<String>,
    packages: usize,
    files: usize,
}

fn check(root: &Path) -> Result<Findings> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .other_options(vec!["--locked".to_owned()])
        .exec()
        .context("cannot read `cargo metadata`")?;
    let policy = supply::Policy::read(&root.join("deny.toml"))?;

    let mut errors = edges::check(&edges::members(&metadata));
    errors.extend(edges::check_runtime_free(&edges::closures(&metadata)));
    errors.extend(policy.check(&supply::packages(&metadata)));
    let tree = sources::Tree::read(root, &crate_roots(&metadata))?;
    errors.extend(tree.dead_files());
    errors.extend(tree.forbidden_text());
    Ok(Findings {
        errors,
        notes: tree.long_files(FILE_LINES_MAX),
        packages: metadata.packages.len(),
        files: tree.len(),
    })
}

/// The root file of every target of every member: `lib.rs`, `main.rs`, `tests/it/main.rs`, …
fn crate_roots(metadata: &Metadata) -> Vec<std::path::PathBuf> {
    let members = metadata.workspace_packages();
    let targets = members.iter().flat_map(|package| &package.targets);
    targets.map(|target| target.src_path.clone().into_std_path_buf()).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_repository_is_tidy() {
        let findings = super::check(crate::workspace_root()).expect("the repository can be read");
        assert!(findings.errors.is_empty(), "{:#?}", findings.errors);
        assert!(findings.files > 20, "the source tree was found");
    }
}
