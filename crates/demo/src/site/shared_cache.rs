//! Hole 3: a cache in front of pages about customers.
//!
//! Its key is the path alone. It should at least hold the session, and pages behind a sign-in should not be in it at
//! all: whoever asks for `/mypage/summary` or `/news` within five seconds after a customer gets that customer's page,
//! signed in or not.

use super::Shared;
use axum::body::{self, Body};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a page is served to others.
const LIFETIME: Duration = Duration::from_secs(5);
/// The largest page kept, in bytes; there is none as large on this site, and it would be answered with 500.
const PAGE_BYTES_MAX: usize = 256 * 1024;
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// Pages by path. It holds as many as there are cached routes: two.
#[derive(Default)]
pub(super) struct SharedCache {
    pages: Mutex<HashMap<String, CachedPage>>,
}

struct CachedPage {
    kept_at: Instant,
    text: Bytes,
}

impl SharedCache {
    fn page(&self, path: &str, now: Instant) -> Option<Bytes> {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let page = pages.get(path)?;
        (now.saturating_duration_since(page.kept_at) < LIFETIME).then(|| page.text.clone())
    }

    fn keep(&self, path: &str, now: Instant, text: Bytes) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.insert(path.to_owned(), CachedPage { kept_at: now, text });
    }
}

/// Answers from the cache, or lets the page be made and keeps it if it is one.
pub(super) async fn answer(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let path = request.uri().path().to_owned();
    if let Some(text) = shared.cache.page(&path, Instant::now()) {
        return html(text, HeaderValue::from_static("HIT"));
    }
    let response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    let Ok(text) = body::to_bytes(response.into_body(), PAGE_BYTES_MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    shared.cache.keep(&path, Instant::now(), text.clone());
    html(text, HeaderValue::from_static("MISS"))
}

fn html(text: Bytes, x_cache: HeaderValue) -> Response {
    let content_type = HeaderValue::from_static("text/html; charset=utf-8");
    ([(CONTENT_TYPE, content_type), (X_CACHE, x_cache)], Body::from(text)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_served_for_five_seconds() {
        let cache = SharedCache::default();
        let kept_at = Instant::now();
        cache.keep("/news", kept_at, Bytes::from_static(b"page"));
        assert!(cache.page("/news", kept_at + LIFETIME - Duration::from_millis(1)).is_some());
        assert!(cache.page("/news", kept_at + LIFETIME).is_none());
        assert!(cache.page("/mypage/summary", kept_at).is_none());
    }
}
