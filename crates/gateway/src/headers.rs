//! Header fields that belong to one connection only, and those that the gateway settles itself.
//! Pure functions over a [`HeaderMap`]; forwarded addresses are `forwarded`'s, cache headers are `inspect`'s.

use crate::refusal::Refusal;
use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Removes what is meant for one connection (RFC 9110, 7.6.1), with everything that `Connection` lists.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    // Nearly all that have the field say `keep-alive` or `close` in it, which are no names of fields.
    let lists = |line: &HeaderValue| ![&b"keep-alive"[..], b"close"].contains(&line.as_bytes());
    if headers.get_all(CONNECTION).iter().any(lists) {
        for name in listed_by_connection(headers) {
            headers.remove(name);
        }
    }
    remove_all(headers, |name| {
        matches!(
            name,
            "connection"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
                | "proxy-authenticate"
                | "proxy-authorization"
                | "keep-alive"
                | "proxy-connection"
                | "http2-settings"
        )
    });
}

/// Settles how an upstream's body is framed. `Transfer-Encoding` is `chunked` or nothing: any other coding would be dropped
/// with the field, and what it codes pass as if it were plain. A `Content-Length` beside it says nothing (RFC 9112, 6.3), and
/// a client that believed it would take a body that was cut for a whole one.
pub(crate) fn settle_framing(headers: &mut HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    if codings.next().is_some() || !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
        return Err(Refusal::TransferEncoding);
    }
    headers.remove(CONTENT_LENGTH);
    Ok(())
}

/// Removes the fields of such names, which are in lower case. Most heads have none, and looking through the few fields that
/// there are is quicker than looking for each name.
pub(crate) fn remove_all(headers: &mut HeaderMap, is_such: impl Fn(&str) -> bool) {
    while let Some(name) = headers.keys().find(|name| is_such(name.as_str())) {
        let name = name.clone();
        headers.remove(name);
    }
}

/// `Connection` may not take away what the message needs to be understood: naming such a field is ignored.
fn listed_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(CONNECTION);
    let words = lines.iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    words
        .filter_map(|word| HeaderName::from_bytes(word.trim_ascii()).ok())
        .filter(|name| ![HOST, CONTENT_LENGTH, COOKIE].contains(name) && !name.as_str().starts_with("x-forwarded"))
        .collect()
}

/// Makes a client's request head one for the upstream, which is spoken to in HTTP/1.1 and asked for no encoding.
pub(crate) fn for_upstream(headers: &mut HeaderMap, host: &HeaderValue) {
    strip_hop_by_hop(headers);
    headers.remove(EXPECT);
    headers.insert(HOST, host.clone());
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    join_cookies(headers);
}

/// HTTP/2 may split cookies over several lines; HTTP/1.1 wants one (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(COOKIE).iter();
    if lines.next().is_none() || lines.next().is_none() {
        return;
    }
    let lines: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// Removes what makes a response partial or absent because of what the client has already: an inspected response
/// must be whole. Preconditions of methods that change something stay: they guard against lost updates.
pub(crate) fn strip_conditions(method: &Method, headers: &mut HeaderMap) {
    let is_read = method.is_safe();
    remove_all(headers, |name| match name {
        "range" | "if-range" | "a-im" | "want-digest" | "want-content-digest" | "want-repr-digest" => true,
        "if-none-match" | "if-modified-since" | "if-match" | "if-unmodified-since" => is_read,
        _ => false,
    });
}

/// Whether a comma-separated field holds this word.
pub(crate) fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    headers.get_all(name).iter().any(|line| {
        line.as_bytes().split(|byte| *byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn what_connection_lists_is_removed_with_it() {
        let mut headers = map(&[
            ("connection", "close, X-Secret"),
            ("connection", "x-other"),
            ("x-secret", "1"),
            ("x-other", "1"),
            ("x-kept", "1"),
            ("te", "trailers"),
            ("keep-alive", "timeout=5"),
            ("upgrade", "h2c"),
            ("transfer-encoding", "chunked"),
        ]);
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers, map(&[("x-kept", "1")]));
    }

    #[test]
    fn connection_cannot_take_away_the_host_or_the_clients_address() {
        let lines = [("host", "a.example"), ("content-length", "3"), ("x-forwarded-for", "192.0.2.1")];
        let mut headers = map(&lines);
        headers.append("connection", HeaderValue::from_static("host, content-length, x-forwarded-for"));
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers, map(&lines));
    }

    #[test]
    fn a_response_is_chunked_or_of_its_length_or_refused() {
        let length = ("content-length", "3");
        let chunked = |coding| ("transfer-encoding", coding);
        for (lines, settled) in [
            (vec![], Some(vec![])),
            (vec![length], Some(vec![length])),
            (vec![chunked("chunked")], Some(vec![chunked("chunked")])),
            (vec![length, chunked(" Chunked ")], Some(vec![chunked(" Chunked ")])),
            (vec![chunked("gzip, chunked")], None),
            (vec![chunked("gzip")], None),
            (vec![chunked("identity")], None),
            (vec![chunked("")], None),
            (vec![chunked("chunked"), chunked("chunked")], None),
            (vec![chunked("gzip"), chunked("chunked")], None),
        ] {
            let mut headers = map(&lines);
            let done = settle_framing(&mut headers);
            assert_eq!(done.ok().map(|()| headers), settled.map(|lines| map(&lines)), "{lines:?}");
        }
    }

    #[test]
    fn cookies_split_by_http2_are_joined() {
        let mut headers = map(&[("cookie", "a=1"), ("cookie", "b=2")]);
        for_upstream(&mut headers, &HeaderValue::from_static("a.example"));
        assert_eq!(headers, map(&[("host", "a.example"), ("accept-encoding", "identity"), ("cookie", "a=1; b=2")]));
    }

    #[test]
    fn conditions_go_from_reads_and_stay_with_writes() {
        let lines = [("range", "bytes=0-1"), ("if-match", "\"a\""), ("if-none-match", "*"), ("if-range", "\"a\"")];
        let mut read = map(&lines);
        strip_conditions(&Method::GET, &mut read);
        assert!(read.is_empty(), "{read:?}");
        let mut write = map(&lines);
        strip_conditions(&Method::PUT, &mut write);
        assert_eq!(write, map(&[("if-match", "\"a\""), ("if-none-match", "*")]));
    }
}
