//! Register files by example, rebuilds, and the stored form.

use super::{Index, IndexBuilder, IndexError};
use crate::fuzz::{SAMPLE_CSV, fuzz_index, fuzz_register_csv, sample_config};
use crate::register::{ColumnConfig, Encoding, RegisterConfig};
use crate::{Found, HashKey, Scanner, TextForm};
use proptest::prelude::*;
use sekisho_model::{Diagnostic, FieldKind, SubjectId, Timestamp};
use std::sync::Arc;

fn key() -> Arc<HashKey> {
    Arc::new(HashKey::new([7; 16]))
}

fn config() -> RegisterConfig {
    let column = |name: &str, kind| ColumnConfig { name: name.to_owned(), kind, pattern: None };
    RegisterConfig {
        name: "holders".to_owned(),
        row_key: "id".to_owned(),
        columns: vec![
            column("id", FieldKind::AccountId),
            column("mail", FieldKind::Email),
            column("name", FieldKind::Name),
        ],
        encoding: Encoding::Auto,
    }
}

fn build(csv: impl AsRef<[u8]>) -> Index {
    let mut builder = IndexBuilder::new(key(), Timestamp(5));
    builder.register(&config(), csv.as_ref(), "holders.csv").expect("a good register");
    builder.build()
}

fn errors(config: &RegisterConfig, csv: impl AsRef<[u8]>) -> Vec<String> {
    let mut builder = IndexBuilder::new(key(), Timestamp(5));
    match builder.register(config, csv.as_ref(), "holders.csv") {
        Ok(built) => panic!("no error, but {} persons", built.persons),
        Err(diagnostics) => diagnostics.iter().map(Diagnostic::to_string).collect(),
    }
}

/// The subjects in a body.
fn subjects(index: Index, body: &str) -> Vec<u32> {
    let mut scanner = Scanner::new(Arc::new(index), TextForm::default(), Arc::default());
    let mut findings = Vec::new();
    scanner.feed(body.as_bytes(), &mut findings);
    scanner.finish(&mut findings);
    findings
        .iter()
        .filter_map(|finding| match finding.found {
            Found::Subject { subject, .. } => Some(subject.id.0),
            Found::Generic(_) => None,
        })
        .collect()
}

#[test]
fn a_register_in_either_encoding() {
    let csv = "id,mail,name\n10001,a@mail.example,山田 太郎\n";
    let (shift_jis, _, _) = encoding_rs::SHIFT_JIS.encode(csv);
    for bytes in [csv.as_bytes().to_vec(), [b"\xEF\xBB\xBF", csv.as_bytes()].concat(), shift_jis.into_owned()] {
        let index = build(&bytes);
        assert_eq!(index.subject("holders", "10001"), Some(SubjectId(0)));
        assert_eq!(subjects(index, "10001 山田太郎"), [0, 0]);
    }
}

#[test]
fn a_register_is_described_without_its_values() {
    let index = build("id,mail,name\n10001,a@mail.example,山田 太郎\n10002,nobody,林\n10003,,\n");
    let holders = &index.registers()[0];
    assert_eq!((holders.name.as_str(), holders.persons, holders.built_at), ("holders", 3, Timestamp(5)));
    let not_indexed: Vec<u64> = holders.fields.iter().map(|field| field.values_not_indexed).collect();
    assert_eq!(not_indexed, [0, 1, 1], "empty cells do not count");
    let shown = format!("{index:?}");
    assert!(!shown.contains("mail.example") && !shown.contains("10001"));
}

#[test]
fn kinds_without_a_detector_say_so() {
    let mut builder = IndexBuilder::new(key(), Timestamp(0));
    builder.register(&sample_config(), SAMPLE_CSV.as_bytes(), "sample.csv").expect("a good register");
    let index = builder.build();
    let reasons: Vec<&str> =
        index.registers()[0].fields.iter().filter_map(|field| field.not_examined.as_deref()).collect();
    assert_eq!(
        reasons,
        ["no detector for `birth_date` yet", "no detector for `address` yet", "no detector for `text` yet"]
    );
}

#[test]
fn all_errors_of_a_file_at_once() {
    assert_eq!(
        errors(&config(), "id,mail,name\n1,a\n2,b,c\n,x,y\n2,d,e\n"),
        [
            "error[SK138]: line 2 has 2 cells where the first row has 3",
            "error[SK139]: line 4 has an empty row key `id`",
            "error[SK147]: lines 3 and 5 have the same row key `id`",
        ]
    );
    assert_eq!(
        errors(&config(), "id,e_mail,name,name\n"),
        [
            "error[SK135]: register file `holders.csv` has the column `name` twice",
            "error[SK136]: register `holders` has no column `mail`",
        ]
    );
    assert_eq!(errors(&config(), ""), ["error[SK134]: register file `holders.csv` is empty"]);
}

#[test]
fn a_missing_column_names_those_that_are_there() {
    let mut builder = IndexBuilder::new(key(), Timestamp(0));
    let told = builder.register(&config(), "id,e_mail,name\n".as_bytes(), "holders.csv").expect_err("no column `mail`");
    assert_eq!(told[0].help.as_deref(), Some("the file has: id, e_mail, name"));
}

#[test]
fn errors_are_bounded_and_the_rest_is_counted() {
    let rows = "1\n".repeat(80);
    let told = errors(&config(), format!("id,mail,name\n{rows}"));
    assert_eq!(told.len(), 51);
    assert_eq!(told[50], "error[SK130]: and 30 more errors in this file");
}

#[test]
fn a_file_of_two_encodings_names_the_line() {
    let utf8 = "id,mail,name\n10001,a@mail.example,山田 太郎\n".as_bytes();
    let (shift_jis, _, _) = encoding_rs::SHIFT_JIS.encode("10002,b@mail.example,鈴木 花子\n");
    assert_eq!(
        errors(&config(), [utf8, &shift_jis].concat()),
        ["error[SK141]: line 3, column 3 (`name`): reads as Shift_JIS, but the file is UTF-8 since line 2",]
    );
    let (first, _, _) = encoding_rs::SHIFT_JIS.encode("id,mail,name\n10001,a@mail.example,山田 太郎\n");
    let told = errors(&config(), [&first, "10002,b@mail.example,鈴木 花子\n".as_bytes()].concat());
    assert_eq!(
        told,
        ["error[SK141]: line 3, column 3 (`name`): reads as UTF-8, but the file is Shift_JIS since line 2"]
    );
    assert_eq!(
        errors(&config(), b"id,mail,name\n10001,\xFF\xFF,x\n"),
        ["error[SK140]: line 2, column 2 (`mail`): the bytes are not valid UTF-8 or Shift_JIS",]
    );
}

#[test]
fn a_configuration_that_cannot_be() {
    let mut bad = config();
    bad.columns.clear();
    assert_eq!(errors(&bad, "id\n"), ["error[SK131]: register `holders` has no columns"]);
    let mut bad = config();
    bad.columns[0].pattern = Some("[".to_owned());
    bad.columns[1].name = "id".to_owned();
    assert_eq!(
        errors(&bad, "id\n"),
        [
            "error[SK133]: register `holders` names the column `id` twice",
            "error[SK145]: the pattern of column `id` is not a regular expression",
        ]
    );
}

#[test]
fn a_pattern_decides_which_account_ids_are_indexed() {
    let mut config = config();
    config.columns[0].pattern = Some("[0-9]{5}".to_owned());
    let mut builder = IndexBuilder::new(key(), Timestamp(0));
    let csv = "id,mail,name\n10001,a@mail.example,\nX10002,b@mail.example,\n";
    let built = builder.register(&config, csv.as_bytes(), "holders.csv").expect("a good register");
    assert_eq!(built.warnings.len(), 1);
    let index = builder.build();
    assert_eq!(index.registers()[0].fields[0].values_not_indexed, 1);
    assert_eq!(subjects(index, "10001 X10002"), [0]);
}

#[test]
fn a_value_that_too_many_share_is_not_looked_for() {
    let rows: String = (0..65).map(|row| format!("{},noreply@mail.example,\n", 10_000 + row)).collect();
    let index = build(format!("id,mail,name\n{rows}"));
    assert_eq!(index.registers()[0].fields[1].values_not_indexed, 65);
    assert_eq!(subjects(index, "noreply@mail.example"), [] as [u32; 0]);
    let rows: String = (0..64).map(|row| format!("{},family@mail.example,\n", 10_000 + row)).collect();
    assert_eq!(subjects(build(format!("id,mail,name\n{rows}")), "family@mail.example").len(), 64);
}

#[test]
fn a_rebuild_keeps_numbers_and_former_persons() {
    let first = build("id,mail,name\n10001,a@mail.example,山田 太郎\n10002,b@mail.example,鈴木 花子\n");
    let mut builder = IndexBuilder::on(&first, Timestamp(9));
    let csv = "id,mail,name\n10003,c@mail.example,\n10002,new@mail.example,鈴木 花子\n";
    let built = builder.register(&config(), csv.as_bytes(), "holders.csv").expect("a good register");
    assert_eq!((built.persons, built.persons_former), (2, 1));
    let second = builder.build();
    let number = |row_key| second.subject("holders", row_key).map(|subject| subject.0);
    assert_eq!((number("10001"), number("10002"), number("10003")), (Some(0), Some(1), Some(2)));
    assert_eq!(second.registers()[0].persons, 2);
    let body = "a@mail.example 山田太郎 | b@mail.example | new@mail.example | c@mail.example";
    assert_eq!(subjects(second, body), [0, 0, 1, 2], "the old mail of 10002 is forgotten");
}

/// The columns of a register as configured, by name and kind.
fn columns(columns: &[(&str, FieldKind)]) -> RegisterConfig {
    let column =
        |(name, kind): &(&str, FieldKind)| ColumnConfig { name: (*name).to_owned(), kind: *kind, pattern: None };
    RegisterConfig { columns: columns.iter().map(column).collect(), ..config() }
}

/// The index, and the warnings' codes, when the register is built again.
fn rebuild(previous: &Index, config: &RegisterConfig, csv: &str) -> (Index, Vec<&'static str>) {
    let mut builder = IndexBuilder::on(previous, Timestamp(9));
    let built = builder.register(config, csv.as_bytes(), "holders.csv").expect("a good register");
    (builder.build(), built.warnings.iter().map(|warning| warning.code).collect())
}

/// Each column in the order of the numbers, with why it is not examined.
fn described(index: &Index) -> Vec<(&str, &str)> {
    let fields = index.registers()[0].fields.iter();
    fields.map(|field| (field.name.as_str(), field.not_examined.as_deref().unwrap_or("looked for"))).collect()
}

#[test]
fn a_column_keeps_its_number_by_name_and_kind() {
    use FieldKind::{AccountId, Email, Phone, Text};
    let csv = "id,mail,tel\n10001,a@mail.example,03-5550-0101\n";
    let (first, _) = rebuild(&Index::empty(key()), &columns(&[("mail", Email), ("tel", Phone)]), csv);
    let (swapped, _) = rebuild(&first, &columns(&[("tel", Phone), ("id", AccountId), ("mail", Email)]), csv);
    assert_eq!(described(&swapped), [("mail", "looked for"), ("tel", "looked for"), ("id", "looked for")]);
    let (changed, _) = rebuild(&swapped, &columns(&[("tel", Text), ("mail", Email)]), csv);
    let (former, none) = ("no longer a column of the register", "no detector for `text` yet");
    assert_eq!(described(&changed), [("mail", "looked for"), ("tel", former), ("id", former), ("tel", none)]);
    let (back, _) = rebuild(&changed, &columns(&[("tel", Phone)]), csv);
    assert_eq!(described(&back), [("mail", former), ("tel", "looked for"), ("id", former), ("tel", former)]);
}

#[test]
fn more_columns_over_time_than_a_set_holds_are_refused() {
    let mut index = Index::empty(key());
    for round in 0..4 {
        let names: Vec<String> = (0..20).map(|at| format!("column-{round}-{at}")).collect();
        let named: Vec<(&str, FieldKind)> = names.iter().map(|name| (name.as_str(), FieldKind::Text)).collect();
        let csv = format!("id,{}\n10001{}\n", names.join(","), ",".repeat(20));
        if round < 3 {
            index = rebuild(&index, &columns(&named), &csv).0;
            continue;
        }
        let mut builder = IndexBuilder::on(&index, Timestamp(9));
        let told = builder.register(&columns(&named), csv.as_bytes(), "holders.csv").expect_err("80 columns");
        assert_eq!(
            told[0].to_string(),
            "error[SK154]: register `holders` would have had 80 columns over time, more than 64"
        );
    }
}

#[test]
fn another_row_key_is_refused_for_it_would_count_each_person_twice() {
    let first = build("id,mail,name\n10001,a@mail.example,山田 太郎\n");
    let mut builder = IndexBuilder::on(&first, Timestamp(9));
    let other = RegisterConfig { row_key: "mail".to_owned(), ..config() };
    let told = builder.register(&other, "id,mail,name\n10001,a@mail.example,\n".as_bytes(), "holders.csv");
    assert_eq!(
        told.expect_err("another key")[0].to_string(),
        "error[SK150]: register `holders` was built with the row key `id`, and `mail` would count each person twice"
    );
    assert_eq!(first.row_key("holders"), Some("id"));
}

#[test]
fn sco_1_a_column_without_values_is_not_examined() {
    let index = build("id,mail,name\n10001,,\n");
    let empty = "the register holds no value of it";
    assert_eq!(described(&index), [("id", "looked for"), ("mail", empty), ("name", empty)]);
    let (index, warnings) = rebuild(&Index::empty(key()), &config(), "id,mail,name\n");
    assert_eq!(described(&index), [("id", empty), ("mail", empty), ("name", empty)]);
    assert_eq!(warnings, ["SK151"]);
}

#[test]
fn sco_1_names_without_an_anchor_are_not_examined() {
    let (index, _) = rebuild(&Index::empty(key()), &columns(&[("name", FieldKind::Name)]), "id,name\n1,山田 太郎\n");
    assert!(described(&index)[0].1.starts_with("names are looked for only near a mail"), "{index:?}");
}

#[test]
fn sco_1_values_of_former_persons_that_could_not_be_indexed_still_count() {
    let first = build("id,mail,name\n10001,nobody,\n10002,b@mail.example,\n");
    let (second, _) = rebuild(&first, &config(), "id,mail,name\n10002,b@mail.example,\n");
    assert_eq!(second.registers()[0].fields[1].values_not_indexed, 1);
    let (third, _) = rebuild(&second, &config(), "id,mail,name\n10001,a@mail.example,\n10002,b@mail.example,\n");
    assert_eq!(third.registers()[0].fields[1].values_not_indexed, 0, "the person's value was corrected");
}

#[test]
fn values_of_former_persons_that_a_renamed_column_drops_are_told() {
    let first = build("id,mail,name\n10001,a@mail.example,山田 太郎\n10002,b@mail.example,鈴木 花子\n");
    let renamed = columns(&[("id", FieldKind::AccountId), ("e_mail", FieldKind::Email), ("name", FieldKind::Name)]);
    let (index, warnings) = rebuild(&first, &renamed, "id,e_mail,name\n10002,b@mail.example,鈴木 花子\n");
    assert_eq!(warnings, ["SK153"]);
    assert_eq!(subjects(index, "a@mail.example"), [] as [u32; 0]);
}

#[test]
fn a_row_without_end_is_refused_before_it_is_read_whole() {
    use std::io::Read;
    let unclosed = "id,mail,name\n10001,\"a@mail.example,\n".as_bytes().chain(std::io::repeat(b'x'));
    let mut builder = IndexBuilder::new(key(), Timestamp(5));
    let told = builder.register(&config(), unclosed, "holders.csv").expect_err("too long");
    assert_eq!(told[0].to_string(), "error[SK155]: the row that begins on line 2 is longer than 1024 KiB");
    assert_eq!(told[0].spans[0].line, Some(2));
    let long = format!("id,mail,name\n10001,a@mail.example,{}\n", "x".repeat(3 << 20));
    assert_eq!(errors(&config(), long), ["error[SK155]: the row that begins on line 2 is longer than 1024 KiB"]);
}

#[test]
fn lines_are_counted_alike_whatever_ends_them() {
    let csv = "id,mail,name\n1,a,b\n2,a\n3,\"c\nd\",e\n1,a,b\n4,a\n";
    let told = [
        "error[SK138]: line 3 has 2 cells where the first row has 3",
        "error[SK138]: line 7 has 2 cells where the first row has 3",
        "error[SK147]: lines 2 and 6 have the same row key `id`",
    ];
    assert_eq!(errors(&config(), csv), told);
    assert_eq!(errors(&config(), csv.replace('\n', "\r\n")), told);
}

#[test]
fn another_separator_and_a_file_that_is_no_text_say_so() {
    assert_eq!(
        errors(&config(), "id;mail;name\n1;a@mail.example;x\n"),
        ["error[SK152]: register file `holders.csv` has one column only, whose name holds a semicolon"]
    );
    assert_eq!(errors(&config(), b"i\0d\0,\0m\0"), ["error[SK140]: line 1, column 1: a NUL byte, which no text has"]);
}

#[test]
fn a_file_of_two_encodings_is_refused_when_one_is_named_too() {
    let (row, _, _) = encoding_rs::SHIFT_JIS.encode("10002,b@mail.example,鈴木 花子\n");
    let csv = ["id,mail,name\n10001,a@mail.example,佐藤 健\n".as_bytes(), &row].concat();
    let named = RegisterConfig { encoding: Encoding::ShiftJis, ..config() };
    assert_eq!(
        errors(&named, csv),
        ["error[SK141]: line 2, column 3 (`name`): reads as UTF-8, but the file is Shift_JIS since line 1"]
    );
    let mixed = ["佐藤 健\n".as_bytes(), &row].concat();
    assert!(crate::encoding_of(&mixed).is_err_and(|err| err.starts_with("line 2 reads as Shift_JIS")));
}

#[test]
fn a_register_that_failed_can_be_given_again() {
    let mut builder = IndexBuilder::new(key(), Timestamp(0));
    assert!(builder.register(&config(), "id\n".as_bytes(), "holders.csv").is_err());
    assert!(builder.register(&config(), "id,mail,name\n10001,,\n".as_bytes(), "holders.csv").is_ok());
    let twice = builder.register(&config(), "id,mail,name\n".as_bytes(), "holders.csv").expect_err("given twice");
    assert_eq!(twice[0].to_string(), "error[SK142]: register `holders` is given twice");
}

#[test]
fn a_stored_index_is_read_back() {
    let csv = "id,mail,name\n10001,a@mail.example,山田 太郎\n10002,a@mail.example,鈴木 花子\n";
    let index = build(csv);
    let mut stored = Vec::new();
    index.write_to(&mut stored).expect("memory");
    let read = Index::read_from(stored.as_slice(), key()).expect("it was just written");
    assert_eq!(read.registers(), index.registers());
    assert_eq!(read.registers, index.registers);
    assert_eq!(subjects(read, "a@mail.example 山田太郎"), [0, 1, 0]);
    let clear = String::from_utf8_lossy(&stored);
    assert!(!clear.contains("mail.example") && !clear.contains("山田"), "no value in clear");
}

#[test]
fn another_key_a_damaged_and_a_foreign_file_are_told_apart() {
    let mut stored = Vec::new();
    build("id,mail,name\n10001,a@mail.example,山田 太郎\n").write_to(&mut stored).expect("memory");
    let other = Arc::new(HashKey::new([8; 16]));
    assert!(matches!(Index::read_from(stored.as_slice(), other), Err(IndexError::WrongKey)));
    assert!(matches!(Index::read_from(&b"PK\x03\x04 something else"[..], key()), Err(IndexError::NotAnIndex)));
    assert!(matches!(Index::read_from(&stored[..stored.len() - 1], key()), Err(IndexError::Damaged { .. })));
    for at in 0..stored.len() {
        let mut damaged = stored.clone();
        damaged[at] ^= 1;
        assert!(Index::read_from(damaged.as_slice(), key()).is_err(), "byte {at}");
    }
}

#[test]
fn the_corpus_of_the_fuzzers_is_replayed() {
    let mut stored = Vec::new();
    build("id,mail,name\n10001,a@mail.example,山田 太郎\n").write_to(&mut stored).expect("memory");
    fuzz_index(&stored);
    fuzz_index(&stored[32..]);
    for csv in ["", "\n", "\"", "account_id\n\"", "a,b\r\nc", SAMPLE_CSV] {
        fuzz_register_csv(csv.as_bytes());
    }
    let (shift_jis, _, _) = encoding_rs::SHIFT_JIS.encode(SAMPLE_CSV);
    fuzz_register_csv(&shift_jis);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_hostile_index_is_refused(data in prop::collection::vec(any::<u8>(), 0..256)) {
        fuzz_index(&data);
    }

    #[test]
    fn a_hostile_register_is_refused_or_read(mut data in Just(SAMPLE_CSV.as_bytes().to_vec()), breaks in prop::collection::vec((any::<usize>(), any::<u8>()), 0..16)) {
        for (place, byte) in breaks {
            let len = data.len();
            data[place % len] = byte;
        }
        fuzz_register_csv(&data);
    }
}
