//! Replays the proof vectors of transparency-dev/merkle: `cargo run -p sekisho-tlog --example vectors -- DIR`.
//!
//! A vector whose hashes are not 32 bytes cannot be expressed in this crate's types; such a one counts as passed
//! when it wants an error (the types refuse it), and as skipped otherwise.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sekisho_tlog::Hash;
use sekisho_tlog::proof::{verify_consistency, verify_inclusion};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: vectors DIR");
        return ExitCode::from(2);
    };
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (kind, check) in [("inclusion", inclusion as fn(&Value) -> bool), ("consistency", consistency)] {
        for file in json_files(&directory.join(kind)) {
            let text = std::fs::read(&file).expect("a vector can be read");
            let vector: Value = serde_json::from_slice(&text).expect("a vector is JSON");
            let want_error = vector["wantErr"].as_bool().expect("a vector says what it wants");
            if check(&vector) != want_error {
                passed += 1;
            } else if !want_error && ["root", "root1", "root2"].iter().any(|name| is_odd(&vector[name])) {
                skipped += 1;
            } else {
                failed += 1;
                println!("failed: {}", file.display());
            }
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn inclusion(vector: &Value) -> bool {
    let number = |name: &str| vector[name].as_u64();
    let parts =
        (proof(vector), number("treeSize"), hash(&vector["root"]), number("leafIdx"), hash(&vector["leafHash"]));
    let (Some(proof), Some(size), Some(root), Some(index), Some(leaf)) = parts else { return false };
    verify_inclusion(&proof, size, root, index, leaf).is_ok()
}

fn consistency(vector: &Value) -> bool {
    let number = |name: &str| vector[name].as_u64();
    let parts = (proof(vector), number("size2"), hash(&vector["root2"]), number("size1"), hash(&vector["root1"]));
    let (Some(proof), Some(size), Some(root), Some(size_old), Some(root_old)) = parts else { return false };
    verify_consistency(&proof, size, root, size_old, root_old).is_ok()
}

fn hash(value: &Value) -> Option<Hash> {
    let bytes = BASE64_STANDARD.decode(value.as_str()?).ok()?;
    bytes.try_into().ok().map(Hash)
}

/// A hash that is there, and not 32 bytes long.
fn is_odd(value: &Value) -> bool {
    value.is_string() && hash(value).is_none()
}

fn proof(vector: &Value) -> Option<Vec<Hash>> {
    match &vector["proof"] {
        Value::Null => Some(Vec::new()),
        hashes => hashes.as_array()?.iter().map(hash).collect(),
    }
}

fn json_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).expect("the vectors' directory can be read") {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
