//! Examples: a body, and what is found in it.

use super::{Finding, Found, Reflected, Scanner};
use crate::fuzz::{SAMPLE_CSV, sample_config, scan_in};
use crate::{Boundary, Charset, ColumnConfig, Encoding, HashKey, Index, IndexBuilder, RegisterConfig, TextForm};
use proptest::prelude::*;
use sekisho_model::{FieldKind, GenericKind, Timestamp};
use std::sync::Arc;

fn index() -> Arc<Index> {
    let mut builder = IndexBuilder::new(Arc::new(HashKey::new([7; 16])), Timestamp(0));
    builder.register(&sample_config(), SAMPLE_CSV.as_bytes(), "sample.csv").expect("the sample is a good register");
    Arc::new(builder.build())
}

/// Findings as words: `0 email "taro@…"`, reflected ones in brackets.
fn words(index: &Index, body: &[u8], findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .map(|finding| {
            let span =
                usize::try_from(finding.span.start).expect("small")..usize::try_from(finding.span.end).expect("small");
            let text = String::from_utf8_lossy(&body[span]).into_owned();
            match finding.found {
                Found::Subject { subject, fields, reflected } => {
                    let name = |set: sekisho_model::FieldSet| {
                        let fields = &index.registers()[usize::from(subject.register.0)].fields;
                        set.iter().map(|field| fields[usize::from(field.0)].name.clone()).collect::<Vec<_>>().join("+")
                    };
                    let (fields, reflected) = (name(fields), name(reflected));
                    let reflected = if reflected.is_empty() { reflected } else { format!("({reflected})") };
                    format!("{} {fields}{reflected} {text}", subject.id.0)
                }
                Found::Generic(generic) => {
                    let echo = if generic.reflected { "(reflected) " } else { "" };
                    format!("generic {:?} {echo}{text}", generic.kind)
                }
            }
        })
        .collect()
}

fn scan(form: TextForm, body: &[u8], request: &[u8]) -> Vec<String> {
    let index = index();
    let mut reflected = Reflected::default();
    reflected.add(&index, request);
    let reflected = Arc::new(reflected);
    let scanner = || Scanner::new(Arc::clone(&index), form, Arc::clone(&reflected));
    let findings = scan_in(scanner(), &[body]);
    let bytes: Vec<&[u8]> = body.chunks(1).collect();
    assert_eq!(findings, scan_in(scanner(), &bytes), "EDM-1");
    words(&index, body, &findings)
}

fn check(body: &str, expected: &[&str]) {
    assert_eq!(scan(TextForm::default(), body.as_bytes(), b""), expected, "in {body}");
}

#[test]
fn a_mail_is_found_in_any_case_width_and_escape() {
    check("<a href='mailto:Taro.Yamada@Mail.example'>", &["0 email Taro.Yamada@Mail.example"]);
    check(
        "ｔａｒｏ．ｙａｍａｄａ＠ｍａｉｌ．ｅｘａｍｐｌｅ",
        &["0 email ｔａｒｏ．ｙａｍａｄａ＠ｍａｉｌ．ｅｘａｍｐｌｅ"],
    );
    check("taro.yamada&#64;mail.example", &["0 email taro.yamada&#64;mail.example"]);
    check("?m=taro.yamada%40mail.example&x", &["0 email taro.yamada%40mail.example"]);
    check(r#""taro.yamada\u0040mail.example""#, &[r"0 email taro.yamada\u0040mail.example"]);
    check("メールtaro.yamada@mail.exampleまで", &["0 email taro.yamada@mail.example"]);
    check("to=taro.yamada@mail.example.", &["0 email taro.yamada@mail.example"]);
}

#[test]
fn a_longer_mail_is_another_mail() {
    check("xtaro.yamada@mail.example", &["generic Email xtaro.yamada@mail.example"]);
    check("taro.yamada@mail.example.org", &["generic Email taro.yamada@mail.example.org"]);
    check("logo@2x.png", &[]);
}

#[test]
fn an_account_id_stands_alone() {
    check("口座HK-0001234番", &["0 account_id HK-0001234"]);
    check("row_hk-0001234_x", &["0 account_id hk-0001234"]);
    check("xHK-0001234", &[]);
    check("HK-00012345", &[]);
    check("HK-0001234.5", &[]);
}

#[test]
fn cards_in_groups_and_unknown_cards_by_form() {
    check("4111-1111-1111-1111", &["0 pan 4111-1111-1111-1111"]);
    check("2024 4111 1111 1111 1111 99", &["0 pan 4111 1111 1111 1111"]);
    check("４１１１１１１１１１１１１１１１", &["0 pan ４１１１１１１１１１１１１１１１"]);
    check("4012888888881881", &["generic Pan 4012888888881881"]);
    check("41111111111111112", &[]);
    check("4012888888881882", &[]);
}

#[test]
fn a_shared_phone_gives_all_its_subjects() {
    let both = |text: &str| [format!("0 phone {text}"), format!("1 phone {text}")];
    for text in ["03-5550-0101", "0355500101", "(03)5550-0101", "+81-3-5550-0101", "+81355500101", "03ー5550ー0101"] {
        let text = text.trim_start_matches('(');
        assert_eq!(scan(TextForm::default(), format!("<{text}>").as_bytes(), b""), both(text));
    }
    check("103-5550-0101", &[]);
    let bracketed = "+81 (0)3-5550-0101";
    assert_eq!(scan(TextForm::default(), bracketed.as_bytes(), b"")[..2], both(bracketed));
}

#[test]
fn secrets_are_exact() {
    check(
        "h=$2b$12$abcdefghijklmnopqrstuv.WXYZ/0123456789abcd;",
        &["0 secret $2b$12$abcdefghijklmnopqrstuv.WXYZ/0123456789abcd"],
    );
    check("0123456789ABCDEF0123456789abcdef", &[]);
    check("token: 0123456789abcdef0123456789abcdef0", &[]);
}

#[test]
fn a_my_number_needs_its_label_and_check_digit() {
    check("マイナンバー：123456789018", &["generic MyNumber 123456789018"]);
    check("ﾏｲﾅﾝﾊﾞｰ 1234-5678-9018", &["generic MyNumber 1234-5678-9018"]);
    check(r#"{"my_number":"１２３４５６７８９０１８"}"#, &["generic MyNumber １２３４５６７８９０１８"]);
    check("注文番号 123456789018", &[]);
    check("個人番号 123456789017", &[]);
    check("個人番号 1234567890180", &[]);
}

#[test]
fn names_are_found_beside_their_subject_only() {
    check("山田太郎 HK-0001234", &["0 name 山田太郎", "0 account_id HK-0001234"]);
    check("<td>太郎</td><td>山田</td> HK-0001234", &["0 name 太郎</td><td>山田", "0 account_id HK-0001234"]);
    check("山田太郎 HK-0005678", &["1 account_id HK-0005678"]);
    check("HK-0005678 高 橋 花 子", &["1 account_id HK-0005678", "1 name 高 橋 花 子"]);
    check("HK-0001234 ﾔﾏﾀﾞ ﾀﾛｳ様", &["0 account_id HK-0001234", "0 kana ﾔﾏﾀﾞ ﾀﾛｳ"]);
    check("HK-0001234 やまだたろう", &["0 account_id HK-0001234", "0 kana やまだたろう"]);
    check("HK-0001234 YAMADA, Taro", &["0 account_id HK-0001234", "0 romaji YAMADA, Taro"]);
    check("HK-0001234 Yamadas Tarot", &["0 account_id HK-0001234"]);
    check(
        r"HK-0001234 \u5c71\u7530 %E5%A4%AA%E9%83%8E",
        &["0 account_id HK-0001234", r"0 name \u5c71\u7530 %E5%A4%AA%E9%83%8E"],
    );
}

#[test]
fn a_window_ends_at_a_neighbour_of_another_subject() {
    check("HK-0001234 x HK-0005678 山田太郎", &["0 account_id HK-0001234", "1 account_id HK-0005678"]);
    let far = "あ".repeat(330);
    check(&format!("HK-0001234{far}山田太郎"), &["0 account_id HK-0001234"]);
}

#[test]
fn a_name_inside_a_mail_is_no_name() {
    check("taro.yamada@mail.example", &["0 email taro.yamada@mail.example"]);
    check(
        "HK-0001234 taro.yamada@other.example",
        &["0 account_id HK-0001234", "generic Email taro.yamada@other.example"],
    );
}

#[test]
fn what_the_request_held_is_reflected() {
    let form = TextForm::default();
    let body = "検索: 山田太郎 taro.yamada@mail.example HK-0001234".as_bytes();
    assert_eq!(
        scan(form, body, b"/search?q=%E5%B1%B1%E7%94%B0+%E5%A4%AA%E9%83%8E&m=taro.yamada%40mail.example"),
        ["0 (name) 山田太郎", "0 (email) taro.yamada@mail.example", "0 account_id HK-0001234",]
    );
    let body = "個人番号 123456789018".as_bytes();
    assert_eq!(scan(form, body, b"n=1234-5678-9018"), ["generic MyNumber (reflected) 123456789018"]);
}

#[test]
fn other_character_sets() {
    let text = "口座HK-0001234 山田　太郎 ﾔﾏﾀﾞﾀﾛｳ";
    let sets = [
        (Charset::ShiftJis, encoding_rs::SHIFT_JIS.encode(text).0.into_owned()),
        (Charset::EucJp, encoding_rs::EUC_JP.encode(text).0.into_owned()),
        (Charset::Iso2022Jp, encoding_rs::ISO_2022_JP.encode(text).0.into_owned()),
        (Charset::Utf16Le, text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        (Charset::Utf16Be, text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        (Charset::Utf16Le, "\u{FEFF}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect()),
    ];
    for (charset, body) in sets {
        let found = scan(TextForm { charset, boundary: Boundary::None }, &body, b"");
        let fields: Vec<&str> = found.iter().filter_map(|word| word.split(' ').nth(1)).collect();
        assert_eq!(fields, ["account_id", "name", "kana"], "{charset:?}");
    }
}

#[test]
fn nothing_spans_a_hard_boundary() {
    let lines = TextForm { boundary: Boundary::Line, ..TextForm::default() };
    assert_eq!(scan(lines, "HK-0001234\n山田太郎\n".as_bytes(), b""), ["0 account_id HK-0001234"]);
    let events = TextForm { boundary: Boundary::EmptyLine, ..TextForm::default() };
    let body = "data: HK-0001234\r\ndata: 山田太郎\r\n\r\ndata: 山田太郎\r\n\r\n".as_bytes();
    assert_eq!(scan(events, body, b""), ["0 account_id HK-0001234", "0 name 山田太郎"]);
}

#[test]
fn a_boundary_releases_all_before_it() {
    let form = TextForm { boundary: Boundary::EmptyLine, ..TextForm::default() };
    let mut scanner = Scanner::new(index(), form, Arc::default());
    let mut findings = Vec::new();
    assert_eq!(scanner.feed(b"data: HK-0001234\n\n", &mut findings), 18);
    assert_eq!(findings.len(), 1);
}

#[test]
fn an_idle_flush_says_what_it_knows_and_says_nothing_twice() {
    let index = index();
    let mut scanner = Scanner::new(Arc::clone(&index), TextForm::default(), Arc::default());
    let body = "HK-0001234 山田太郎 hanako@mail.example";
    let cut = body.find("郎").expect("it is in there");
    let mut findings = Vec::new();
    scanner.feed(&body.as_bytes()[..cut], &mut findings);
    scanner.flush_idle(&mut findings);
    assert_eq!(words(&index, body.as_bytes(), &findings), ["0 account_id HK-0001234"]);
    scanner.flush_idle(&mut findings);
    assert_eq!(findings.len(), 1);
    let safe = scanner.feed(&body.as_bytes()[cut..], &mut findings);
    assert!(safe >= cut as u64);
    scanner.finish(&mut findings);
    assert_eq!(words(&index, body.as_bytes(), &findings)[1..], ["0 name 山田太郎", "1 email hanako@mail.example"]);
}

#[test]
fn a_generic_value_has_a_hash_unless_it_is_a_my_number() {
    let mut findings = Vec::new();
    let empty = Arc::new(Index::empty(Arc::new(HashKey::new([7; 16]))));
    let mut scanner = Scanner::new(empty, TextForm::default(), Arc::default());
    scanner.feed("a@mail.example 個人番号123456789018 4111111111111111".as_bytes(), &mut findings);
    scanner.finish(&mut findings);
    let kinds: Vec<(GenericKind, bool)> = findings
        .iter()
        .filter_map(|finding| match finding.found {
            Found::Generic(generic) => Some((generic.kind, generic.value.is_some())),
            Found::Subject { .. } => None,
        })
        .collect();
    assert_eq!(kinds, [(GenericKind::Email, true), (GenericKind::MyNumber, false), (GenericKind::Pan, true)]);
}

#[test]
fn what_is_held_is_bounded_where_every_character_is_escaped() {
    let escaped = "&#x00FF76;&#x00FF9E;".repeat(3000);
    let body: Vec<u8> = format!("{escaped}HK-0001234{escaped}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let form = TextForm { charset: Charset::Utf16Le, boundary: Boundary::None };
    let scanner = Scanner::new(index(), form, Arc::default());
    assert_eq!(scan_in(scanner, &body.chunks(1000).collect::<Vec<_>>()).len(), 1);
}

#[test]
fn what_is_held_is_about_a_page_of_text_in_a_long_stream() {
    let mut scanner = Scanner::new(index(), TextForm::default(), Arc::default());
    let chunk = "<td>HK-0001234</td><td>山田 太郎</td><td>2024-01-02</td>\n".repeat(64);
    let (mut findings, mut fed) = (Vec::new(), 0);
    for _ in 0..64 {
        let safe = scanner.feed(chunk.as_bytes(), &mut findings);
        fed += chunk.len() as u64;
        assert!(fed - safe <= 4096, "{} bytes are held", fed - safe);
    }
    scanner.finish(&mut findings);
    assert_eq!(findings.len(), 2 * 64 * 64);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 96, ..Default::default() })]

    #[test]
    fn any_bytes_are_scanned_alike_in_any_pieces(
        choice in proptest::prelude::any::<u8>(),
        parts in proptest::collection::vec((0..6usize, proptest::collection::vec(proptest::prelude::any::<u8>(), 0..12)), 0..20),
    ) {
        let values: [&[u8]; 6] =
            [b"", b"taro.yamada@mail.example", b"HK-0001234", "山田太郎".as_bytes(), b"\x1B$B;3ED\x1B(B", b"\r\n\r\n"];
        let body = parts.iter().flat_map(|(value, noise)| [values[*value], noise.as_slice()].concat());
        crate::fuzz::fuzz_scanner(&std::iter::once(choice).chain(body).collect::<Vec<u8>>());
    }
}

/// What the places of the findings hold: what a mask would replace.
fn check_places(body: &str, expected: &[&str]) {
    let index = index();
    let scanner = Scanner::new(index, TextForm::default(), Arc::default());
    let findings = scan_in(scanner, &[body.as_bytes()]);
    let at = |at: u64| usize::try_from(at).expect("small");
    let places = findings.iter().flat_map(Finding::places);
    let places: Vec<&str> = places.map(|place| &body[at(place.start)..at(place.end)]).collect();
    assert_eq!(places, expected, "in {body}");
}

#[test]
fn a_name_in_two_cells_has_two_places_and_what_lies_between_is_none_of_it() {
    let mail = "taro.yamada@mail.example";
    check_places(&format!("<td>山田</td><td>太郎</td> {mail}"), &["山田", "太郎", mail]);
    check_places(&format!("{{\"given\":\"太郎\",\"family\":\"山田\"}} {mail}"), &["太郎", "山田", mail]);
    check_places(&format!("山田太郎 {mail}"), &["山田太郎", mail]);
    check_places(&format!("&#x5c71;田 太郎 {mail}"), &["&#x5c71;田", "太郎", mail]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// With ids of one run only, years and amounts are passed over early; no id is.
    #[test]
    fn ids_of_one_run_are_found_wherever_a_run_is_one(
        parts in prop::collection::vec(prop::sample::select(vec![
            "HK12345678", "hk12345678", "1234567890", "AB1234", "123456", "2026", "-", "-", ".", ".5", "7.", " ", "x", "あ", "_",
            "<td class=number>", "2026-11-24 10:00",
        ]), 0..60),
    ) {
        let ids = ["HK12345678", "1234567890", "AB1234"];
        let config = RegisterConfig {
            name: "holders".to_owned(),
            row_key: "account_id".to_owned(),
            columns: vec![ColumnConfig { name: "account_id".to_owned(), kind: FieldKind::AccountId, pattern: None }],
            encoding: Encoding::Auto,
        };
        let csv = format!("account_id\n{}\n", ids.join("\n"));
        let mut builder = IndexBuilder::new(Arc::new(HashKey::new([7; 16])), Timestamp(0));
        builder.register(&config, csv.as_bytes(), "holders.csv").expect("the register is good");
        let scanner = Scanner::new(Arc::new(builder.build()), TextForm::default(), Arc::default());
        let body = parts.concat();
        let found: Vec<(u64, u64)> =
            scan_in(scanner, &[body.as_bytes()]).iter().map(|finding| (finding.span.start, finding.span.end)).collect();
        let bytes = body.as_bytes();
        let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
        let is_point = |at: Option<usize>| at.and_then(|at| bytes.get(at)) == Some(&b'.');
        let mut expected = Vec::new();
        let mut begin = 0;
        for run in body.split(|c: char| !c.is_ascii_alphanumeric()) {
            begin += body[begin..].find(run).expect("runs stand in their order");
            let end = begin + run.len();
            let fraction = digit(Some(begin)) && is_point(begin.checked_sub(1)) && digit(begin.checked_sub(2));
            let whole = digit(end.checked_sub(1)) && is_point(Some(end)) && digit(Some(end + 1));
            if ids.iter().any(|id| id.eq_ignore_ascii_case(run)) && !fraction && !whole {
                expected.push((begin as u64, end as u64));
            }
            begin = end;
        }
        prop_assert_eq!(found, expected, "in {}", body);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn lines_in_which_nothing_is_seen_hold_nothing(
        parts in prop::collection::vec(prop::sample::select(vec![
            "taro.yamada@mail.example", "HK-0001234", "HK-", "0001234", "03-5555", "-0101", "4111 1111 1111 1111", "1111",
            "my number: ", "123456789018", "1234 5678", " 9018", "\n", "text/html; charset=utf-8", "山田 太郎", "%40", "&#64;",
            "nginx/1.22.1", "session=", "$2b$12$abcdefghijklmnopqrstuv", " ", "x", "@", ".", "0",
        ]), 0..12),
    ) {
        let lines = parts.concat();
        let form = TextForm { boundary: Boundary::Line, ..TextForm::default() };
        let scanner = Scanner::new(index(), form, Arc::default());
        if super::lines_hold_nothing(&index(), lines.as_bytes()) {
            prop_assert_eq!(scan_in(scanner, &[lines.as_bytes()]), vec![], "in {:?}", lines);
        }
    }
}

#[test]
fn at_a_glance_most_lines_hold_nothing_and_a_customers_do() {
    for (lines, nothing) in [
        ("text/html; charset=utf-8\nnginx/1.22.1\n", true),
        ("/done?mail=taro.yamada@mail.example\n", false),
        ("/done?mail=taro.yamada%40mail.example\n", false),
    ] {
        assert_eq!(super::lines_hold_nothing(&index(), lines.as_bytes()), nothing, "{lines}");
    }
}

#[test]
fn a_scanner_leaves_nothing_to_the_next_one() {
    let first = "<td>HK-0001234</td> 山田 太郎 taro.yamada@mail.example".repeat(200);
    for (before, body) in [(first.as_str(), "太郎"), ("", "taro.yamada@mail.example"), (first.as_str(), "あ")] {
        let clean = std::thread::spawn({
            let body = body.to_owned();
            move || scan(TextForm::default(), body.as_bytes(), b"")
        });
        let mut abandoned = Scanner::new(index(), TextForm::default(), Arc::default());
        abandoned.feed(before.as_bytes(), &mut Vec::new());
        drop(abandoned);
        assert_eq!(scan(TextForm::default(), body.as_bytes(), b""), clean.join().expect("no panic"), "of {body}");
    }
}
