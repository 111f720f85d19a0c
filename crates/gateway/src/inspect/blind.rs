//! Sessions that cannot be bounded by their responses: blind SQL injection, by a simple stated rule.
//!
//! Blind extraction reads a database one yes or no at a time: hundreds of requests that differ in one parameter, which
//! reads like a query's condition, and responses that hold nobody's data. The rule, in words:
//!
//! > When one session (or one address without a session) sends to one route, within 10 minutes, at least 20 distinct
//! > parameter values that read like a condition, it is listed; again at 100, 500 and 2500.
//!
//! A value *reads like a condition* when it holds a quote or a parenthesis, and
//! - a boolean word (`and`, `or`, `xor`, `having`, `where`, `when`, `&&`, `||`) followed within 160 bytes by a
//!   comparison (`=`, `<`, `>`, or `like`, `rlike`, `regexp`, `between`, `in`, `is` with a word after it and a
//!   parenthesis or a quote after that), or
//! - two different marks of a query: `select`, `case when`, a delay (`sleep(`, `waitfor delay`, `benchmark(`,
//!   `randomblob(`, …), a function that takes text apart (`substr(`, `ascii(`, …), a comment marker (`--`, `/*`).
//!
//! So a name with an apostrophe, a page number, a growing search word or a JSON document is none, however many.
//! Parameters are those of the query, of a form, of a JSON body (its strings), cookies, `User-Agent` and `Referer`.
//! Pure: time comes from outside.

use sekisho_model::{SessionKey, Suspect, SuspectReason, Timestamp};
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::Duration;

/// How long a value counts.
const WINDOW: Duration = Duration::from_secs(600);

/// Distinct values at which a session is listed, and listed again.
const THRESHOLDS: [usize; 4] = [20, 100, 500, 2500];

/// Distinct values kept for one session and route; beyond, only the requests are counted.
const VALUES_MAX: usize = 2500;

/// Sessions and routes watched at once; beyond, the one seen least recently is forgotten.
const SESSIONS_MAX: usize = 1024;

/// Bytes of one value that are read.
const VALUE_BYTES_MAX: usize = 4096;

/// How far after a boolean word a comparison is looked for.
const CONDITION_BYTES_MAX: usize = 160;

/// Watches for blind extraction.
#[derive(Default)]
pub(super) struct BlindWatch {
    sessions: HashMap<Key, Session>,
    hasher: RandomState,
}

/// Who asks, and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) client: IpAddr,
    pub(super) session: Option<SessionKey>,
    pub(super) route: String,
}

struct Session {
    first: Timestamp,
    last: Timestamp,
    requests: u64,
    /// Hashes of distinct values, and when each was last seen.
    values: HashMap<u64, Timestamp>,
    thresholds_passed: usize,
}

impl BlindWatch {
    /// Notes a request's values that read like conditions (at least one). A suspect when a threshold was passed.
    pub(super) fn note(&mut self, at: Timestamp, key: Key, conditions: &[Vec<u8>]) -> Option<Suspect> {
        self.make_room(&key);
        let session = self.sessions.entry(key.clone()).or_insert_with(|| Session {
            first: at,
            last: at,
            requests: 0,
            values: HashMap::new(),
            thresholds_passed: 0,
        });
        session.values.retain(|_, seen| at.since(*seen) < WINDOW);
        session.last = at;
        session.requests += 1;
        for condition in conditions {
            let hash = self.hasher.hash_one(condition);
            if session.values.len() < VALUES_MAX || session.values.contains_key(&hash) {
                session.values.insert(hash, at);
            }
        }
        let passed = THRESHOLDS.iter().filter(|threshold| session.values.len() >= **threshold).count();
        if passed <= session.thresholds_passed {
            return None;
        }
        session.thresholds_passed = passed;
        Some(Suspect {
            at,
            first: session.first,
            client: key.client,
            session: key.session,
            route: key.route,
            requests: session.requests,
            reason: SuspectReason::BlindInjection,
        })
    }

    fn make_room(&mut self, key: &Key) {
        if self.sessions.len() < SESSIONS_MAX || self.sessions.contains_key(key) {
            return;
        }
        let oldest = self.sessions.iter().min_by_key(|(_, session)| session.last).map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            self.sessions.remove(&oldest);
        }
    }
}

/// The values of a part that read like conditions. Most parts hold none, which is quick to see.
pub(super) fn conditions_in(part: Part<'_>) -> Vec<Vec<u8>> {
    let (Part::Query(text) | Part::Cookie(text) | Part::Whole(text) | Part::Json(text)) = part;
    if !may_hold_condition(text) {
        return Vec::new();
    }
    let raw: Vec<&[u8]> = match part {
        Part::Query(text) => text.split(|byte| *byte == b'&').map(value_of).collect(),
        Part::Cookie(text) => text.split(|byte| *byte == b';').map(value_of).collect(),
        Part::Whole(text) => vec![text],
        Part::Json(text) => json_strings(text),
    };
    let decode = |value: &[u8]| percent_decoded(&value[..value.len().min(VALUE_BYTES_MAX)]);
    raw.into_iter().filter(|value| may_hold_condition(value)).map(decode).filter(|value| is_condition(value)).collect()
}

/// A part of a request, and how its values stand in it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'p> {
    /// `a=1&b=2`
    Query(&'p [u8]),
    /// `a=1; b=2`
    Cookie(&'p [u8]),
    /// One value: a header.
    Whole(&'p [u8]),
    /// A JSON document.
    Json(&'p [u8]),
}

fn value_of(pair: &[u8]) -> &[u8] {
    pair.iter().position(|byte| *byte == b'=').map_or(pair, |at| &pair[at + 1..])
}

/// The strings of a document, escapes left as they are; keys are strings too, and do no harm.
fn json_strings(text: &[u8]) -> Vec<&[u8]> {
    let mut strings = Vec::new();
    let mut rest = text;
    while let Some(begin) = memchr::memchr(b'"', rest) {
        rest = &rest[begin + 1..];
        let mut end = 0;
        while end < rest.len() && rest[end] != b'"' {
            end += if rest[end] == b'\\' { 2 } else { 1 };
        }
        let end = end.min(rest.len());
        strings.push(&rest[..end]);
        rest = &rest[(end + 1).min(rest.len())..];
    }
    strings
}

/// A quote or parenthesis, plain or encoded.
fn may_hold_condition(value: &[u8]) -> bool {
    value.iter().any(|byte| matches!(byte, b'\'' | b'"' | b'(' | b')' | b'%'))
}

fn percent_decoded(value: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, after) = match (byte, after) {
            (b'+', _) => (b' ', after),
            (b'%', [high, low, tail @ ..]) => match (hex_digit(*high), hex_digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, tail),
                _ => (b'%', after),
            },
            _ => (byte, after),
        };
        decoded.push(byte);
        rest = after;
    }
    decoded
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// See the module's head.
fn is_condition(value: &[u8]) -> bool {
    if !value.iter().any(|byte| matches!(byte, b'\'' | b'"' | b'(' | b')')) {
        return false;
    }
    let text = String::from_utf8_lossy(value).to_ascii_lowercase();
    // `/**/` and line ends stand for spaces.
    let spaced = text.replace("/**/", " ").replace(['\t', '\n', '\r'], " ");
    has_comparison_after_boolean(&spaced) || marks(&text, &spaced) >= 2
}

fn has_comparison_after_boolean(text: &str) -> bool {
    let words = ["and", "or", "xor", "having", "where", "when"];
    let worded = words.into_iter().flat_map(|word| word_ends(text, word));
    let symbols =
        ["&&", "||"].into_iter().flat_map(|symbol| text.match_indices(symbol).map(|(at, found)| at + found.len()));
    worded.chain(symbols).any(|end| compares(&text.as_bytes()[end..]))
}

/// Where a whole word ends.
fn word_ends<'t>(text: &'t str, word: &'static str) -> impl Iterator<Item = usize> + 't {
    let is_word =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80);
    text.match_indices(word).map(|(at, found)| (at, at + found.len())).filter_map(move |(begin, end)| {
        let before = begin.checked_sub(1).and_then(|at| text.as_bytes().get(at));
        (!is_word(before) && !is_word(text.as_bytes().get(end))).then_some(end)
    })
}

fn compares(after: &[u8]) -> bool {
    let after = String::from_utf8_lossy(&after[..after.len().min(CONDITION_BYTES_MAX)]);
    let words = ["like", "rlike", "regexp", "between", "in", "is"];
    let has_operator = after.contains(['=', '<', '>']);
    has_operator
        || words
            .into_iter()
            .any(|word| word_ends(&after, word).any(|end| after[end..].trim_start().starts_with(['\'', '"', '(', '%'])))
}

/// How many kinds of marks of a query the text holds.
fn marks(text: &str, spaced: &str) -> usize {
    let delays = ["sleep(", "waitfor delay", "benchmark(", "randomblob(", "dbms_pipe", "dbms_lock", "generate_series("];
    let functions = [
        "substr(",
        "substring(",
        "ascii(",
        "ord(",
        "mid(",
        "unicode(",
        "char(",
        "chr(",
        "ifnull(",
        "isnull(",
        "coalesce(",
        "concat(",
        "extractvalue(",
        "updatexml(",
        "hex(",
        "cast(",
        "convert(",
        "count(",
        "iif(",
        "length(",
    ];
    let squeezed = spaced.replace(" (", "(");
    let has_any = |marks: &[&str]| marks.iter().any(|mark| squeezed.contains(mark));
    let select = word_ends(spaced, "select").any(|end| spaced[end..].starts_with([' ', '(']));
    let comment = text.contains("--") || text.contains("/*");
    let case = squeezed.contains("case when") || squeezed.contains("case(");
    [select, case, has_any(&delays), has_any(&functions), comment].into_iter().filter(|has| *has).count()
}

#[cfg(test)]
mod tests;
