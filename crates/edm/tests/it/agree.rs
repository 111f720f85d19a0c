//! EDM-1 and EDM-2 over bodies that are made of traps.

use crate::naive::{self, Sourced};
use crate::world::{self, KINDS};
use proptest::prelude::*;
use sekisho_edm::{Charset, Finding, Found, HELD_BYTES_MAX, Index, Scanner, TextForm};
use sekisho_model::GenericKind;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Scans in these pieces and asserts what `safe_until` promises.
fn scan(index: &Arc<Index>, form: TextForm, pieces: &[&[u8]]) -> Vec<Finding> {
    let mut scanner = Scanner::new(Arc::clone(index), form, Arc::default());
    let (mut findings, mut safe_until, mut fed) = (Vec::new(), 0, 0);
    for piece in pieces {
        let known = findings.len();
        let safe = scanner.feed(piece, &mut findings);
        fed += piece.len() as u64;
        assert!(safe >= safe_until && safe <= fed && fed - safe <= HELD_BYTES_MAX as u64);
        assert!(findings[known..].iter().all(|finding| finding.span.start >= safe_until));
        safe_until = safe;
    }
    let known = findings.len();
    scanner.finish(&mut findings);
    assert!(findings[known..].iter().all(|finding| finding.span.start >= safe_until));
    assert!(findings.is_sorted_by_key(|finding| finding.span.start));
    findings
}

fn in_words(findings: &[Finding]) -> BTreeSet<naive::Found> {
    let mut words = BTreeSet::new();
    for finding in findings {
        let span = (finding.span.start as usize, finding.span.end as usize);
        match finding.found {
            Found::Subject { subject, fields, reflected } => {
                assert!(reflected.is_empty(), "there was no request");
                for field in fields.iter() {
                    assert!(words.insert((
                        span.0,
                        span.1,
                        Some(subject.id.0 as usize),
                        KINDS[usize::from(field.0)].name()
                    )));
                }
            }
            Found::Generic(generic) => {
                let kind = match generic.kind {
                    GenericKind::Email => "generic email",
                    GenericKind::Pan => "generic pan",
                    GenericKind::MyNumber => "my number",
                };
                assert!(words.insert((span.0, span.1, None, kind)), "each finding is there once");
            }
        }
    }
    words
}

/// The text in a character set, and each character with its bytes there.
fn encode(text: &str, charset: Charset) -> (Vec<u8>, Vec<Sourced>) {
    let (mut body, mut chars) = (Vec::new(), Vec::new());
    for c in text.chars() {
        let start = body.len();
        let mut utf8 = [0; 4];
        let one = c.encode_utf8(&mut utf8);
        let mut utf16 = [0; 2];
        let units = c.encode_utf16(&mut utf16);
        match charset {
            Charset::ShiftJis => match encoding_rs::SHIFT_JIS.encode(one) {
                (bytes, _, false) => body.extend_from_slice(&bytes),
                _ => continue,
            },
            Charset::EucJp => match encoding_rs::EUC_JP.encode(one) {
                (bytes, _, false) => body.extend_from_slice(&bytes),
                _ => continue,
            },
            Charset::Utf16Le => body.extend(units.iter().flat_map(|unit| unit.to_le_bytes())),
            Charset::Utf16Be => body.extend(units.iter().flat_map(|unit| unit.to_be_bytes())),
            Charset::Utf8 | Charset::Iso2022Jp => body.extend_from_slice(one.as_bytes()),
        }
        let c = match charset {
            // What the bytes mean, not what was meant: U+2212 and U+FF0D have one code in these sets, and so on.
            Charset::ShiftJis => encoding_rs::SHIFT_JIS.decode(&body[start..]).0.chars().next().unwrap_or(c),
            Charset::EucJp => encoding_rs::EUC_JP.decode(&body[start..]).0.chars().next().unwrap_or(c),
            _ => c,
        };
        chars.push(Sourced { c, start, end: body.len() });
    }
    (body, chars)
}

/// A value as a page might write it.
fn disguise(value: &str, how: u8) -> String {
    let each = |f: &dyn Fn(char) -> String| value.chars().map(f).collect::<String>();
    match how {
        0..=4 => value.to_owned(),
        5 => value.to_uppercase(),
        6 => each(&|c| {
            if c.is_ascii_graphic() {
                char::from_u32(c as u32 + 0xFEE0).map(String::from).unwrap_or_default()
            } else {
                c.to_string()
            }
        }),
        7 => each(&|c| format!("&#{};", c as u32)),
        8 => each(&|c| format!("&#x{:X};", c as u32)),
        9 => each(&|c| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()),
        10 => each(&|c| c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("%{byte:02X}")).collect()),
        11 => value.replace(' ', ""),
        12 => value.replace(' ', "\u{3000}"),
        13 => value.replace(['-', ' '], "ー"),
        14 => value.replace(['-', ' '], ""),
        16 => marked(value, "\u{3099}"),
        17 => marked(value, "&#x3099;"),
        18 => marked(value, "\\u3099"),
        19 => marked(value, "%E3%82%99"),
        20 => marked(value, "\u{FF9E}"),
        _ => value.split(' ').rev().collect::<Vec<_>>().join("</td><td>"),
    }
}

/// Kana with their voiced marks apart, as some systems store them.
fn marked(value: &str, mark: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    value
        .chars()
        .flat_map(|c| std::iter::once(c).nfd().map(String::from).collect::<Vec<_>>())
        .collect::<String>()
        .replace('\u{3099}', mark)
}

/// What stands between values, or joins with them.
const JOINTS: &[&str] = &[
    "\u{1}",
    "\u{2}",
    " ",
    " ",
    "-",
    ",",
    ".",
    "@",
    "_",
    "\"",
    "</td><td>",
    "\n",
    "&",
    "%",
    "\\",
    "&amp;",
    "&#",
    "\\u",
    "\\ud83d",
    "%E5",
    "(",
    ")",
    "+",
    "ー",
    "様",
    "さん",
    "チャン",
    "=",
    "\t",
    "\u{3099}",
    "\u{309C}",
    "&#12441;",
    "\\u309a",
    "%E3%82%9B",
    "か",
    "ハ",
    "ｳ",
    "Ａ",
    "−",
    "\u{FFFD}",
    "+81",
    "0",
    "4",
    "\\n",
    "\\\\",
];

/// What looks like a value, and what is a part of one.
const FILLERS: &[&str] = &[
    "<div class=\"row-1234\">",
    "お客様の口座情報",
    "2024-01-02 12:34:56",
    "マイナンバー",
    "my_number",
    "123456789018",
    "1234 5678 9018",
    "4012888888881881",
    "4012 8888 8888 1881",
    "someone@else.example",
    "logo@2x.png",
    "150.1234",
    "a@b",
    "ヤマダ",
    "タロウ",
    "山田",
    "太郎",
    "花子",
    "一",
    "林",
    "進",
    "Yamada",
    "taro",
    "さくら",
    "ﾊﾅｺ",
    "髙橋",
];

fn token() -> impl Strategy<Value = String> {
    let persons = world::persons();
    let value =
        (0..persons.len(), 0..8usize, 0..21u8).prop_map(move |(who, cell, how)| disguise(&persons[who][cell], how));
    let joint = prop::sample::select(JOINTS).prop_map(str::to_owned);
    let filler = prop::sample::select(FILLERS).prop_map(str::to_owned);
    let far = (1..40usize).prop_map(|count| "あいうx<>01 ".repeat(count));
    let noise = "[0-9A-Za-z@. -]{0,12}";
    prop_oneof![6 => value, 4 => joint, 3 => filler, 1 => far, 1 => noise]
}

fn body() -> impl Strategy<Value = String> {
    prop::collection::vec(token(), 0..40).prop_map(|tokens| tokens.concat())
}

/// Values on both sides of the places where the scanner begins a new piece of the body.
fn long_body() -> impl Strategy<Value = String> {
    let filler = prop::sample::select(vec![
        "<td class=\"row\">買い 0.2銭</td>",
        "お客様の口座情報をかくにんしてください。",
        "plain text, and more of it. ",
        "か\u{3099}ﾊﾟ&#x30AB;&#x3099;\\u30cf%E3%82%9A",
        "ｶｷｸｹｺカキクケコ",
        "&&&%%%\\\\\\",
        "１２３－４５６　ー",
    ]);
    let part = (filler, 0..40usize, body()).prop_map(|(filler, back, tokens)| (filler, back, tokens));
    prop::collection::vec(part, 1..3).prop_map(|parts| {
        let mut text = String::new();
        for (at, (filler, back, tokens)) in parts.into_iter().enumerate() {
            let border = (at + 1) * 16 * 1024;
            while text.len() + filler.len() + back < border {
                text.push_str(filler);
            }
            text.push_str(&tokens);
        }
        text
    })
}

fn cut<'a>(body: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|place| place % (body.len() + 1)).collect();
    places.sort_unstable();
    places.insert(0, 0);
    places.push(body.len());
    places.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect()
}

/// Two values with `count` characters between them, and enough text behind that nothing waits for the end.
fn apart(first: &str, second: &str, count: usize) -> String {
    format!("{first}{}{second}{}", "、".repeat(count), "、".repeat(1500))
}

#[test]
fn every_limit_is_exact() {
    let persons = world::persons();
    let index = world::index(&persons);
    let long_secret = persons[4][7].as_str();
    let edges = [
        ("HK-0001234", "山田太郎", 310..330),
        ("山田太郎", "HK-0001234", 310..330),
        ("HK-0001234 山田", "太郎", 155..165),
        ("HK-0001234 太郎", "山田", 155..165),
        ("A12-3456-B 林", "進", 36..44),
        ("マイナンバー", "123456789018", 150..165),
        ("123456789018", "マイナンバー", 75..85),
        // A neighbour whose anchor run is far behind its begin.
        ("HK-0001234", &format!("山田太郎{long_secret}"), 300..320),
        (&format!("HK-0001234山田{long_secret}"), "太郎", 0..3),
    ];
    let mut bodies = Vec::new();
    for (first, second, counts) in edges {
        bodies.extend(counts.map(|count| apart(first, second, count)));
    }
    bodies.extend((60..70).map(|count| format!("{}@mail.example", "a".repeat(count))));
    bodies.extend((238..250).map(|count| format!("a@{}.example", "b".repeat(count))));
    let mut with_findings = 0;
    for body in &bodies {
        let found = scan(&index, TextForm::default(), &[body.as_bytes()]);
        assert_eq!(in_words(&found), naive::scan(&naive::utf8(body.as_bytes()), &persons), "in {body}");
        let pieces: Vec<&[u8]> = body.as_bytes().chunks(5).collect();
        assert_eq!(found, scan(&index, TextForm::default(), &pieces), "in {body}");
        with_findings += usize::from(!found.is_empty());
    }
    assert!(with_findings * 4 > bodies.len() * 3, "the limits are tried from both sides");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn edm_2_the_scanner_finds_what_the_naive_reference_finds(text in body(), set in 0..5usize) {
        let charset = [Charset::Utf8, Charset::ShiftJis, Charset::EucJp, Charset::Utf16Le, Charset::Utf16Be][set];
        let persons = world::persons();
        let index = world::index(&persons);
        let (bytes, chars) = encode(&text, charset);
        let form = TextForm { charset, ..TextForm::default() };
        let found = in_words(&scan(&index, form, &[&bytes]));
        prop_assert_eq!(found, naive::scan(&chars, &persons), "in {}", text);
    }

    #[test]
    fn edm_1_no_chunking_changes_the_findings(text in body(), set in 0..6usize, cuts in prop::collection::vec(any::<usize>(), 0..9), piece in 1..64usize) {
        let sets = [Charset::Utf8, Charset::ShiftJis, Charset::EucJp, Charset::Utf16Le, Charset::Utf16Be, Charset::Iso2022Jp];
        let charset = sets[set];
        let bytes = match charset {
            Charset::Iso2022Jp => encoding_rs::ISO_2022_JP.encode(&text).0.into_owned(),
            _ => encode(&text, charset).0,
        };
        let index = world::index(&world::persons());
        let form = TextForm { charset, ..TextForm::default() };
        let whole = scan(&index, form, &[&bytes]);
        prop_assert_eq!(&whole, &scan(&index, form, &cut(&bytes, &cuts)));
        prop_assert_eq!(&whole, &scan(&index, form, &bytes.chunks(piece).collect::<Vec<_>>()));
        prop_assert_eq!(&whole, &scan(&index, form, &bytes.chunks(1).collect::<Vec<_>>()));
    }

    #[test]
    fn broken_utf_8_is_read_as_the_reference_reads_it(mut bytes in body().prop_map(String::into_bytes), breaks in prop::collection::vec((any::<usize>(), any::<u8>()), 0..12)) {
        for (place, byte) in breaks {
            let len = bytes.len();
            if len > 0 {
                bytes[place % len] = byte;
            }
        }
        let persons = world::persons();
        let found = in_words(&scan(&world::index(&persons), TextForm::default(), &[&bytes]));
        prop_assert_eq!(found, naive::scan(&naive::utf8(&bytes), &persons));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn long_bodies_agree_with_the_reference_in_any_pieces(text in long_body(), cuts in prop::collection::vec(any::<usize>(), 0..9), piece in 1..2000usize) {
        let persons = world::persons();
        let index = world::index(&persons);
        let body = text.as_bytes();
        let whole = scan(&index, TextForm::default(), &[body]);
        prop_assert_eq!(in_words(&whole), naive::scan(&naive::utf8(body), &persons));
        prop_assert_eq!(&whole, &scan(&index, TextForm::default(), &cut(body, &cuts)));
        prop_assert_eq!(&whole, &scan(&index, TextForm::default(), &body.chunks(piece).collect::<Vec<_>>()));
        prop_assert_eq!(&whole, &scan(&index, TextForm::default(), &body.chunks(1).collect::<Vec<_>>()));
    }
}
