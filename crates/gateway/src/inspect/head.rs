//! The response's head on an inspected route: its values are scanned like the body, and what would let a later
//! response go around the inspection is removed.
//!
//! Removed: validators and digests (`ETag`, `Last-Modified`, `Digest`, `Content-Digest`, `Repr-Digest`, `Content-MD5`)
//! and `Accept-Ranges`. `Cache-Control: private, no-store` is set, in place of `Cache-Control`, `Expires` and `Pragma`,
//! when somebody's data was found before the head left, or when the request had a session and the type is a page or
//! data. Style sheets, scripts, images, fonts and media keep the upstream's rules: shared by all, they are worth caching.

use super::Shared;
use http::HeaderMap;
use http::HeaderValue;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, DATE, ETAG, EXPIRES, LAST_MODIFIED, PRAGMA,
};
use sekisho_edm::{Boundary, Charset, Finding, Reflected, Scanner, TextForm};
use sekisho_model::ByteRange;
use std::sync::Arc;

/// Scans the values of a head or of trailers. The findings stand at `offset` of the body: 0 for a head.
pub(super) fn findings_in(
    shared: &Shared,
    headers: &HeaderMap,
    reflected: &Arc<Reflected>,
    offset: u64,
) -> Vec<Finding> {
    // A line each, so that nothing is found across two of them.
    let form = TextForm { charset: Charset::Utf8, boundary: Boundary::Line };
    let mut findings = Vec::new();
    let mut scanner = None;
    for (name, value) in headers {
        // These two are read and written by the gateway itself.
        if name == CONTENT_LENGTH || name == DATE {
            continue;
        }
        let scanner =
            scanner.get_or_insert_with(|| Scanner::new(shared.index.load_full(), form, Arc::clone(reflected)));
        scanner.feed(value.as_bytes(), &mut findings);
        scanner.feed(b"\n", &mut findings);
    }
    if let Some(mut scanner) = scanner {
        scanner.finish(&mut findings);
    }
    for finding in &mut findings {
        finding.span = ByteRange { start: offset, end: offset };
    }
    findings
}

/// Removes validators, digests and the offer of ranges.
pub(super) fn clean(headers: &mut HeaderMap) {
    for name in [ETAG, LAST_MODIFIED, ACCEPT_RANGES] {
        headers.remove(name);
    }
    for name in ["digest", "content-digest", "repr-digest", "content-md5"] {
        headers.remove(name);
    }
}

/// Keeps a response out of every cache.
pub(super) fn forbid_caching(headers: &mut HeaderMap) {
    headers.remove(EXPIRES);
    headers.remove(PRAGMA);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
}

/// Whether the type is one of a site's shared parts.
pub(super) fn is_asset(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let families = ["image/", "font/", "video/", "audio/"];
    let types =
        ["text/css", "text/javascript", "application/javascript", "application/x-javascript", "application/wasm"];
    families.iter().any(|family| essence.starts_with(family)) || types.contains(&essence.as_str())
}
