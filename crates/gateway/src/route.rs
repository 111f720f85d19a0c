//! Which route a request takes, and the route's name for the ledger.
//!
//! A route is chosen by host, then by the longest path prefix on segment boundaries, from the path as it was sent.
//! The path is forwarded as it was sent, too. **The rule for ambiguous paths:** when decoding (`%uXXXX` too), merging
//! slashes, resolving dot segments, dropping `;parameters` or taking one case of letters for the other, in any combination,
//! would choose another route, the request is refused with 400: the upstream might read the path that way, and the route's
//! policy would be passed by. A path that means the same route in every reading goes through untouched, however odd.
//! A host is the same with a dot behind it (`www.example.jp.`).

use crate::config;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock};

/// The routes, ready to be searched.
#[derive(Debug)]
pub(crate) struct RouteTable {
    routes: Vec<config::Route>,
    /// For each host the indices of its routes, longest prefix first.
    by_host: HashMap<String, Vec<usize>>,
    any_host: Vec<usize>,
    /// Whether a prefix has letters in upper case.
    has_upper_case: bool,
}

/// What the table says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The index of the route.
    Route(usize),
    /// No route covers the request.
    NoRoute,
    /// The path means different routes in different readings.
    Ambiguous,
}

impl RouteTable {
    /// A table of these routes.
    pub(crate) fn new(routes: Vec<config::Route>) -> RouteTable {
        let mut by_prefix: Vec<usize> = (0..routes.len()).collect();
        by_prefix.sort_by_key(|index| std::cmp::Reverse(trimmed(&routes[*index].path_prefix).len()));
        let mut by_host: HashMap<String, Vec<usize>> = HashMap::new();
        let mut any_host = Vec::new();
        for index in by_prefix {
            match &routes[index].host {
                Some(host) => by_host.entry(host.to_ascii_lowercase()).or_default().push(index),
                None => any_host.push(index),
            }
        }
        let has_upper_case = routes.iter().any(|route| has_upper_case(&route.path_prefix));
        RouteTable { routes, by_host, any_host, has_upper_case }
    }

    /// The route at an index that [`RouteTable::choose`] gave.
    pub(crate) fn route(&self, index: usize) -> &config::Route {
        &self.routes[index]
    }

    /// The route of a request; `host` without port.
    pub(crate) fn choose(&self, host: &str, path: &str) -> Choice {
        let host = plain_host(host);
        let host = match has_upper_case(host) {
            true => Cow::Owned(host.to_ascii_lowercase()),
            false => Cow::Borrowed(host),
        };
        let as_sent = self.lookup(&host, path, covers);
        let is_plain = !path.contains(['%', '\\', ';']) && !path.contains("//") && !path.contains("/.");
        let may_be_folded = self.has_upper_case || has_upper_case(path);
        let is_other = |reading: &str| !self.is_only(as_sent, &host, reading);
        if may_be_folded && is_other(path) || !is_plain && other_readings(path).any(|reading| is_other(&reading)) {
            return Choice::Ambiguous;
        }
        as_sent.map_or(Choice::NoRoute, Choice::Route)
    }

    /// Whether a reading of the path means this route, whether or not the case of letters counts.
    fn is_only(&self, route: Option<usize>, host: &str, reading: &str) -> bool {
        let folded = self.lookup(host, reading, covers_in_any_case);
        self.lookup(host, reading, covers) == route && (folded == route || self.differ_in_case_only(folded, route))
    }

    /// Whether an operator has told two routes apart by case alone: then it counts.
    fn differ_in_case_only(&self, one: Option<usize>, other: Option<usize>) -> bool {
        let (Some(one), Some(other)) = (one, other) else { return false };
        let (one, other) = (&self.routes[one], &self.routes[other]);
        one.host == other.host && trimmed(&one.path_prefix).eq_ignore_ascii_case(trimmed(&other.path_prefix))
    }

    fn lookup(&self, host: &str, path: &str, covers: fn(&str, &str) -> bool) -> Option<usize> {
        let longest = |indices: &[usize]| {
            let mut indices = indices.iter().copied();
            indices.find(|index| covers(&self.routes[*index].path_prefix, path))
        };
        self.by_host.get(host).and_then(|indices| longest(indices)).or_else(|| longest(&self.any_host))
    }
}

/// A host without the dot that may end it: both name the same.
pub(crate) fn plain_host(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

fn has_upper_case(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Whether the prefix covers the path on segment boundaries: `/my` covers `/my` and `/my/page`, not `/mypage`.
fn covers(prefix: &str, path: &str) -> bool {
    path.strip_prefix(trimmed(prefix)).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn covers_in_any_case(prefix: &str, path: &str) -> bool {
    let prefix = trimmed(prefix);
    let begin = path.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix));
    begin && (path.len() == prefix.len() || path.as_bytes()[prefix.len()] == b'/')
}

fn trimmed(prefix: &str) -> &str {
    prefix.trim_end_matches('/')
}

/// Every way in which a server might read the path: each combination of five habits.
fn other_readings(path: &str) -> impl Iterator<Item = String> {
    (1u8..32).map(move |habits| {
        let mut read = path.to_owned();
        if habits & 16 != 0 {
            read = wide_decoded(&read);
        }
        if habits & 1 != 0 {
            read = decoded(&read);
        }
        if habits & 2 != 0 {
            read = read.split('/').map(|segment| segment.split(';').next().unwrap_or("")).collect::<Vec<_>>().join("/");
        }
        if habits & 4 != 0 {
            while read.contains("//") {
                read = read.replace("//", "/");
            }
        }
        if habits & 8 != 0 {
            read = dots_resolved(&read);
        }
        read
    })
}

/// Percent-decoded until nothing changes, at most [`DECODE_PASSES_MAX`] times; backslashes become slashes.
fn decoded(path: &str) -> String {
    let mut bytes = path.as_bytes().to_vec();
    for _ in 0..DECODE_PASSES_MAX {
        let once = decoded_once(&bytes);
        if once == bytes {
            break;
        }
        bytes = once;
    }
    String::from_utf8_lossy(&bytes).replace('\\', "/")
}

/// Servers decode once, bad ones twice; what is nested deeper stays as it is.
const DECODE_PASSES_MAX: usize = 3;

fn decoded_once(bytes: &[u8]) -> Vec<u8> {
    let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        rest = after;
        if let (b'%', [high, low, tail @ ..]) = (*first, after)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            out.push(high << 4 | low);
            rest = tail;
        } else {
            out.push(*first);
        }
    }
    out
}

/// `%uXXXX` decoded, as some servers do.
fn wide_decoded(path: &str) -> String {
    let mut pieces = path.split('%');
    let mut read = pieces.next().unwrap_or("").to_owned();
    for piece in pieces {
        let code = piece.strip_prefix(['u', 'U']).and_then(|rest| rest.get(..4));
        let code = code.filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match code.and_then(|code| char::from_u32(u32::from_str_radix(code, 16).ok()?)) {
            Some(c) => {
                read.push(if c == '\\' { '/' } else { c });
                read.push_str(&piece[5..]);
            }
            None => {
                read.push('%');
                read.push_str(piece);
            }
        }
    }
    read
}

fn dots_resolved(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    format!("/{}", segments.join("/"))
}

/// Names for routes without a configured one: the shape of the path's first segment. The distinct shapes of a
/// process are bounded, because they become ledger entries and metric labels.
#[derive(Debug, Default)]
pub(crate) struct RouteShapes {
    seen: RwLock<HashSet<String>>,
}

/// Distinct shapes; later ones are [`SHAPE_OTHER`].
pub(crate) const SHAPES_MAX: usize = 1000;
/// The name of every shape beyond [`SHAPES_MAX`].
pub(crate) const SHAPE_OTHER: &str = "(other)";
/// The name of a path whose first segment might hold a person's data.
const SHAPE_HIDDEN: &str = "/{…}";

impl RouteShapes {
    /// The name of this path's shape: `/news`, or `/{…}` where the segment might be a person's data.
    pub(crate) fn name(&self, path: &str) -> String {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or("");
        let shape = match first {
            "" => "/".to_owned(),
            segment if is_harmless(segment) => format!("/{segment}"),
            _ => SHAPE_HIDDEN.to_owned(),
        };
        if self.seen.read().unwrap_or_else(PoisonError::into_inner).contains(&shape) {
            return shape;
        }
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= SHAPES_MAX && !seen.contains(&shape) {
            return SHAPE_OTHER.to_owned();
        }
        seen.insert(shape.clone());
        shape
    }
}

/// Whether a segment is a word of the application: `[a-z][a-z_-]{0,31}`, with a version behind it (`v2`, `api-v1`) or a page's
/// ending (`index.html`). Digits elsewhere may be somebody's number, and a dot between letters somebody's name (PRV-1).
fn is_harmless(segment: &str) -> bool {
    let word = PAGE_ENDINGS.iter().find_map(|ending| segment.strip_suffix(ending)).unwrap_or(segment);
    let unnumbered = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_version = (unnumbered == "v" || unnumbered.ends_with("-v")) && word.len() - unnumbered.len() <= 2;
    let word = if is_version { unnumbered } else { word };
    segment.len() <= 32
        && word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_' | b'-'))
}

/// How the names of pages end.
const PAGE_ENDINGS: [&str; 14] =
    [".html", ".htm", ".php", ".asp", ".aspx", ".jsp", ".do", ".cgi", ".json", ".xml", ".txt", ".js", ".css", ".ico"];

/// Chooses routes for any bytes as a path: an accepted path means the same route in every reading.
///
/// # Panics
/// When it does not.
pub fn fuzz_route(data: &[u8]) {
    let route = |prefix: &str| config::Route {
        name: None,
        host: None,
        path_prefix: prefix.to_owned(),
        upstream: 0,
        inspect: true,
        continuity: false,
        compress: false,
        websocket: false,
        rules: crate::inspect::Policy::default(),
        case: None,
    };
    let table = RouteTable::new(vec![route("/"), route("/my"), route("/my/orders/"), route("/admin")]);
    let path = String::from_utf8_lossy(data);
    if let Choice::Route(index) = table.choose("a.example", &path) {
        for reading in other_readings(&path) {
            for covers in [covers, covers_in_any_case] {
                let read = table.lookup("a.example", &reading, covers);
                assert_eq!(read, Some(index), "`{path}` read as `{reading}`");
            }
        }
    }
    let shape = RouteShapes::default().name(&path);
    assert!(shape.len() <= 33 && shape.starts_with('/'), "`{shape}` is no shape");
}

#[cfg(test)]
mod tests;
