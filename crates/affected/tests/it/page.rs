use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::MockConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use sekisho_affected::codes;
use sekisho_affected::config::Config;
use sekisho_affected::keys::{CodeKey, LookupKey};
use sekisho_affected::mail::{Courier, Message};
use sekisho_affected::notice::Notice;
use sekisho_affected::site::{ANSWER_BYTES, Site};
use sekisho_affected::store::Store;
use sekisho_model::Timestamp;
use sekisho_testkit::SimClock;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tower::ServiceExt;

const CONFIG: &str = r#"
listen = "127.0.0.1:0"
stores = ["case.codes"]
lookup_key = "lookup.key"
trusted_proxies = ["127.0.0.1/32"]
[firm]
name = { ja = "箱根FX株式会社", en = "Hakone FX Inc." }
contact = [{ ja = "お客様相談室 0120-000-000", en = "Customer desk +81 120 000 000" }]
[limits]
client_burst = 50
client_per_minute = 60
wrong_burst = 40
wrong_per_minute = 60
"#;

const NOTICE: &str = r#"
case = "hakone-2026-1"
version = 2
expires = "2027-12-01T00:00:00+09:00"
title = { ja = "会員様情報への不正アクセス", en = "Unauthorised access to members' data" }
period = { ja = "2026年11月20日から同月23日まで", en = "20 to 23 November 2026" }
advice = [{ ja = "不審なメールにご注意ください。", en = "Beware of suspicious e-mails." }]
field = [
  { name = "name", ja = "お名前", en = "Name", examined = true },
  { name = "email", ja = "メールアドレス", en = "E-mail address", examined = true },
  { name = "address", ja = "ご住所", en = "Postal address", examined = false },
]
"#;

const NOW: &str = "2026-11-24T09:00:00+09:00";

/// A page with two persons' codes: of the first the mail left, of the second name and mail.
struct Page {
    router: Router,
    clock: Arc<SimClock>,
    codes: Vec<String>,
    mails: Arc<Mails>,
}

/// What the courier got.
#[derive(Debug, Default)]
struct Mails(Mutex<Vec<Message>>);

impl Courier for Mails {
    fn hand(&self, message: Message) {
        self.0.lock().expect("nobody panics with it").push(message);
    }
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

fn page() -> Page {
    let (code, lookup) = (CodeKey::parse(&"11".repeat(16)), LookupKey::parse(&"22".repeat(16)));
    let (code, lookup) = (code.expect("a key"), lookup.expect("a key"));
    let rows = "register,row_key,fields\ncustomers,10001,email\ncustomers,10002,name email\n";
    let register = "id,mail\n10001,taro@example.jp\n10002,Family@example.jp\n";
    let mails = codes::mails(register.as_bytes(), "id", "mail").expect("a register");
    let mut mailing = Vec::new();
    let notice = Notice::parse(NOTICE).expect("a notice");
    let store = codes::make(notice, (&code, &lookup), rows.as_bytes(), &mails, &mut mailing).expect("codes");
    let mut written = Vec::new();
    store.write(&lookup, &mut written).expect("a vector takes everything");
    let store = Store::read(&lookup, &String::from_utf8(written).expect("a text file")).expect("as it was written");
    let mailing = String::from_utf8(mailing).expect("a text file");
    let codes = mailing.lines().skip(1).map(|line| line.rsplit(',').next().expect("a column").to_owned());
    let clock = Arc::new(SimClock::at(instant(NOW)));
    let (config, mails) = (Config::parse(CONFIG).expect("a configuration"), Arc::new(Mails::default()));
    let site = Site::new(&config, lookup, &[store], clock.clone(), Some(mails.clone()));
    let peer: SocketAddr = "127.0.0.1:4000".parse().expect("an address");
    Page { router: site.expect("a site").router().layer(MockConnectInfo(peer)), clock, codes: codes.collect(), mails }
}

fn instant(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().expect("a time").as_microsecond())
}

impl Page {
    async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.expect("the router never fails");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body in memory").to_bytes().to_vec();
        Reply { status: parts.status, headers: parts.headers, body: String::from_utf8(body).expect("UTF-8") }
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    async fn ask(&self, path: &str, code: &str) -> Reply {
        self.ask_from(path, code, "192.0.2.1").await
    }

    async fn ask_mail(&self, path: &str, mail: &str) -> Reply {
        let form = format!("mail={mail}");
        self.send(Request::post(path).body(Body::from(form)).expect("a request")).await
    }

    fn mailed(&self) -> Vec<Message> {
        std::mem::take(&mut self.mails.0.lock().expect("nobody panics with it"))
    }

    async fn ask_from(&self, path: &str, code: &str, client: &str) -> Reply {
        let form = format!("code={}", code.replace('+', "%2B"));
        let request = Request::post(path).header("x-forwarded-for", client).body(Body::from(form));
        self.send(request.expect("a request")).await
    }
}

/// A code that is well formed and belongs to nobody.
fn strange(number: u128) -> String {
    sekisho_affected::code::CaseCode::from_hash(&number.to_be_bytes()).printed()
}

#[tokio::test(start_paused = true)]
async fn a_code_shows_what_left_what_was_not_found_and_what_was_not_examined() {
    let page = page();
    let reply = page.ask("/", &page.codes[0]).await;
    assert_eq!(reply.status, StatusCode::OK);
    let place = |text: &str| reply.body.find(text).unwrap_or_else(|| panic!("no {text}"));
    let order = [
        "流出を確認した項目",
        "<li>メールアドレス",
        "流出が確認されなかった項目",
        "<li>お名前",
        "調査の対象としていない項目",
        "<li>ご住所",
    ];
    assert!(order.map(place).is_sorted());
    assert!(reply.body.contains("第2版") && reply.body.contains("お客様相談室 0120-000-000"));
    let english = page.ask("/en", &page.codes[1].to_lowercase().replace('-', " ")).await;
    assert!(english.body.contains("<li>Name</li><li>E-mail address</li>"), "{}", english.body.trim());
    assert!(!english.body.contains("Items that were not found to have left"));
}

#[tokio::test(start_paused = true)]
async fn whatever_is_no_known_code_gets_the_same_bytes() {
    let page = page();
    let unknown = page.ask("/", &strange(1)).await;
    assert_eq!((unknown.status, unknown.body.len()), (StatusCode::OK, ANSWER_BYTES));
    for other in [strange(2), strange(u128::MAX)] {
        assert_eq!(page.ask("/", &other).await.body, unknown.body);
    }
    page.clock.step_wall_clock(instant("2027-11-30T23:59:59+09:00"));
    assert_ne!(page.ask("/", &page.codes[0]).await.body, unknown.body, "still known");
    page.clock.step_wall_clock(instant("2027-12-01T00:00:00+09:00"));
    assert_eq!(page.ask("/", &page.codes[0]).await.body, unknown.body, "expired");
}

#[tokio::test(start_paused = true)]
async fn no_answer_differs_in_status_length_headers_or_beat() {
    let page = page();
    let mut seen = Vec::new();
    for code in [page.codes[0].as_str(), &page.codes[1], &strange(1), "04HMA", "", "<script>"] {
        let began = tokio::time::Instant::now();
        let reply = page.ask("/", code).await;
        seen.push((reply.status, reply.body.len(), format!("{:?}", reply.headers), began.elapsed()));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
    // Tokio's timer counts whole milliseconds.
    assert!((50..=51).contains(&seen[0].3.as_millis()), "{:?}", seen[0].3);
}

#[tokio::test(start_paused = true)]
async fn a_mistyped_code_is_told_and_shown_again_as_text() {
    let page = page();
    let mut typed = page.codes[0].clone();
    let last = if typed.pop() == Some('0') { '1' } else { '0' };
    typed.push(last);
    let reply = page.ask("/", &typed).await;
    assert!(reply.body.contains("入力の誤りがあります") && reply.body.contains(&typed));
    assert!(reply.body.contains(r#"aria-describedby="problem hint""#) && reply.body.contains("<title>入力エラー"));
    assert!(page.ask("/en", "").await.body.contains("Enter the case code."));
    let script = page.ask("/", "\"><script>alert(1)</script>").await;
    assert!(!script.body.contains("<script>"), "{}", script.body.trim());
}

#[tokio::test(start_paused = true)]
async fn nothing_may_be_kept_framed_or_scripted() {
    let page = page();
    for reply in [
        page.get("/").await,
        page.get("/en").await,
        page.get("/style.css").await,
        page.ask("/", "x").await,
        page.get("/no").await,
    ] {
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            (
                "content-security-policy",
                "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            ),
        ] {
            assert_eq!(reply.headers[name], value);
        }
        assert!(!reply.body.contains("<script") && !reply.headers.contains_key("set-cookie"));
    }
    let with_query = page.get(&format!("/?code={}", page.codes[0])).await;
    assert_eq!(with_query.body, page.get("/").await.body, "a code in an address is not looked at");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_too_often_is_stopped_before_anything_is_looked_up() {
    let page = page();
    for _ in 0..50 {
        assert_eq!(page.ask("/", &page.codes[0]).await.status, StatusCode::OK);
    }
    let (known, strange) = (page.ask("/", &page.codes[0]).await, page.ask("/", &strange(1)).await);
    assert_eq!((known.status, &known.body), (StatusCode::TOO_MANY_REQUESTS, &strange.body));
    assert_eq!(page.ask_from("/", &page.codes[0], "192.0.2.2").await.status, StatusCode::OK);
    page.clock.advance(Duration::from_secs(1));
    assert_eq!(page.ask("/", &page.codes[0]).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_wrong_codes_slows_every_answer_alike() {
    let page = page();
    for number in 0..40 {
        page.ask_from("/", &strange(number), &format!("198.51.100.{number}")).await;
    }
    for code in [page.codes[0].clone(), strange(99)] {
        let began = tokio::time::Instant::now();
        assert_eq!(page.ask("/", &code).await.status, StatusCode::OK, "nobody is kept from an answer");
        assert!((1000..=1001).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_too_large_is_refused() {
    let page = page();
    assert_eq!(page.ask("/", &"A".repeat(5_000)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(start_paused = true)]
async fn a_known_address_gets_a_code_by_mail_that_works_once() {
    let page = page();
    page.ask_mail("/en/mail", " family@EXAMPLE.jp ").await;
    let mailed = page.mailed();
    assert_eq!((mailed[0].to.as_deref(), mailed[0].lang, mailed[0].minutes), (Some("family@EXAMPLE.jp"), "en", 30));
    let unknown = page.ask("/", &strange(1)).await.body;
    assert!(page.ask("/", &mailed[0].codes[0]).await.body.contains("<li>お名前</li><li>メールアドレス</li>"));
    assert_eq!(page.ask("/", &mailed[0].codes[0]).await.body, unknown, "once");
    page.ask_mail("/mail", "taro@example.jp").await;
    page.clock.advance(Duration::from_secs(30 * 60));
    assert_eq!(page.ask("/", &page.mailed()[0].codes[0]).await.body, unknown, "too late");
}

#[tokio::test(start_paused = true)]
async fn a_strange_address_gets_the_same_answer_and_no_mail() {
    let page = page();
    let known = page.ask_mail("/mail", "taro@example.jp").await;
    let began = tokio::time::Instant::now();
    let strange = page.ask_mail("/mail", "hanako@example.jp").await;
    assert!((50..=51).contains(&began.elapsed().as_millis()));
    assert_eq!((strange.status, &strange.body), (known.status, &known.body));
    assert_eq!(format!("{:?}", strange.headers), format!("{:?}", known.headers));
    let mailed = page.mailed();
    assert_eq!((mailed[1].to.as_deref(), mailed[1].codes.len()), (None, 1), "the courier works alike");
    assert_eq!(page.ask("/", &mailed[1].codes[0]).await.body, page.ask("/", &self::strange(1)).await.body);
}

#[tokio::test(start_paused = true)]
async fn an_address_is_not_flooded_and_the_page_does_not_say_so() {
    let page = page();
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(page.ask_mail("/mail", "taro@example.jp").await.body);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(page.mailed().iter().filter(|message| message.to.is_some()).count(), 3);
    let wrong = page.ask_mail("/mail", "taro").await.body;
    assert!(wrong.contains("形式をお確かめください") && page.mailed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_expired_case_mails_nothing() {
    let page = page();
    page.clock.step_wall_clock(instant("2027-12-01T00:00:00+09:00"));
    page.ask_mail("/mail", "taro@example.jp").await;
    assert_eq!(page.mailed()[0].to, None);
}
