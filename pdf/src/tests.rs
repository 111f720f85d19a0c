//! What is refused, and where. Fonts and the PDF itself are tested with foreign tools: `tests/pdf/run.sh`.

use crate::document::{self, BLOCKS_MAX, COLUMNS_MAX, FORMAT, PAGES_MAX, TEXT_BYTES_MAX};
use serde_json::{Value, json};

fn good() -> Value {
    json!({
        "format": FORMAT, "lang": "ja", "title": "お知らせ", "author": "箱根FX株式会社", "date": "2026-11-23T15:00:00+09:00",
        "pages": [
            {"kind": "notice", "blocks": [{"heading": {"level": 1, "text": "お知らせ"}}, {"paragraph": "一行目\n二行目"}]},
            {"kind": "letter", "address": ["〒100-0001", "山田 太郎 様"], "sender": ["箱根FX株式会社"],
             "blocks": [{"list": ["一"]}, {"table": {"head": ["項目"], "rows": [["お名前"]]}}, {"small": "以上"}]},
        ],
    })
}

/// Puts `value` at a JSON pointer of the good document; the refusal names `path` and says `problem`.
fn refused(pointer: &str, value: Value, path: &str, problem: &str) {
    let mut document = good();
    *document.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
    let refusal = document::parse(document.to_string().as_bytes()).expect_err(pointer);
    assert_eq!(refusal.path, path, "{refusal}");
    assert!(refusal.problem.contains(problem), "{refusal}");
}

#[test]
fn a_good_document_is_read() {
    let document = document::parse(good().to_string().as_bytes()).expect("it is good");
    assert_eq!(document.pages.len(), 2);
    assert_eq!(document.zoned().expect("a time").offset().seconds(), 9 * 3600);
    let texts: Vec<_> = document.texts().into_iter().map(|(path, _)| path).collect();
    assert_eq!(texts.first().map(String::as_str), Some("title"));
    assert!(texts.contains(&"pages[1].blocks[1].table.rows[0][0]".to_owned()), "{texts:?}");
}

#[test]
fn what_is_not_known_is_refused_where_it_stands() {
    refused("/pages/0/kind", json!("poster"), "pages[0].kind", "unknown variant");
    refused("/pages/1/blocks/2", json!({"image": "x"}), "pages[1].blocks[2]", "unknown variant");
    refused(
        "/pages/1/blocks/1",
        json!({"table": {"head": [], "rows": [], "width": 1}}),
        "pages[1].blocks[1].table.width",
        "unknown field",
    );
    refused("/lang", json!("fr"), "lang", "unknown variant");
    refused("/format", json!("sekisho-pdf/2"), "format", "is not `sekisho-pdf/1`");
    refused("/pages/0/blocks/1", json!({"paragraph": 7}), "pages[0].blocks[1].paragraph", "invalid type");
}

#[test]
fn limits_are_kept() {
    let paragraph = json!({"paragraph": "一"});
    refused("/pages", json!([]), "pages", "has 0 entries");
    refused("/pages", json!(vec![good()["pages"][0].clone(); PAGES_MAX + 1]), "pages", "2001 entries");
    refused("/pages/0/blocks", json!(vec![paragraph; BLOCKS_MAX + 1]), "pages[0].blocks", "501 entries");
    refused(
        "/pages/0/blocks/1/paragraph",
        json!("a".repeat(TEXT_BYTES_MAX + 1)),
        "pages[0].blocks[1].paragraph",
        "bytes",
    );
    let head = vec!["a"; COLUMNS_MAX + 1];
    refused("/pages/1/blocks/1/table/head", json!(head), "pages[1].blocks[1].table.head", "9 entries");
    refused("/pages/1/address", json!(vec!["a"; 7]), "pages[1].address", "7 entries; 1 to 6");
}

#[test]
fn what_would_make_a_wrong_page_is_refused() {
    refused("/date", json!("2026-11-23"), "date", "is no time");
    refused("/title", json!(" "), "title", "is empty");
    refused("/pages/0/blocks/0/heading/level", json!(2), "pages[0].blocks[0].heading.level", "level of 1 to 1, not 2");
    refused("/pages/1/blocks/1/table/rows/0", json!(["a", "b"]), "pages[1].blocks[1].table.rows[0]", "exactly 1");
    refused("/pages/1/address/1", json!("山田\n太郎"), "pages[1].address[1]", "line break");
    refused("/pages/0/blocks/1/paragraph", json!("a\u{7}"), "pages[0].blocks[1].paragraph", "U+0007");
    refused("/pages/1/address", json!([]), "pages[1].address", "has 0 entries");
    refused("/pages/1/kind", json!("notice"), "pages[1].address", "a notice has no address");
}

#[test]
fn what_is_no_json_is_refused() {
    for text in ["", "{", "[]", "null", &format!("{}x", good())] {
        assert!(document::parse(text.as_bytes()).is_err(), "{text}");
    }
    assert!(document::parse(b"\xff").is_err());
}
