//! Columns come back as they were written, over more rows than one row group has.

use super::column::TableFile;
use super::table::{self, Kind, Schema, Values};
use crate::RealDisk;
use proptest::prelude::*;
use sekisho_model::disk::Disk as _;
use sekisho_model::disk::Open;
use std::borrow::Cow;
use std::path::PathBuf;

const ROWS: usize = 40_000;
const SCHEMA: Schema = &[
    ("whole", Kind::Whole),
    ("whole_if", Kind::WholeIf),
    ("one", Kind::Whole),
    ("word", Kind::Word),
    ("text", Kind::Text),
    ("key", Kind::Key),
    ("nothing", Kind::Word),
];

fn whole(row: usize) -> i64 {
    [i64::MIN, i64::MAX, 0, -1, row as i64][row % 5]
}

fn whole_if(row: usize) -> Option<i64> {
    (!row.is_multiple_of(3)).then_some(row as i64 * 7)
}

fn word(row: usize) -> Option<String> {
    (!row.is_multiple_of(11)).then(|| format!("198.51.100.{:03}", row / 1000))
}

/// So long that a dictionary does not hold a row group of them, and the rest is plain.
fn text(row: usize) -> Option<String> {
    (!row.is_multiple_of(2)).then(|| format!("{row:0600}"))
}

fn key(row: usize) -> Option<String> {
    Some(format!("{:032x}", row * 3))
}

fn written() -> (tempfile::TempDir, PathBuf) {
    let columns = [
        Values::Whole(Box::new(whole)),
        Values::WholeIf(Box::new(whole_if)),
        Values::Whole(Box::new(|_| 42)),
        Values::Text(Box::new(|row| word(row).map(Cow::Owned))),
        Values::Text(Box::new(|row| text(row).map(Cow::Owned))),
        Values::Text(Box::new(|row| key(row).map(Cow::Owned))),
        Values::Text(Box::new(|_| None)),
    ];
    let bytes = table::write(SCHEMA, &[], &columns, ROWS, 100).expect("is written");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("table.parquet");
    let file = RealDisk.open(&path, Open::Create).expect("is made");
    file.write_all_at(&bytes, 0).expect("is written");
    (dir, path)
}

#[test]
fn columns_come_back_as_they_were_written() {
    let (_dir, path) = written();
    let mut first = 0;
    for group in TableFile::open(&RealDisk, &path).expect("opens").groups() {
        let rows = first..first + group.rows();
        assert!(rows.start == 0 || rows.start >= 100, "a row group ends at the cut");
        assert_eq!(group.whole("whole").expect("reads"), rows.clone().map(whole).collect::<Vec<_>>());
        assert_eq!(group.whole_if("whole_if").expect("reads"), rows.clone().map(whole_if).collect::<Vec<_>>());
        assert_eq!(group.whole("one").expect("reads"), vec![42; group.rows()]);
        assert_eq!(group.only("one"), Some(42));
        assert_eq!(group.only("whole"), None);
        for (column, of) in [("word", word as fn(usize) -> Option<String>), ("text", text), ("key", key)] {
            let read = group.text(column).expect("reads");
            let mapped: Vec<bool> = read.map(|word| word.is_some()).collect();
            for row in rows.clone() {
                assert_eq!(read.at(row - first), of(row).as_deref(), "{column} {row}");
                assert_eq!(mapped[row - first], of(row).is_some(), "{column} {row}");
            }
        }
        assert!(group.is_blank("nothing") && !group.is_blank("word"));
        first += group.rows();
    }
    assert_eq!(first, ROWS);
}

#[test]
fn a_row_group_without_a_word_is_ruled_out() {
    let (_dir, path) = written();
    let table = TableFile::open(&RealDisk, &path).expect("opens");
    let with =
        |admits: &dyn Fn(&super::column::Group<'_>) -> bool| table.groups().filter(|group| admits(group)).count();
    assert_eq!(table.groups().count(), 4);
    let admitted = |key: &str| with(&|group| group.may_have("key", key).expect("reads"));
    let (there, strange) = ((0..ROWS).step_by(100).filter_map(key), (0..400).map(|number| format!("no-{number}")));
    let (there, strange): (Vec<_>, Vec<_>) =
        (there.map(|key| admitted(&key)).collect(), strange.map(|key| admitted(&key)).collect());
    assert!(there.iter().all(|groups| *groups >= 1));
    // One in a hundred by mistake; a few more are no surprise.
    assert!(there.iter().sum::<usize>() + strange.iter().sum::<usize>() < 400 + 2800 / 30, "{there:?} {strange:?}");
    assert_eq!(with(&|group| group.may_begin("word", "198.51.100.039")), 1);
    assert_eq!(with(&|group| group.may_begin("word", "198.51.1")), 4);
    assert_eq!(with(&|group| group.may_begin("word", "203.0.113.")), 0);
}

#[test]
fn a_damaged_file_is_an_error() {
    let (_dir, path) = written();
    let file = RealDisk.open(&path, Open::Write).expect("opens");
    let length = file.len().expect("a length");
    for at in (0..60).map(|place| place * length / 60 + place).chain(length - 40..length) {
        let mut byte = [0];
        file.read_at(&mut byte, at).expect("reads");
        file.write_all_at(&[byte[0] ^ 0xFF], at).expect("is damaged");
        // Whatever is read then, nothing panics.
        if let Ok(table) = TableFile::open(&RealDisk, &path) {
            for group in table.groups() {
                let _ = (group.whole("whole"), group.whole_if("whole_if"), group.text("word"), group.text("key"));
            }
        }
        file.write_all_at(&byte, at).expect("is mended");
    }
}

proptest! {
    #[test]
    fn every_address_begins_as_its_network_does(bits in any::<u128>(), length in 0u8..=128, is_v4 in any::<bool>(), zeros in any::<u128>()) {
        // Groups of zeros are what IPv6 leaves out.
        let address: std::net::IpAddr = if is_v4 {
            std::net::Ipv4Addr::from((bits & zeros) as u32).into()
        } else {
            std::net::Ipv6Addr::from(bits & zeros).into()
        };
        let network = ipnet::IpNet::new(address, if is_v4 { length % 33 } else { length }).expect("a network");
        prop_assert!(address.to_string().starts_with(&super::scan::text_begin(network)), "{}", network);
    }
}
