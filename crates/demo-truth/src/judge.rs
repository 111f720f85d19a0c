//! Who is in a response: strong values anywhere, names near a strong value of the same person.
//!
//! The rules are those that the product states for its detectors, applied to values in clear. A value that the same
//! request held is an echo and does not count; it still anchors a name.

use crate::register::{Kind, Register, name_parts};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

/// Characters around a strong value in which a name counts.
const WINDOW: usize = 320;
/// Characters between surname and given name.
const APART_MAX: usize = 160;
/// The same, when one of the parts is a single character.
const APART_SHORT_MAX: usize = 40;

/// (register, row)
type Person = (usize, usize);

/// A place in a text where a strong value stands.
struct Anchor {
    place: Range<usize>,
    /// Whose, and in which column.
    owners: Vec<(Person, usize)>,
}

/// A name's column and its two parts.
type Name = (usize, [Vec<char>; 2]);

/// Collects who was seen with which columns.
pub(crate) struct Judge {
    values: HashMap<(Kindred, String), Vec<(Person, usize)>>,
    names: HashMap<Person, Vec<Name>>,
    seen: BTreeMap<Person, HashSet<usize>>,
}

/// Kinds that are compared with each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kindred {
    Mail,
    Id,
    Digits,
    Secret,
}

impl Judge {
    pub(crate) fn new(registers: &[Register]) -> Judge {
        let mut judge = Judge { values: HashMap::new(), names: HashMap::new(), seen: BTreeMap::new() };
        for (at, register) in registers.iter().enumerate() {
            for (row, cells) in register.rows.iter().enumerate() {
                for (column, cell) in cells.iter().enumerate() {
                    judge.learn((at, row), column, register.columns[column].kind, cell);
                }
            }
        }
        judge
    }

    fn learn(&mut self, person: Person, column: usize, kind: Kind, cell: &str) {
        let key = match kind {
            Kind::Mail => (Kindred::Mail, cell.to_lowercase()),
            Kind::Id => (Kindred::Id, cell.to_lowercase()),
            Kind::Phone | Kind::Card => (Kindred::Digits, cell.chars().filter(char::is_ascii_digit).collect()),
            Kind::Secret => (Kindred::Secret, cell.to_owned()),
            Kind::Name => {
                if let Some(parts) = name_parts(cell) {
                    self.names.entry(person).or_default().push((column, parts));
                }
                return;
            }
            Kind::Other => return,
        };
        self.values.entry(key).or_default().push((person, column));
    }

    /// Notes who is in a response to a request.
    pub(crate) fn exchange(&mut self, request: &[char], response: &[char]) {
        let echoed: HashSet<(Person, usize)> =
            self.anchors(request).into_iter().flat_map(|anchor| anchor.owners).collect();
        let anchors = self.anchors(response);
        let lower: Vec<char> = response.iter().flat_map(|character| character.to_lowercase().next()).collect();
        let request: Vec<char> = request.iter().flat_map(|character| character.to_lowercase().next()).collect();
        let mut found: Vec<(Person, usize)> = Vec::new();
        for (at, anchor) in anchors.iter().enumerate() {
            for (person, column) in &anchor.owners {
                found.push((*person, *column));
                let window = window(&anchors, at, *person, lower.len());
                for (column, parts) in self.names.get(person).into_iter().flatten() {
                    let is_echo = holds_name(&request, 0..request.len(), parts);
                    if holds_name(&lower, window.clone(), parts) && !is_echo {
                        found.push((*person, *column));
                    }
                }
            }
        }
        for (person, column) in found.into_iter().filter(|found| !echoed.contains(found)) {
            self.seen.entry(person).or_default().insert(column);
        }
    }

    fn anchors(&self, text: &[char]) -> Vec<Anchor> {
        let mut anchors: Vec<Anchor> = [mails(text), ids(text), numbers(text), secrets(text)]
            .into_iter()
            .flatten()
            .filter_map(|(key, place)| Some(Anchor { place, owners: self.values.get(&key)?.clone() }))
            .collect();
        anchors.sort_by_key(|anchor| anchor.place.start);
        anchors
    }

    /// What each of a register's persons was seen with: `{"name", "persons": {key: [field, …]}}`.
    pub(crate) fn verdict(&self, at: usize, register: &Register) -> Value {
        let mut persons: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for ((_, row), columns) in self.seen.iter().filter(|((register, _), _)| *register == at) {
            let fields = columns.iter().map(|column| register.columns[*column].head.as_str());
            persons.entry(register.key(*row)).or_default().extend(fields);
        }
        json!({ "name": register.name, "persons": persons })
    }
}

/// From the anchor 320 characters each way, but not over an anchor of somebody else.
fn window(anchors: &[Anchor], at: usize, person: Person, length: usize) -> Range<usize> {
    let place = &anchors[at].place;
    let others = || anchors.iter().filter(|other| other.owners.iter().all(|(owner, _)| *owner != person));
    let left = others().map(|other| other.place.end).filter(|end| *end <= place.start).max().unwrap_or(0);
    let right = others().map(|other| other.place.start).filter(|start| *start >= place.end).min().unwrap_or(length);
    left.max(place.start.saturating_sub(WINDOW))..right.min(place.end + WINDOW).min(length)
}

fn holds_name(text: &[char], window: Range<usize>, [first, second]: &[Vec<char>; 2]) -> bool {
    let apart_max = match first.len().min(second.len()) {
        1 if !first[0].is_ascii() => APART_SHORT_MAX,
        _ => APART_MAX,
    };
    let firsts = occurrences(text, &window, first);
    let seconds = occurrences(text, &window, second);
    firsts.iter().any(|first| {
        seconds.iter().any(|second| {
            let apart = if first.end <= second.start {
                second.start.checked_sub(first.end)
            } else {
                first.start.checked_sub(second.end)
            };
            apart.is_some_and(|apart| apart <= apart_max)
        })
    })
}

/// Latin words stand alone; kana and kanji stand anywhere.
fn occurrences(text: &[char], window: &Range<usize>, part: &[char]) -> Vec<Range<usize>> {
    let is_letter = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(char::is_ascii_alphanumeric);
    window
        .clone()
        .take_while(|at| at + part.len() <= window.end)
        .filter(|at| text[*at..].starts_with(part))
        .map(|at| at..at + part.len())
        .filter(|place| !part[0].is_ascii() || !(is_letter(place.start.checked_sub(1)) || is_letter(Some(place.end))))
        .collect()
}

type Found = Vec<((Kindred, String), Range<usize>)>;

/// Maximal runs of characters that satisfy a condition.
fn runs(text: &[char], is_part: impl Fn(char) -> bool) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut start = None;
    for at in 0..=text.len() {
        let is_inside = text.get(at).is_some_and(|character| is_part(*character));
        match (start, is_inside) {
            (None, true) => start = Some(at),
            (Some(begin), false) => {
                runs.push(begin..at);
                start = None;
            }
            _ => {}
        }
    }
    runs
}

fn mails(text: &[char]) -> Found {
    let is_mail = |character: char| character.is_ascii_alphanumeric() || "._+-@".contains(character);
    let mut found = Found::new();
    for run in runs(text, is_mail) {
        let value: String = text[run.clone()].iter().collect::<String>().to_lowercase();
        let trimmed = value.trim_matches(['.', '-', '_', '+']);
        if trimmed.contains('@') {
            let start = run.start + value.find(trimmed).unwrap_or(0);
            found.push(((Kindred::Mail, trimmed.to_owned()), start..start + trimmed.chars().count()));
        }
    }
    found
}

fn ids(text: &[char]) -> Found {
    let runs = runs(text, |character| character.is_ascii_alphanumeric());
    let id = |run: Range<usize>| ((Kindred::Id, text[run.clone()].iter().collect::<String>().to_lowercase()), run);
    runs.into_iter().map(id).collect()
}

/// Digits with hyphens between them: telephone numbers and cards as the sample site writes them.
fn numbers(text: &[char]) -> Found {
    let runs = runs(text, |character| character.is_ascii_digit() || character == '-');
    let digits = |run: &Range<usize>| text[run.clone()].iter().filter(|c| c.is_ascii_digit()).collect::<String>();
    runs.into_iter()
        .map(|run| ((Kindred::Digits, digits(&run)), run))
        .filter(|((_, value), _)| value.len() >= 10)
        .collect()
}

fn secrets(text: &[char]) -> Found {
    let start: Vec<char> = "$2b$12$".chars().collect();
    (0..text.len().saturating_sub(59))
        .filter(|at| text[*at..].starts_with(&start))
        .map(|at| ((Kindred::Secret, text[at..at + 60].iter().collect()), at..at + 60))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::characters;

    fn check(request: &str, response: &str) -> Value {
        let csv = "account_id,name,email,phone\nHK00000001,山田 太郎,taro@example.jp,090-0000-0001\n\
                   HK00000002,佐藤 花子,hanako@example.jp,090-0000-0002\n";
        let registers = [Register::parse("holders", csv).unwrap()];
        let mut judge = Judge::new(&registers);
        judge.exchange(&characters(request), &characters(response));
        judge.verdict(0, &registers[0])["persons"].clone()
    }

    #[test]
    fn a_row_of_a_table_is_one_person_with_all_its_fields() {
        let row = "<tr><td>山田 太郎</td><td>taro&#64;example.jp</td><td>090-0000-0001</td></tr>";
        assert_eq!(check("", row), json!({ "HK00000001": ["email", "name", "phone"] }));
    }

    #[test]
    fn a_name_counts_only_near_its_own_person() {
        assert_eq!(check("", "山田 太郎 hanako@example.jp"), json!({ "HK00000002": ["email"] }));
        let two = "taro@example.jp hanako@example.jp 山田 太郎";
        assert_eq!(check("", two), json!({ "HK00000001": ["email"], "HK00000002": ["email"] }));
    }

    #[test]
    fn an_echo_does_not_count_and_still_anchors() {
        let answer = "taro@example.jp は 山田 太郎 様";
        assert_eq!(check("/search?q=taro@example.jp", answer), json!({ "HK00000001": ["name"] }));
    }

    #[test]
    fn part_of_a_longer_value_is_another_value() {
        assert_eq!(check("", "xtaro@example.jp HK000000012 0900-0000-0001"), json!({}));
    }
}
