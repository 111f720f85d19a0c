//! Tens of thousands of planted fields in HTML, JSON and CSV, in five character sets: all are found, and nobody else.

use crate::world::{self, KINDS, Person};
use sekisho_edm::{Charset, Found, Scanner, TextForm};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Registered persons; the second half stands in no body.
const PERSONS: u64 = 800;

#[test]
fn every_planted_field_is_found_and_nobody_else() {
    let persons: Vec<Person> = (0..PERSONS).map(person).collect();
    let index = world::index(&persons);
    let present = 0..persons.len() / 2;
    let expected: BTreeSet<(usize, usize)> =
        present.clone().flat_map(|who| (0..KINDS.len()).map(move |field| (who, field))).collect();
    let mut planted = 0;
    let charsets = [Charset::Utf8, Charset::ShiftJis, Charset::EucJp, Charset::Iso2022Jp, Charset::Utf16Le];
    for (form, write) in [("html", html as fn(&Person) -> String), ("json", json), ("csv", csv)] {
        let text: String = persons[present.clone()].iter().map(write).collect();
        for charset in charsets {
            let body = encode(&text, charset);
            let form_of_text = TextForm { charset, ..TextForm::default() };
            let mut scanner = Scanner::new(Arc::clone(&index), form_of_text, Arc::default());
            let mut findings = Vec::new();
            body.chunks(1460).for_each(|chunk| {
                scanner.feed(chunk, &mut findings);
            });
            scanner.finish(&mut findings);
            let mut found = BTreeSet::new();
            for finding in &findings {
                let Found::Subject { subject, fields, .. } = finding.found else {
                    panic!("{form} in {charset:?} has a value that nobody planted")
                };
                found.extend(fields.iter().map(|field| (subject.id.0 as usize, usize::from(field.0))));
            }
            let missing: Vec<_> = expected.difference(&found).take(5).collect();
            let false_ones: Vec<_> = found.difference(&expected).take(5).collect();
            assert!(missing.is_empty() && false_ones.is_empty(), "{form} in {charset:?}: {missing:?} {false_ones:?}");
            planted += expected.len();
        }
    }
    assert_eq!(planted, 48_000);
}

fn person(number: u64) -> Person {
    let surnames = [
        "佐藤 サトウ Sato",
        "髙橋 タカハシ Takahashi",
        "渡邉 ワタナベ Watanabe",
        "林 ハヤシ Hayashi",
        "五十嵐 イガラシ Igarashi",
    ];
    let given = ["太郎 タロウ Taro", "さくら サクラ Sakura", "一 ハジメ Hajime", "健一郎 ケンイチロウ Kenichiro"];
    let pick = |list: &[&'static str], seed: u64| -> Vec<&'static str> {
        list[usize::try_from(seed).expect("small") % list.len()].split(' ').collect()
    };
    let (surname, given) = (pick(&surnames, mix(number)), pick(&given, mix(number + 1_000_000)));
    [
        format!("{}.{number}@mail.example", given[2].to_lowercase()),
        format!("{} {}", surname[0], given[0]),
        format!("{} {}", surname[1], given[1]),
        format!("{} {}", given[2], surname[2]),
        format!("HK-{number:07}"),
        card(number),
        format!("03-5550-{number:04}"),
        format!("{:016x}{:016x}", mix(number + 5), mix(number + 6)),
    ]
}

/// A fixed sequence that looks random (SplitMix64).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x1234_5678);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Numbers in the range of test cards, with their check digit.
fn card(number: u64) -> String {
    let body = format!("411111{number:09}");
    let sum: u64 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u64::from(digit - b'0') * if at % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

fn html(p: &Person) -> String {
    let mail = p[0].replace('@', "&#64;");
    let card = p[5].as_bytes().chunks(4).map(|four| String::from_utf8_lossy(four)).collect::<Vec<_>>().join(" ");
    let (name, kana) = (p[1].replace(' ', "　"), half_width(&p[2]));
    format!(
        "<tr><td>{}</td><td>{name} 様</td><td>{kana}</td><td>{}</td><td><a href=\"mailto:{mail}\">連絡</a></td><td>{card}</td><td>{}</td><td><input value=\"{}\"></td></tr>\n",
        p[4], p[3], p[6], p[7]
    )
}

fn json(p: &Person) -> String {
    let escaped = |text: &str| -> String {
        text.encode_utf16()
            .map(|unit| if unit < 0x80 { char::from(unit as u8).to_string() } else { format!("\\u{unit:04x}") })
            .collect()
    };
    format!(
        "{{\"id\":\"{}\",\"name\":\"{}\",\"kana\":\"{}\",\"latin\":\"{}\",\"mail\":\"{}\",\"pan\":\"{}\",\"tel\":\"{}\",\"token\":\"{}\"}},\n",
        p[4],
        escaped(&p[1]),
        escaped(&p[2]),
        p[3].to_uppercase(),
        p[0],
        p[5],
        p[6].replace('-', ""),
        p[7]
    )
}

fn csv(p: &Person) -> String {
    format!(
        "{}\r\n",
        [&p[4], &p[1].replace(' ', ""), &p[2], &p[3], &full_width(&p[0]), &p[5], &p[6], &p[7]]
            .map(String::as_str)
            .join(",")
    )
}

fn full_width(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_graphic() { char::from_u32(c as u32 + 0xFEE0).unwrap_or(c) } else { c })
        .collect()
}

/// Kana as banks print it.
fn half_width(text: &str) -> String {
    let pairs = [
        ("ガ", "ｶﾞ"),
        ("ジ", "ｼﾞ"),
        ("ベ", "ﾍﾞ"),
        ("サ", "ｻ"),
        ("ト", "ﾄ"),
        ("ウ", "ｳ"),
        ("タ", "ﾀ"),
        ("カ", "ｶ"),
        ("ハ", "ﾊ"),
        ("シ", "ｼ"),
        ("ワ", "ﾜ"),
        ("ナ", "ﾅ"),
        ("ヤ", "ﾔ"),
        ("イ", "ｲ"),
        ("ラ", "ﾗ"),
        ("ロ", "ﾛ"),
        ("ク", "ｸ"),
        ("メ", "ﾒ"),
        ("ケ", "ｹ"),
        ("ン", "ﾝ"),
        ("チ", "ﾁ"),
    ];
    pairs.iter().fold(text.to_owned(), |text, (full, half)| text.replace(full, half))
}

fn encode(text: &str, charset: Charset) -> Vec<u8> {
    let encoding = match charset {
        Charset::Utf8 => encoding_rs::UTF_8,
        Charset::ShiftJis => encoding_rs::SHIFT_JIS,
        Charset::EucJp => encoding_rs::EUC_JP,
        Charset::Iso2022Jp => encoding_rs::ISO_2022_JP,
        Charset::Utf16Le => return text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Charset::Utf16Be => return text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    };
    // 髙 has no code in ISO-2022-JP; the encoder writes it as `&#39641;`, which is an escape like others.
    encoding.encode(text).0.into_owned()
}
