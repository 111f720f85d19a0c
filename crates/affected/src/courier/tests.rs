//! Messages that are none, the socket's file, tries in their time, and that nobody's mail is written but not sent.

use super::*;
use crate::notice::Both;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Mutex;

fn both(ja: &str, en: &str) -> Both {
    Both { ja: ja.into(), en: en.into() }
}

fn firm() -> Firm {
    Firm {
        name: both("箱根FX株式会社", "Hakone FX Inc."), contact: vec![both("お客様相談室 0120-000-000", "Desk")]
    }
}

/// Keeps what it was asked for, and ends as it is told.
#[derive(Debug, Default)]
struct Fake {
    written: Mutex<Vec<(Option<String>, String, String)>>,
    sent: Mutex<Vec<String>>,
    endings: Mutex<VecDeque<Ended>>,
    sends: tokio::sync::Notify,
}

impl Post for Arc<Fake> {
    type Mail = String;

    fn write(&self, to: Option<&str>, text: &MailText, id: &str) -> Result<String, String> {
        self.written.lock().expect("whole").push((to.map(str::to_owned), id.to_owned(), text.body.clone()));
        Ok(format!("{to:?} {}", text.subject))
    }

    async fn send(&self, mail: &String) -> Ended {
        self.sent.lock().expect("whole").push(mail.clone());
        self.sends.notify_one();
        self.endings.lock().expect("whole").pop_front().unwrap_or(Ended::Taken)
    }

    fn delay(&self, tries: u32) -> Duration {
        Duration::from_secs(60) * tries
    }
}

fn office(endings: &[Ended]) -> (Arc<Fake>, Arc<Office<Arc<Fake>>>) {
    let fake = Arc::new(Fake::default());
    fake.endings.lock().expect("whole").extend(endings.iter().cloned());
    let genuine = Genuine { from: "notice@hakonefx.example".into(), domain: "hakonefx.example".into() };
    let office = Office::new(Arc::clone(&fake), firm(), genuine).expect("an office");
    fake.written.lock().expect("whole").clear();
    (fake, Arc::new(office))
}

fn code() -> String {
    CaseCode::from_hash(&[0x37; 16]).printed()
}

fn line(to: &str) -> String {
    format!("{{\"format\":\"{FORMAT}\",\"to\":{to},\"lang\":\"ja\",\"codes\":[\"{}\"],\"minutes\":30}}\n", code())
}

fn order(to: Option<&str>) -> Order {
    let to = to.map_or("null".to_owned(), |to| format!("\"{to}\""));
    Order::parse(line(&to).as_bytes(), Instant::now()).expect("a message")
}

#[test]
fn what_the_page_sends_is_read() {
    let message = crate::mail::Message::new(Some("taro@example.jp".into()), "en", vec![code()]);
    let line = format!("{}\n", serde_json::to_string(&message).expect("JSON"));
    let order = Order::parse(line.as_bytes(), Instant::now()).expect("a message");
    assert_eq!(
        (order.to.as_deref(), order.language, order.codes),
        (Some("taro@example.jp"), Language::En, vec![code()])
    );
}

#[test]
fn what_is_no_message_is_refused_without_being_repeated() {
    let good = line("\"taro@example.jp\"");
    let many = vec![format!("\"{}\"", code()); CODES_MAX + 1].join(",");
    let one = format!("\"{}\"", code());
    for (line, expected) in [
        (good.trim_end().to_owned(), "no line end"),
        ("taro@example.jp\n".to_owned(), "not JSON"),
        (good.replace("mail/1", "mail/2"), "another version"),
        (good.replace("taro@example.jp", "taro@example.jp\\r\\nBcc: x@example.jp"), "no mail address"),
        (good.replace("taro@example.jp", "a@example.jp,b@example.jp"), "no mail address"),
        (good.replace("\"ja\"", "\"fr\""), "language"),
        (good.replace(&one, ""), "no code"),
        (good.replace(&one, &many), "too many"),
        (good.replace(&one, "\"https://evil.example\""), "is none"),
        (good.replace("30", "1"), "too long, or not at all"),
        (good.replace("30", "100000"), "too long, or not at all"),
        (good.replace("30}", "30,\"cc\":\"x@example.jp\"}"), "not JSON"),
    ] {
        let told = Order::parse(line.as_bytes(), Instant::now()).expect_err("refused");
        assert!(told.contains(expected) && !told.contains("example"), "{told}: {line}");
    }
}

#[tokio::test]
async fn a_mail_says_the_code_the_time_and_how_to_know_it() {
    let (fake, office) = office(&[]);
    work(&office, order(Some("taro@example.jp"))).await;
    let (to, _, body) = fake.written.lock().expect("whole")[0].clone();
    assert_eq!(to.as_deref(), Some("taro@example.jp"));
    for part in
        [&code(), "約30分間", "お心当たりのない場合", "カード番号", "notice@hakonefx.example", "DKIM", "0120-000-000"]
    {
        assert!(body.contains(part), "{part}: {body}");
    }
    assert!(!body.contains("http"), "{body}");
    assert_eq!(fake.sent.lock().expect("whole").len(), 1);
}

#[tokio::test]
async fn a_mail_to_nobody_is_written_and_not_sent() {
    let (fake, office) = office(&[]);
    work(&office, order(None)).await;
    assert_eq!(fake.written.lock().expect("whole").len(), 1);
    assert!(fake.sent.lock().expect("whole").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_is_put_off_is_tried_again_with_what_is_left_of_its_time() {
    let later = Ended::NotNow("reply 451".into());
    let (fake, office) = office(&[later.clone(), later]);
    work(&office, order(Some("taro@example.jp"))).await;
    let written = fake.written.lock().expect("whole").clone();
    let ids: std::collections::BTreeSet<_> = written.iter().map(|(_, id, _)| id).collect();
    assert_eq!((written.len(), ids.len()), (3, 1), "three tries, one Message-ID");
    for ((_, _, body), minutes) in written.iter().zip(["約30分", "約29分", "約27分"]) {
        assert!(body.contains(minutes), "{minutes}: {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mail_is_dropped_when_it_is_refused_or_its_tries_or_time_are_spent() {
    let later = || Ended::NotNow("reply 451".into());
    for (endings, minutes, tries) in [
        (vec![Ended::Dropped("reply 550".into())], 30, 1),
        (vec![later(); 20], 30, TRIES_MAX as usize),
        (vec![later(); 20], 5, 3),
    ] {
        let (fake, office) = office(&endings);
        let mut order = order(Some("taro@example.jp"));
        order.until = Instant::now() + Duration::from_secs(minutes * 60);
        work(&office, order).await;
        assert_eq!(fake.sent.lock().expect("whole").len(), tries);
    }
}

#[tokio::test]
async fn the_answer_is_the_same_whoever_it_is_to_and_also_when_too_many_wait() {
    let (_, office) = office(&[]);
    let ask = async |line: String| {
        let (mut page, courier) = UnixStream::pair().expect("a pair");
        page.write_all(line.as_bytes()).await.expect("written");
        page.shutdown().await.expect("ended");
        let order = intake(&office, courier).await;
        let mut answer = String::new();
        page.read_to_string(&mut answer).await.expect("an answer");
        (answer, order)
    };
    let (known, known_order) = ask(line("\"taro@example.jp\"")).await;
    let (nobody, nobody_order) = ask(line("null")).await;
    assert_eq!([known.as_str(), nobody.as_str()], ["ok\n", "ok\n"]);
    let places = office.waiting.available_permits();
    assert_eq!(places, WAITING_MAX - 2, "both have a place");
    let full = Arc::clone(&office.waiting).acquire_many_owned(places as u32).await.expect("places");
    let answers = [ask(line("\"taro@example.jp\"")).await.0, ask(line("null")).await.0];
    assert_eq!(answers, ["no\n", "no\n"]);
    drop((full, known_order, nobody_order));
    assert_eq!(ask("x".repeat(MESSAGE_BYTES_MAX as usize)).await.0, "no\n", "its end is not waited for");
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_replaced_and_no_other_file() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("courier.sock");
    let stale = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    assert!(listen(&path).expect_err("in use").to_string().contains("another courier"));
    drop(stale);
    let listening = listen(&path).expect("the stale one is replaced");
    let mode = std::fs::metadata(&path).expect("the socket").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert!(listen(&path).is_err(), "the first one is in use");
    drop(listening);
    assert!(!path.exists(), "it goes with its listener");
    std::fs::write(&path, "a firm's file").expect("written");
    assert!(listen(&path).expect_err("no socket").to_string().contains("no socket"));
    assert_eq!(left(dir.path()), ["courier.sock"]);
}

fn left(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn messages_on_the_socket_become_mails_until_the_end() {
    let (fake, office) = office(&[]);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("courier.sock");
    let listening = listen(&path).expect("a socket");
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(serve(office, listening, async move {
        let _ = ended.await;
    }));
    let page = crate::mail::SocketCourier::start(path.clone());
    crate::mail::Courier::hand(&page, crate::mail::Message::new(None, "ja", vec![code()]));
    crate::mail::Courier::hand(&page, crate::mail::Message::new(Some("taro@example.jp".into()), "ja", vec![code()]));
    fake.sends.notified().await;
    end.send(()).expect("served");
    served.await.expect("ended");
    assert_eq!(*fake.sent.lock().expect("whole"), ["Some(\"taro@example.jp\") 【箱根FX株式会社】照会コードのお知らせ"]);
    assert!(!path.exists());
}
