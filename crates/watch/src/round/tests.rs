//! Rounds over a loopback site that answers as it likes.

use super::*;
use crate::entry::About;
use crate::fetch::Options;
use crate::verdict::Verdict;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const NOTICE: &str =
    "<title>お詫び</title><main><h1>不正アクセスによる個人情報流出のお詫び</h1><p>対象は9,822名です。</p></main>";

/// A site whose answer is a function of the request's head; an answer without a status line is a 200 with that page.
async fn site(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}/", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while crate::warc::find(&request, b"\r\n\r\n").is_none() {
                if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let text = match request.starts_with("GET /robots.txt ") {
                true => "HTTP/1.1 404 Not Found\r\n\r\n".to_owned(),
                false => answer(&request),
            };
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n\r\n";
            let text = if text.starts_with("HTTP/") { text } else { format!("{head}{text}") };
            // A client that went away is its own affair.
            let _ = stream.write_all(text.as_bytes()).await;
        }
    });
    base
}

struct Fixture {
    root: tempfile::TempDir,
    fetcher: Arc<Fetcher>,
}

impl Fixture {
    fn new() -> Fixture {
        let (answer_max, host_gap) = (Duration::from_secs(10), Duration::ZERO);
        let options = Options { allow_private: true, answer_max, host_gap, contact: None };
        let fetcher = Arc::new(Fetcher::new(options).expect("TLS"));
        Fixture { root: tempfile::tempdir().expect("a directory"), fetcher }
    }

    fn open(&self) -> Store {
        Store::open(&self.root.path().join("watch"), &self.root.path().join("keys")).expect("opened")
    }

    /// One round over these pages at a time; what was found, in the order of the addresses.
    async fn round(&self, urls: &[String], hour: i64) -> BTreeMap<String, Check> {
        let at = Timestamp::from_second(hour * 3_600).expect("in range");
        let mut store = self.open();
        store.add(at, urls.iter().map(|url| (url.clone(), About::default())).collect()).expect("added");
        let mut found = BTreeMap::new();
        check(
            &mut store,
            &self.fetcher,
            urls,
            move || at,
            |url, check| {
                found.insert(url.to_owned(), check.clone());
            },
        )
        .await
        .expect("no page ends a round");
        found
    }
}

/// An entry of the log has 65,535 bytes at most. A page that makes its own larger would end the round, and the watch of
/// every other firm with it.
#[tokio::test]
async fn no_page_makes_an_entry_too_large() {
    let long = "\"x\"".repeat(40_000);
    let title = site({
        let long = long.clone();
        move |_| format!("<title>{long}</title><main>お詫び</main>")
    })
    .await;
    let header = site(|_| format!("HTTP/1.1 200 OK\r\nETag: \"{}\"\r\n\r\nお詫び", "e".repeat(70_000))).await;
    let redirect = site(|_| format!("HTTP/1.1 302 Found\r\nLocation: /{}\r\n\r\n", "r".repeat(66_000))).await;
    let hops = site(|request| {
        let depth = request.split(' ').nth(1).unwrap_or_default().len() % 100;
        let (next, path) = (depth + 1, "h".repeat(1_900 + depth));
        match depth % 3 {
            0 => format!("<meta http-equiv=refresh content='0;url=/{path}'>"),
            _ => format!("HTTP/1.1 302 Found\r\nLocation: /{path}{next}\r\n\r\n"),
        }
    })
    .await;
    let quotes = site({
        let looks = std::sync::atomic::AtomicUsize::new(0);
        move |_| {
            let look = looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let lines: String = (0..300).map(|line| format!("<p>{line} {look} {}", "\"\\".repeat(200))).collect();
            format!("<main>{}{lines}</main>", "不正アクセスによる個人情報流出の調査".repeat(20))
        }
    })
    .await;
    let fixture = Fixture::new();
    let urls = [title, header, redirect, hops, quotes.clone()];
    assert_eq!(fixture.round(&urls, 1).await.len(), 5);
    let second = fixture.round(&urls, 2).await;
    assert_eq!(second[&quotes].verdict.word(), "changed");
    let watched = fixture.open().state().watched.iter().map(|(_, page)| page.checks).collect::<Vec<_>>();
    assert_eq!(watched, [2; 5]);
}

/// A firm could hide a change for good with a 304 to whoever asks.
#[tokio::test]
async fn not_modified_counts_only_for_whoever_asked() {
    let base = site({
        let looks = std::sync::atomic::AtomicUsize::new(0);
        move |_| match looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nETag: \"1\"\r\n\r\n{NOTICE}"),
            _ => "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(),
        }
    })
    .await;
    let fixture = Fixture::new();
    let urls = [base.clone()];
    assert_eq!(fixture.round(&urls, 1).await[&base].verdict, Verdict::Published);
    assert_eq!(fixture.round(&urls, 2).await[&base].verdict, Verdict::Unchanged, "it was asked whether it changed");
    let found = fixture.round(&urls, 40).await.remove(&base).expect("looked at");
    let Verdict::Unreachable { reason } = found.verdict else { panic!("{:?}", found.verdict) };
    assert!(reason.contains("304"), "{reason}");
}

/// What broke off is kept as evidence, and the archive says that its end is missing.
#[tokio::test]
async fn an_answer_that_broke_off_is_marked_in_the_archive() {
    let base = site(|_| format!("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{NOTICE}")).await;
    let fixture = Fixture::new();
    let found = fixture.round(std::slice::from_ref(&base), 1).await.remove(&base).expect("looked at");
    assert_eq!(found.verdict.word(), "unreachable");
    let store = fixture.open();
    let page = store.state().watched.get(&base).expect("watched");
    assert_eq!(page.checks, 1);
    let archive = std::fs::read(fixture.root.path().join("watch/archive/1970-01-01.warc.gz")).expect("archived");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(archive.as_slice()), &mut text).expect("text");
    assert!(text.contains("WARC-Truncated: disconnect\r\n"), "{text}");
}
