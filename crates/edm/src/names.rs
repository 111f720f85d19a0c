//! Names of one subject, looked for in a window of the text. Section 5 of `RULES.md`.
//!
//! The index keeps a fingerprint of 8 bytes for each name, salted with the subject's number: lengths of the parts,
//! filters of each first and last character and a short keyed hash. The name itself is nowhere.

use crate::key::HashKey;
use sekisho_model::SubjectId;
use std::cmp::Reverse;
use std::ops::Range;

/// The longest name part.
pub(crate) const PART_CHARS_MAX: usize = 31;
/// Spaces that may stand between two characters of a name that the register writes without a space.
const INNER_SPACES_MAX: usize = 2;
/// The most characters between the parts of a name.
const GAP_CHARS_MAX: usize = 160;
/// The same when a part has one character only and the name is not Latin.
const GAP_OF_SHORT_CHARS_MAX: usize = 40;
/// Forms of address that may follow a name in kana, in normal form.
const HONORIFICS: [&[char]; 4] = [&['サ', 'マ'], &['サ', 'ン'], &['ク', 'ン'], &['チ', 'ヤ', 'ン']];
/// Characters around a window that decide whether a part in it is a word of its own.
pub(crate) const CONTEXT_CHARS: usize = 4;

/// The stored form of a name, two parts of 5 bits of length, 8 + 8 of filters and 11 of hash. 0 is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(pub(crate) u64);

const PART_BITS: u32 = 32;
const HASH_BITS: u32 = 11;

/// The stored form of a part of a name. The filters are there because hashes are dear: a page's text has a few
/// characters of a right first filter around each value, and of these hardly one has the right last filter.
#[derive(Clone, Copy, PartialEq, Eq)]
struct PartPrint {
    len: usize,
    first: u8,
    last: u8,
    hash: u64,
}

/// What of the normal text names are looked for in.
#[derive(Clone, Copy)]
pub(crate) struct Haystack<'a> {
    /// The text, normal form.
    pub(crate) chars: &'a [char],
    /// Where names are looked for.
    pub(crate) window: &'a Range<usize>,
    /// Places that are no part of a name: other values. Sorted by begin.
    pub(crate) taken: &'a [Range<usize>],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Kana,
    Kanji,
}

impl Fingerprint {
    /// The fingerprint of a register's cell in normal form; `None` when it cannot be found in a text.
    pub(crate) fn new(key: &HashKey, subject: SubjectId, cell: &[char]) -> Option<Fingerprint> {
        let mut parts = cell.split(|c| *c == ' ').filter(|part| !part.is_empty());
        let first = parts.next()?;
        let last = parts.next_back().unwrap_or(&[]);
        let whole_ok = !last.is_empty() || first.len() >= 2;
        if !whole_ok || first.len() > PART_CHARS_MAX || last.len() > PART_CHARS_MAX {
            return None;
        }
        let filters = Filters::new(key, subject);
        let part = |part: &[char]| PartPrint::new(key, subject, &filters, part).map_or(0, PartPrint::bits);
        Some(Fingerprint(part(first) << PART_BITS | part(last)))
    }

    fn surname(self) -> Option<PartPrint> {
        PartPrint::of_bits(self.0 >> PART_BITS)
    }

    fn given_name(self) -> Option<PartPrint> {
        PartPrint::of_bits(self.0 & ((1 << PART_BITS) - 1))
    }
}

impl PartPrint {
    fn new(key: &HashKey, subject: SubjectId, filters: &Filters, part: &[char]) -> Option<PartPrint> {
        let [first, ..] = part else { return None };
        let last = part[part.len() - 1];
        let hash = part_hash(key, subject, part);
        Some(PartPrint { len: part.len(), first: filters.first(*first), last: filters.last(last), hash })
    }

    fn bits(self) -> u64 {
        let filtered = (self.len as u64) << 8 | u64::from(self.first);
        (filtered << 8 | u64::from(self.last)) << HASH_BITS | self.hash
    }

    fn of_bits(bits: u64) -> Option<PartPrint> {
        let filtered = bits >> HASH_BITS;
        let part = PartPrint {
            len: (filtered >> 16) as usize,
            first: (filtered >> 8) as u8,
            last: filtered as u8,
            hash: bits & ((1 << HASH_BITS) - 1),
        };
        (part.len > 0).then_some(part)
    }
}

/// Looks for the names of one subject in one window.
pub(crate) struct Finder<'a> {
    key: &'a HashKey,
    subject: SubjectId,
    haystack: Haystack<'a>,
    filters: Filters,
    room: &'a mut Room,
}

/// Room to work in, so that a search need not ask for memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Room {
    /// The first filter of each character in the window: most places are passed over by it.
    firsts: Vec<u8>,
    /// The places of the surname and the given name.
    surnames: Vec<Range<usize>>,
    given: Vec<Range<usize>>,
}

impl<'a> Finder<'a> {
    pub(crate) fn new(key: &'a HashKey, subject: SubjectId, haystack: Haystack<'a>, room: &'a mut Room) -> Finder<'a> {
        let filters = Filters::new(key, subject);
        room.firsts.clear();
        room.firsts.extend(haystack.chars[haystack.window.clone()].iter().map(|c| filters.first(*c)));
        Finder { key, subject, haystack, filters, room }
    }

    /// Gives every occurrence of the name: its span, and what in it lies between the parts.
    pub(crate) fn find(&mut self, name: Fingerprint, give: impl FnMut(Range<usize>, Range<usize>)) {
        let Some(surname) = name.surname() else { return };
        let Some(given_name) = name.given_name() else { return self.find_whole(surname, give) };
        let mut surnames = std::mem::take(&mut self.room.surnames);
        let mut given = std::mem::take(&mut self.room.given);
        self.places(surname, &mut surnames);
        if !surnames.is_empty() {
            self.places(given_name, &mut given);
            let is_short = surname.len == 1 || given_name.len == 1;
            find_pairs(self.haystack, &surnames, &given, is_short, give);
        }
        (self.room.surnames, self.room.given) = (surnames, given);
    }

    /// A name without a space: its characters with few spaces between them.
    fn find_whole(&self, name: PartPrint, mut give: impl FnMut(Range<usize>, Range<usize>)) {
        let mut part = Vec::with_capacity(PART_CHARS_MAX);
        for begin in self.begins(name.first) {
            let Some(end) = self.spaced_part(begin, name.len, &mut part) else { continue };
            if !self.is_part(name, &part) {
                continue;
            }
            let place = begin..end;
            let script = script(&[&part]);
            let is_one_word = script != Script::Latin || place.len() == part.len();
            if is_one_word && !is_taken(self.haystack, &place) && bounded(self.haystack, script, &place, &[]) {
                let nothing = place.end..place.end;
                give(place, nothing);
            }
        }
    }

    /// Reads `len` characters from `begin` into `part`, passing over few spaces between them; says where they end.
    fn spaced_part(&self, begin: usize, len: usize, part: &mut Vec<char>) -> Option<usize> {
        part.clear();
        let mut spaces = 0;
        for at in begin..self.haystack.window.end {
            match self.haystack.chars[at] {
                ' ' if part.is_empty() || spaces == INNER_SPACES_MAX => return None,
                ' ' => spaces += 1,
                c => {
                    part.push(c);
                    spaces = 0;
                }
            }
            if part.len() == len {
                return Some(at + 1);
            }
        }
        None
    }

    /// The places in the window that hold this part and are not taken.
    fn places(&self, part: PartPrint, places: &mut Vec<Range<usize>>) {
        let Haystack { chars, window, .. } = self.haystack;
        places.clear();
        places.extend(
            self.begins(part.first)
                .map(|begin| begin..begin + part.len)
                .filter(|place| place.end <= window.end)
                .filter(|place| self.is_part(part, &chars[place.clone()]))
                .filter(|place| !is_taken(self.haystack, place)),
        );
    }

    /// Whether these characters, of the right number and the right first one, are the part.
    fn is_part(&self, part: PartPrint, chars: &[char]) -> bool {
        chars.last().is_some_and(|last| self.filters.last(*last) == part.last)
            && part_hash(self.key, self.subject, chars) == part.hash
    }

    /// The places in the window whose character has this first filter.
    fn begins(&self, filter: u8) -> impl Iterator<Item = usize> + '_ {
        memchr::memchr_iter(filter, &self.room.firsts).map(|at| self.haystack.window.start + at)
    }
}

/// Gives each surname with the given name that is nearest to it and near enough.
fn find_pairs(
    haystack: Haystack<'_>,
    surnames: &[Range<usize>],
    given: &[Range<usize>],
    is_short: bool,
    mut give: impl FnMut(Range<usize>, Range<usize>),
) {
    let (Some(surname), Some(given_name)) = (surnames.first(), given.first()) else { return };
    let script = script(&[&haystack.chars[surname.clone()], &haystack.chars[given_name.clone()]]);
    let gap_max = if is_short && script != Script::Latin { GAP_OF_SHORT_CHARS_MAX } else { GAP_CHARS_MAX };
    for surname in surnames.iter().filter(|part| bounded(haystack, script, part, given)) {
        let nearest = given
            .iter()
            .filter(|part| bounded(haystack, script, part, surnames))
            .filter_map(|given| gap(surname, given).map(|gap| (gap, Reverse(given.start), given.end)))
            .min();
        if let Some((gap, Reverse(start), end)) = nearest
            && gap <= gap_max
        {
            let place = surname.start.min(start)..surname.end.max(end);
            give(place, surname.end.min(end)..surname.start.max(start));
        }
    }
}

fn is_taken(haystack: Haystack<'_>, place: &Range<usize>) -> bool {
    haystack.taken.iter().any(|taken| taken.start < place.end && place.start < taken.end)
}

/// Whether the part is a word of its own where it stands, or joined to the other part only. `of_name` is the whole name's
/// script; a Latin part of another name is a word too, for short ones stand in many words ("mai" in "mail").
fn bounded(haystack: Haystack<'_>, of_name: Script, part: &Range<usize>, others: &[Range<usize>]) -> bool {
    let chars = haystack.chars;
    let script = if script(&[&chars[part.clone()]]) == Script::Latin { Script::Latin } else { of_name };
    let before = part.start.checked_sub(1).map(|before| chars[before]);
    let after = chars.get(part.end).copied();
    match script {
        Script::Kanji => true,
        Script::Latin => !before.is_some_and(is_word) && !after.is_some_and(is_word),
        Script::Kana => {
            let begin_ok = !before.is_some_and(is_kana) || others.iter().any(|other| other.end == part.start);
            let end_ok = !after.is_some_and(is_kana)
                || others.iter().any(|other| other.start == part.end)
                || honorific_follows(&chars[part.end..]);
            begin_ok && end_ok
        }
    }
}

fn honorific_follows(chars: &[char]) -> bool {
    HONORIFICS
        .iter()
        .any(|honorific| chars.starts_with(honorific) && !chars.get(honorific.len()).copied().is_some_and(is_kana))
}

/// Characters between two parts; `None` when they overlap.
fn gap(one: &Range<usize>, other: &Range<usize>) -> Option<usize> {
    if one.end <= other.start {
        Some(other.start - one.end)
    } else if other.end <= one.start {
        Some(one.start - other.end)
    } else {
        None
    }
}

fn script(parts: &[&[char]]) -> Script {
    let is_latin = |part: &&[char]| {
        let edges_ok = matches!(part, [first, .., last] if first.is_ascii_alphabetic() && last.is_ascii_alphabetic())
            || matches!(part, [only] if only.is_ascii_alphabetic());
        edges_ok && part.iter().all(|c| c.is_ascii_alphabetic() || matches!(c, '-' | '\''))
    };
    if parts.iter().all(is_latin) {
        Script::Latin
    } else if parts.iter().all(|part| part.iter().all(|c| is_kana(*c))) {
        Script::Kana
    } else {
        Script::Kanji
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

/// Katakana in normal form and the long mark.
fn is_kana(c: char) -> bool {
    matches!(c, '\u{30A1}'..='\u{30FA}' | 'ー')
}

/// Eight bits of a part's first character and of its last one, under multipliers that only the key and the subject
/// give.
#[derive(Clone, Copy)]
struct Filters {
    first: u32,
    last: u32,
}

impl Filters {
    fn new(key: &HashKey, subject: SubjectId) -> Filters {
        let [first, last] = key.name_filters(subject);
        Filters { first: first | 1, last: last | 1 }
    }

    fn first(&self, c: char) -> u8 {
        eight_bits(c, self.first)
    }

    fn last(&self, c: char) -> u8 {
        eight_bits(c, self.last)
    }
}

/// In 32 bits, so that several characters fit a vector register.
fn eight_bits(c: char, multiplier: u32) -> u8 {
    (u32::from(c).wrapping_mul(multiplier) >> 24) as u8
}

/// In UTF-8, most parts make one block of the hash.
fn part_hash(key: &HashKey, subject: SubjectId, part: &[char]) -> u64 {
    let mut bytes = [0; 4 * PART_CHARS_MAX];
    let mut len = 0;
    for c in part.iter().take(PART_CHARS_MAX) {
        len += c.encode_utf8(&mut bytes[len..]).len();
    }
    key.name_part(subject, &bytes[..len]) & ((1 << HASH_BITS) - 1)
}
