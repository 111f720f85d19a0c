//! Who reads what the executable tells may leave at any time: the gateway goes on, an answer ends quietly.

use crate::site::{Started, address, get, site};
use crate::{CUSTOMERS, code, sekisho, text};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

const PAGE: &str = "<p>山田太郎 様 taro@example.jp</p>";

#[test]
fn observe_serves_on_when_nobody_reads_its_output_and_after_a_hangup() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("customers.csv"), CUSTOMERS).expect("a file");
    let upstream = format!("http://{}", site(PAGE));
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
    command.args(["observe", "--upstream", &upstream, "--register", "customers.csv", "--listen", "127.0.0.1:0"]);
    let mut child =
        command.current_dir(directory.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("  open ") {
        line.clear();
        assert!(output.read_line(&mut line).expect("it tells") > 0, "it ended before it opened");
    }
    let address = address(&line);
    drop(output);
    drop(child.stderr.take());
    let child = Started::of(child);
    for _ in 0..3 {
        assert!(get(&address, "/mypage").contains(PAGE));
    }
    child.signal("-HUP");
    assert!(get(&address, "/mypage").contains(PAGE), "a terminal that closes stops no site");
    assert_eq!(child.end().code(), Some(0));
    let asked = sekisho(directory.path(), &["scope", "--format", "json"]);
    let answer: serde_json::Value = serde_json::from_slice(&asked.stdout).expect("JSON");
    assert_eq!(answer["registers"][0]["persons"], 1, "{}", text(&asked.stderr));
}

#[test]
fn an_answer_whose_reader_left_keeps_its_exit_code() {
    let directory = tempfile::tempdir().expect("a directory");
    assert_eq!(code(&sekisho(directory.path(), &["init"])), 0);
    let run = |output: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
        command.arg("check").current_dir(directory.path()).stdout(output).output().expect("the executable runs")
    };
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let left = run(writer.into());
    assert_eq!((code(&left), text(&left.stderr).as_str()), (0, ""));
    let full = run(File::options().write(true).open("/dev/full").expect("a full device").into());
    assert_eq!(code(&full), 3);
    assert!(text(&full.stderr).contains("cannot write the answer: No space left"), "{}", text(&full.stderr));
}

#[test]
fn columns_that_cannot_be_written_end_with_3() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("customers.csv"), "id,mail\nHK1,taro@mail.example\n").expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
    command.args(["register", "learn", "customers.csv"]).current_dir(directory.path());
    command.stdout(File::options().write(true).open("/dev/full").expect("Linux has one"));
    let full = command.stderr(Stdio::piped()).output().expect("it runs");
    assert_eq!(code(&full), 3);
    assert!(text(&full.stderr).contains("cannot write the answer"), "{}", text(&full.stderr));
}

#[test]
fn serve_reloads_when_nobody_reads_its_messages() {
    let directory = tempfile::tempdir().expect("a directory");
    assert_eq!(code(&sekisho(directory.path(), &["init", "--upstream", &format!("http://{}", site(PAGE))])), 0);
    let config = directory.path().join("sekisho.toml");
    let text = std::fs::read_to_string(&config).expect("a configuration").replace("127.0.0.1:8080", "127.0.0.1:0");
    let text = text.replace("127.0.0.1:9090", "127.0.0.1:0");
    std::fs::write(&config, text).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
    command.arg("serve").current_dir(directory.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut told = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("serves on") {
        line.clear();
        assert!(told.read_line(&mut line).expect("it tells") > 0, "it ended before it served");
    }
    let address = address(&line);
    drop(told);
    let child = Started::of(child);
    child.signal("-HUP");
    std::fs::write(&config, "[[route]").expect("written");
    child.signal("-HUP");
    assert!(get(&address, "/").contains(PAGE));
    assert_eq!(child.end().code(), Some(0));
}
