//! The executable in front of a site: what it tells, what the ledger answers afterwards, and how it reloads and ends.

use crate::site::{Started, address, get, site};
use crate::{CUSTOMERS, code, sekisho, text};
use sekisho_ledger::{Reader, RealDisk};
use sekisho_model::Record;
use std::path::Path;
use std::sync::Arc;

const TARO: &str = "<p>山田太郎 様 taro@example.jp</p>";
const HANAKO: &str = "<p>鈴木花子 様 hanako@example.jp</p>";

fn observed(directory: &Path) -> (Started, String) {
    std::fs::write(directory.join("customers.csv"), CUSTOMERS).expect("a file");
    let upstream = format!("http://{}", site(TARO));
    let arguments = ["observe", "--upstream", &upstream, "--register", "customers.csv", "--listen", "127.0.0.1:0"];
    let started = Started::new(directory, &arguments);
    let address = address(&started.wait("  open "));
    (started, address)
}

fn ask(directory: &Path, more: &[&str]) -> String {
    let answer = sekisho(directory, &[&["scope"], more].concat());
    assert_eq!(code(&answer), 0, "{}", text(&answer.stderr));
    text(&answer.stdout)
}

#[test]
fn observe_shows_whose_data_left_and_scope_answers() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let (started, address) = observed(directory);
    assert!(get(&address, "/mypage").contains(TARO));
    let line = started.wait("1 person of customers (mail, name)");
    assert!(line.contains("mail") && !line.contains("taro"), "{line}");
    assert!(line.trim_end().chars().count() <= 80, "{line}");
    let second = sekisho(directory, &["observe", "--upstream", "http://127.0.0.1:9", "--listen", "127.0.0.1:0"]);
    assert_eq!(code(&second), 3);
    assert!(text(&second.stderr).contains("another process writes it"), "{}", text(&second.stderr));
    assert_eq!(started.end().code(), Some(0));

    let persons = |more: &[&str]| {
        let json = ask(directory, &[&["--format", "json"], more].concat());
        let answer: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        answer["registers"][0]["persons"].as_u64().expect("a count")
    };
    for yes in [
        &[][..],
        &["--client", "127.0.0.0/8"],
        &["--from", "-1h"],
        &["--route", "/mypage"],
        &["--subject", "customers:1"],
    ] {
        assert_eq!(persons(yes), 1, "{yes:?}");
    }
    for no in [&["--client", "203.0.113.0/24"], &["--to", "-1h"], &["--route", "/other"], &["--subject", "customers:2"]]
    {
        assert_eq!(persons(no), 0, "{no:?}");
    }
    assert_eq!(persons(&["--session", "00000000000000000000000000000000"]), 0);
    assert_eq!(persons(&["--session", &session_of(&directory.join("ledger"), "/mypage")]), 1);
    let csv = ask(directory, &["--format", "csv", "--register", "customers.csv"]);
    let row = csv.lines().nth(1).expect("one person");
    assert!(row.split(',').any(|field| field == "1") && csv.lines().count() == 2, "{csv}");
    assert!(ask(directory, &[]).contains("customers"));
    let verified = sekisho(directory, &["verify", "ledger", "--key", "keys/ledger.vkey"]);
    assert_eq!((code(&verified), text(&verified.stdout).contains("is whole")), (0, true), "{verified:?}");
}

/// The keyed hash of the session that asked for this route.
fn session_of(ledger: &Path, route: &str) -> String {
    let reader = Reader::open(ledger, Arc::new(RealDisk)).expect("a ledger");
    let mut session = None;
    let mut each = |_, record: Record| match record {
        Record::Opened(opened) if opened.transaction.route == route => session = opened.transaction.session,
        _ => {}
    };
    reader.records(&mut each).expect("reads");
    session.expect("the request had a cookie").to_string()
}

fn config(upstream: &str, more: &str) -> String {
    format!(
        "[[listener]]\naddress = \"127.0.0.1:0\"\n[[upstream]]\nname = \"site\"\nurl = \"http://{upstream}\"\n[[route]]\nupstream = \"site\"\n{more}"
    )
}

const REGISTER: &str = "[[register]]\nname = \"customers\"\nfile = \"customers.csv\"\nrow_key = \"id\"\n\
    column = [{ name = \"mail\", kind = \"email\" }, { name = \"name\", kind = \"name\" }]\n";

fn serving(directory: &Path, upstream: &str) -> (Started, String) {
    assert_eq!(code(&sekisho(directory, &["init"])), 0);
    write(directory, "customers.csv", CUSTOMERS);
    write(directory, "sekisho.toml", &config(upstream, REGISTER));
    build(directory);
    let started = Started::new(directory, &["serve"]);
    let address = address(&started.wait("serves on"));
    (started, address)
}

fn write(directory: &Path, name: &str, contents: &str) {
    std::fs::write(directory.join(name), contents).expect("written");
}

fn build(directory: &Path) {
    let built = sekisho(directory, &["register", "build"]);
    assert_eq!(code(&built), 0, "{}", text(&built.stderr));
}

#[test]
fn prv_2_observe_keeps_no_keys_inside_the_ledger() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    for keys in ["kk/keys", "kk", "kk/../kk/keys"] {
        let ledger = ["observe", "--upstream", "http://127.0.0.1:9", "--listen", "127.0.0.1:0", "--ledger", "kk"];
        let refused = sekisho(directory, &[&ledger[..], &["--keys", keys]].concat());
        assert_eq!(code(&refused), 2, "{keys}");
        assert!(text(&refused.stderr).contains("SK032"), "{}", text(&refused.stderr));
        assert!(!directory.join("kk").exists(), "nothing was made");
    }
}

/// Nothing listens at port 9: the first request would meet it, the operator reads it before.
#[test]
fn observe_tells_at_its_start_that_the_site_is_down() {
    let directory = tempfile::tempdir().expect("a directory");
    let arguments = ["observe", "--upstream", "http://127.0.0.1:9", "--listen", "127.0.0.1:0"];
    let started = Started::new(directory.path(), &arguments);
    let line = started.wait("cannot connect to http://127.0.0.1:9");
    assert!(line.contains("connection refused"), "{line}");
    assert_eq!(started.end().code(), Some(0));
}

#[test]
fn a_good_reload_is_taken_and_a_bad_one_leaves_the_old() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let (taro, hanako) = (site(TARO).to_string(), site(HANAKO).to_string());
    let (started, address) = serving(directory, &taro);
    assert!(get(&address, "/").contains(TARO));
    write(directory, "sekisho.toml", &config(&hanako, REGISTER));
    started.signal("-HUP");
    started.wait("reloaded");
    assert!(get(&address, "/").contains(HANAKO), "the new upstream answers");
    for bad in ["[[route]", &config(&taro, &format!("{REGISTER}[ledger]\ndirectory = \"elsewhere\"\n"))] {
        write(directory, "sekisho.toml", bad);
        started.signal("-HUP");
        started.wait("the old configuration stays in force");
        assert!(get(&address, "/").contains(HANAKO), "the old upstream answers");
    }
    assert_eq!(started.end().code(), Some(0));
}

/// A row put before the others must not give its number to somebody else.
#[test]
fn a_changed_register_is_taken_up_and_persons_keep_their_numbers() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let (started, address) = serving(directory, &site(TARO).to_string());
    get(&address, "/before");
    write(directory, "customers.csv", &CUSTOMERS.replace("1,taro", "3,jiro@example.jp,佐藤次郎\n1,taro"));
    build(directory);
    started.signal("-HUP");
    started.wait("reloaded");
    get(&address, "/after");
    assert_eq!(started.end().code(), Some(0));
    let csv = ask(directory, &["-c", "sekisho.toml", "--format", "csv", "--register", "customers.csv"]);
    assert_eq!(csv.lines().count(), 2, "one person in both responses:\n{csv}");
    let json = ask(directory, &["-c", "sekisho.toml", "--format", "json"]);
    let answer: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(answer["registers"][0]["persons_registered"], 3);
    std::fs::remove_file(directory.join("ledger.index")).expect("removed");
    let refused = sekisho(directory, &["register", "build"]);
    assert_eq!(code(&refused), 3);
    assert!(text(&refused.stderr).contains("would give the numbers to others"), "{}", text(&refused.stderr));
}

#[test]
fn a_missing_certificate_is_told_before_anything_starts() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    assert_eq!(code(&sekisho(directory, &["init"])), 0);
    let tls = "127.0.0.1:0\"\ncertificate = \"site.pem\"\nkey = \"site.key";
    write(directory, "sekisho.toml", &config("127.0.0.1:9", "").replace("127.0.0.1:0", tls));
    let refused = sekisho(directory, &["serve"]);
    assert_eq!(code(&refused), 1);
    assert!(text(&refused.stderr).contains("error[SK037]"), "{}", text(&refused.stderr));
}
