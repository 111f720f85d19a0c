//! What is sound about the site.

use crate::client::{APPLICANTS, Broker, CUSTOMERS, encoded};
use encoding_rs::SHIFT_JIS;
use sekisho_demo::site::{STAFF_COOKIE, Site, SiteError, SiteOptions};
use std::net::SocketAddr;

#[tokio::test]
async fn every_public_page_answers() {
    let broker = Broker::start().await;
    let pages = [
        ("/", "急がず、見通しよく。"),
        ("/seminars", "はじめてのFX"),
        ("/seminars/1/apply", "この内容で申し込む"),
        ("/open", "生年月日"),
        ("/login", "パスワード"),
        ("/news", "お知らせ"),
        ("/static/site.css", ".hero"),
        ("/static/search.js", "autocomplete"),
    ];
    for (path, expected) in pages {
        let answer = broker.get(path, "").await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().contains(expected), "{path}");
        for person in broker.accounts.iter().chain(&broker.applicants) {
            let shown = [&person.email, &person.phone].into_iter().find(|value| answer.text().contains(*value));
            assert_eq!(shown, None, "{path} shows nobody, not even as an example in a form");
        }
    }
    broker.site.stop().await.unwrap();
}

#[tokio::test]
async fn a_page_that_is_not_there_is_a_page_of_the_site() {
    let broker = Broker::start().await;
    for path in ["/nothing", "/seminars/31/apply", "/seminars/x/apply"] {
        let answer = broker.get(path, "").await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("ページが見つかりません"), "{path}");
    }
}

#[tokio::test]
async fn a_search_finds_titles() {
    let broker = Broker::start().await;
    let found = broker.get(&format!("/seminars?q={}", encoded("確定申告")), "").await;
    assert!(found.text().contains("FXの税金と確定申告") && found.text().contains("2件"));
    let none = broker.get("/seminars?q=bitcoin", "").await;
    assert!(none.text().contains("該当するセミナーは見つかりませんでした"));
}

#[tokio::test]
async fn an_apostrophe_gives_a_friendly_page_in_plain_text() {
    let broker = Broker::start().await;
    let answer = broker.get(&format!("/seminars?q={}", encoded("O'Brien <b>")), "").await;
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("検索できませんでした"));
    assert!(!answer.text().contains("<b>"), "what was typed is escaped");
}

#[tokio::test]
async fn a_sign_up_is_stored_and_thanked_for() {
    let broker = Broker::start().await;
    let fields =
        [("name", "見本 花子"), ("kana", "ミホン ハナコ"), ("email", "hanako@example.jp"), ("phone", "090-0000-9999")];
    let thanks = broker.post("/seminars/2/apply", &fields).await;
    assert_eq!(thanks.status, 200);
    let applicant_id = format!("SA{:06}", APPLICANTS + 1);
    for expected in ["見本 花子", "hanako@example.jp", "090-0000-9999", "米雇用統計", &applicant_id] {
        assert!(thanks.text().contains(expected), "{expected}");
    }
    let next = broker.post("/seminars/2/apply", &fields).await;
    assert!(next.text().contains(&format!("SA{:06}", APPLICANTS + 2)), "the first one counts");
}

#[tokio::test]
async fn a_form_with_a_gap_is_refused_with_a_reason() {
    let broker = Broker::start().await;
    let fields = [("name", " "), ("kana", "ミホン"), ("email", "a@example.jp"), ("phone", "0")];
    let answer = broker.post("/seminars/2/apply", &fields).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("すべての項目をご入力ください"));
}

#[tokio::test]
async fn what_cannot_be_read_gets_a_page_in_japanese() {
    let broker = Broker::start().await;
    let session = broker.sign_in(0).await;
    let gap = broker.post("/seminars/2/apply", &[("name", "見本 花子")]).await;
    assert!(gap.status == 400 && gap.text().contains("すべての項目をご入力ください"), "{}", gap.text());
    let long = broker.post("/login", &[("account_id", &"x".repeat(20_000))]).await;
    assert!(long.status == 413 && long.text().contains("長すぎるため"), "{}", long.text());
    for (path, cookie) in [
        ("/statement.csv?encoding=foo", session.as_str()),
        ("/staff/export.csv?encoding=foo", STAFF_COOKIE),
        ("/staff/customers?page=x", STAFF_COOKIE),
        ("/api/customers/%FF", &session),
    ] {
        let answer = broker.get(path, cookie).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.text().contains("URLの指定が正しくありません"), "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn days_have_their_weekday() {
    let broker = Broker::start().await;
    for path in ["/", "/seminars", "/seminars/1/apply"] {
        assert!(broker.get(path, "").await.text().contains("2026年12月1日（火）"), "{path}");
    }
}

#[tokio::test]
async fn an_account_can_be_asked_for() {
    let broker = Broker::start().await;
    let fields = [
        ("name", "見本 花子"),
        ("kana", "ミホン ハナコ"),
        ("email", "hanako@example.jp"),
        ("phone", "090-0000-9999"),
        ("birth_date", "1990-01-02"),
    ];
    let answer = broker.post("/open", &fields).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("OP000001") && answer.text().contains("1990-01-02"));
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_the_pages_stay_shut() {
    let broker = Broker::start().await;
    let account_id = &broker.accounts[0].account_id;
    let answer = broker.post("/login", &[("account_id", account_id), ("password", "wrong")]).await;
    assert_eq!(answer.status, 401);
    assert!(answer.header("set-cookie").is_none());
    for path in ["/mypage", "/mypage/summary", "/statement.csv", "/api/customers/1", "/api/positions"] {
        let answer = broker.get(path, "session=0123").await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/login")), "{path}");
    }
}

#[tokio::test]
async fn a_customer_sees_their_own_page_until_they_sign_out() {
    let broker = Broker::start().await;
    let session = broker.sign_in(3).await;
    let own = &broker.accounts[3];
    let page = broker.get("/mypage", &session).await;
    for expected in [own.name(), own.account_id.clone(), own.email.clone(), "保有ポジション".to_owned()] {
        assert!(page.text().contains(&expected), "{expected}");
    }
    let positions: serde_json::Value =
        serde_json::from_slice(&broker.get("/api/positions", &session).await.body).unwrap();
    assert!(!positions.as_array().unwrap().is_empty());
    assert_eq!(broker.get("/logout", &session).await.status, 303);
    assert_eq!(broker.get("/mypage", &session).await.status, 303);
}

#[tokio::test]
async fn the_statement_comes_in_utf_8_and_shift_jis() {
    let broker = Broker::start().await;
    let session = broker.sign_in(5).await;
    let utf8 = broker.get("/statement.csv?encoding=utf-8", &session).await;
    let sjis = broker.get("/statement.csv?encoding=shift_jis", &session).await;
    assert_eq!(sjis.header("content-type"), Some("text/csv; charset=Shift_JIS"));
    let (decoded, _, malformed) = SHIFT_JIS.decode(&sjis.body);
    assert!(!malformed);
    assert_eq!(decoded, utf8.text());
    let own = &broker.accounts[5];
    assert!(decoded.starts_with(&format!("氏名,{}\r\n口座番号,{}\r\n", own.name(), own.account_id)));
}

#[tokio::test]
async fn autocomplete_offers_titles_and_nothing_else() {
    let broker = Broker::start().await;
    let answer = broker.get(&format!("/api/autocomplete?q={}", encoded("雇用統計")), "").await;
    assert!(answer.body.is_ascii());
    let titles: Vec<String> = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(titles, ["米雇用統計ライブ解説", "米雇用統計ライブ解説 二月号"]);
    let thief = format!("/api/autocomplete?q={}", encoded("' UNION SELECT email FROM applicants --"));
    assert_eq!(broker.get(&thief, "").await.text(), "[]");
}

#[tokio::test]
async fn staff_pages_are_shut_without_the_cookie_and_have_fifty_customers_each() {
    let broker = Broker::start().await;
    assert_eq!(broker.get("/staff/customers", "").await.status, 403);
    assert_eq!(broker.get("/staff/export.csv", "staff=guess").await.status, 403);
    let second = broker.get("/staff/customers?page=2", STAFF_COOKIE).await;
    let listed = |answer: &crate::client::Answer| {
        broker.accounts.iter().filter(|person| answer.text().contains(&person.account_id)).count()
    };
    assert_eq!(listed(&second), 50);
    assert!(second.text().contains(&broker.accounts[50].account_id));
    let last = broker.get("/staff/customers?page=99", STAFF_COOKIE).await;
    assert!(last.text().contains(&broker.accounts[CUSTOMERS - 1].account_id));
}

#[tokio::test]
async fn an_address_others_can_reach_is_refused() {
    for address in ["0.0.0.0:0", "192.0.2.1:3000", "[::]:0"] {
        let address: SocketAddr = address.parse().unwrap();
        let refused = Site::start(SiteOptions { address, accounts: Vec::new(), applicants: Vec::new() }).await;
        let error = refused.unwrap_err();
        assert!(matches!(error, SiteError::NotLoopback(given) if given == address));
        assert!(error.to_string().contains("loopback"));
    }
}
