//! The response's head on an inspected route: its values, and names that hold digits, are scanned like the body, and what
//! would let a later response go around the inspection is removed. The reason phrase of the status never passes (`service`).
//!
//! Removed: validators and digests (`ETag`, `Last-Modified`, `Digest`, `Content-Digest`, `Repr-Digest`, `Content-MD5`)
//! and `Accept-Ranges`. `Cache-Control: private, no-store` is set, in place of everything that tells a cache otherwise:
//! - when somebody's data was found before the head left;
//! - for a page or data on a route of customers, staff or partners, or in answer to a request with a session, a cookie or
//!   `Authorization`;
//! - for any other page or data that was not scanned to its end before the head left: what comes late is not in a cache by
//!   then. A body of at most 64 KiB with a `Content-Length` is, so a site's public pages stay cacheable.
//!
//! Style sheets, scripts, images, fonts and media keep the upstream's rules: shared by all, they are worth caching.

use super::Shared;
use crate::headers::remove_all;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use sekisho_edm::{Boundary, Charset, Finding, Reflected, Scanner, TextForm, lines_hold_nothing};
use sekisho_model::ByteRange;
use std::sync::Arc;

/// Scans the values of a head that leave. The findings stand at the body's begin.
pub(super) fn findings_in(shared: &Shared, headers: &HeaderMap, reflected: &Arc<Reflected>) -> Vec<Finding> {
    let leaving = headers.iter().filter(|(name, value)| !is_settled_here(name.as_str(), value));
    findings_in_lines(shared, leaving, reflected, 0)
}

/// Scans the values of trailers. The findings stand at the body's end, `offset`.
pub(super) fn findings_in_trailers(
    shared: &Shared,
    trailers: &HeaderMap,
    reflected: &Arc<Reflected>,
    offset: u64,
) -> Vec<Finding> {
    findings_in_lines(shared, trailers.iter(), reflected, offset)
}

fn findings_in_lines<'h>(
    shared: &Shared,
    fields: impl Iterator<Item = (&'h HeaderName, &'h HeaderValue)>,
    reflected: &Arc<Reflected>,
    offset: u64,
) -> Vec<Finding> {
    // A line each, so that nothing is found across two of them.
    let form = TextForm { charset: Charset::Utf8, boundary: Boundary::Line };
    let mut lines = Vec::new();
    for (name, value) in fields {
        // A name is the application's too; of what a register holds, ids and numbers can stand in one.
        if name.as_str().bytes().any(|byte| byte.is_ascii_digit()) {
            lines.extend_from_slice(name.as_str().as_bytes());
            lines.push(b'\n');
        }
        lines.extend_from_slice(value.as_bytes());
        lines.push(b'\n');
    }
    let mut findings = Vec::new();
    let index = shared.index.load();
    if lines_hold_nothing(&index, &lines) {
        return findings;
    }
    let mut scanner = Scanner::new(Arc::clone(&index), form, Arc::clone(reflected));
    scanner.feed(&lines, &mut findings);
    scanner.finish(&mut findings);
    for finding in &mut findings {
        finding.span = ByteRange { start: offset, end: offset };
    }
    findings
}

/// Whether a field leaves as the gateway writes it, is taken out, or can hold nothing: a date that is one.
fn is_settled_here(name: &str, value: &HeaderValue) -> bool {
    match name {
        "content-length" => true,
        "date" => is_date(value.as_bytes()),
        _ => is_removed(name),
    }
}

/// Whether this has the form of `Tue, 24 Nov 2026 03:04:05 GMT` (RFC 9110, 5.6.7).
fn is_date(value: &[u8]) -> bool {
    const FORM: &[u8; 29] = b"aaa, 00 aaa 0000 00:00:00 GMT";
    let has_form = |(byte, form): (&u8, &u8)| match form {
        b'a' => byte.is_ascii_alphabetic(),
        b'0' => byte.is_ascii_digit(),
        form => byte == form,
    };
    value.len() == FORM.len() && value.iter().zip(FORM).all(has_form)
}

/// Validators, digests and the offer of ranges.
fn is_removed(name: &str) -> bool {
    matches!(
        name,
        "etag" | "last-modified" | "accept-ranges" | "digest" | "content-digest" | "repr-digest" | "content-md5"
    )
}

/// Removes validators, digests and the offer of ranges.
pub(super) fn clean(headers: &mut HeaderMap) {
    remove_all(headers, is_removed);
}

/// Keeps a response out of every cache.
pub(super) fn forbid_caching(headers: &mut HeaderMap) {
    remove_all(headers, |name| {
        matches!(name, "expires" | "pragma" | "surrogate-control" | "edge-control" | "x-accel-expires")
            || name.ends_with("cdn-cache-control")
    });
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
}

/// Whether the type is one of a site's shared parts.
pub(super) fn is_asset(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    let begins = |family: &str| essence.get(..family.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(family));
    let types =
        ["text/css", "text/javascript", "application/javascript", "application/x-javascript", "application/wasm"];
    ["image/", "font/", "video/", "audio/"].into_iter().any(begins)
        || types.iter().any(|asset| essence.eq_ignore_ascii_case(asset))
}
