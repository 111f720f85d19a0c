//! A firm's log on a loopback site, and what may be done to it.

use super::*;
use crate::fetch::Options;
use sekisho_tlog::SigningKey;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A site with a log, under the test's hand.
struct Firm {
    key: SigningKey,
    files: Files,
    base: String,
    /// The path of each document.
    documents: Vec<String>,
}

/// A notice whose salts are always the same: the same text is the same document.
fn notice(text: &str) -> Document {
    let parts = [("title", json!(text)), ("next_update", json!("1970-01-02T00:00:00Z")), (OPERATOR, json!("sato"))];
    let parts = parts.map(|(name, value)| (name.to_owned(), value));
    let mut document = Document::seal("published", parts, || Some([1; 16])).expect("a document");
    document.withhold(OPERATOR);
    document
}

impl Firm {
    async fn start() -> Firm {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}/", listener.local_addr().expect("bound"));
        let files = Files::default();
        tokio::spawn(serve(listener, Arc::clone(&files)));
        let key = SigningKey::from_seed("hakone-fx.example/notices", &[7; 32]).expect("a name");
        Firm { key, files, base, documents: Vec::new() }
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        self.files.lock().expect("no panics").insert(format!("/{path}"), bytes.to_vec());
    }

    /// Publishes documents with these texts, each with a leaf that names it, behind `before` other leaves.
    fn publish(&mut self, texts: &[&str], before: u64, key: &SigningKey) {
        let leaves = texts.iter().map(|text| {
            let document = notice(text);
            self.put(&path_of(&document.hash()), &document.bytes());
            json!({ "format": LEAF_FORMAT, "kind": "published", "document": document.hash() }).to_string()
        });
        let leaves: Vec<String> = (0..before).map(|number| format!("earlier {number}")).chain(leaves).collect();
        self.documents = texts.iter().map(|text| path_of(&notice(text).hash())).collect();
        self.sign(&leaves, key);
    }

    fn sign(&self, leaves: &[String], key: &SigningKey) {
        let mut tree = Tree::new();
        for leaf in leaves {
            tree.append(leaf.as_bytes()).expect("short");
        }
        let (size, root) = (tree.size(), tree.root());
        for tile in tree.take_changed() {
            self.put(&format!("log/{}", tile.path), &tile.bytes);
        }
        let note = Checkpoint { origin: key.name().to_owned(), size, root }.sign(key).expect("signed");
        self.put("log/checkpoint", &note);
    }

    async fn look(&self, seen: Option<&LogSeen>, page: &str, now_s: i64) -> LogFinding {
        let (answer_max, host_gap) = (Duration::from_secs(10), Duration::ZERO);
        let options = Options { allow_private: true, answer_max, host_gap, contact: None };
        let fetcher = Fetcher::new(options).expect("TLS");
        let log = FirmLog { base: self.base.clone(), key: self.key.verifier().to_owned() };
        let now = Timestamp::from_second(now_s).expect("in range");
        look(&fetcher, &log, seen, &format!("{}{page}", self.base), now).await
    }

    #[track_caller]
    fn check(finding: &LogFinding, expected: LogState) {
        assert_eq!(finding.state, expected, "{}", finding.detail);
    }
}

async fn serve(listener: TcpListener, files: Files) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let files = Arc::clone(&files);
        tokio::spawn(async move {
            let mut request = Vec::new();
            while crate::warc::find(&request, b"\r\n\r\n").is_none() {
                if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let body = files.lock().expect("no panics").get(&path).cloned();
            let status = if body.is_some() { "200 OK" } else { "404 Not Found" };
            let body = body.unwrap_or_default();
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let answer = [head.as_bytes(), &body].concat();
            // A client that went away is its own affair.
            let _ = stream.write_all(&answer).await;
        });
    }
}

#[tokio::test]
async fn a_log_that_grows_matches() {
    let mut firm = Firm::start().await;
    let key = firm.key.clone();
    firm.publish(&["first"], 0, &key);
    let first = firm.look(None, "v/0.json", 100).await;
    Firm::check(&first, LogState::Match);
    firm.publish(&["first", "second"], 0, &key);
    let second = firm.look(first.seen.as_ref(), "index.html", 200).await;
    Firm::check(&second, LogState::Match);
    assert_eq!(second.documents_matching, 2);
    assert_eq!(second.seen.expect("believed").since.as_second(), 200);
}

#[tokio::test]
async fn documents_beyond_a_full_tile_are_proved_too() {
    let mut firm = Firm::start().await;
    let key = firm.key.clone();
    firm.publish(&["one"], 300, &key);
    let first = firm.look(None, "", 100).await;
    Firm::check(&first, LogState::Match);
    let seen = first.seen.expect("believed");
    let mut other = Firm::start().await;
    other.publish(&["one", "two"], 300, &key);
    Firm::check(&other.look(Some(&seen), "", 100).await, LogState::Match);
}

#[tokio::test]
async fn a_document_that_was_changed_or_taken_away_is_altered() {
    let mut firm = Firm::start().await;
    let key = firm.key.clone();
    firm.publish(&["9,822"], 2, &key);
    let path = firm.documents[0].clone();
    firm.put(&path, &notice("9,821").bytes());
    let finding = firm.look(None, "", 0).await;
    Firm::check(&finding, LogState::Altered);
    assert!(finding.detail.contains("leaf 2: ") && finding.detail.contains("is not the document that was logged"));
    firm.files.lock().expect("no panics").remove(&format!("/{path}"));
    let finding = firm.look(None, "", 0).await;
    Firm::check(&finding, LogState::Altered);
    assert!(finding.detail.contains("is gone"), "{}", finding.detail);
}

#[tokio::test]
async fn a_part_is_withheld_only_when_a_step_says_so() {
    let mut firm = Firm::start().await;
    let key = firm.key.clone();
    firm.publish(&["a text", "another"], 0, &key);
    let mut document = notice("a text");
    document.withhold("title");
    firm.put(&firm.documents[0], &document.bytes());
    let finding = firm.look(None, "", 0).await;
    Firm::check(&finding, LogState::Altered);
    assert!(finding.detail.contains("leaf 0: ") && finding.detail.contains("withholds `title`"), "{}", finding.detail);
    let leaf = |kind: &str, text: &str, redacts: serde_json::Value| {
        let document = notice(text).hash();
        json!({ "format": LEAF_FORMAT, "kind": kind, "document": document, "redacts": redacts }).to_string()
    };
    let none = || serde_json::Value::Null;
    let redacts = |number: u64| {
        let redaction = leaf("published", "by order", json!({ "leaf": number, "part": "title" }));
        [leaf("published", "a text", none()), leaf("published", "another", none()), redaction]
    };
    firm.put(&path_of(&notice("by order").hash()), &notice("by order").bytes());
    firm.sign(&redacts(1), &key);
    Firm::check(&firm.look(None, "", 0).await, LogState::Altered);
    firm.sign(&redacts(0), &key);
    Firm::check(&firm.look(None, "", 0).await, LogState::Match);
}

#[tokio::test]
async fn a_document_without_a_leaf_is_not_in_the_log() {
    let mut firm = Firm::start().await;
    let key = firm.key.clone();
    firm.publish(&["one"], 0, &key);
    Firm::check(&firm.look(None, &path_of(&notice("two").hash()), 0).await, LogState::NotInLog);
    let path = firm.documents[0].clone();
    Firm::check(&firm.look(None, &path, 0).await, LogState::Match);
}

#[tokio::test]
async fn the_newest_documents_are_compared_and_a_log_beyond_the_limit_is_not_looked_into() {
    let mut firm = Firm::start().await;
    let key = firm.key.clone();
    let texts: Vec<String> = (0..=DOCUMENTS_MAX).map(|number| format!("notice {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    firm.publish(&texts, 0, &key);
    let finding = firm.look(None, "", 0).await;
    Firm::check(&finding, LogState::Match);
    assert_eq!(finding.documents_matching, DOCUMENTS_MAX);
    assert_eq!(finding.detail, "201 entries; 1 older documents not compared");
    firm.publish(&["one"], LEAVES_MAX - 1, &key);
    Firm::check(&firm.look(None, "", 0).await, LogState::Match);
    firm.publish(&["one"], LEAVES_MAX, &key);
    let finding = firm.look(None, "", 0).await;
    Firm::check(&finding, LogState::Invalid);
    assert!(finding.detail.contains("more than 10000 are not looked into"), "{}", finding.detail);
}

#[tokio::test]
async fn leaves_that_do_not_give_the_signed_root_are_not_valid() {
    let mut firm = Firm::start().await;
    let key = firm.key.clone();
    firm.publish(&["one"], 0, &key);
    let path = "/log/tile/entries/000.p/1";
    let changed =
        String::from_utf8_lossy(&firm.files.lock().expect("no panics")[path]).replace("published", "publishes");
    firm.put(&path[1..], changed.as_bytes());
    Firm::check(&firm.look(None, "", 0).await, LogState::Invalid);
}

#[tokio::test]
async fn a_log_that_is_set_back_or_rewritten_is_told() {
    let mut firm = Firm::start().await;
    let key = firm.key.clone();
    firm.publish(&["one", "two"], 5, &key);
    let seen = firm.look(None, "", 0).await.seen.expect("believed");
    firm.publish(&["one"], 5, &key);
    Firm::check(&firm.look(Some(&seen), "", 0).await, LogState::Rollback);
    firm.publish(&["one", "TWO"], 5, &key);
    Firm::check(&firm.look(Some(&seen), "", 0).await, LogState::Fork);
    firm.publish(&["one", "TWO", "three"], 5, &key);
    let forked = firm.look(Some(&seen), "", 0).await;
    Firm::check(&forked, LogState::Fork);
    assert!(forked.seen.is_none(), "a fork is not believed");
    let (before, after) = (seen.note, forked.contradicting_note.expect("kept"));
    let key = VerifyingKey::parse(firm.key.verifier()).expect("a key");
    assert!(before != after && [before, after].iter().all(|note| Checkpoint::open(note.as_bytes(), &key).is_ok()));
}

#[tokio::test]
async fn a_promised_update_that_does_not_come_is_stale() {
    let mut firm = Firm::start().await;
    let key = firm.key.clone();
    firm.publish(&["one"], 0, &key);
    Firm::check(&firm.look(None, "", 86_400).await, LogState::Match);
    let finding = firm.look(None, "", 86_401).await;
    Firm::check(&finding, LogState::Stale);
    assert!(finding.detail.contains("promised by 1970-01-02T00:00:00Z"), "{}", finding.detail);
}

#[tokio::test]
async fn another_signature_is_invalid_and_no_site_is_unreachable() {
    let mut firm = Firm::start().await;
    Firm::check(&firm.look(None, "", 0).await, LogState::Unreachable);
    let other = SigningKey::from_seed("hakone-fx.example/notices", &[8; 32]).expect("a name");
    firm.publish(&["one"], 0, &other);
    Firm::check(&firm.look(None, "", 0).await, LogState::Invalid);
}
