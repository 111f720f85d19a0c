//! A firm's log on a loopback site, and what may be done to it.

use super::*;
use crate::fetch::Options;
use sekisho_tlog::{SigningKey, Tree};
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
    documents: Vec<String>,
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

    /// Publishes `documents`, each with a leaf that names it, behind `before` other leaves.
    fn publish(&mut self, documents: &[&str], before: u64, key: &SigningKey) {
        let mut tree = Tree::new();
        for number in 0..before {
            tree.append(format!("earlier {number}").as_bytes()).expect("short");
        }
        let mut listed = Vec::new();
        for (number, text) in documents.iter().enumerate() {
            let sha256 = hex::encode(Sha256::digest(text));
            let leaf = tree.append(format!("document v/{number}.json {sha256}").as_bytes()).expect("short");
            self.put(&format!("v/{number}.json"), text.as_bytes());
            listed.push(format!(r#"{{"path":"v/{number}.json","leaf":{leaf},"sha256":"{sha256}"}}"#));
        }
        let (size, root) = (tree.size(), tree.root());
        for tile in tree.take_changed() {
            self.put(&format!("log/{}", tile.path), &tile.bytes);
        }
        let origin = key.name().to_owned();
        let note = Checkpoint { origin, size, root }.sign(key).expect("signed");
        self.put("log/checkpoint", &note);
        self.documents = listed;
        self.list("");
    }

    fn list(&self, more: &str) {
        let site = format!(r#"{{"format":"{SITE_FORMAT}"{more},"documents":[{}]}}"#, self.documents.join(","));
        self.put("site.json", site.as_bytes());
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
async fn a_document_that_was_changed_is_altered() {
    let mut firm = Firm::start().await;
    let key = firm.key.clone();
    firm.publish(&["9,822"], 2, &key);
    firm.put("v/0.json", b"9,821");
    Firm::check(&firm.look(None, "", 0).await, LogState::Altered);
    // The list says the changed document's hash, the leaf does not.
    let (old, new) = (hex::encode(Sha256::digest("9,822")), hex::encode(Sha256::digest("9,821")));
    firm.documents[0] = firm.documents[0].replace(&old, &new);
    firm.list("");
    Firm::check(&firm.look(None, "", 0).await, LogState::Altered);
}

#[tokio::test]
async fn a_document_without_a_leaf_is_not_in_the_log() {
    let mut firm = Firm::start().await;
    let key = firm.key.clone();
    firm.publish(&["one"], 0, &key);
    Firm::check(&firm.look(None, "v/9.json", 0).await, LogState::NotInLog);
    firm.documents[0] = firm.documents[0].replace(r#""leaf":0"#, r#""leaf":5"#);
    firm.list("");
    Firm::check(&firm.look(None, "", 0).await, LogState::NotInLog);
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
async fn a_promised_checkpoint_that_does_not_come_is_stale() {
    let mut firm = Firm::start().await;
    let key = firm.key.clone();
    firm.publish(&["one"], 0, &key);
    firm.list(r#","checkpoint_every_s":86400"#);
    let seen = firm.look(None, "", 0).await.seen.expect("believed");
    Firm::check(&firm.look(Some(&seen), "", 86_400).await, LogState::Match);
    Firm::check(&firm.look(Some(&seen), "", 86_401).await, LogState::Stale);
}

#[tokio::test]
async fn another_signature_is_invalid_and_no_site_is_unreachable() {
    let mut firm = Firm::start().await;
    Firm::check(&firm.look(None, "", 0).await, LogState::Unreachable);
    let other = SigningKey::from_seed("hakone-fx.example/notices", &[8; 32]).expect("a name");
    firm.publish(&["one"], 0, &other);
    Firm::check(&firm.look(None, "", 0).await, LogState::Invalid);
}
