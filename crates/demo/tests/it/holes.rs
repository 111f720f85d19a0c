//! The holes of the README are open, or the demonstration would show nothing.

use crate::client::{Broker, CUSTOMERS, encoded};
use encoding_rs::SHIFT_JIS;
use sekisho_demo::site::STAFF_COOKIE;

#[tokio::test]
async fn hole_1_a_union_in_the_search_lists_all_applicants() {
    let broker = Broker::start().await;
    let thief = "' UNION SELECT applicant_id, name, kana, email, phone FROM applicants --";
    let answer = broker.get(&format!("/seminars?q={}", encoded(thief)), "").await;
    assert_eq!(answer.status, 200);
    for person in &broker.applicants {
        for value in [person.name(), person.email.clone(), person.phone.clone()] {
            assert!(answer.text().contains(&value), "{value}");
        }
    }
}

#[tokio::test]
async fn hole_1_a_union_reaches_cards_and_password_hashes() {
    let broker = Broker::start().await;
    let thief = "x' UNION SELECT id, name, card, password_hash, birth_date FROM accounts LIMIT 5 --";
    let answer = broker.get(&format!("/seminars?q={}", encoded(thief)), "").await;
    for person in &broker.accounts[..5] {
        assert!(answer.text().contains(&person.card) && answer.text().contains(&person.password_hash));
    }
}

#[tokio::test]
async fn hole_1_an_error_message_carries_a_value_out() {
    let broker = Broker::start().await;
    let thief = "' AND json_extract('{}', (SELECT email FROM accounts WHERE id = 7)) --";
    let answer = broker.get(&format!("/seminars?q={}", encoded(thief)), "").await;
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains(&broker.accounts[6].email));
}

#[tokio::test]
async fn hole_2_a_customer_reads_the_record_of_another() {
    let broker = Broker::start().await;
    let session = broker.sign_in(0).await;
    let answer = broker.get("/api/customers/42", &session).await;
    assert!(answer.body.is_ascii());
    let record: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let other = &broker.accounts[41];
    assert_eq!(record["name"], other.name());
    assert_eq!(record["kana"], other.kana());
    assert_eq!(record["email"], other.email);
    assert_eq!(record["phone"], other.phone);
    assert_eq!(broker.get(&format!("/api/customers/{}", CUSTOMERS + 1), &session).await.status, 404);
}

#[tokio::test]
async fn hole_3_the_cache_serves_a_summary_to_the_next_visitor() {
    let broker = Broker::start().await;
    let (first, second) = (broker.sign_in(0).await, broker.sign_in(1).await);
    let own = broker.get("/mypage/summary", &first).await;
    assert_eq!(own.header("x-cache"), Some("MISS"));
    for cookie in [second.as_str(), ""] {
        let mixed_up = broker.get("/mypage/summary", cookie).await;
        assert_eq!(mixed_up.header("x-cache"), Some("HIT"));
        assert!(mixed_up.text().contains(&broker.accounts[0].account_id));
    }
}

#[tokio::test]
async fn hole_3_the_news_greet_a_visitor_with_the_name_of_another() {
    let broker = Broker::start().await;
    let session = broker.sign_in(2).await;
    broker.get("/news", &session).await;
    assert!(broker.get("/news", "").await.text().contains(&broker.accounts[2].name()));
}

#[tokio::test]
async fn hole_4_the_export_streams_every_customer() {
    let broker = Broker::start().await;
    let utf8 = broker.get("/staff/export.csv", STAFF_COOKIE).await;
    assert_eq!(utf8.header("transfer-encoding"), Some("chunked"));
    let lines: Vec<&str> = utf8.text().lines().collect();
    assert_eq!(lines.len(), 1 + CUSTOMERS);
    for (line, person) in lines[1..].iter().zip(&broker.accounts) {
        assert!(line.starts_with(&person.account_id) && line.contains(&person.email), "{line}");
    }
    let sjis = broker.get("/staff/export.csv?encoding=shift_jis", STAFF_COOKIE).await;
    let (decoded, _, malformed) = SHIFT_JIS.decode(&sjis.body);
    assert!(!malformed);
    assert_eq!(decoded, utf8.text());
}
