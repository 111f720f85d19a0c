use crate::{code, sekisho, text};
use std::path::Path;

const NOTICE: &str = r#"
case = "hakone-2026-1"
version = 1
expires = "2027-12-01T00:00:00+09:00"
title = { ja = "不正アクセス", en = "Unauthorised access" }
period = { ja = "2026年11月23日", en = "23 November 2026" }
field = [{ name = "email", ja = "メールアドレス", en = "E-mail address", examined = true }]
"#;

fn codes(directory: &Path, rows: &str) -> std::process::Output {
    std::fs::write(directory.join("notice.toml"), NOTICE).expect("written");
    std::fs::write(directory.join("rows.csv"), rows).expect("written");
    let files = ["--notice", "notice.toml", "--rows", "rows.csv", "--keys", "keys", "--mailing", "mailing.csv"];
    sekisho(directory, &[&["affected", "codes", "--store", "case.codes"], files.as_slice()].concat())
}

#[test]
fn codes_are_the_same_when_they_are_made_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let rows = "register,row_key,fields\ncustomers,1,email\ncustomers,2,email\n";
    let made = codes(directory, rows);
    assert_eq!(code(&made), 0, "{}", text(&made.stderr));
    let mailing = std::fs::read_to_string(directory.join("mailing.csv")).expect("a mailing");
    assert_eq!(mailing.lines().count(), 3);
    assert_eq!(code(&codes(directory, rows)), 0);
    assert_eq!(std::fs::read_to_string(directory.join("mailing.csv")).expect("a mailing"), mailing);
}

#[test]
fn a_fault_leaves_no_files_and_says_what_to_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let refused = codes(directory, "register,row_key,fields\ncustomers,1,email\ncustomers,2,phone\n");
    assert_eq!(code(&refused), 3);
    assert!(text(&refused.stderr).contains("add it as a [[field]]"), "{}", text(&refused.stderr));
    assert!(!directory.join("mailing.csv").exists() && !directory.join("case.codes").exists());
    std::fs::remove_file(directory.join("keys/affected-code.key")).expect("it was made");
    let refused = codes(directory, "register,row_key,fields\n");
    assert!(text(&refused.stderr).contains("affected-code.key` is missing"), "{}", text(&refused.stderr));
}
