//! Synthetic customers by number: the same ones each time, as a register and as an application's page shows them.
//! Example domains, telephone exchanges that begin with 0 and are given to nobody; each has a number of his own, as a
//! value that many share would make a page of one person a page of all of them.

use anyhow::Result;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// The columns of the register, and their kinds.
pub(crate) const COLUMNS: &[(&str, &str)] =
    &[("account_id", "account_id"), ("name", "name"), ("name_kana", "kana"), ("email", "email"), ("phone", "phone")];

const SURNAMES: &[(&str, &str, &str)] = &[
    ("佐藤", "サトウ", "sato"),
    ("鈴木", "スズキ", "suzuki"),
    ("高橋", "タカハシ", "takahashi"),
    ("田中", "タナカ", "tanaka"),
    ("渡辺", "ワタナベ", "watanabe"),
    ("伊藤", "イトウ", "ito"),
    ("山本", "ヤマモト", "yamamoto"),
    ("中村", "ナカムラ", "nakamura"),
];

const GIVEN: &[(&str, &str, &str)] = &[
    ("太郎", "タロウ", "taro"),
    ("花子", "ハナコ", "hanako"),
    ("美咲", "ミサキ", "misaki"),
    ("大輔", "ダイスケ", "daisuke"),
    ("陽菜", "ヒナ", "hina"),
    ("直樹", "ナオキ", "naoki"),
    ("久美", "クミ", "kumi"),
];

/// One customer's values, in the order of [`COLUMNS`].
pub(crate) fn customer(number: u64) -> [String; 5] {
    // A step that shares no factor with the lists walks through all pairs.
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let (surname, surname_kana, surname_latin) = SURNAMES[usize::try_from(mixed % 8).expect("below 8")];
    let (given, given_kana, given_latin) = GIVEN[usize::try_from(mixed / 8 % 7).expect("below 7")];
    [
        account_id(number),
        format!("{surname} {given}"),
        format!("{surname_kana} {given_kana}"),
        format!("{given_latin}.{surname_latin}{number}@example.jp"),
        format!("0{}0-0{:03}-{:04}", 7 + mixed % 3, number / 10_000 % 1_000, number % 10_000),
    ]
}

/// The account id of a customer.
pub(crate) fn account_id(number: u64) -> String {
    format!("HK-{:08}", 10_000_000 + number)
}

/// Writes customers 0 to `count`.
pub(crate) fn write_csv(path: &Path, count: u64) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "{}", COLUMNS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(","))?;
    for number in 0..count {
        writeln!(file, "{}", customer(number).join(","))?;
    }
    file.flush()?;
    Ok(())
}
