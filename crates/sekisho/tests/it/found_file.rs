//! A file that was found: whose data is in it, and the case that begins with it.

use crate::sekisho;
use std::path::Path;

const CUSTOMERS: &str = "id,name,kana,email,phone\n\
    HK10000001,山田 太郎,ヤマダ タロウ,taro@mail.example,090-0000-0001\n\
    HK10000002,佐藤 花子,サトウ ハナコ,hanako@mail.example,090-0000-0002\n\
    HK10000003,鈴木 一郎,スズキ イチロウ,ichiro@mail.example,090-0000-0003\n";

/// A directory with a built register.
fn built() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    std::fs::write(at.join("customers.csv"), CUSTOMERS).expect("written");
    run(at, &["init", "--upstream", "http://127.0.0.1:9", "."], 0);
    let learnt = run(at, &["register", "learn", "customers.csv"], 0);
    let mut config = std::fs::read_to_string(at.join("sekisho.toml")).expect("read");
    config.push_str(&learnt);
    std::fs::write(at.join("sekisho.toml"), config).expect("written");
    run(at, &["register", "build", "-c", "sekisho.toml"], 0);
    directory
}

fn run(at: &Path, arguments: &[&str], code: i32) -> String {
    let output = sekisho(at, arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
    String::from_utf8(output.stdout).expect("UTF-8") + &if code == 0 { String::new() } else { told.into_owned() }
}

#[test]
fn a_found_file_tells_whose_data_it_holds_and_opens_a_case() {
    let directory = built();
    let at = directory.path();
    let (shift_jis, _, _) = encoding_rs::SHIFT_JIS.encode("氏名,メール\n佐藤 花子,hanako@mail.example\n");
    std::fs::write(at.join("found.csv"), shift_jis).expect("written");
    std::fs::write(at.join("found.txt"), "call 090-0000-0003").expect("written");
    std::fs::write(at.join("found.zip"), b"PK\x03\x04taro@mail.example").expect("written");
    let files = ["found.csv", "found.txt", "found.zip"];

    let table = run(at, &[&["edm", "scan"][..], &files].concat(), 0);
    assert!(table.contains("account_holders") || table.contains("customers"), "{table}");
    assert!(table.contains("2 of 3 persons"), "{table}");
    assert!(table.contains("found.zip") && table.contains("not examined: container"), "{table}");

    let csv = run(at, &[&["edm", "scan", "--format", "csv", "--register", "customers.csv"][..], &files].concat(), 0);
    let keys: Vec<(&str, &str)> = csv
        .lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.split(',').skip(1);
            (cells.next().expect("a key"), cells.next().expect("fields"))
        })
        .collect();
    assert_eq!(keys, [("HK10000002", "name email"), ("HK10000003", "phone")]);

    let json = run(at, &[&["edm", "scan", "--format", "json"][..], &files].concat(), 0);
    std::fs::write(at.join("found.json"), &json).expect("written");
    let no_title = run(at, &["case", "take", "hakone-1", "found.json"], 3);
    assert!(no_title.contains("--title"), "{no_title}");
    run(at, &["case", "take", "hakone-1", "found.json", "--title", "拡散したファイル", "--aware"], 0);
    let case = run(at, &["case", "show", "hakone-1", "--format", "json"], 0);
    let case: serde_json::Value = serde_json::from_str(&case).expect("JSON");
    assert_eq!(case["origin"], "found_file");
    assert_eq!(case["counts"][0]["value"], 2);
    let again = run(at, &["case", "take", "hakone-1", "found.json"], 0);
    assert!(again.contains("nothing new"), "{again}");
    let deadlines = run(at, &["case", "deadlines", "hakone-1"], 0);
    assert!(deadlines.contains("jp.finsector") || deadlines.contains("jp.appi"), "{deadlines}");
}

#[test]
fn sco_1_no_escape_in_a_found_file_hides_what_follows() {
    let directory = built();
    let at = directory.path();
    std::fs::write(
        at.join("found.csv"),
        b"id,name,mail\nHK1,\x1b$B,x\nHK2,y,hanako@mail.example\nHK3,z,a@other.example\n",
    )
    .expect("written");
    let json = run(at, &["edm", "scan", "--format", "json", "found.csv"], 0);
    let told: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(told["files"][0]["persons"], 1, "{json}");
    std::fs::write(at.join("latin.txt"), b"caf\xe9 \xff\xfe\xfa hanako@mail.example").expect("written");
    let json = run(at, &["edm", "scan", "--format", "json", "latin.txt"], 0);
    let told: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        (&told["files"][0]["persons"], &told["files"][0]["not_examined"]),
        (&1.into(), &"charset".into()),
        "{json}"
    );
}

#[test]
fn a_file_that_is_no_answer_is_refused_with_the_way_to_make_one() {
    let directory = built();
    let at = directory.path();
    std::fs::write(at.join("other.json"), "{}").expect("written");
    let told = run(at, &["case", "take", "x", "other.json", "--title", "x"], 3);
    assert!(told.contains("sekisho scope --format json"), "{told}");
    let told = run(at, &["edm", "scan", "nowhere.csv"], 3);
    assert!(told.contains("nowhere.csv"), "{told}");
}

#[test]
fn a_submission_that_is_refused_keeps_no_text_and_a_number_of_a_person_enters_no_case() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    run(at, &["case", "open", "hakone-1", "--title", "漏えい"], 0);
    let told = run(at, &["case", "fact", "hakone-1", "other", "番号は 1234-5678-9018"], 1);
    assert!(told.contains("マイナンバー"), "{told}");
    std::fs::write(at.join("report.md"), "報告書").expect("written");
    let submit = ["case", "submit", "hakone-1", "jp.appi.prelim", "--file", "report.md"];
    run(at, &[&submit[..], &["--at", "2999-01-01"]].concat(), 1);
    let kept = || std::fs::read_dir(at.join("cases/snapshots")).map_or(0, Iterator::count);
    assert_eq!(kept(), 0);
    run(at, &submit, 0);
    run(at, &[&submit[..], &["--at", "2999-01-01"]].concat(), 1);
    assert_eq!(kept(), 1, "the text that was sent stays");
    run(at, &[&submit[..], &["--at", "yesterday"]].concat(), 2);
}
