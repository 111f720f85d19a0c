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
