//! What one value looks like, and what a column's name says.

use sekisho_model::FieldKind;

/// The form of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Email,
    Pan,
    Phone,
    Date,
    Hash,
    Address,
    Kana,
    Kanji,
    Latin,
    Other,
}

/// Kinds that a column's values alone can show, the surest first.
pub(super) const BY_FORM: [(Shape, FieldKind, &str); 9] = [
    (Shape::Email, FieldKind::Email, "mail addresses"),
    (Shape::Pan, FieldKind::Pan, "card numbers by their check digit"),
    (Shape::Phone, FieldKind::Phone, "telephone numbers"),
    (Shape::Date, FieldKind::BirthDate, "dates, and called a birth date"),
    (Shape::Hash, FieldKind::Secret, "hashes or tokens"),
    (Shape::Address, FieldKind::Address, "postal addresses"),
    (Shape::Kana, FieldKind::Kana, "names in kana"),
    (Shape::Kanji, FieldKind::Name, "names in kanji"),
    (Shape::Latin, FieldKind::Romaji, "names in Latin letters"),
];

/// Shortest and longest text that is taken for a name.
const NAME_CHARS: std::ops::RangeInclusive<usize> = 2..=40;

/// What the value looks like.
pub(super) fn shape(value: &str) -> Shape {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let grouped = value.chars().all(|character| character.is_ascii_digit() || " -+()".contains(character));
    if is_mail(value) {
        Shape::Email
    } else if grouped && (14..=19).contains(&digits.len()) && luhn(&digits) {
        Shape::Pan
    } else if is_date(value) {
        Shape::Date
    } else if grouped && is_phone(value, &digits) {
        Shape::Phone
    } else if is_hash(value) {
        Shape::Hash
    } else {
        text_shape(value)
    }
}

fn text_shape(value: &str) -> Shape {
    let letters = || value.chars().filter(|character| !is_space(*character));
    let count = letters().count();
    if count > 5 && letters().any(is_kanji) && value.contains(['都', '道', '府', '県', '市', '区', '町', '村'])
    {
        return Shape::Address;
    }
    if !NAME_CHARS.contains(&count) {
        return Shape::Other;
    }
    if letters().all(is_kana) {
        Shape::Kana
    } else if letters().all(|letter| is_kanji(letter) || is_kana(letter)) {
        Shape::Kanji
    } else if is_latin_name(value) {
        Shape::Latin
    } else {
        Shape::Other
    }
}

/// Whether a column of this name may be of this kind: forms that other things have too need the name's word.
pub(super) fn name_allows(name: &str, kind: FieldKind) -> bool {
    match kind {
        FieldKind::BirthDate | FieldKind::Romaji | FieldKind::Name => {
            kind_by_name(name) == Some(kind) || {
                // `name` in Latin letters, `氏名` in any script: what the header calls a name is one.
                kind != FieldKind::BirthDate && kind_by_name(name) == Some(FieldKind::Name)
            }
        }
        _ => true,
    }
}

/// What the column's name says of its kind.
pub(super) fn kind_by_name(name: &str) -> Option<FieldKind> {
    let name = name.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let kinds: [(&[&str], FieldKind); 10] = [
        (&["mail", "メール"], FieldKind::Email),
        (&["card", "カード番号", "pan"], FieldKind::Pan),
        (&["birth", "生年月日", "誕生日", "dob"], FieldKind::BirthDate),
        (&["phone", "tel", "mobile", "電話", "携帯"], FieldKind::Phone),
        (&["password", "passwd", "token", "secret", "パスワード"], FieldKind::Secret),
        (&["address", "住所", "所在地"], FieldKind::Address),
        (&["kana", "カナ", "かな", "フリガナ", "ふりがな"], FieldKind::Kana),
        (&["romaji", "roman", "ローマ字", "英字"], FieldKind::Romaji),
        (&["account_id", "account_no", "口座番号", "会員番号", "顧客番号"], FieldKind::AccountId),
        (&["name", "氏名", "名前", "お名前"], FieldKind::Name),
    ];
    let not_a_person = ["user_name", "username", "file", "company", "branch", "bank", "支店", "会社", "銀行"];
    let found = kinds.iter().find(|(words, _)| says(words)).map(|(_, kind)| *kind);
    found.filter(|kind| *kind != FieldKind::Name || !says(&not_a_person))
}

/// Whether a column is called the number of a person or account: each row then has its own.
pub(super) fn named_key(name: &str) -> bool {
    let lower = name.to_lowercase();
    let persons = [
        "customer",
        "account",
        "member",
        "user",
        "client",
        "holder",
        "applicant",
        "会員",
        "顧客",
        "お客様",
        "契約者",
        "加入者",
        "申込者",
    ];
    let of_person = persons.iter().any(|word| lower.contains(word)) && (named_id(name) || lower.ends_with("id"));
    let is_number = lower == "id" || lower == "no" || lower == "口座" || lower.contains("口座番号") || of_person;
    is_number && kind_by_name(name).is_none_or(|kind| kind == FieldKind::AccountId)
}

/// Whether a column that is called an id may be a person's: a card's, a telephone's or a post code's number is not.
pub(super) fn name_allows_key(name: &str) -> bool {
    !is_post_code(name) && kind_by_name(name).is_none_or(|kind| kind == FieldKind::AccountId)
}

fn is_post_code(name: &str) -> bool {
    let name = name.to_lowercase();
    ["郵便", "postal", "post_code", "postcode", "zip"].iter().any(|word| name.contains(word))
}

/// Whether a column that is not called an id may be the row key: names, addresses and dates are corrected and shared.
pub(super) fn may_be_key(name: &str, values: &[&str]) -> bool {
    use FieldKind::{Address, BirthDate, Kana, Name, Romaji, Secret};
    let by_name =
        kind_by_name(name).is_some_and(|kind| [Address, BirthDate, Kana, Name, Romaji, Secret].contains(&kind));
    let looks = |value: &&&str| {
        matches!(shape(value), Shape::Date | Shape::Hash | Shape::Address | Shape::Kana | Shape::Kanji | Shape::Latin)
    };
    !by_name && !is_post_code(name) && values.iter().filter(looks).count() * 2 < values.len().max(1)
}

/// Whether a cell of the first row is a value: no column is called that, and the file has no row of names.
pub(super) fn is_value(cell: &str) -> bool {
    let digits = cell.chars().filter(char::is_ascii_digit).count();
    let is_number =
        digits == cell.len() && digits >= 3 && !cell.parse().is_ok_and(|year: u32| (1900..=2100).contains(&year));
    let has_run = cell.split(|character: char| !character.is_ascii_digit()).any(|run| run.len() >= 5);
    let is_value = match shape(cell) {
        Shape::Email | Shape::Pan | Shape::Phone | Shape::Date => true,
        Shape::Hash => digits >= 4,
        Shape::Address => digits > 0,
        // `氏名 カナ` names a column, `山田 太郎` a person.
        Shape::Kana | Shape::Kanji => {
            cell.contains([' ', '\u{3000}']) && kind_by_name(cell).is_none() && !named_id(cell)
        }
        Shape::Latin | Shape::Other => false,
    };
    is_value || is_number || has_run
}

/// Whether a column is called an id.
pub(super) fn named_id(name: &str) -> bool {
    let name = name.to_lowercase();
    name == "id"
        || name == "no"
        || ["_id", "_no", "id_", "番号", "code", "コード", "number"].iter().any(|word| name.contains(word))
}

/// A pattern for ids that all have one form: the same length, letters where letters are, a fixed beginning.
/// Plain numbers of fewer than six digits have none: half of all short numbers on a page would match.
pub(super) fn account_pattern(values: &[&str]) -> Option<String> {
    let first = values.first()?;
    let good = |value: &&str| {
        value.len() == first.len() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if !values.iter().all(good) || first.len() < 6 || first.len() > 32 {
        return None;
    }
    let mut parts: Vec<(String, usize)> = Vec::new();
    for at in 0..first.len() {
        let class = class_at(values, at)?;
        match parts.last_mut() {
            Some((last, count)) if *last == class => *count += 1,
            _ => parts.push((class, 1)),
        }
    }
    let digits = parts.iter().filter(|(class, _)| class == "[0-9]").map(|(_, count)| count).sum::<usize>();
    let text =
        |(class, count): &(String, usize)| if *count == 1 { class.clone() } else { format!("{class}{{{count}}}") };
    (digits >= 4).then(|| parts.iter().map(text).collect())
}

/// Whether a value is a plain number so short that other numbers of a page are alike.
pub(super) fn is_short_number(value: &str) -> bool {
    value.len() < 6 && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// The class of the characters at one place: the letter itself, digits, or capitals.
fn class_at(values: &[&str], at: usize) -> Option<String> {
    let mut bytes = values.iter().map(|value| value.as_bytes()[at]);
    let first = bytes.next()?;
    if !first.is_ascii_digit() && bytes.clone().all(|byte| byte == first) {
        return Some(char::from(first).to_string());
    }
    let all = |test: fn(&u8) -> bool| test(&first) && bytes.clone().all(|byte| test(&byte));
    if all(u8::is_ascii_digit) {
        Some("[0-9]".to_owned())
    } else if all(u8::is_ascii_uppercase) {
        Some("[A-Z]".to_owned())
    } else if all(u8::is_ascii_lowercase) {
        Some("[a-z]".to_owned())
    } else {
        None
    }
}

fn is_mail(value: &str) -> bool {
    let Some((local, domain)) = value.split_once('@') else { return false };
    !local.is_empty() && domain.contains('.') && !value.contains(char::is_whitespace) && !domain.contains('@')
}

fn is_phone(value: &str, digits: &str) -> bool {
    let international = value.starts_with("+81") && (11..=12).contains(&digits.len());
    international || (digits.starts_with('0') && (10..=11).contains(&digits.len()))
}

fn is_date(value: &str) -> bool {
    let parts: Vec<&str> = value.split(['-', '/', '.', '年', '月', '日']).filter(|part| !part.is_empty()).collect();
    let [year, month, day] = parts[..] else { return false };
    let within =
        |text: &str, range: std::ops::RangeInclusive<u32>| text.parse().is_ok_and(|number| range.contains(&number));
    within(year, 1900..=2100) && within(month, 1..=12) && within(day, 1..=31)
}

fn is_hash(value: &str) -> bool {
    let long = value.len() >= 32 && !value.contains(char::is_whitespace) && value.is_ascii();
    let crypt = value.starts_with("$2")
        || value.starts_with("$argon2")
        || value.starts_with("$6$")
        || value.starts_with("pbkdf2");
    let token = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte))
        && value.bytes().any(|byte| byte.is_ascii_digit());
    long && (crypt || token)
}

fn is_latin_name(value: &str) -> bool {
    let letters = value.chars().all(|character| character.is_ascii_alphabetic() || " -'.,".contains(character));
    letters && value.contains(' ')
}

fn is_space(character: char) -> bool {
    character.is_whitespace() || character == '・'
}

/// Hiragana, katakana, and katakana of half width.
fn is_kana(character: char) -> bool {
    matches!(character, '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | 'ー' | '\u{ff66}'..='\u{ff9f}')
}

fn is_kanji(character: char) -> bool {
    matches!(character, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2ffff}' | '々' | '〆' | 'ヶ')
}

/// The check digit of card numbers (ISO/IEC 7812-1).
fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| u32::from(digit - b'0') * (1 + at as u32 % 2))
        .map(|digit| digit / 10 + digit % 10)
        .sum();
    sum.is_multiple_of(10) && digits.bytes().any(|digit| digit != b'0')
}
