//! Entries, what is computed of them, and the site.

use super::*;

const ENTRY: &str = r#"
id = "hakone-fx-2026"
firm = { ja = "箱根FX", en = "Hakone FX" }
title = { ja = "情報の流出", en = "Data taken" }
summary = { ja = "架空の例です。", en = "An invented example." }
leak = "yes"
leak_source = "firm"
source = [{ id = "firm", text = { ja = "お知らせ", en = "A notice" } }]
"#;

fn entry(more: &str) -> Result<Incident, String> {
    Incident::parse(&format!("{ENTRY}{more}"))
}

fn dated(name: &str, at: &str) -> String {
    format!("{name} = {{ at = \"{at}\", source = \"firm\" }}\n")
}

#[track_caller]
fn disclosed_after(detected: &str, disclosed: &str, expected: Span) {
    let incident = entry(&(dated("detected", detected) + &dated("disclosed", disclosed))).expect("good");
    assert_eq!(Figures::of(&incident, None).to_disclose, Some(expected), "{detected} to {disclosed}");
}

#[test]
fn lengths_are_as_exact_as_their_dates() {
    disclosed_after("2017-06-02T10:00", "2017-06-05T13:00", Span::Minutes(75 * 60));
    disclosed_after("2017-07-13T15:00", "2017-07-17", Span::Days(4, 4));
    disclosed_after("2015-05-22", "2015-07-13/2015-07-14", Span::Days(52, 53));
    disclosed_after("2015-11", "2016-01-28", Span::Days(59, 88));
    disclosed_after("2017-06-29T09:00", "2017-06-29", Span::Days(0, 0));
}

#[test]
fn what_is_not_known_is_unknown() {
    let figures = Figures::of(&entry("").expect("good"), None);
    assert_eq!((figures.to_detect, figures.to_disclose), (None, None));
    assert_eq!((figures.updates, figures.standing), (Updates::Unknown, Standing::Unknown));
    assert!(figures.promises.is_empty());
}

#[test]
fn promises_are_in_time_late_or_open() {
    let promise = |due: &str, came: &str| {
        let came = if came.is_empty() { String::new() } else { format!("came = \"{came}\"") };
        format!(
            "[[promise]]\ntext = {{ ja = \"報告\", en = \"a report\" }}\ndue = \"{due}\"\n{came}\nsource = \"firm\"\n"
        )
    };
    let all =
        [("2017-06-30", "2017-06-30"), ("2017-06", "2017-06-30"), ("2017-06-30", "2017-07-25"), ("2017-06-30", "")];
    let incident = entry(&all.map(|(due, came)| promise(due, came)).concat()).expect("good");
    let figures = Figures::of(&incident, None);
    assert_eq!(figures.promises, [Kept::InTime, Kept::InTime, Kept::Late(25), Kept::Open]);
}

#[test]
fn an_entry_with_a_fault_is_refused() {
    let count = "[[count]]\nmeasure = \"persons\"\nvalue = 3\nstate = \"published\"\nsource = \"firm\"\ntext = { ja = \"a\", en = \"a\" }\n";
    let part = "[[count.part]]\nvalue = 2\ntext = { ja = \"a\", en = \"a\" }\n";
    for (more, expected) in [
        (dated("detected", "2017-13-01"), "is no time"),
        (dated("detected", "2017-07-14/2017-07-13"), "is no time"),
        ("detected = { at = \"2017-07-13\", source = \"nobody\" }".to_owned(), "the source `nobody`"),
        ("detected = { at = \"2017-07-13\" }".to_owned(), "missing field `source`"),
        ("rumour = 1".to_owned(), "unknown field `rumour`"),
        (format!("{count}{part}"), "add up to 2"),
    ] {
        let refused = entry(&more).expect_err(&more);
        assert!(refused.contains(expected), "{more}: {refused}");
    }
}

#[test]
fn the_site_is_the_same_twice_and_escapes_what_it_is_told() {
    let hostile = ENTRY.replace("架空の例です。", "<script>alert(1)</script>");
    let incidents = [Incident::parse(&hostile).expect("good")];
    let site = build(&incidents, None, "https://register.example/").expect("built");
    assert_eq!(site, build(&incidents, None, "https://register.example/").expect("built"));
    for (name, bytes) in &site.files {
        let text = String::from_utf8_lossy(bytes);
        assert!(name == "data.json" || !text.contains("<script"), "{name}");
        assert!(!name.ends_with(".html") || text.contains("lang=\""), "{name}");
    }
    assert_eq!(site.files.len(), 8, "{:?}", site.files.keys());
}

#[test]
fn the_historical_entries_can_be_read_and_say_what_they_are() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../registry");
    let incidents = read(&dir).expect("all good");
    let historical: Vec<&str> = incidents.iter().filter(|one| one.historical).map(|one| one.id.as_str()).collect();
    let expected =
        ["money-square-2017", "kabu-com-2017", "fx-on-2017", "yjfx-2016", "seven-bank-2015", "fx-prime-2015"];
    assert_eq!(historical, expected);
    let urls = incidents.iter().flat_map(|one| &one.sources).filter_map(|source| source.url.as_ref()).count();
    assert_eq!(urls, 0, "the notes name no addresses, so none may be invented");
}
