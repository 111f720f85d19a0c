//! A log that is read again, and what is refused.

use crate::{Anchor, read, read_verifier};
use std::path::Path;

const KEY: (&str, &str) = ("sample", "sample.example");

fn written(root: &Path, entries: &[&str]) {
    let (mut anchor, _) = Anchor::open(&root.join("log-of-mine"), &root.join("keys"), KEY).expect("a log");
    let entries: Vec<Vec<u8>> = entries.iter().map(|entry| entry.as_bytes().to_vec()).collect();
    anchor.append(&entries).expect("appended");
}

/// What is read after the file was changed so, or why it is refused.
fn check(file: &str, change: impl Fn(&mut Vec<u8>), expected: &str) {
    let root = tempfile::tempdir().expect("a directory");
    written(root.path(), &["one", "two"]);
    written(root.path(), &["three"]);
    let path = root.path().join(file);
    let mut bytes = std::fs::read(&path).expect("the file");
    change(&mut bytes);
    std::fs::write(&path, bytes).expect("written");
    let key = read_verifier(&root.path().join("keys"), KEY.0).expect("a key");
    let told = match read(&root.path().join("log-of-mine"), &key) {
        Ok(Some(signed)) => {
            signed.entries.iter().map(|entry| String::from_utf8_lossy(entry)).collect::<Vec<_>>().join(" ")
        }
        Ok(None) => "nothing".to_owned(),
        Err(err) => err.to_string(),
    };
    assert!(told.contains(expected), "{told}");
}

#[test]
fn a_log_is_read_again_and_a_changed_one_is_refused() {
    check("log-of-mine/log/checkpoint", |_| {}, "one two three");
    check("log-of-mine/log/checkpoint", |bytes| bytes[60] ^= 1, "cannot use the log in");
    check("log-of-mine/log/tile/entries/000.p/3", |bytes| bytes.truncate(4), "cannot use the log in");
}

#[test]
fn a_changed_tile_keeps_the_log_from_growing() {
    let root = tempfile::tempdir().expect("a directory");
    written(root.path(), &["one", "two"]);
    let tile = root.path().join("log-of-mine/log/tile/0/000.p/2");
    let mut bytes = std::fs::read(&tile).expect("the tile");
    bytes[0] ^= 1;
    std::fs::write(&tile, bytes).expect("written");
    let told = Anchor::open(&root.path().join("log-of-mine"), &root.path().join("keys"), KEY).expect_err("refused");
    assert!(told.to_string().contains("NOT whole"), "{told}");
}

#[test]
fn a_key_that_others_can_read_and_a_missing_one_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().expect("a directory");
    written(root.path(), &["one"]);
    let key = root.path().join("keys/sample.skey");
    let open = || Anchor::open(&root.path().join("log-of-mine"), &root.path().join("keys"), KEY);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    assert!(open().expect_err("refused").to_string().contains("chmod 600"));
    std::fs::remove_file(&key).expect("removed");
    assert!(open().expect_err("refused").to_string().contains("restore it from a backup"));
}
