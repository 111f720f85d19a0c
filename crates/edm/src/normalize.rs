//! The normal form of a character: width, kana, variants of kanji. Section 3 of `RULES.md`.
//!
//! Not the decoding of bytes or escapes (`decode`), and not the forms of whole values (`value`).

use unicode_normalization::char::decompose_canonical;

/// A hyphen that is not `-`: joins digits, belongs to no mail, id or secret.
pub(crate) const HYPHEN: u8 = sekisho_edm_simd::HYPHEN;
/// Any other character outside ASCII.
pub(crate) const OTHER: u8 = sekisho_edm_simd::OTHER;

/// Kanji that are written in several ways in names, and the form that stands for all of them. In the order of code points.
pub(crate) const VARIANTS: [(char, char); 57] = [
    ('亞', '亜'),
    ('佛', '仏'),
    ('來', '来'),
    ('假', '仮'),
    ('傳', '伝'),
    ('兒', '児'),
    ('冨', '富'),
    ('參', '参'),
    ('圀', '国'),
    ('國', '国'),
    ('圓', '円'),
    ('壽', '寿'),
    ('學', '学'),
    ('實', '実'),
    ('嵜', '崎'),
    ('嶋', '島'),
    ('嶌', '島'),
    ('嶽', '岳'),
    ('廣', '広'),
    ('彌', '弥'),
    ('德', '徳'),
    ('惠', '恵'),
    ('應', '応'),
    ('戶', '戸'),
    ('斉', '斎'),
    ('曻', '昇'),
    ('會', '会'),
    ('條', '条'),
    ('榮', '栄'),
    ('橫', '横'),
    ('櫻', '桜'),
    ('淸', '清'),
    ('澤', '沢'),
    ('濱', '浜'),
    ('濵', '浜'),
    ('瀧', '滝'),
    ('瀨', '瀬'),
    ('眞', '真'),
    ('碕', '崎'),
    ('禮', '礼'),
    ('與', '与'),
    ('萬', '万'),
    ('薗', '園'),
    ('藏', '蔵'),
    ('豐', '豊'),
    ('邉', '辺'),
    ('邊', '辺'),
    ('鐵', '鉄'),
    ('關', '関'),
    ('靜', '静'),
    ('髙', '高'),
    ('黑', '黒'),
    ('齊', '斎'),
    ('齋', '斎'),
    ('龍', '竜'),
    ('﨑', '崎'),
    ('𠮷', '吉'),
];

/// Half-width katakana from U+FF66, as full-width ones.
const HALF_WIDTH: [char; 56] = [
    'ヲ', 'ァ', 'ィ', 'ゥ', 'ェ', 'ォ', 'ャ', 'ュ', 'ョ', 'ッ', 'ー', 'ア', 'イ', 'ウ', 'エ', 'オ', 'カ', 'キ', 'ク',
    'ケ', 'コ', 'サ', 'シ', 'ス', 'セ', 'ソ', 'タ', 'チ', 'ツ', 'テ', 'ト', 'ナ', 'ニ', 'ヌ', 'ネ', 'ノ', 'ハ', 'ヒ',
    'フ', 'ヘ', 'ホ', 'マ', 'ミ', 'ム', 'メ', 'モ', 'ヤ', 'ユ', 'ヨ', 'ラ', 'リ', 'ル', 'レ', 'ロ', 'ワ', 'ン',
];

/// Steps 1–3 for one character: width and hiragana. Voiced marks become their combining forms, for [`voiced`].
pub(crate) const fn width(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => shifted(c, -0xFEE0),
        '\u{3000}' | '\u{A0}' => ' ',
        '\u{FF66}'..='\u{FF9D}' => HALF_WIDTH[c as usize - 0xFF66],
        '\u{FF9E}' | '\u{309B}' => '\u{3099}',
        '\u{FF9F}' | '\u{309C}' => '\u{309A}',
        '\u{3041}'..='\u{3096}' => shifted(c, 0x60),
        _ => c,
    }
}

/// The katakana that `kana` becomes with a combining (semi-)voiced mark, if it takes one.
pub(crate) const fn voiced(kana: char, mark: char) -> Option<char> {
    match (kana, mark) {
        (
            'カ' | 'キ' | 'ク' | 'ケ' | 'コ' | 'サ' | 'シ' | 'ス' | 'セ' | 'ソ' | 'タ' | 'チ' | 'ツ' | 'テ' | 'ト',
            '\u{3099}',
        )
        | ('ハ' | 'ヒ' | 'フ' | 'ヘ' | 'ホ', '\u{3099}') => Some(shifted(kana, 1)),
        ('ハ' | 'ヒ' | 'フ' | 'ヘ' | 'ホ', '\u{309A}') => Some(shifted(kana, 2)),
        ('ウ', '\u{3099}') => Some('ヴ'),
        _ => None,
    }
}

/// Whether a following mark could change this character (after [`width`]).
pub(crate) const fn takes_mark(c: char) -> bool {
    matches!(c, 'ウ' | 'カ'..='ト' | 'ハ'..='ホ') && voiced(c, '\u{3099}').is_some()
}

/// Steps 4–5 as all detectors but names see them, for a character that went through [`width`] and [`voiced`]: the
/// ASCII byte in its own case; [`HYPHEN`] and [`OTHER`] stand for what is not ASCII.
pub(crate) const fn byte(c: char) -> u8 {
    match c {
        '\0'..='\u{7F}' => c as u8,
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{30FC}' => HYPHEN,
        _ => OTHER,
    }
}

/// Steps 4–6 as names see them, for a character that went through [`width`] and [`voiced`].
pub(crate) fn name(c: char) -> char {
    match c {
        '\0'..='\u{7F}' => c.to_ascii_lowercase(),
        'ァ' | 'ィ' | 'ゥ' | 'ェ' | 'ォ' | 'ッ' | 'ャ' | 'ュ' | 'ョ' => shifted(c, 1),
        'ヮ' => 'ワ',
        'ヵ' => 'カ',
        'ヶ' => 'ケ',
        '\u{C0}'..='\u{17F}' => latin_base(c),
        _ => kanji(c),
    }
}

/// The normal form of a whole register value, for names: what a body with this value, unescaped, becomes. Trimmed.
pub(crate) fn normal_chars(value: &str) -> Vec<char> {
    wide_chars(value).into_iter().map(name).collect()
}

/// The same for all other kinds.
pub(crate) fn normal_bytes(value: &str) -> Vec<u8> {
    wide_chars(value).into_iter().map(byte).collect()
}

fn wide_chars(value: &str) -> Vec<char> {
    let mut wide: Vec<char> = Vec::with_capacity(value.len());
    for c in value.chars().map(width) {
        match wide.last().copied().and_then(|last| voiced(last, c)) {
            Some(joined) => {
                wide.pop();
                wide.push(joined);
            }
            None => wide.push(c),
        }
    }
    let end = wide.iter().rposition(|c| !c.is_whitespace()).map_or(0, |last| last + 1);
    wide.truncate(end);
    let begin = wide.iter().position(|c| !c.is_whitespace()).unwrap_or(end);
    wide.drain(..begin);
    wide
}

fn kanji(c: char) -> char {
    match c {
        '\u{F900}'..='\u{FAFF}' => one_form(canonical(c)),
        _ => one_form(c),
    }
}

fn one_form(c: char) -> char {
    if VARIANT_BITS[variant_word(c)] >> (c as u32 % 64) & 1 == 0 {
        return c;
    }
    VARIANTS.binary_search_by_key(&c, |(from, _)| *from).map_or(c, |at| VARIANTS[at].1)
}

/// A bit for the lowest ten of each variant: nearly all other characters are passed over by it.
const VARIANT_BITS: [u64; 16] = {
    let mut bits = [0; 16];
    let mut at = 0;
    while at < VARIANTS.len() {
        let (from, _) = VARIANTS[at];
        bits[variant_word(from)] |= 1 << (from as u32 % 64);
        at += 1;
    }
    bits
};

const fn variant_word(c: char) -> usize {
    c as usize / 64 % 16
}

/// The first character of the canonical decomposition.
fn canonical(c: char) -> char {
    let mut first = None;
    decompose_canonical(c, |part| {
        first.get_or_insert(part);
    });
    first.unwrap_or(c)
}

fn latin_base(c: char) -> char {
    let base = canonical(c);
    if base.is_ascii_alphabetic() { base.to_ascii_lowercase() } else { c }
}

const fn shifted(c: char, by: i32) -> char {
    match char::from_u32((c as u32).wrapping_add_signed(by)) {
        Some(shifted) => shifted,
        None => c,
    }
}
