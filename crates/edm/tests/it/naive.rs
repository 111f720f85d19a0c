//! The rules of `RULES.md` in the simplest code: the whole body at once, every value searched as text.
//!
//! Shares nothing with the crate but the rules.

use crate::world::Person;
use regex::Regex;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// What was found: byte span, who or `None`, field or kind.
pub(crate) type Found = (usize, usize, Option<usize>, &'static str);

/// A character of the text with its source bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sourced {
    pub(crate) c: char,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Characters of UTF-8 with invalid parts replaced.
pub(crate) fn utf8(body: &[u8]) -> Vec<Sourced> {
    let mut chars = Vec::new();
    let mut at = 0;
    for chunk in body.utf8_chunks() {
        for c in chunk.valid().chars() {
            chars.push(Sourced { c, start: at, end: at + c.len_utf8() });
            at += c.len_utf8();
        }
        if !chunk.invalid().is_empty() {
            chars.push(Sourced { c: '\u{FFFD}', start: at, end: at + chunk.invalid().len() });
            at += chunk.invalid().len();
        }
    }
    chars
}

/// Everything that the rules find in a body of these characters.
pub(crate) fn scan(chars: &[Sourced], persons: &[Person]) -> BTreeSet<Found> {
    let text = Text::new(&unescape(chars));
    let mut anchors = text.anchors(persons);
    anchors.sort();
    let mut found = BTreeSet::new();
    let generic = text.generic(&anchors);
    for (begin, end, who, field) in &anchors {
        found.insert((*begin, *end, Some(*who), *field));
    }
    let taken: Vec<(usize, usize)> =
        anchors.iter().map(|a| (a.0, a.1)).chain(generic.iter().map(|g| (g.0, g.1))).collect();
    for (begin, end, who, _) in &anchors {
        let mut window = (begin.saturating_sub(320), (end + 320).min(text.names.len()));
        for (b, e, _, field) in &anchors {
            // A shared value is the neighbour of nobody who has it.
            if anchors.iter().any(|a| (a.0, a.1, a.2, a.3) == (*b, *e, *who, *field)) {
                continue;
            }
            if e <= begin {
                window.0 = window.0.max(*e);
            }
            if b >= end {
                window.1 = window.1.min(*b);
            }
        }
        for (field, cell) in [("name", 1), ("kana", 2), ("romaji", 3)] {
            for (b, e) in text.name(&persons[*who][cell], window, &taken) {
                found.insert((b, e, Some(*who), field));
            }
        }
    }
    found.extend(generic.into_iter().map(|(b, e, kind)| (b, e, None, kind)));
    found.into_iter().map(|(b, e, who, what)| (text.sources[b].start, text.sources[e - 1].end, who, what)).collect()
}

/// A compiled expression, kept: compiling is dear in a debug build.
fn regex(pattern: &str) -> Rc<Regex> {
    thread_local!(static KEPT: RefCell<HashMap<String, Rc<Regex>>> = RefCell::default());
    KEPT.with_borrow_mut(|kept| {
        let compile = || Rc::new(Regex::new(pattern).expect("a regular expression"));
        Rc::clone(kept.entry(pattern.to_owned()).or_insert_with(compile))
    })
}

fn unescape(chars: &[Sourced]) -> Vec<Sourced> {
    let escapes = regex(
        r#"^(?:&#(?P<dec>[0-9]{1,7});|&#[xX](?P<hex>[0-9A-Fa-f]{1,6});|&(?P<name>[A-Za-z]+);|\\u(?P<hi>[dD][89abAB][0-9A-Fa-f]{2})\\u(?P<lo>[dD][c-fC-F][0-9A-Fa-f]{2})|\\u(?P<u>[0-9A-Fa-f]{4})|\\x(?P<x>[0-9A-Fa-f]{2})|\\(?P<c>[nrtbf"'\\/])|(?P<pct>(?:%[0-9A-Fa-f]{2}){1,4}))"#,
    );
    let mut out = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let ahead: String = chars[at..chars.len().min(at + 16)].iter().map(|s| s.c).collect();
        let read = escapes.captures(&ahead).and_then(|found| {
            let number = |name: &str, radix| found.name(name).map(|m| u32::from_str_radix(m.as_str(), radix).expect("digits"));
            let whole = found.get(0).expect("whole").as_str().len();
            if let Some(code) = number("dec", 10).or(number("hex", 16)) {
                return char::from_u32(code).filter(|c| *c != '\0').map(|c| (c, whole));
            }
            if let Some(name) = found.name("name") {
                let names = "amp& lt< gt> quot\" apos' commat@ period. plus+ lowbar_ hyphen\u{2010} dash\u{2010} sol/ colon: equals= lpar( rpar) num# percnt% yen\u{A5} nbsp\u{A0}";
                let fixed = names.split(' ').find_map(|entry| entry.strip_prefix(name.as_str()).filter(|rest| rest.chars().count() == 1));
                let c = fixed.and_then(|rest| rest.chars().next());
                let c = c.or(match name.as_str() {
                    "Tab" => Some('\t'),
                    "NewLine" => Some('\n'),
                    _ => None,
                });
                return c.map(|c| (c, whole));
            }
            if let (Some(hi), Some(lo)) = (number("hi", 16), number("lo", 16)) {
                return char::from_u32(0x10000 + (hi - 0xD800) * 0x400 + (lo - 0xDC00)).map(|c| (c, 12));
            }
            if let Some(unit) = number("u", 16) {
                return Some((char::from_u32(unit).unwrap_or('\u{FFFD}'), 6));
            }
            if let Some(code) = number("x", 16) {
                return char::from_u32(code).map(|c| (c, 4));
            }
            if let Some(c) = found.name("c") {
                let c = c.as_str().chars().next().expect("one");
                let plain = "n\nr\rt\tb\u{8}f\u{C}";
                let at = plain.chars().position(|p| p == c && p.is_ascii_lowercase());
                return Some((at.and_then(|at| plain.chars().nth(at + 1)).unwrap_or(c), 2));
            }
            let bytes = found.name("pct").map(|m| m.as_str().split('%').skip(1).map(|h| u8::from_str_radix(h, 16).expect("hex")).collect::<Vec<_>>())?;
            (1..=bytes.len()).find_map(|n| std::str::from_utf8(&bytes[..n]).ok().map(|s| (s.chars().next().expect("one"), 3 * n)))
        });
        let (c, len) = read.unwrap_or((chars[at].c, 1));
        out.push(Sourced { c, start: chars[at].start, end: chars[at + len - 1].end });
        at += len;
    }
    out
}

struct Text {
    sources: Vec<Sourced>,
    /// Normal form for names.
    names: Vec<char>,
    /// One byte a character: ASCII but for these two, `\x01` for other hyphens, `\x02` for the rest.
    ascii: String,
}

const KANA_MARKED: &str =
    "カガ キギ クグ ケゲ コゴ サザ シジ スズ セゼ ソゾ タダ チヂ ツヅ テデ トド ハバ ヒビ フブ ヘベ ホボ ウヴ";
const KANA_SEMI: &str = "ハパ ヒピ フプ ヘペ ホポ";
const SMALL: &str = "ァア ィイ ゥウ ェエ ォオ ッツ ャヤ ュユ ョヨ ヮワ ヵカ ヶケ 髙高 﨑崎 邉辺 斉斎";

fn pair(table: &str, c: char) -> Option<char> {
    table
        .split(' ')
        .map(|pair| (pair.chars().next(), pair.chars().nth(1)))
        .find(|(from, _)| *from == Some(c))
        .and_then(|(_, to)| to)
}

/// Normal form before marks are joined: compatibility forms of width by NFKC, which is another table than the crate's.
fn wide(c: char) -> char {
    use unicode_normalization::UnicodeNormalization;
    match c {
        '\u{3000}' | '\u{A0}' => ' ',
        '\u{309B}' | '\u{FF9E}' => '\u{3099}',
        '\u{309C}' | '\u{FF9F}' => '\u{309A}',
        '\u{FF01}'..='\u{FF5E}' | '\u{FF66}'..='\u{FF9D}' => std::iter::once(c).nfkc().next().expect("one"),
        'ぁ'..='ゖ' => char::from_u32(c as u32 + 0x60).expect("katakana"),
        c => c,
    }
}

fn normal(chars: &[Sourced]) -> Vec<Sourced> {
    let mut out: Vec<Sourced> = Vec::new();
    for source in chars {
        let c = wide(source.c);
        let joined = out.last().and_then(|last: &Sourced| match c {
            '\u{3099}' => pair(KANA_MARKED, last.c),
            '\u{309A}' => pair(KANA_SEMI, last.c),
            _ => None,
        });
        match (joined, out.last_mut()) {
            (Some(joined), Some(last)) => {
                last.c = joined;
                last.end = source.end;
            }
            _ => out.push(Sourced { c, ..*source }),
        }
    }
    out
}

fn for_names(c: char) -> char {
    pair(SMALL, c).unwrap_or(c.to_ascii_lowercase())
}

fn is_alnum(byte: Option<&u8>) -> bool {
    byte.is_some_and(u8::is_ascii_alphanumeric)
}

fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, d)| {
            let d = u32::from(d - b'0') * if i % 2 == 1 { 2 } else { 1 };
            d / 10 + d % 10
        })
        .sum();
    sum.is_multiple_of(10) && digits.bytes().any(|d| Some(d) != digits.bytes().next())
}

fn digits_of(cell: &str) -> String {
    cell.chars().filter(char::is_ascii_digit).collect()
}

fn national(digits: &str, plus: bool) -> Option<String> {
    let national = if plus {
        let rest = digits.strip_prefix("81")?;
        format!("0{}", rest.strip_prefix('0').unwrap_or(rest))
    } else {
        digits.to_owned()
    };
    regex("^0[1-9][0-9]{8,9}$").is_match(&national).then_some(national)
}

impl Text {
    fn new(chars: &[Sourced]) -> Text {
        let sources = normal(chars);
        let names = sources.iter().map(|s| for_names(s.c)).collect();
        let ascii = sources
            .iter()
            .map(|s| match s.c {
                c if c.is_ascii() && c != '\u{1}' => c,
                '\u{2010}'..='\u{2015}' | '\u{2212}' | 'ー' => '\u{1}',
                _ => '\u{2}',
            })
            .collect();
        Text { sources, names, ascii }
    }

    /// Begin, end, person, field.
    fn anchors(&self, persons: &[Person]) -> Vec<(usize, usize, usize, &'static str)> {
        let mut found = Vec::new();
        let mut listed = |field: &'static str, cell: usize, is_same: &dyn Fn(&str) -> bool, begin, end| {
            let owners =
                persons.iter().enumerate().filter(|(_, person)| !person[cell].is_empty() && is_same(&person[cell]));
            let before = found.len();
            found.extend(owners.map(|(who, _)| (begin, end, who, field)));
            found.len() > before
        };
        for (begins, end) in self.mails() {
            for begin in begins {
                let mail = self.ascii[begin..end].to_lowercase();
                if listed("email", 0, &|cell| cell.to_lowercase() == mail, begin, end) {
                    break;
                }
            }
        }
        for (begin, end, digits) in self.cards() {
            listed("pan", 5, &|cell| digits_of(cell) == digits, begin, end);
        }
        for (begin, end, phone) in self.phones() {
            listed(
                "phone",
                6,
                &|cell| national(&digits_of(cell), cell.starts_with('+')).as_ref() == Some(&phone),
                begin,
                end,
            );
        }
        let bytes = self.ascii.as_bytes();
        let lower = self.ascii.to_lowercase();
        for (who, person) in persons.iter().enumerate() {
            for (field, cell, text) in
                [("account_id", person[4].to_lowercase(), &lower), ("secret", person[7].clone(), &self.ascii)]
            {
                for begin in (0..text.len()).filter(|begin| !cell.is_empty() && text[*begin..].starts_with(&cell)) {
                    let end = begin + cell.len();
                    let before = begin.checked_sub(1).and_then(|b| bytes.get(b));
                    let first_word = is_alnum(bytes.get(begin));
                    let last_word = is_alnum(bytes.get(end - 1));
                    let cut = (first_word && is_alnum(before)) || (last_word && is_alnum(bytes.get(end)));
                    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
                    let decimal = (digit(Some(begin)) && before == Some(&b'.') && digit(begin.checked_sub(2)))
                        || (digit(Some(end - 1)) && bytes.get(end) == Some(&b'.') && digit(Some(end + 1)));
                    let forbidden = decimal && field == "account_id";
                    if !cut && !forbidden {
                        found.push((begin, end, who, field));
                    }
                }
            }
        }
        found
    }

    /// For each `@` with a domain: begins of local parts, longest first, and the end.
    fn mails(&self) -> Vec<(Vec<usize>, usize)> {
        let domain = regex("^[A-Za-z0-9.-]+");
        let local = regex(r"[A-Za-z0-9._+!#$%&'*/=?^`{|}~-]+$");
        let mut mails = Vec::new();
        for (at, _) in self.ascii.match_indices('@') {
            let Some(run) = domain.find(&self.ascii[at + 1..]) else { continue };
            if run.len() > 253 {
                continue;
            }
            let name = run.as_str().split("..").next().expect("a part").trim_end_matches(['.', '-']);
            let top = name.rsplit('.').next().expect("a label");
            let top_ok = top.len() >= 2
                && (top.bytes().all(|b| b.is_ascii_alphabetic())
                    || (top.len() > 4 && top.to_lowercase().starts_with("xn--")));
            if !name.contains('.') || name.starts_with(['.', '-']) || name.len() < 4 || !top_ok {
                continue;
            }
            let nearest = &self.ascii[at.saturating_sub(64)..at];
            let run = local.find(nearest).map_or("", |m| m.as_str());
            let mut begins = Vec::new();
            for begin in at - run.len()..at {
                if begin == at - run.len() || "!#$%&'*/=?^`{|}~".contains(&self.ascii[begin - 1..begin]) {
                    begins.push(begin);
                    let rest = &self.ascii[begin..at];
                    begins.push(at - rest.trim_start_matches(['.', '_', '+', '-']).len());
                }
            }
            begins.retain(|begin| *begin < at);
            begins.dedup();
            mails.push((begins, at + 1 + name.len()));
        }
        mails
    }

    fn chains(&self, separators: &str) -> Vec<Vec<(usize, usize)>> {
        let chain = regex(&format!("[0-9]+(?:{separators}[0-9]+)*"));
        let group = regex("[0-9]+");
        chain
            .find_iter(&self.ascii)
            .map(|chain| {
                group.find_iter(chain.as_str()).map(|g| (chain.start() + g.start(), chain.start() + g.end())).collect()
            })
            .collect()
    }

    fn cards(&self) -> Vec<(usize, usize, String)> {
        let mut cards = Vec::new();
        for chain in self.chains("[ \u{1}-]") {
            for i in 0..chain.len() {
                for j in i..chain.len() {
                    let digits = digits_of(&self.ascii[chain[i].0..chain[j].1]);
                    if (13..=19).contains(&digits.len()) && luhn(&digits) {
                        cards.push((chain[i].0, chain[j].1, digits));
                    }
                }
            }
        }
        cards
    }

    fn phones(&self) -> Vec<(usize, usize, String)> {
        let mut phones = Vec::new();
        for chain in self.chains("[ \u{1}()-]{1,2}") {
            for i in 0..chain.len() {
                for j in i..chain.len().min(i + 14) {
                    let digits = digits_of(&self.ascii[chain[i].0..chain[j].1]);
                    let plus = chain[i].0 > 0 && &self.ascii[chain[i].0 - 1..chain[i].0] == "+";
                    phones.extend(national(&digits, false).map(|phone| (chain[i].0, chain[j].1, phone)));
                    if plus {
                        phones.extend(national(&digits, true).map(|phone| (chain[i].0 - 1, chain[j].1, phone)));
                    }
                }
            }
        }
        phones
    }

    fn generic(&self, anchors: &[(usize, usize, usize, &'static str)]) -> Vec<(usize, usize, &'static str)> {
        let bytes = self.ascii.as_bytes();
        let mut found = Vec::new();
        let core = regex("[A-Za-z0-9._+-]+$");
        let files = "png jpg jpeg gif svg webp ico css js map html htm php json woff woff2 mp4";
        for (begins, end) in self.mails() {
            let at = self.ascii[..end].rfind('@').expect("a mail has one");
            let is_listed = anchors.iter().any(|a| a.1 == end && a.3 == "email" && begins.contains(&a.0));
            let run = core
                .find(&self.ascii[at.saturating_sub(64)..at])
                .map_or("", |m| m.as_str())
                .trim_start_matches(['.', '_', '+', '-']);
            let top = self.ascii[at..end].rsplit('.').next().expect("a label").to_lowercase();
            if !is_listed && !run.is_empty() && !run.ends_with('.') && !files.split(' ').any(|file| file == top) {
                found.push((at - run.len(), end, "generic email"));
            }
        }
        let mut cards = self.cards();
        cards.sort();
        let mut taken_until = 0;
        for (begin, end, digits) in cards {
            let shape: Vec<String> =
                self.ascii[begin..end].split([' ', '-', '\u{1}']).map(|g| g.len().to_string()).collect();
            let shape = shape.join("-");
            let form = ["14", "15", "16", "19", "4-4-4-4", "4-6-5", "4-6-4"].contains(&shape.as_str());
            let issued = regex(
                "^(4[0-9]{15}|4[0-9]{18}|5[1-5][0-9]{14}|(222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}|3[47][0-9]{13}|35(2[89]|[3-8][0-9])[0-9]{12}|3[689][0-9]{12}|30[0-5][0-9]{11}|6011[0-9]{12}|64[4-9][0-9]{13}|6[25][0-9]{14})$",
            );
            let word = |b: Option<&u8>| is_alnum(b) || b == Some(&b'_');
            let before = begin.checked_sub(1).and_then(|b| bytes.get(b));
            let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
            let fraction_before = before == Some(&b'.') && digit(begin.checked_sub(2));
            let fraction_after = bytes.get(end) == Some(&b'.') && digit(Some(end + 1));
            let alone = !word(before) && !word(bytes.get(end)) && !fraction_before && !fraction_after;
            let overlaps = anchors.iter().any(|a| a.3 == "pan" && a.0 < end && begin < a.1);
            if form && issued.is_match(&digits) && alone && !overlaps && begin >= taken_until {
                taken_until = end;
                found.push((begin, end, "generic pan"));
            }
        }
        let number = regex("[0-9]{12}|[0-9]{4}[ \u{1}-][0-9]{4}[ \u{1}-][0-9]{4}");
        let labels = regex("マイナンバー|個人番号|my[ _-]?number|individual[ _-]?number|kojin[_-]?bango");
        let names: String = self.names.iter().collect();
        for begin in 0..bytes.len() {
            let Some(m) = number.find_at(&self.ascii, begin).filter(|m| m.start() == begin) else { continue };
            let end = m.end();
            let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
            let joint = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(|b| b" -\x01".contains(b));
            let chain = m.len() > 12;
            let cut = digit(begin.checked_sub(1))
                || digit(Some(end))
                || (chain && joint(begin.checked_sub(1)) && digit(begin.checked_sub(2)))
                || (chain && joint(Some(end)) && digit(Some(end + 1)));
            let d: Vec<u32> = m.as_str().chars().filter_map(|c| c.to_digit(10)).collect();
            let sum: u32 = (1..=11).map(|n| d[11 - n] * if n <= 6 { n as u32 + 1 } else { n as u32 - 5 }).sum();
            let check = if sum % 11 <= 1 { 0 } else { 11 - sum % 11 };
            let same = d.iter().all(|x| *x == d[0]);
            let labelled = labels.find_iter(&names).any(|l| {
                let at = names[..l.start()].chars().count();
                (at < begin && at + 160 >= begin) || (at >= end && at < end + 80)
            });
            if !cut && !same && check == d[11] && labelled {
                found.push((begin, end, "my number"));
            }
        }
        found
    }

    fn name(&self, cell: &str, window: (usize, usize), taken: &[(usize, usize)]) -> Vec<(usize, usize)> {
        let sourced: Vec<Sourced> = cell.chars().map(|c| Sourced { c, start: 0, end: 0 }).collect();
        let cell: String = normal(&sourced).iter().map(|s| for_names(s.c)).collect();
        let parts: Vec<&str> = cell.split(' ').filter(|part| !part.is_empty()).collect();
        let latin = parts.iter().all(|p| regex("^[a-z]([a-z'-]*[a-z])?$").is_match(p));
        let kana_char = |c: char| ('ァ'..='ヺ').contains(&c) || c == 'ー';
        let kana = parts.iter().all(|p| p.chars().all(kana_char));
        let free = |b: usize, e: usize| !taken.iter().any(|t| t.0 < e && b < t.1);
        let places = |part: &str, spaces: bool| -> Vec<(usize, usize)> {
            let part: Vec<char> = part.chars().collect();
            (window.0..window.1)
                .filter_map(|begin| {
                    let mut at = begin;
                    for (i, c) in part.iter().enumerate() {
                        let mut skipped = 0;
                        while spaces && i > 0 && skipped < 2 && self.names.get(at) == Some(&' ') {
                            at += 1;
                            skipped += 1;
                        }
                        if self.names.get(at) != Some(c) {
                            return None;
                        }
                        at += 1;
                    }
                    (at <= window.1 && free(begin, at)).then_some((begin, at))
                })
                .collect()
        };
        let bounded = |(b, e): (usize, usize), others: &[(usize, usize)]| {
            let before = b.checked_sub(1).map(|b| self.names[b]);
            let after = self.names.get(e).copied();
            let part: String = self.names[b..e].iter().collect();
            if latin || regex("^[a-z]([a-z'-]*[a-z])?$").is_match(&part) {
                return !before.is_some_and(|c| c.is_ascii_alphanumeric())
                    && !after.is_some_and(|c| c.is_ascii_alphanumeric());
            }
            if !kana {
                return true;
            }
            let rest: String = self.names[e..self.names.len().min(e + 4)].iter().collect();
            let honoured = ["サマ", "サン", "クン", "チヤン"]
                .iter()
                .any(|h| rest.strip_prefix(h).is_some_and(|more| !more.chars().next().is_some_and(kana_char)));
            (!before.is_some_and(kana_char) || others.iter().any(|o| o.1 == b))
                && (!after.is_some_and(kana_char) || others.iter().any(|o| o.0 == e) || honoured)
        };
        if let [whole] = parts.as_slice() {
            return places(whole, !latin).into_iter().filter(|place| bounded(*place, &[])).collect();
        }
        let (surname, given) = (parts[0], parts[parts.len() - 1]);
        let (surnames, givens) = (places(surname, false), places(given, false));
        let short = !latin && (surname.chars().count() == 1 || given.chars().count() == 1);
        let gap_max = if short { 40 } else { 160 };
        let mut found = Vec::new();
        for s in surnames.iter().filter(|s| bounded(**s, &givens)) {
            let mut best: Option<(usize, (usize, usize))> = None;
            for g in givens.iter().filter(|g| bounded(**g, &surnames)) {
                let gap = if s.1 <= g.0 {
                    g.0 - s.1
                } else if g.1 <= s.0 {
                    s.0 - g.1
                } else {
                    continue;
                };
                if best.is_none_or(|(known, _)| gap <= known) {
                    best = Some((gap, *g));
                }
            }
            if let Some((gap, g)) = best
                && gap <= gap_max
            {
                found.push((s.0.min(g.0), s.1.max(g.1)));
            }
        }
        found
    }
}
