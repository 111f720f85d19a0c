//! The scenarios, played by the executable with a fixed seed: what must come out stands in `scenarios/*/expected`.

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
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("no scenario `seminar`; there is: seminar-theft"), "{told}");
}
