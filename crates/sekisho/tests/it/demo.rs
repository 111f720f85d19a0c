//! The scenarios, played by the executable with a fixed seed: what must come out stands in `scenarios/*/expected`.

use crate::site::{Started, get_with, post};
use serde_json::Value;
use std::process::Command;

#[test]
fn the_seminar_theft_is_bounded_exactly_and_the_referee_agrees() {
    let output = Command::new(env!("CARGO_BIN_EXE_sekisho"))
        .args(["demo", "--scenario", "seminar-theft", "--exit", "--json", "--seed", "1"])
        .output()
        .expect("the executable starts");
    let told = String::from_utf8_lossy(&output.stderr);
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|err| panic!("{err}: {told}"));
    assert_eq!(outcome["truth_match"], true, "{outcome:#}");
    let expected = include_str!("../../../../scenarios/seminar-theft/expected/seed-1.json");
    let expected: Value = serde_json::from_str(expected).expect("the expected file is JSON");
    assert_eq!(outcome["persons"], expected["persons"]);
    assert!(output.status.success(), "{told}");
}

#[test]
fn an_unknown_scenario_is_told_with_those_that_are_known() {
    let output = Command::new(env!("CARGO_BIN_EXE_sekisho"))
        .args(["demo", "--scenario", "seminar"])
        .output()
        .expect("the executable starts");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("no scenario `seminar`; there is: seminar-theft"), "{told}");
}

/// A directory for the demo's files, which must be empty behind it.
fn demo(arguments: &[&str]) -> (tempfile::TempDir, Command) {
    let temporary = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
    command.arg("demo").args(arguments).env("TMPDIR", temporary.path());
    (temporary, command)
}

fn is_empty(directory: &std::path::Path) -> bool {
    std::fs::read_dir(directory).expect("it can be read").next().is_none()
}

#[test]
fn the_demo_fits_a_terminal_and_its_lines_add_up() {
    let (temporary, mut command) = demo(&["--exit", "--seed", "1"]);
    let output = command.output().expect("the executable starts");
    let told = String::from_utf8_lossy(&output.stdout);
    let wide: Vec<&str> = told.lines().filter(|line| sekisho_scope::text::width(line) > 80).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    let number = |text: &str| text.trim().replace(',', "").parse::<u64>().expect("a number");
    let mut sum = 0;
    for line in told.lines().filter(|line| line.ends_with(" in all")) {
        let (_, told) = line.split_once('+').expect("what was added");
        let (added, total) = told.trim_end_matches(" in all").split_once("persons").expect("both");
        sum += number(added);
        assert_eq!(sum, number(total), "{line}");
    }
    assert!(sum > 0 && told.contains("ミリ秒") && told.contains("The first exposure was recorded"), "{told}");
    assert!(is_empty(temporary.path()));
}

#[test]
fn a_demo_that_stays_tells_how_to_look_and_leaves_nothing() {
    let (temporary, command) = demo(&[]);
    let started = Started::spawn(command);
    let gateway = started.wait("Still running");
    let address = gateway.split("http://").nth(1).expect("an address").trim_end_matches('/').to_owned();
    let of = |part: &str| started.wait(part).split_whitespace().last().expect("a value").to_owned();
    let (account, password) = (of("account "), of("password "));
    let question = started.wait("sekisho scope --ledger ");
    started.wait("Ctrl-C ends it");
    let form = format!("account_id={account}&password={password}");
    let session = post(&address, "/login", &form);
    let session = session.split("set-cookie: ").nth(1).and_then(|rest| rest.split(';').next()).expect("a session");
    assert!(get_with(&address, "/mypage", session).contains(&account));
    started.wait("/mypage");
    let arguments: Vec<&str> = question.split("sekisho ").nth(1).expect("a command").split_whitespace().collect();
    let answer = crate::sekisho(temporary.path(), &arguments);
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    assert_eq!(started.end().code(), Some(0));
    assert!(is_empty(temporary.path()));
}

#[test]
fn a_demo_that_is_ended_while_it_plays_leaves_nothing() {
    for name in ["-INT", "-TERM"] {
        let (temporary, mut command) = demo(&["--exit"]);
        command.stdin(std::process::Stdio::null());
        let started = Started::spawn(command);
        started.wait("register  account_holders");
        started.signal(name);
        let status = started.ended();
        assert!(matches!(status.code(), Some(0 | 3)), "{name}: {status}");
        assert!(is_empty(temporary.path()), "{name}");
    }
}
