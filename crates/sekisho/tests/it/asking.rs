//! Asking the ledger: the list of row keys, mistakes in questions, and who asked.

use crate::site::{Started, address, get, site, site_in_two_parts};
use crate::{CUSTOMERS, code, sekisho, text};
use sekisho_ledger::{Reader, RealDisk};
use sekisho_model::{Query, Record};
use std::path::Path;
use std::sync::Arc;

const TARO: &str = "<p>山田太郎 様 taro@example.jp</p>";

/// A directory whose ledger tells of one response with one customer in it.
fn observed(register: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    std::fs::write(at.join(register), CUSTOMERS).expect("a file");
    let upstream = format!("http://{}", site(TARO));
    let arguments = ["observe", "--upstream", &upstream, "--register", register, "--listen", "127.0.0.1:0"];
    let started = Started::new(at, &arguments);
    get(&address(&started.wait("  open ")), "/mypage");
    assert_eq!(started.end().code(), Some(0));
    directory
}

/// What the command says, on both outputs, when it ends with this code.
fn run(at: &Path, arguments: &[&str], expected: i32) -> String {
    let output = sekisho(at, arguments);
    let told = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(code(&output), expected, "{arguments:?}: {told}");
    told
}

fn queries(ledger: &Path) -> Vec<Query> {
    let reader = Reader::open(ledger, Arc::new(RealDisk)).expect("a ledger");
    let mut queries = Vec::new();
    let mut each = |_, record: Record| {
        if let Record::Query(query) = record {
            queries.push(query);
        }
    };
    reader.records(&mut each).expect("reads");
    queries
}

#[test]
fn led_5_the_operator_is_recorded_before_the_answer_is_shown() {
    let directory = observed("customers.csv");
    let (at, ledger) = (directory.path(), directory.path().join("ledger"));
    run(at, &["scope", "--operator", "sato", "--subject", "customers:1"], 0);
    run(at, &["scope", "--format", "json"], 0);
    run(at, &["scope", "--operator", "sato", "--subject", "customers:nobody"], 1);
    let told = queries(&ledger).into_iter().map(|query| (query.operator, query.question, query.persons));
    let told: Vec<_> = told.collect();
    let asked = |operator: &str, question: &str, persons| (operator.to_owned(), question.to_owned(), persons);
    let of_one = "scope --format table --subject customers:…";
    assert_eq!(
        told,
        [asked("sato", of_one, 1), asked("inspector", "scope --format json", 1), asked("sato", of_one, 0)],
        "the person's row key is not in it"
    );
    // Where the question cannot be recorded, nothing is shown.
    std::fs::create_dir(ledger.join("LOCK-queries.d")).expect("made");
    std::fs::remove_file(ledger.join("LOCK-queries")).expect("removed");
    std::fs::rename(ledger.join("LOCK-queries.d"), ledger.join("LOCK-queries")).expect("in its place");
    let output = sekisho(at, &["scope"]);
    assert_eq!((code(&output), text(&output.stdout).as_str()), (3, ""));
    assert!(text(&output.stderr).contains("LED-5"), "{}", text(&output.stderr));
}

#[test]
fn a_list_by_row_key_never_lacks_somebody_silently() {
    let directory = observed("customers.csv");
    let at = directory.path();
    std::fs::copy(at.join("customers.csv"), at.join("export-2026.csv")).expect("a copy");
    let csv = ["scope", "--format", "csv", "--register"];
    let told = run(at, &[&csv[..], &["export-2026.csv"]].concat(), 2);
    assert!(told.contains("it knows: customers") && told.contains("NAME=export-2026.csv"), "{told}");
    let told = run(at, &[&csv[..], &["customers=export-2026.csv"]].concat(), 0);
    assert!(told.lines().nth(1).is_some_and(|row| row.starts_with("customers,1,mail name,")), "{told}");
    std::fs::write(at.join("customers.csv"), "id,mail,name\n2,hanako@example.jp,鈴木花子\n").expect("written");
    let told = run(at, &[&csv[..], &["customers.csv"]].concat(), 1);
    assert!(told.contains("warning: the list lacks 1 person of `customers`"), "{told}");
    std::fs::write(at.join("customers.csv"), "number,mail\n1,taro@example.jp\n").expect("written");
    let told = run(at, &[&csv[..], &["customers.csv"]].concat(), 3);
    assert!(told.contains("has no column `id`"), "{told}");
    run(at, &csv[..3], 2);
}

#[test]
fn a_configured_register_knows_its_file() {
    let directory = observed("customers.csv");
    let at = directory.path();
    let register = |name: &str| {
        format!(
            "[[register]]\nname = \"{name}\"\nfile = \"customers.csv\"\nrow_key = \"id\"\n\
             column = [{{ name = \"mail\", kind = \"email\" }}]\n"
        )
    };
    let route = "[[listener]]\naddress = \"127.0.0.1:0\"\n[[upstream]]\nname = \"site\"\nurl = \"http://127.0.0.1:9\"\n\
                 [[route]]\nupstream = \"site\"\n";
    let one = format!("{route}{}", register("customers"));
    std::fs::write(at.join("sekisho.toml"), &one).expect("written");
    let csv = ["scope", "-c", "sekisho.toml", "--format", "csv"];
    assert!(run(at, &csv, 0).contains("customers,1,"));
    std::fs::write(at.join("sekisho.toml"), one + &register("applicants")).expect("written");
    let told = run(at, &csv, 2);
    assert!(told.contains("--register customers=") && told.contains(" or --register applicants="), "{told}");
}

#[test]
fn a_question_that_cannot_be_meant_is_a_usage_error() {
    let directory = observed("customers.csv");
    let at = directory.path();
    let told = run(at, &["scope", "--from", "-1h", "--to", "-2h"], 2);
    assert!(told.contains("--from is not before --to"), "{told}");
    let told = run(at, &["scope", "--subject", "holders:1"], 2);
    assert!(told.contains("the index has: customers"), "{told}");
    let mapped = run(at, &["scope", "--format", "json", "--client", "::ffff:127.0.0.1"], 0);
    let answer: serde_json::Value = serde_json::from_str(&mapped).expect("JSON");
    assert_eq!(answer["coverage"]["responses"], 1);
    let told = run(at, &["scope", "--route", "/nope"], 0);
    assert!(told.contains("hint: no request came by a route `/nope`; the ledger has: /mypage"), "{told}");
}

#[test]
fn a_session_that_an_answer_names_can_be_asked_about() {
    let directory = observed("customers.csv");
    let at = directory.path();
    let json = run(at, &["scope", "--format", "json"], 0);
    let answer: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let session = answer["sessions"][0]["session"].as_str().expect("a session");
    assert!(run(at, &["scope"], 0).contains(session));
    let of_it = run(at, &["scope", "--format", "json", "--session", session], 0);
    let answer: serde_json::Value = serde_json::from_str(&of_it).expect("JSON");
    assert_eq!(answer["registers"][0]["persons"], 1);
}

#[test]
fn a_bad_register_file_has_one_exit_code() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    let twice = "id,name,mail\nK1,a,a@example.jp\nK2,b,b@example.jp\nK1,c,c@example.jp\n";
    std::fs::write(at.join("customers.csv"), twice).expect("written");
    let told = run(at, &["register", "learn", "customers.csv"], 3);
    assert!(told.contains("lines 2 and 4 have the same value in column `id`"), "{told}");
    let observe = ["observe", "--upstream", "http://127.0.0.1:9", "--register", "customers.csv"];
    run(at, &observe, 3);
    run(at, &["init"], 0);
    let config = std::fs::read_to_string(at.join("sekisho.toml")).expect("read");
    let register = "\n[[register]]\nname = \"customers\"\nfile = \"customers.csv\"\nrow_key = \"id\"\n\
                    column = [{ name = \"mail\", kind = \"email\" }]\n";
    std::fs::write(at.join("sekisho.toml"), config + register).expect("written");
    let told = run(at, &["register", "build"], 3);
    assert!(told.contains("SK147") && told.contains("customers.csv:4"), "{told}");
}

/// The response's scanner keeps the old registers; its finding comes after the new ones are recorded.
#[test]
fn a_reload_during_a_response_records_the_right_field() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    let register = |first: &str, second: &str| {
        format!(
            "[[register]]\nname = \"customers\"\nfile = \"customers.csv\"\nrow_key = \"id\"\n\
             column = [{{ name = \"{first}\", kind = \"{first}\" }}, {{ name = \"{second}\", kind = \"{second}\" }}]\n"
        )
    };
    std::fs::write(at.join("customers.csv"), "id,email,phone\n1,taro@mail.example,03-5550-0101\n").expect("written");
    let (upstream, go_on) = site_in_two_parts("<p>start</p>", "<p>taro@mail.example</p>");
    let route = format!(
        "[[listener]]\naddress = \"127.0.0.1:0\"\n[[upstream]]\nname = \"site\"\nurl = \"http://{upstream}\"\n\
         [[route]]\nupstream = \"site\"\n"
    );
    run(at, &["init"], 0);
    let write =
        |columns: String| std::fs::write(at.join("sekisho.toml"), format!("{route}{columns}")).expect("written");
    write(register("email", "phone"));
    run(at, &["register", "build"], 0);
    let started = Started::new(at, &["serve"]);
    let address = address(&started.wait("serves on"));
    let client = crate::site::begin(&address, "/stream", "start");
    write(register("phone", "email"));
    run(at, &["register", "build"], 0);
    started.signal("-HUP");
    started.wait("reloaded");
    go_on.send(()).expect("the site waits");
    assert!(crate::site::rest(client).contains("taro"));
    assert_eq!(started.end().code(), Some(0));
    let json = run(at, &["scope", "--format", "json"], 0);
    let answer: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let combinations = &answer["registers"][0]["combinations"];
    assert_eq!(combinations, &serde_json::json!([{ "fields": ["email"], "persons": 1 }]));
}
