//! Cases as they are told, the table of worked deadlines, and what must be refused.

use crate::deadline::{Due, compute};
use crate::regime::{built_in, parse};
use crate::report::draft;
use crate::{Body, Case, Clock, Error, Event, Language, Origin, card, ics};
use jiff::Timestamp;
use proptest::prelude::*;

const TOKYO: &str = "Asia/Tokyo";

fn event(recorded_at: &str, body: &str) -> Event {
    let text = format!(r#"{{"case":"hakone-1","recorded_at":"{recorded_at}","operator":"sato","body":{body}}}"#);
    serde_json::from_str(&text).unwrap_or_else(|err| panic!("{err}: {text}"))
}

fn opened(origin: Origin) -> Event {
    let body = Body::Opened { origin, title: "箱根FX".to_owned(), zone: TOKYO.to_owned() };
    Event { body, ..event("2014-01-01T00:00:00Z", r#"{"kind":"note","text":""}"#) }
}

fn fact(key: &str) -> Event {
    event(
        "2036-01-01T00:00:00Z",
        &format!(r#"{{"kind":"fact","key":"{key}","state":"suspected","value":"yes","at":"2015-01-01T00:00:00Z"}}"#),
    )
}

fn clock(name: &str, at: &str, zone: &str, more: &str) -> Event {
    event(
        "2036-01-01T00:00:00Z",
        &format!(
            r#"{{"kind":"clock","clock":"{name}","at":"{at}","zone":"{zone}","actor":{{"name":"sato","role":"firm"}},"evidence":"mail 1"{more}}}"#
        ),
    )
}

fn persons(set: &str, value: u64, whole: &str) -> Event {
    let part = if whole.is_empty() { String::new() } else { format!(r#","part_of":"{whole}""#) };
    event(
        "2036-01-01T00:00:00Z",
        &format!(
            r#"{{"kind":"count","of":"records","set":"{set}","value":{value},"state":"confirmed","at":"2016-01-01T00:00:00Z"{part}}}"#
        ),
    )
}

fn fold(events: &[Event]) -> Case {
    Case::fold(events).expect("a case")
}

fn due_text(due: &Due) -> String {
    match due {
        Due::Promptly => "promptly".to_owned(),
        Due::At { at, .. } => at.to_string(),
        Due::On { day, guide_from: Some(from), .. } => format!("{from}/{day}"),
        Due::On { day, .. } => day.to_string(),
    }
}

#[test]
fn worked_cases() {
    let regimes = built_in().expect("regimes");
    let table = include_str!("../../../tests/deadlines/cases.csv");
    let mut checked = 0;
    for row in table.lines().skip(1) {
        let [_, _, obligation, key, told, due] = row.split(';').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let mut events = vec![opened(Origin::Hand), fact(key)];
        for part in told.split(' ') {
            let (name, rest) = part.split_once('=').expect("name=instant");
            let (at, zone) = rest.split_once('@').expect("instant@zone");
            events.push(clock(name, at, zone, ""));
        }
        let found = compute(&fold(&events), &regimes).expect("deadlines");
        let found: Vec<String> =
            found.deadlines.iter().filter(|d| d.obligation == obligation).map(|d| due_text(&d.due)).collect();
        assert_eq!(found, [due], "{row}");
        checked += 1;
    }
    assert!(checked >= 60, "{checked} cases");
}

#[test]
fn a_corrected_awareness_shows_both_deadlines() {
    let events = [
        opened(Origin::Hand),
        fact("eu_residents"),
        clock("aware", "2024-06-03T10:00:00Z", TOKYO, ""),
        clock("aware", "2024-06-02T10:00:00Z", TOKYO, r#","corrects":3"#),
    ];
    let found = compute(&fold(&events), &built_in().expect("regimes")).expect("deadlines").deadlines;
    let found: Vec<_> = found.iter().filter(|d| d.obligation == "gdpr.33").collect();
    assert_eq!(found.len(), 2);
    assert_eq!((due_text(&found[0].due).as_str(), found[0].superseded_by), ("2024-06-05T10:00:00Z", None));
    assert_eq!((due_text(&found[1].due).as_str(), found[1].superseded_by), ("2024-06-06T10:00:00Z", Some(4)));
}

#[test]
fn a_report_about_one_intrusion_leaves_the_other_ones_deadline_open() {
    let intrusion =
        |id: &str| event("2036-01-01T00:00:00Z", &format!(r#"{{"kind":"intrusion","id":"{id}","text":"x"}}"#));
    let sent = format!(
        r#"{{"kind":"submitted","obligation":"gdpr.33","intrusion":"web","version":1,"sha256":"{}","at":"2024-06-04T00:00:00Z","zone":"{TOKYO}"}}"#,
        "0".repeat(64)
    );
    let events = [
        opened(Origin::Hand),
        fact("eu_residents"),
        intrusion("web"),
        intrusion("older"),
        clock("aware", "2024-06-03T10:00:00Z", TOKYO, r#","intrusion":"web""#),
        clock("aware", "2024-06-20T10:00:00Z", TOKYO, r#","intrusion":"older""#),
        event("2036-01-01T00:00:00Z", &sent),
    ];
    let case = fold(&events);
    let found = compute(&case, &built_in().expect("regimes")).expect("deadlines").deadlines;
    let found: Vec<_> = found.iter().filter(|d| d.obligation == "gdpr.33").collect();
    let open: Vec<_> = found.iter().map(|d| (d.intrusion.as_deref(), d.submitted_at.is_none())).collect();
    assert_eq!(open, [(Some("web"), false), (Some("older"), true)]);
}

#[test]
fn a_second_awareness_without_a_correction_is_told() {
    let events = [
        opened(Origin::Hand),
        clock("aware", "2024-06-03T10:00:00Z", TOKYO, ""),
        clock("aware", "2024-06-02T10:00:00Z", TOKYO, ""),
    ];
    let err = Case::fold(&events).expect_err("a contradiction").to_string();
    assert!(err.contains("event 3") && err.contains("contradicts event 2"), "{err}");
}

#[test]
fn a_wrongdoers_awareness_starts_no_clock() {
    let mut insider = clock("aware", "2024-05-01T10:00:00Z", TOKYO, "");
    if let Body::Clock { actor, .. } = &mut insider.body {
        actor.role = crate::Role::Wrongdoer;
    }
    let firm = clock("aware", "2024-06-03T01:00:00Z", TOKYO, "");
    let events = [opened(Origin::Hand), fact("wrongful_purpose"), insider, firm];
    let found = compute(&fold(&events), &built_in().expect("regimes")).expect("deadlines").deadlines;
    let last = found.iter().find(|d| d.obligation == "jp.appi.final").expect("a final report");
    assert_eq!((due_text(&last.due).as_str(), last.from_event), ("2024-08-01", 4));
}

#[test]
fn an_outage_without_a_leak_raises_no_notices_to_persons() {
    let events =
        [opened(Origin::Availability), fact("jp_finance_business"), clock("aware", "2017-06-29T00:00:00Z", TOKYO, "")];
    let found = compute(&fold(&events), &built_in().expect("regimes")).expect("deadlines");
    assert!(found.deadlines.iter().any(|d| d.obligation == "jp.fsa.outage.first"));
    assert!(found.deadlines.iter().all(|d| d.kind != crate::regime::Kind::Person));
    assert!(found.undecided.iter().all(|u| !u.regime.starts_with("jp.appi") && u.regime != "gdpr"));
}

#[test]
fn an_older_intrusion_joins_with_its_own_clock() {
    let join =
        r#"{"kind":"intrusion","id":"2016","from":"2016-07-01T00:00:00Z","to":"2016-11-30T00:00:00Z","text":"older"}"#;
    let events = [
        opened(Origin::Gateway),
        fact("wrongful_purpose"),
        clock("aware", "2017-07-13T06:00:00Z", TOKYO, ""),
        event("2036-01-01T00:00:00Z", join),
        clock("aware", "2017-07-25T06:00:00Z", TOKYO, r#","intrusion":"2016""#),
    ];
    let found = compute(&fold(&events), &built_in().expect("regimes")).expect("deadlines").deadlines;
    let finals: Vec<_> = found.iter().filter(|d| d.obligation == "jp.appi.final").collect();
    assert_eq!(finals.len(), 2);
    assert_eq!(finals[1].intrusion.as_deref(), Some("2016"));
}

/// YJFX: 185,626 became 185,637, and its parts sum to the later figure only.
#[test]
fn both_figures_stay_and_parts_are_summed() {
    let mut events = vec![opened(Origin::FoundFile), persons("total", 185_626, "")];
    for (set, value) in [("unaccessed", 128_231), ("crawled", 56_665), ("viewed", 741)] {
        events.push(persons(set, value, "total"));
    }
    let told = fold(&events).warnings;
    assert!(told[0].contains("sum to 185637") && told[0].contains("185626"), "{told:?}");
    events.push(persons("total", 185_637, ""));
    let case = fold(&events);
    assert!(case.warnings.is_empty());
    assert_eq!(
        case.counts.iter().filter(|c| c.set == "total").map(|c| c.value).collect::<Vec<_>>(),
        [185_626, 185_637]
    );
}

#[test]
fn card_data_is_refused_and_other_numbers_are_not() {
    let check = |text: &str, expected: bool| assert_eq!(card::find(text).is_some(), expected, "{text}");
    check("card 4111 1111 1111 1111 was read", true);
    check("カード番号は4111-1111-1111-1111です", true);
    check("3782 822463 10005", true);
    check("cvv: 123", true);
    check("セキュリティコード 1234", true);
    check("card ending 1111", false);
    check("4111 1111 1111 1112", false);
    check("2015-09-15 to 2017-06-02, 9,822 cards incl. CVV", false);
    let number = "4111111111111111";
    for length in [32, 40, 64, 96, 128] {
        let fingerprint = format!("{number}{}", "e".repeat(length - number.len()));
        check(&format!("found.json, SHA-256 {fingerprint}"), false);
        check(&fingerprint.to_uppercase(), false);
        check(&format!("{fingerprint}e"), true);
        check(&format!("{fingerprint} {number}"), true);
        check(&fingerprint.replace('e', "0"), true);
        check(&format!("4111 1111 {fingerprint} 1111 1111"), false);
    }
    let note = event("2036-01-01T00:00:00Z", r#"{"kind":"note","text":"4111111111111111"}"#);
    assert!(matches!(Case::fold(&[opened(Origin::Hand), note]), Err(Error::Card { index: 2, .. })));
}

#[test]
fn a_regime_files_mistakes_are_told_with_place_and_remedy() {
    let good = include_str!("../regimes/eu.toml");
    let check = |from: &str, to: &str, expected: &str| {
        let err = parse("own.toml", &good.replacen(from, to, 1)).expect_err("an error").to_string();
        assert!(err.starts_with("own.toml") && err.contains(expected), "{err}");
    };
    check("hardness = \"statute\"", "hardness = \"iron\"", "unknown variant");
    check("offset = 72", "offset = 0", "has no offset");
    check("\"dpo\", ", "\"ceo\", ", "unknown item `ceo`");
    check("sourced = \"yes\"", "sourced = \"unconfirmed\"", "unconfirmed and cannot be statute");
    check("classified_major", "classified", "no clock event");
}

#[test]
fn drafts_say_what_is_missing() {
    let case = fold(&[opened(Origin::Hand), fact("cause")]);
    let made = draft(&case, &built_in().expect("regimes"), "jp.appi.prelim", Language::Ja).expect("a draft");
    assert_eq!((made.items.len(), made.missing.len()), (9, 8));
    assert!(made.markdown(&case, Language::Ja).contains("今後確認する事項"));
}

#[test]
fn the_feed_is_folded_by_octets() {
    let events = [opened(Origin::Hand), fact("wrongful_purpose"), clock("aware", "2024-06-03T01:00:00Z", TOKYO, "")];
    let case = fold(&events);
    let found = compute(&case, &built_in().expect("regimes")).expect("deadlines").deadlines;
    let feed = ics::calendar(&case, &found, Language::Ja).expect("a feed");
    assert!(feed.split("\r\n").all(|line| line.len() <= 75), "{feed}");
    assert!(feed.contains("DTSTART:20240801T145959Z") && feed.contains("TRIGGER:-PT24H"));
}

#[test]
fn times_that_go_back_and_foreign_events_are_told() {
    let early = event("2013-01-01T00:00:00Z", r#"{"kind":"note","text":"x"}"#);
    assert!(Case::fold(&[opened(Origin::Hand), early]).expect_err("order").to_string().contains("event 2"));
    assert!(Case::fold(&[fact("x")]).expect_err("not open").to_string().contains("begins with `opened`"));
    assert_eq!(Case::fold(&[]), Err(Error::Empty));
    assert!(serde_json::from_str::<Clock>(r#""noticed""#).is_err());
}

proptest! {
    /// INC-1: folding is deterministic, and appending changes no earlier line of the timeline.
    #[test]
    fn inc_1_appending_keeps_the_timeline(kinds in prop::collection::vec((0_u8..3, 0_u64..1000), 1..20)) {
        let mut events = vec![opened(Origin::Hand)];
        for (kind, value) in kinds {
            events.push(match kind {
                0 => fact(&format!("fact_{value}")),
                1 => persons("total", value, ""),
                _ => event("2036-01-01T00:00:00Z", r#"{"kind":"note","text":"n"}"#),
            });
        }
        let whole = fold(&events);
        prop_assert_eq!(&whole, &fold(&events));
        for length in 1..events.len() {
            prop_assert_eq!(&fold(&events[..length]).timeline[..], &whole.timeline[..length]);
        }
    }

    /// A later awareness is never due earlier.
    #[test]
    fn deadlines_are_monotone(first in 1_420_100_000_i64..2_050_000_000, later in 0_i64..5_000_000) {
        let due = |second: i64| {
            let at = Timestamp::from_second(second).expect("in range").to_string();
            let case = fold(&[opened(Origin::Hand), fact("sensitive_data"), clock("aware", &at, TOKYO, "")]);
            let found = compute(&case, &built_in().expect("regimes")).expect("deadlines").deadlines;
            found.into_iter().find(|d| d.obligation == "jp.appi.final").expect("one").due.end().expect("an end")
        };
        prop_assert!(due(first) <= due(first + later));
    }
}
