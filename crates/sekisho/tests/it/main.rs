//! The real executable, as an operator runs it.

mod affected;
mod asking;
#[cfg(feature = "demo")]
mod demo;
mod found_file;
mod output;
mod running;
mod site;
mod verify;

use std::path::Path;
use std::process::{Command, Output};

fn sekisho(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
    command.args(arguments).current_dir(directory).env_remove("SEKISHO_LOG").env("USER", "inspector");
    command.output().expect("the executable runs")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const CUSTOMERS: &str = "id,mail,name\n1,taro@example.jp,山田太郎\n2,hanako@example.jp,鈴木花子\n";

#[test]
fn from_init_to_a_built_register() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    assert_eq!(code(&sekisho(directory, &["init"])), 0);
    assert_eq!(code(&sekisho(directory, &["init"])), 3, "nothing is overwritten");
    assert_eq!(code(&sekisho(directory, &["check"])), 0);
    std::fs::write(directory.join("customers.csv"), CUSTOMERS).expect("a file");
    let learnt = sekisho(directory, &["register", "learn", "customers.csv"]);
    assert_eq!(code(&learnt), 0, "{}", text(&learnt.stderr));
    let config = std::fs::read_to_string(directory.join("sekisho.toml")).expect("a configuration");
    std::fs::write(directory.join("sekisho.toml"), config + &text(&learnt.stdout)).expect("written");
    assert_eq!(code(&sekisho(directory, &["register", "status"])), 1, "nothing is built yet");
    let built = sekisho(directory, &["register", "build"]);
    assert_eq!(text(&built.stdout), "built customers: 2 persons\n", "{}", text(&built.stderr));
    assert_eq!(code(&sekisho(directory, &["register", "status"])), 0);
}

#[test]
fn bad_input_has_its_exit_code_and_says_so_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    assert_eq!(code(&sekisho(directory, &["scope", "--client", "nobody"])), 2);
    let missing = sekisho(directory, &["check", "-c", "nowhere.toml"]);
    assert_eq!(code(&missing), 3);
    assert_eq!(text(&missing.stderr).matches("nowhere.toml").count(), 1);
    std::fs::write(directory.join("sekisho.toml"), "x = 1\n").expect("a file");
    assert_eq!(code(&sekisho(directory, &["check"])), 1);
}
