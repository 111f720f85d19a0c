//! Names of one subject, looked for in a window of the text. Section 5 of `RULES.md`.
//!
//! The index keeps a fingerprint of 8 bytes for each name, salted with the subject's number: lengths of the parts,
//! a filter of each first character and a short keyed hash. The name itself is nowhere.

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

/// The stored form of a name: 5 + 5 bits of lengths, 8 + 8 of filters, 19 + 19 of hashes. 0 is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(pub(crate) u64);

const HASH_BITS: u32 = 19;

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
        let filter = Filter::new(key, subject);
        let first_char_of_last = last.first().map_or(0, |c| filter.of(*c));
        let mut bits = first.len() as u64;
        bits = bits << 5 | last.len() as u64;
        bits = bits << 8 | u64::from(filter.of(first[0]));
        bits = bits << 8 | u64::from(first_char_of_last);
        bits = bits << HASH_BITS | part_hash(key, subject, first);
        bits = bits << HASH_BITS | if last.is_empty() { 0 } else { part_hash(key, subject, last) };
        Some(Fingerprint(bits))
    }

    fn first_len(self) -> usize {
        (self.0 >> 59) as usize
    }

    fn last_len(self) -> usize {
        (self.0 >> 54 & 31) as usize
    }

    fn first_filter(self) -> u8 {
        (self.0 >> 46) as u8
    }

    fn last_filter(self) -> u8 {
        (self.0 >> 38) as u8
    }

    fn first_hash(self) -> u64 {
        self.0 >> HASH_BITS & ((1 << HASH_BITS) - 1)
    }

    fn last_hash(self) -> u64 {
        self.0 & ((1 << HASH_BITS) - 1)
    }
}

/// Looks for the names of one subject in one window.
pub(crate) struct Finder<'a> {
    key: &'a HashKey,
    subject: SubjectId,
    haystack: Haystack<'a>,
    /// The filter of each character in the window: most places are passed over by it.
    filters: &'a [u8],
}

impl<'a> Finder<'a> {
    /// `filters` is room to work in.
    pub(crate) fn new(
        key: &'a HashKey,
        subject: SubjectId,
        haystack: Haystack<'a>,
        filters: &'a mut Vec<u8>,
    ) -> Finder<'a> {
        let filter = Filter::new(key, subject);
        filters.clear();
        filters.extend(haystack.chars[haystack.window.clone()].iter().map(|c| filter.of(*c)));
        Finder { key, subject, haystack, filters }
    }

    /// Gives the span of every occurrence of the name.
    pub(crate) fn find(&self, name: Fingerprint, mut give: impl FnMut(Range<usize>)) {
        if name.first_len() == 0 {
            return;
        }
        if name.last_len() == 0 {
            self.find_whole(name, give);
            return;
        }
        let haystack = self.haystack;
        let surnames = self.places(name.first_len(), name.first_filter(), name.first_hash());
        if surnames.is_empty() {
            return;
        }
        let given = self.places(name.last_len(), name.last_filter(), name.last_hash());
        let (Some(surname), Some(given_name)) = (surnames.first(), given.first()) else { return };
        let script = script(&[&haystack.chars[surname.clone()], &haystack.chars[given_name.clone()]]);
        let surnames_bounded = surnames.iter().filter(|part| bounded(haystack, script, part, &given));
        let given_bounded: Vec<_> = given.iter().filter(|part| bounded(haystack, script, part, &surnames)).collect();
        let is_short = script != Script::Latin && (name.first_len() == 1 || name.last_len() == 1);
        let gap_max = if is_short { GAP_OF_SHORT_CHARS_MAX } else { GAP_CHARS_MAX };
        for surname in surnames_bounded {
            let nearest = given_bounded
                .iter()
                .filter_map(|given| gap(surname, given).map(|gap| (gap, Reverse(given.start), given.end)))
                .min();
            if let Some((gap, Reverse(start), end)) = nearest
                && gap <= gap_max
            {
                give(surname.start.min(start)..surname.end.max(end));
            }
        }
    }

    /// A name without a space: its characters with few spaces between them.
    fn find_whole(&self, name: Fingerprint, mut give: impl FnMut(Range<usize>)) {
        let mut part = Vec::with_capacity(PART_CHARS_MAX);
        for begin in self.begins(name.first_filter()) {
            let Some(end) = self.spaced_part(begin, name.first_len(), &mut part) else { continue };
            if part_hash(self.key, self.subject, &part) != name.first_hash() {
                continue;
            }
            let place = begin..end;
            let script = script(&[&part]);
            let is_one_word = script != Script::Latin || place.len() == part.len();
            if is_one_word && !is_taken(self.haystack, &place) && bounded(self.haystack, script, &place, &[]) {
                give(place);
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
    fn places(&self, len: usize, filter: u8, hash: u64) -> Vec<Range<usize>> {
        let Haystack { chars, window, .. } = self.haystack;
        self.begins(filter)
            .map(|begin| begin..begin + len)
            .filter(|place| place.end <= window.end)
            .filter(|place| part_hash(self.key, self.subject, &chars[place.clone()]) == hash)
            .filter(|place| !is_taken(self.haystack, place))
            .collect()
    }

    /// The places in the window whose character has this filter.
    fn begins(&self, filter: u8) -> impl Iterator<Item = usize> + '_ {
        memchr::memchr_iter(filter, self.filters).map(|at| self.haystack.window.start + at)
    }
}

fn is_taken(haystack: Haystack<'_>, place: &Range<usize>) -> bool {
    haystack.taken.iter().any(|taken| taken.start < place.end && place.start < taken.end)
}

/// Whether the part is a word of its own where it stands, or joined to the other part only.
fn bounded(haystack: Haystack<'_>, script: Script, part: &Range<usize>, others: &[Range<usize>]) -> bool {
    let chars = haystack.chars;
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

/// Eight bits of a character under a multiplier that only the key and the subject give.
struct Filter {
    multiplier: u64,
}

impl Filter {
    fn new(key: &HashKey, subject: SubjectId) -> Filter {
        Filter { multiplier: key.name_filter(subject) | 1 }
    }

    fn of(&self, c: char) -> u8 {
        (u64::from(u32::from(c)).wrapping_mul(self.multiplier) >> 56) as u8
    }
}

fn part_hash(key: &HashKey, subject: SubjectId, part: &[char]) -> u64 {
    let mut bytes = [0; 4 * PART_CHARS_MAX];
    for (slot, c) in bytes.chunks_exact_mut(4).zip(part) {
        slot.copy_from_slice(&u32::from(*c).to_le_bytes());
    }
    key.name_part(subject, &bytes[..4 * part.len().min(PART_CHARS_MAX)]) & ((1 << HASH_BITS) - 1)
}
