//! Finds the session of a request: the first configured cookie, else a bearer token.
//! Gives the token's bytes only; what leaves this crate is their keyed hash.

use crate::config::SessionSource;
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};

/// The session's token. Of several configured cookies the most wanted one counts; an empty value is no session.
pub(crate) fn token<'h>(headers: &'h HeaderMap, source: &SessionSource) -> Option<&'h [u8]> {
    cookie(headers, &source.cookies).or_else(|| match source.bearer {
        true => bearer(headers),
        false => None,
    })
}

fn cookie<'h>(headers: &'h HeaderMap, names: &[String]) -> Option<&'h [u8]> {
    let mut found: Option<(usize, &[u8])> = None;
    for line in headers.get_all(COOKIE) {
        for pair in line.as_bytes().split(|byte| *byte == b';') {
            let pair = pair.trim_ascii();
            let Some(equals) = memchr::memchr(b'=', pair) else { continue };
            let (name, value) = (&pair[..equals], &pair[equals + 1..]);
            let rank = names.iter().position(|wanted| wanted.as_bytes() == name);
            if let Some(rank) = rank
                && !value.is_empty()
                && found.is_none_or(|(best, _)| rank < best)
            {
                found = Some((rank, value));
            }
        }
    }
    found.map(|(_, value)| value)
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

/// The session's token that a response gives the client in `Set-Cookie`. An empty value ends a session, and so does
/// an age of nothing or an end in 1970, whatever the value then is.
pub(crate) fn issued<'h>(headers: &'h HeaderMap, source: &SessionSource) -> Option<&'h [u8]> {
    let mut found: Option<(usize, &[u8])> = None;
    for line in headers.get_all(SET_COOKIE) {
        let mut parts = line.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let pair = parts.next().unwrap_or_default();
        if parts.any(ends_cookie) {
            continue;
        }
        let Some(equals) = memchr::memchr(b'=', pair) else { continue };
        let (name, value) = (&pair[..equals], &pair[equals + 1..]);
        let rank = source.cookies.iter().position(|wanted| wanted.as_bytes() == name);
        if let Some(rank) = rank
            && !value.is_empty()
            && found.is_none_or(|(best, _)| rank <= best)
        {
            found = Some((rank, value));
        }
    }
    found.map(|(_, value)| value)
}

fn ends_cookie(attribute: &[u8]) -> bool {
    let attribute = attribute.to_ascii_lowercase();
    let age = attribute.strip_prefix(b"max-age=").map(<[u8]>::trim_ascii);
    let end = attribute.strip_prefix(b"expires=");
    age.is_some_and(|age| age == b"0" || age.starts_with(b"-"))
        || end.is_some_and(|end| memchr::memmem::find(end, b"1970").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[(&'static str, &'static str)], expected: Option<&str>) {
        let headers = lines
            .iter()
            .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), http::HeaderValue::from_static(value)))
            .collect();
        let source = SessionSource { cookies: vec!["sid".to_owned(), "PHPSESSID".to_owned()], bearer: true };
        assert_eq!(token(&headers, &source), expected.map(str::as_bytes), "{lines:?}");
    }

    #[test]
    fn the_most_wanted_cookie_names_the_session() {
        check(&[("cookie", "a=1; PHPSESSID=old; sid=abc")], Some("abc"));
        check(&[("cookie", "a=1"), ("cookie", "PHPSESSID=x=y")], Some("x=y"));
        check(&[("cookie", "sid=; PHPSESSID=p")], Some("p"));
        check(&[("cookie", "SID=abc; xsid=def; sid")], None);
    }

    #[test]
    fn a_response_issues_a_session_by_its_cookie() {
        let source = SessionSource { cookies: vec!["sid".to_owned(), "PHPSESSID".to_owned()], bearer: true };
        let check = |lines: &[&'static str], expected: Option<&str>| {
            let line = |line: &&'static str| (SET_COOKIE, http::HeaderValue::from_static(line));
            let headers: HeaderMap = lines.iter().map(line).collect();
            assert_eq!(issued(&headers, &source), expected.map(str::as_bytes), "{lines:?}");
        };
        check(&["a=1", "sid=abc; Path=/; HttpOnly"], Some("abc"));
        check(&["PHPSESSID=p", "sid=s"], Some("s"));
        check(&["sid=one", "sid=two"], Some("two"));
        check(&["sid=; Max-Age=0"], None);
        check(&["sid=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0; path=/"], None);
        check(&["sid=deleted; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], None);
        check(&["sid=x; Max-Age=-1"], None);
        check(&["sid=abc; Max-Age=3600"], Some("abc"));
        check(&["xsid=abc"], None);
    }

    #[test]
    fn a_bearer_token_counts_where_no_cookie_does() {
        check(&[("authorization", "bearer  t0ken")], Some("t0ken"));
        check(&[("authorization", "Bearer t"), ("cookie", "sid=c")], Some("c"));
        check(&[("authorization", "Basic dTpw")], None);
        check(&[("authorization", "Bearer ")], None);
    }
}
