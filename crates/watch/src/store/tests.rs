//! What a state directory withstands: crashes, and hands.

use super::*;
use crate::entry::Hop;
use crate::verdict::{Standing, Verdict};
use crate::verify;
use std::path::PathBuf;

const URL: &str = "https://hakone-fx.example/1.html";

struct Fixture {
    root: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture { root: tempfile::tempdir().expect("a directory") }
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("watch")
    }

    fn keys(&self) -> PathBuf {
        self.root.path().join("keys")
    }

    fn open(&self) -> Store {
        Store::open(&self.dir(), &self.keys()).expect("opened")
    }

    fn archive(&self) -> PathBuf {
        self.dir().join("archive/1970-01-01.warc.gz")
    }

    fn checkpoint(&self) -> Vec<u8> {
        std::fs::read(self.dir().join("log/checkpoint")).expect("signed")
    }

    fn verify(&self) -> Result<crate::Verified, String> {
        verify(&self.dir(), &self.keys().join("watch.vkey"), None).map_err(|err| err.to_string())
    }

    /// The answer "no", with these words in it.
    #[track_caller]
    fn refused(&self, expected: &str) {
        let found = self.verify().expect_err(expected);
        assert!(found.contains(expected), "{found}");
    }
}

/// Keeps a page that says `text`.
fn keep(store: &mut Store, second: i64, text: &str, verdict: Verdict) {
    let at = Timestamp::from_second(second).expect("in range");
    let response = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<main>{text}</main>");
    let exchange = Exchange {
        url: URL.to_owned(),
        request: b"GET /1.html HTTP/1.1\r\n\r\n".to_vec(),
        response: response.into_bytes(),
        truncated: None,
        status: 200,
    };
    let check = Check {
        verdict,
        hops: vec![Hop { url: URL.to_owned(), status: 200 }],
        elapsed_ms: 1,
        text_sha256: None,
        title: String::new(),
        etag: None,
        last_modified: None,
        not_modified: false,
        firm_log: None,
        records: Vec::new(),
    };
    store.keep(at, URL, &[exchange], check).expect("kept");
}

/// A page that was published and looked at `looks` times more.
fn watched(fixture: &Fixture, looks: i64) {
    let mut store = fixture.open();
    store.add(Timestamp::UNIX_EPOCH, vec![(URL.to_owned(), About::default())]).expect("added");
    keep(&mut store, 1, "お詫び", Verdict::Published);
    for second in 0..looks {
        keep(&mut store, 2 + second, "お詫び", Verdict::Unchanged);
    }
}

#[test]
fn what_was_kept_is_known_again() {
    let fixture = Fixture::new();
    watched(&fixture, 3);
    let store = fixture.open();
    let page = store.state().watched.get(URL).expect("watched");
    assert_eq!((page.standing.clone(), page.checks, page.history.len()), (Standing::Stands, 4, 1));
    let known = store.state().known(page).expect("archived");
    assert_eq!(known.notice.expect("a notice").page.lines, ["お詫び"]);
    let verified = fixture.verify().expect("whole");
    assert_eq!((verified.entries, verified.records, verified.files), (5, 1 + 4 * 3, 1));
}

#[test]
fn a_log_with_full_tiles_is_whole_and_continues() {
    let fixture = Fixture::new();
    let pages = (0..255).map(|number| (format!("{URL}?{number}"), About::default()));
    let added = fixture.open().add(Timestamp::UNIX_EPOCH, pages.collect()).expect("added");
    assert_eq!(added.len(), 255);
    watched(&fixture, 2);
    let before = fixture.checkpoint();
    watched(&fixture, 3);
    let verified = verify(&fixture.dir(), &fixture.keys().join("watch.vkey"), Some(&before)).expect("grown");
    assert_eq!(verified.entries, 263);
    assert!(!fixture.dir().join("log/tile/entries/000.p").exists(), "the parts of a full tile are gone");
}

#[test]
fn what_a_crash_left_behind_is_written_over() {
    let fixture = Fixture::new();
    watched(&fixture, 1);
    let mut bytes = std::fs::read(fixture.archive()).expect("archived");
    bytes.extend_from_slice(b"\x1f\x8b half a record");
    std::fs::write(fixture.archive(), &bytes).expect("written");
    std::fs::write(fixture.dir().join("log/tile/entries/000.p/4"), b"torn").expect("written");
    assert_eq!(fixture.verify().expect("whole").unacknowledged_bytes, 16);
    keep(&mut fixture.open(), 9, "お詫び", Verdict::Unchanged);
    assert_eq!(fixture.verify().expect("whole").unacknowledged_bytes, 0);
}

#[test]
fn hands_on_the_archive_or_the_log_are_seen() {
    let fixture = Fixture::new();
    watched(&fixture, 3);
    let change = |path: &Path, change: &dyn Fn(&mut Vec<u8>), expected: &str| {
        let before = std::fs::read(path).expect("there");
        let mut bytes = before.clone();
        change(&mut bytes);
        std::fs::write(path, bytes).expect("written");
        fixture.refused(expected);
        std::fs::write(path, before).expect("written");
    };
    let middle = |bytes: &mut Vec<u8>| {
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
    };
    change(&fixture.archive(), &middle, "the record at byte");
    change(&fixture.archive(), &|bytes| bytes.truncate(bytes.len() - 1), "is missing");
    change(&fixture.dir().join("log/tile/entries/000.p/5"), &middle, "root that was signed");
    change(&fixture.dir().join("log/tile/0/000.p/5"), &middle, "the tile `log/tile/0/000.p/5`");
    change(&fixture.dir().join("log/checkpoint"), &|bytes| bytes[60] ^= 1, "cannot use the log in");
    std::fs::remove_file(fixture.archive()).expect("removed");
    fixture.refused("is missing, with its file");
}

#[test]
fn a_log_that_was_set_back_is_seen_with_an_older_checkpoint() {
    let fixture = Fixture::new();
    watched(&fixture, 3);
    let later = fixture.checkpoint();
    let shorter = Fixture::new();
    std::fs::create_dir(shorter.keys()).expect("made");
    for key in ["watch.skey", "watch.vkey"] {
        std::fs::copy(fixture.keys().join(key), shorter.keys().join(key)).expect("copied");
    }
    watched(&shorter, 1);
    let found = verify(&shorter.dir(), &shorter.keys().join("watch.vkey"), Some(&later)).expect_err("set back");
    assert!(found.to_string().contains("set back"), "{found}");
}

#[test]
fn a_log_without_its_key_and_a_readable_key_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new();
    watched(&fixture, 0);
    let key = fixture.keys().join("watch.skey");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("set");
    let refused = Store::open(&fixture.dir(), &fixture.keys()).expect_err("readable").to_string();
    assert!(refused.contains("others can read it"), "{refused}");
    std::fs::remove_file(&key).expect("removed");
    let refused = Store::open(&fixture.dir(), &fixture.keys()).expect_err("no key").to_string();
    assert!(refused.contains("restore it from a backup"), "{refused}");
}

/// Filling the gap with zeros would make a file that no WARC reader takes, and hide from its owner that something is missing.
#[test]
fn nothing_is_appended_to_a_file_that_lost_records() {
    let fixture = Fixture::new();
    watched(&fixture, 1);
    let bytes = std::fs::read(fixture.archive()).expect("archived");
    std::fs::write(fixture.archive(), &bytes[..bytes.len() / 2]).expect("written");
    let mut store = fixture.open();
    let at = Timestamp::from_second(9).expect("in range");
    let refused = store.state.archive.write(at, URL, &[], Vec::new()).expect_err("refused").to_string();
    assert!(refused.contains("lost"), "{refused}");
    assert_eq!(std::fs::metadata(fixture.archive()).expect("there").len(), bytes.len() as u64 / 2);
    std::fs::remove_file(fixture.archive()).expect("removed");
    assert!(store.state.archive.write(at, URL, &[], Vec::new()).is_err());
    store.drop_page(at, URL).expect("the log itself is whole");
}

#[test]
fn a_store_that_rested_goes_on_without_reading_its_log_again() {
    let fixture = Fixture::new();
    watched(&fixture, 3);
    let store = fixture.open();
    let again = |resting: Resting| resting.resume(&fixture.dir(), &fixture.keys());
    let resting = store.rest();
    let tile = fixture.dir().join("log/tile/entries/000.p/5");
    let bytes = std::fs::read(&tile).expect("there");
    std::fs::remove_file(&tile).expect("removed");
    let store = again(resting).expect("nothing of the log was read but its checkpoint");
    std::fs::write(&tile, bytes).expect("written");
    let resting = store.rest();
    let other = format!("{URL}?other");
    let at = Timestamp::from_second(9).expect("in range");
    fixture.open().add(at, vec![(other.clone(), About::default())]).expect("nobody holds the lock");
    let mut store = again(resting).expect("read anew");
    assert!(store.state().watched.get(&other).is_some_and(|page| page.is_watched), "what others wrote is seen");
    keep(&mut store, 10, "お詫び", Verdict::Unchanged);
    drop(store);
    assert_eq!(fixture.verify().expect("whole").entries, 7);
}
