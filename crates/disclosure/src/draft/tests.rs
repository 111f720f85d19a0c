//! What a draft takes from a case and an answer, and what may be done to it.

use super::*;
use crate::Notice;
use sekisho_incident::Event;
use serde_json::json;

fn scope() -> Scope {
    let field = |register: &str, field: &str, state: &str, persons: u64, reason: Option<&str>| json!({ "register": register, "field": field, "state": state, "persons": persons, "reason": reason });
    let answer = json!({
        "fields": [
            field("seminar", "name", "exposed", 2455, None),
            field("holders", "name", "not_observed", 0, None),
            field("holders", "card", "not_observed", 0, None),
            field("holders", "address", "not_examined", 0, Some("no detector for `address` yet")),
            field("holders", "phone", "not_examined", 0,
                Some("2 of 1,003 inspected responses passed without this column (loaded at 10:00)")),
            field("holders", "login", "not_examined", 0, Some("12 values could not be indexed and were not looked for")),
        ],
        "first": "2026-11-20T05:00:00Z",
        "last": "2026-11-20T06:00:00Z",
    });
    serde_json::from_value(answer).expect("an answer")
}

fn case() -> Case {
    let event = |body: serde_json::Value| -> Event {
        serde_json::from_value(json!({
            "case": "hakone-2026-1", "recorded_at": "2026-11-22T00:00:00Z", "operator": "sato", "body": body,
        }))
        .expect("an event")
    };
    let aware = |at: &str, role: &str, corrects: Option<usize>| {
        event(json!({
            "kind": "clock", "clock": "aware", "at": at, "zone": "Asia/Tokyo", "evidence": "記録",
            "actor": { "name": role, "role": role }, "corrects": corrects, "intrusion": role,
        }))
    };
    let intrusion = |id: &str| event(json!({ "kind": "intrusion", "id": id, "text": "不正アクセス" }));
    Case::fold(&[
        event(json!({ "kind": "opened", "origin": "hand", "title": "漏えい", "zone": "Asia/Tokyo" })),
        intrusion("wrongdoer"),
        intrusion("firm"),
        intrusion("vendor"),
        aware("2026-11-01T00:00:00Z", "wrongdoer", None),
        aware("2026-11-10T00:00:00Z", "firm", None),
        aware("2026-11-21T00:00:00Z", "firm", Some(6)),
        aware("2026-11-20T00:00:00Z", "vendor", None),
        event(json!({ "kind": "count", "of": "persons", "set": "total", "value": 2455, "state": "confirmed",
            "at": "2026-11-21T00:00:00Z" })),
    ])
    .expect("a case")
}

fn draft() -> Notice {
    notice(&case(), Some(&scope()), &Labels::default())
}

#[test]
fn the_day_of_finding_is_the_first_that_stands_of_those_who_look_for_the_firm() {
    assert_eq!(draft().found_at.expect("a time").to_string(), "2026-11-20T00:00:00Z");
}

#[test]
fn reasons_are_told_in_japanese_with_their_figures() {
    let told: Vec<String> = draft().not_examined.into_iter().map(|text| text.ja).collect();
    assert_eq!(
        told,
        [
            "address（住所は照合の対象外のため）",
            "phone（検査した応答 1,003 件のうち 2 件は、この項目と照合していないため）",
            "login（12 件の値は照合できない形式のため）",
        ]
    );
}

#[test]
fn what_was_computed_is_not_edited_but_on_the_cautious_side() {
    let told = |notice: &Notice| deviations(notice, &scope(), &Labels::default());
    let text = |words: &str| Text::new(words, words);
    let mut notice = draft();
    assert_eq!(notice.not_left, [text("card")], "a name left in one register: it is not among what did not leave");
    notice.left.push(text("お申込内容（調査中）"));
    notice.not_left.clear();
    notice.exposed[0].from = None;
    assert_eq!(told(&notice), ["`exposed` does not reach back to the first exposure of the answer"]);
    notice = draft();
    notice.left.clear();
    notice.not_left.push(text("住所"));
    notice.not_examined.remove(0);
    notice.exposed[0].to = notice.exposed[0].from;
    let all = told(&notice);
    assert_eq!(all.len(), 4, "{all:?}");
    for part in [
        "`left` lacks \"name（2,455 名）\"",
        "`not_left` has \"住所\"",
        "`not_examined` lacks",
        "`exposed` ends before",
    ] {
        assert!(all.iter().any(|told| told.starts_with(part)), "{part}: {all:?}");
    }
}

#[test]
fn figures_are_those_of_the_case() {
    let mut notice = draft();
    assert_eq!(deviations_from_case(&notice, &case()), Vec::<String>::new());
    notice.counts[0].value = Some(2_400);
    assert_eq!(deviations_from_case(&notice, &case()), ["`counts` tells other persons than the case"]);
    notice.counts.clear();
    assert_eq!(deviations_from_case(&notice, &case()), ["`counts` lacks persons that the case has"]);
}
