//! `sekisho verify` as an auditor runs it, and what the gateway does with a ledger that is not what it signed.

use crate::site::{Started, get, site};
use crate::{CUSTOMERS, code, sekisho, text};
use std::path::Path;
use std::process::Output;

const TARO: &str = "<p>山田太郎 様 taro@example.jp</p>";

/// The gateway before a site, when it has answered once.
fn observed(directory: &Path) -> Started {
    std::fs::write(directory.join("customers.csv"), CUSTOMERS).expect("a file");
    let upstream = format!("http://{}", site(TARO));
    let arguments = ["observe", "--upstream", &upstream, "--register", "customers.csv", "--listen", "127.0.0.1:0"];
    let started = Started::new(directory, &arguments);
    let line = started.wait("  open ");
    let at = line.find("127.0.0.1:").expect("an address");
    let address = line[at..].split(['/', ' ']).next().unwrap_or_default();
    assert!(get(address, "/mypage").contains(TARO));
    started
}

fn verified(directory: &Path, more: &[&str]) -> Output {
    sekisho(directory, &[&["verify", "ledger"], more].concat())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory").map(|entry| entry.expect("an entry").path()) {
        let place = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() { copy(&entry, &place) } else { _ = std::fs::copy(&entry, &place).expect("copied") }
    }
}

#[test]
fn a_wrong_file_is_no_fault_of_the_ledger() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    assert_eq!(observed(directory).end().code(), Some(0));
    for (flag, file) in
        [("--key", "customers.csv"), ("--key", "none"), ("--since", "customers.csv"), ("--since", "none")]
    {
        let told = verified(directory, &[flag, file]);
        assert_eq!(code(&told), 3, "{told:?}");
        assert!(text(&told.stderr).contains(&format!("`{file}`")), "{told:?}");
        assert!(!text(&told.stdout).contains("NOT whole"), "{told:?}");
    }
    let key = verified(directory, &["--key", "keys/ledger.vkey"]);
    assert_eq!(code(&key), 0, "{key:?}");
}

#[test]
fn led_3_an_earlier_copy_is_told_by_a_kept_checkpoint_and_not_served_upon() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let run = || assert_eq!(observed(directory).end().code(), Some(0));
    let since = |kept: &str| verified(directory, &["--key", "keys/ledger.vkey", "--since", kept]);
    let keep =
        |kept: &str| _ = std::fs::copy(directory.join("ledger/log/checkpoint"), directory.join(kept)).expect("kept");
    run();
    keep("first");
    copy(&directory.join("ledger"), &directory.join("backup"));
    run();
    keep("second");
    for kept in ["first", "second"] {
        assert_eq!(code(&since(kept)), 0, "{kept}");
    }

    std::fs::rename(directory.join("ledger"), directory.join("later")).expect("moved");
    copy(&directory.join("backup"), &directory.join("ledger"));
    let told = since("second");
    assert_eq!((code(&told), text(&told.stdout).contains("was set back")), (1, true), "{told:?}");
    let refused = sekisho(directory, &["observe", "--upstream", "http://127.0.0.1:9", "--listen", "127.0.0.1:0"]);
    assert_eq!((code(&refused), text(&refused.stderr).contains("was set back")), (3, true), "{refused:?}");
}

#[test]
fn led_5_questions_at_the_same_time_are_all_answered_and_told_as_not_signed_yet() {
    const ASKED: usize = 6;
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    drop(observed(directory)); // Killed.
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..ASKED).map(|_| scope.spawn(|| sekisho(directory, &["scope"]))).collect();
        for answer in asking.into_iter().map(|asking| asking.join().expect("ends")) {
            assert_eq!(code(&answer), 0, "{}", text(&answer.stderr));
        }
    });
    let told = verified(directory, &["--key", "keys/ledger.vkey"]);
    assert_eq!(code(&told), 0, "{told:?}");
    assert!(
        text(&told.stdout).contains("questions          6 recorded by the command line and not signed yet"),
        "{told:?}"
    );
    assert_eq!(observed(directory).end().code(), Some(0));
    let told = verified(directory, &["--key", "keys/ledger.vkey"]);
    assert_eq!((code(&told), text(&told.stdout).contains("questions")), (0, false), "{told:?}");
}
