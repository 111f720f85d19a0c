//! What a site asks of robots: `robots.txt` after RFC 9309.
//!
//! Pure. The group of our product token counts, else that of `*`, else everything is allowed. The longest matching rule
//! wins, `Allow` among equals. `Crawl-delay` is not in the RFC, and is kept to.

use std::fmt::Write as _;
use std::time::Duration;

/// Our product token (RFC 9309, section 2.2.1).
pub const PRODUCT_TOKEN: &str = "sekisho-watch";
/// Bytes that are read of a file; the RFC asks for at least this many.
pub(crate) const ROBOTS_BYTES_MAX: usize = 500 * 1024;
/// A longer `Crawl-delay` counts as this one: pages are looked at once an hour at most anyway.
const CRAWL_DELAY_MAX: Duration = Duration::from_secs(60);

/// The rules for us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Robots {
    /// (allowed, pattern)
    rules: Vec<(bool, String)>,
    /// The least time between two requests.
    pub(crate) crawl_delay: Option<Duration>,
}

impl Robots {
    /// Everything is allowed: there is no file.
    pub(crate) fn allow_all() -> Robots {
        Robots::default()
    }

    /// Reads any text; lines that mean nothing are passed over.
    pub(crate) fn parse(text: &str) -> Robots {
        let mut ours: Option<Robots> = None;
        let mut all: Option<Robots> = None;
        // Consecutive `User-agent` lines share the group that follows.
        let (mut is_ours, mut is_all, mut in_agents) = (false, false, false);
        for line in text.trim_start_matches('\u{feff}').split(['\n', '\r']) {
            let line = line.split('#').next().unwrap_or_default();
            let Some((key, value)) = line.split_once(':') else { continue };
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            if key == "user-agent" {
                if !in_agents {
                    (is_ours, is_all) = (false, false);
                }
                in_agents = true;
                is_ours |= token(value).eq_ignore_ascii_case(PRODUCT_TOKEN);
                is_all |= value == "*";
                if is_ours {
                    ours.get_or_insert_default();
                }
                if is_all {
                    all.get_or_insert_default();
                }
                continue;
            }
            if !["allow", "disallow", "crawl-delay"].contains(&key.as_str()) {
                continue;
            }
            in_agents = false;
            for group in [is_ours.then_some(&mut ours), is_all.then_some(&mut all)].into_iter().flatten().flatten() {
                group.add(&key, value);
            }
        }
        ours.or(all).unwrap_or_default()
    }

    fn add(&mut self, key: &str, value: &str) {
        match key {
            "crawl-delay" => {
                let delay = value.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                self.crawl_delay = delay.map(|delay| delay.min(CRAWL_DELAY_MAX)).or(self.crawl_delay);
            }
            _ if value.is_empty() => {}
            _ => self.rules.push((key == "allow", normal(value))),
        }
    }

    /// Whether a path (with its query) may be asked for.
    pub(crate) fn allows(&self, path: &str) -> bool {
        if path == "/robots.txt" {
            return true;
        }
        let path = normal(path);
        let matching = self.rules.iter().filter(|(_, pattern)| matches(pattern, &path));
        matching.max_by_key(|(allowed, pattern)| (pattern.len(), *allowed)).is_none_or(|(allowed, _)| *allowed)
    }
}

/// The product token at the beginning of a `User-agent` value: `sekisho-watch/0.1` names us too.
fn token(value: &str) -> &str {
    let end = value.find(|one: char| !(one.is_ascii_alphabetic() || one == '_' || one == '-'));
    &value[..end.unwrap_or(value.len())]
}

/// A path or pattern in the one form in which they are compared (RFC 9309, section 2.2.2): what is not ASCII is
/// percent-encoded, an encoded unreserved character stands for itself, and hexadecimal digits are capitals.
fn normal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let encoded = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let encoded = encoded.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        let byte = encoded.unwrap_or(bytes[at]);
        let is_plain = match encoded {
            Some(byte) => byte.is_ascii_alphanumeric() || b"-._~".contains(&byte),
            None => (0x21..0x7f).contains(&byte),
        };
        if is_plain {
            out.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        at += if encoded.is_some() { 3 } else { 1 };
    }
    out
}

/// Whether the pattern matches the path's beginning; `*` is any text, `$` at the end is the path's end.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, to_end) = match pattern.strip_suffix('$') {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let mut parts = pattern.split('*');
    let Some(mut rest) = path.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (number, part) in parts.iter().enumerate() {
        let is_last = number + 1 == parts.len();
        if is_last && to_end {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    !to_end || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(robots: &str, path: &str, allowed: bool) {
        assert_eq!(Robots::parse(robots).allows(path), allowed, "{path} in {robots:?}");
    }

    #[test]
    fn the_longest_rule_wins() {
        let robots = "User-agent: *\nDisallow: /news/\nAllow: /news/2017/\nDisallow: /*.pdf$\n";
        check(robots, "/", true);
        check(robots, "/news/1.html", false);
        check(robots, "/news/2017/1.html", true);
        check(robots, "/a.pdf", false);
        check(robots, "/a.pdf?x", true);
        check("User-agent: *\nDisallow: /a\nAllow: /a\n", "/a", true);
        check("User-agent: *\nDisallow: /\n", "/robots.txt", true);
    }

    /// RFC 9309, section 2.2.2: octets outside of ASCII are compared as their percent-encoding, and unreserved ones as
    /// themselves, in the rule and in the path.
    #[test]
    fn a_rule_in_japanese_is_the_encoded_path() {
        let robots = "User-agent: *\nDisallow: /お知らせ/\nDisallow: /%7enews/\nDisallow: /a%2fb\n";
        check(robots, "/%E3%81%8A%E7%9F%A5%E3%82%89%E3%81%9B/1.html", false);
        check(robots, "/%e3%81%8a%e7%9f%a5%e3%82%89%e3%81%9b/1.html", false);
        check(robots, "/~news/1.html", false);
        check(robots, "/a%2Fb", false);
        check(robots, "/a/b", true);
    }

    #[test]
    fn our_name_may_have_a_version_and_lines_may_end_in_a_carriage_return() {
        check("User-agent: sekisho-watch/0.1\nDisallow: /\n", "/news", false);
        check("User-agent: sekisho-watcher\nDisallow: /\n", "/news", true);
        check("User-agent: *\rDisallow: /\r", "/news", false);
    }

    #[test]
    fn our_own_group_counts_before_that_of_all() {
        let robots = "User-agent: *\nDisallow: /\n\nUser-agent: other\nUser-Agent: Sekisho-Watch # us\nDisallow: /x\n";
        check(robots, "/news", true);
        check(robots, "/x", false);
        check("User-agent: other\nDisallow: /\n", "/", true);
        check("User-agent: sekisho-watch\n\nUser-agent: *\nDisallow: /\n", "/", false);
        check("Disallow: /\n", "/", true);
        check("User-agent: *\nDisallow:\n", "/", true);
    }

    #[test]
    fn a_crawl_delay_is_read_and_bounded() {
        let delay = |value: &str| Robots::parse(&format!("User-agent: *\nCrawl-delay: {value}\n")).crawl_delay;
        assert_eq!(delay("2.5"), Some(Duration::from_millis(2500)));
        assert_eq!(delay("86400"), Some(CRAWL_DELAY_MAX));
        assert_eq!(delay("soon"), None);
        assert_eq!(delay("-1"), None);
    }
}
