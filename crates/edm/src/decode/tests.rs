//! Decoding against `encoding_rs`, and escapes by example.

use super::charset::{CharsetDecoder, Given};
use super::{Decoder, Stop, Text};
use crate::{Boundary, Charset, TextForm};
use proptest::prelude::*;

/// The text of a body: characters with their source bytes.
fn text(form: TextForm, body: &[u8]) -> Vec<(char, u64)> {
    let mut decoder = Decoder::new(form, Text::default());
    let mut at = 0;
    while at < body.len() {
        at += decoder.decode(&body[at..]).0;
    }
    decoder.finish();
    let len = decoder.text.len();
    if len == 0 {
        return Vec::new();
    }
    let excerpt = decoder.text.excerpt(&(0..len));
    (0..len).map(|at| (excerpt.chars[at], excerpt.span(&(at..at + 1)).0)).collect()
}

fn check(body: &str, expected: &str) {
    let chars: String = text(TextForm::default(), body.as_bytes()).into_iter().map(|(c, _)| c).collect();
    assert_eq!(chars, expected, "of {body}");
}

#[test]
fn escapes_of_html_json_and_urls() {
    check("&#64;&#x40;&#X40;&commat;&amp;", "@@@@&");
    check(r"\u5c71\x41\n\/\\u", "山a\n/\\u");
    check(r"\ud842\udfb7", "吉");
    check("%E5%B1%B1%40%25", "山@%");
}

#[test]
fn what_is_no_escape_stays() {
    for body in
        ["&#64", "&#;", "&#0;", "&#xd800;", "&#99999999;", "&unknown;", "%4", "%e5%b1", "%zz", r"\q", r"\u12", "&&&"]
    {
        check(body, body);
    }
}

#[test]
fn the_result_of_an_escape_begins_no_other() {
    check("&amp;#64;", "&#64;");
    check("%2540", "%40");
    check(r"\\u0040", r"\u0040");
    check("&&#64;", "&@");
}

#[test]
fn a_lone_surrogate_is_a_replacement_character() {
    check(r"\ud842", "\u{FFFD}");
    check(r"\ud842x", "\u{FFFD}x");
    check(r"\ud842\u0041", "\u{FFFD}a");
    check("\\udfb7\\", "\u{FFFD}\\");
}

#[test]
fn width_kana_and_variants_have_one_form() {
    check("Ａｂ１＠　", "ab1@ ");
    check("ﾔﾏﾀﾞやまだヤマダヤマタ\u{3099}", "ヤマダヤマダヤマダヤマダ");
    check("ｳﾞﾊﾟｼｮｯﾌﾟ", "ヴパシヨツプ");
    check("髙﨑濵渡邉", "高崎浜渡辺");
    check("Ōno é", "ono e");
    check("ﾞｱ\u{FF9F}", "\u{3099}ア\u{309A}");
}

#[test]
fn variants_are_in_order_and_lead_to_no_other_variant() {
    let table = crate::normalize::VARIANTS;
    assert!(table.is_sorted_by(|a, b| a.0 < b.0));
    assert!(table.iter().all(|(_, to)| table.iter().all(|(from, _)| from != to)));
}

#[test]
fn a_character_keeps_its_source_bytes() {
    let places: Vec<u64> =
        text(TextForm::default(), "a&#64;ｶﾞ%E5%B1%B1z".as_bytes()).into_iter().map(|(_, at)| at).collect();
    assert_eq!(places, [0, 1, 6, 12, 21]);
}

#[test]
fn an_empty_line_is_a_boundary_in_every_line_ending() {
    let form = TextForm { boundary: Boundary::EmptyLine, ..TextForm::default() };
    for (body, read) in [("a\n\nb", 3), ("a\r\n\r\nb", 4), ("a\r\rb", 3), ("a\r\nb\n\n", 6)] {
        assert_eq!(Decoder::new(form, Text::default()).decode(body.as_bytes()), (read, Stop::Boundary), "in {body:?}");
    }
    let escaped = r"a\n\nb";
    assert_eq!(Decoder::new(form, Text::default()).decode(escaped.as_bytes()), (escaped.len(), Stop::InputRead));
}

/// The whole text as it is when every byte comes alone: no fast way is open then but to ASCII.
fn slowly(form: TextForm, body: &[u8]) -> (Vec<u8>, Vec<char>, Vec<(u64, u64)>) {
    let mut decoder = Decoder::new(form, Text::default());
    for byte in body {
        decoder.decode(&[*byte]);
    }
    decoder.finish();
    let mut chars = Vec::new();
    let mut spans = Vec::new();
    for at in 0..decoder.text.len() {
        let excerpt = decoder.text.excerpt(&(at..at + 1));
        chars.extend_from_slice(excerpt.chars);
        spans.push(excerpt.span(&(0..1)));
    }
    (decoder.text.parts().0.to_vec(), chars, spans)
}

#[test]
fn shifts_are_no_character_in_iso_2022_jp_however_it_is_cut() {
    let form = TextForm { charset: Charset::Iso2022Jp, ..TextForm::default() };
    for body in ["a\u{E}b", "\\\u{F}3", "\u{E}"] {
        assert_eq!(
            text(form, body.as_bytes()).into_iter().map(|(c, _)| c).collect::<Vec<_>>(),
            slowly(form, body.as_bytes()).1
        );
    }
}

#[test]
fn every_character_of_two_and_three_bytes_is_read_as_slowly() {
    let all: Vec<char> = ('\u{80}'..='\u{FFFF}').collect();
    for (at, some) in all.chunks(50).enumerate() {
        // Every character comes to stand at many places of a block, behind ASCII and behind kana.
        let body: String = some.iter().map(|c| format!("{}{c}か{c}", &"0123456789"[..at % 10])).collect();
        let mut decoder = Decoder::new(TextForm::default(), Text::default());
        decoder.decode(body.as_bytes());
        decoder.finish();
        let (bytes, chars, _) = slowly(TextForm::default(), body.as_bytes());
        assert_eq!(decoder.text.parts().0, bytes, "in {body}");
        assert_eq!(decoder.text.excerpt(&(0..bytes.len())).chars, chars, "in {body}");
    }
}

/// What the fast ways must not get wrong, some hundreds of characters of it.
fn traps() -> impl Strategy<Value = String> {
    let trap = prop::sample::select(vec![
        "か",
        "ガ",
        "ハ",
        "ｶ",
        "ﾊ",
        "ー",
        "ｰ",
        "、",
        "山田",
        "髙",
        "Ａ１",
        "＆",
        "\u{3000}",
        "\u{A0}",
        "é",
        "🙂",
        "−",
        "‐",
        "\u{3099}",
        "\u{309A}",
        "\u{309B}",
        "\u{309C}",
        "\u{FF9E}",
        "\u{FF9F}",
        "&#x3099;",
        "\\u309a",
        "%E3%82%99",
        "&amp;",
        "&#12459;",
        "\\u30cf",
        "%E3%82%AB",
        "\\ud842\\udfb7",
        "\\ud842",
        "&",
        "&#",
        "%",
        "%E3%82",
        "\\",
        "\\\"",
        "\n",
        "\r\n",
        " ",
        "a",
        "<td>12</td>",
        "한",
        "०",
    ]);
    prop::collection::vec((trap, 1..30usize), 1..120)
        .prop_map(|traps| traps.into_iter().map(|(trap, times)| trap.repeat(times)).collect())
}

#[test]
fn a_mark_after_every_kana_and_before_every_end_is_joined_alike() {
    for kana in ('\u{3041}'..='\u{30FF}').chain('\u{FF66}'..='\u{FF9F}') {
        for mark in [
            "\u{3099}",
            "\u{309A}",
            "\u{309B}",
            "\u{FF9F}",
            "&#x3099;",
            "\\u309a",
            "%E3%82%99",
            "%",
            "",
            "あ",
            "x",
            "\u{E000}",
        ] {
            let body = format!("{kana}{mark}{kana}{mark}");
            let mut decoder = Decoder::new(TextForm::default(), Text::default());
            decoder.decode(body.as_bytes());
            decoder.finish();
            let (bytes, chars, spans) = slowly(TextForm::default(), body.as_bytes());
            assert_eq!(decoder.text.parts().0, bytes, "in {body}");
            let excerpt = decoder.text.excerpt(&(0..bytes.len()));
            assert_eq!(excerpt.chars, chars, "in {body}");
            assert!((0..bytes.len()).all(|at| excerpt.span(&(at..at + 1)) == spans[at]), "in {body}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_fast_ways_read_what_the_slow_way_reads(
        traps in traps(),
        set in 0..6usize,
        noise in prop::collection::vec((any::<usize>(), any::<u8>()), 0..4),
        cuts in prop::collection::vec(1..900usize, 1..12),
        asked in prop::collection::vec((any::<usize>(), 1..700usize), 1..12),
        forget in any::<usize>(),
    ) {
        let (charset, encoding) = [
            (Charset::Utf8, encoding_rs::UTF_8),
            (Charset::Utf8, encoding_rs::UTF_8),
            (Charset::Utf8, encoding_rs::UTF_8),
            (Charset::ShiftJis, encoding_rs::SHIFT_JIS),
            (Charset::EucJp, encoding_rs::EUC_JP),
            (Charset::Iso2022Jp, encoding_rs::ISO_2022_JP),
        ][set];
        let form = TextForm { charset, ..TextForm::default() };
        let mut body = encoding.encode(&traps).0.into_owned();
        let len = body.len();
        noise.into_iter().for_each(|(place, byte)| body[place % len] = byte);
        let (bytes, chars, spans) = slowly(form, &body);
        prop_assume!(!bytes.is_empty());
        let mut decoder = Decoder::new(form, Text::default());
        let mut rest = body.as_slice();
        for cut in cuts.iter().cycle() {
            let (piece, behind) = rest.split_at((*cut).min(rest.len()));
            prop_assert_eq!(decoder.decode(piece), (piece.len(), Stop::InputRead));
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        decoder.finish();
        let text = &mut decoder.text;
        prop_assert_eq!(text.parts().0, bytes.as_slice());
        let mut forgotten = 0;
        for half in 0..2 {
            for (begin, len) in &asked {
                let begin = begin % (bytes.len() - forgotten);
                let range = begin..(begin + len).min(bytes.len() - forgotten);
                let whole = range.start + forgotten..range.end + forgotten;
                let excerpt = text.excerpt(&range);
                prop_assert_eq!(excerpt.chars, &chars[whole.clone()]);
                prop_assert_eq!(excerpt.span(&(0..range.len())), (spans[whole.start].0, spans[whole.end - 1].1));
                prop_assert!(text.start_before(range.start) <= spans[whole.start].0);
            }
            let most = forget % bytes.len();
            if half == 0 {
                forgotten = text.forget(most);
                prop_assert!(forgotten <= most && most - forgotten <= super::MARK_CHARS_MAX);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn bytes_become_what_the_encoding_standard_says(
        body in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(vec![0x81, 0x8E, 0x8F, 0xA4, 0xE3, 0xF0, 0x41, 0xD8, 0xDC])], 0..64),
        set in 0..4usize,
    ) {
        let (charset, encoding) = [
            (Charset::Utf8, encoding_rs::UTF_8),
            (Charset::ShiftJis, encoding_rs::SHIFT_JIS),
            (Charset::EucJp, encoding_rs::EUC_JP),
            (Charset::Utf16Le, encoding_rs::UTF_16LE),
        ][set];
        prop_assume!(set != 3 || !body.starts_with(b"\xFE\xFF"));
        let mut decoder = CharsetDecoder::new(charset);
        let mut given = String::new();
        let mut end = 0;
        for byte in &body {
            let mut chars = Given::new();
            decoder.push(*byte, &mut chars);
            for source in chars.all() {
                prop_assert_eq!(source.start, end, "characters stand side by side");
                end = source.end;
                given.push(source.c);
            }
        }
        let mut chars = Given::new();
        decoder.finish(&mut chars);
        given.extend(chars.all().iter().map(|source| source.c));
        prop_assert_eq!(given, encoding.decode_without_bom_handling(&body).0);
    }

    #[test]
    fn iso_2022_jp_is_read_back(words in "[a-z0-9山田太郎アイウ。 ]{0,40}") {
        let body = encoding_rs::ISO_2022_JP.encode(&words).0.into_owned();
        let form = TextForm { charset: Charset::Iso2022Jp, ..TextForm::default() };
        let chars: String = text(form, &body).into_iter().map(|(c, _)| c).collect();
        prop_assert_eq!(chars, words);
    }
}
