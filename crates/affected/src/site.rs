//! The page: a form, and one answer to a code.
//!
//! Every answer has the same number of bytes and leaves at the same beat, found or not, so that neither the network
//! nor a proxy's log tells who was affected. All pages that depend on a code are made once, at the start; a question
//! costs one keyed hash and one search. `client` says whose address counts, `pages` what is shown.

mod client;
mod pages;

use crate::Error;
use crate::code::{CaseCode, Mistyped, TYPED_CHARS_MAX};
use crate::config::Config;
use crate::keys::{CodeHash, LookupKey};
use crate::limits::{Client, Limits};
use crate::mail::{self, Courier, Mailed, Message};
use crate::notice::Left;
use crate::store::Store;
use crate::words::Language;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ipnet::IpNet;
use pages::{Both, Pages};
use sekisho_model::{Clock, Timestamp};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};

pub use pages::ANSWER_BYTES;

/// Bytes of a question; beyond, it is refused.
const BODY_BYTES_MAX: usize = 4_096;
/// How long a question may take to arrive; beyond, it is refused.
const BODY_WAIT_MAX: Duration = Duration::from_secs(10);
/// Questions under way; beyond, they are refused at once, whatever they ask.
const QUESTIONS_MAX: usize = 1_024;
/// The beat while wrong codes come in floods.
const FLOODED_BEAT: Duration = Duration::from_secs(1);

/// The page with its stores.
#[derive(Debug)]
pub struct Site {
    key: LookupKey,
    /// Of all cases, sorted by hash. A binary search's steps depend on the keyed hash alone, which nobody outside
    /// can choose or know.
    codes: Vec<(CodeHash, Known)>,
    pages: Pages,
    /// Of all stores, sorted by hash; an address may stand in several.
    addresses: Vec<(CodeHash, Known)>,
    courier: Option<Arc<dyn Courier>>,
    mailed: Mutex<Mailed>,
    trusted: Vec<IpNet>,
    beat: Duration,
    clock: Arc<dyn Clock>,
    limits: Mutex<Limits>,
    under_way: Semaphore,
}

/// What a code leads to.
#[derive(Clone, Copy, Debug)]
struct Known {
    expires: Timestamp,
    page: u32,
}

/// What a question gets.
enum Answer {
    Ready(Both),
    Mistyped(Mistyped, String),
    MailMistyped(String),
}

/// What is asked.
#[derive(Clone, Copy)]
enum Question {
    Code,
    Mail,
}

impl Site {
    /// Makes every page. Without a courier nobody can ask for a code by mail.
    pub fn new(
        config: &Config,
        key: LookupKey,
        stores: &[Store],
        clock: Arc<dyn Clock>,
        courier: Option<Arc<dyn Courier>>,
    ) -> Result<Site, Error> {
        let mut pages = Pages::new(&config.firm, courier.is_some())?;
        let mut codes = Vec::with_capacity(stores.iter().map(|store| store.entries().len()).sum());
        let mut addresses = Vec::new();
        for store in stores {
            let sets = store.sets();
            let first = pages.add(store.notice(), &sets)?;
            let expires = Timestamp(store.notice().expires.as_microsecond());
            let known = |&(hash, left): &(CodeHash, Left)| {
                // `sets` holds every entry's set, by construction.
                let place = sets.partition_point(|&set| set < left);
                (hash, Known { expires, page: first + place as u32 })
            };
            codes.extend(store.entries().iter().map(known));
            addresses.extend(store.mails().iter().map(known));
        }
        addresses.sort_by_key(|&(hash, _)| hash);
        codes.sort_unstable_by_key(|&(hash, _)| hash);
        if codes.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(Error::Store("two stores have the same code; a case may be named once".to_owned()));
        }
        Ok(Site {
            key,
            codes,
            pages,
            addresses,
            courier,
            mailed: Mutex::new(Mailed::new()),
            trusted: config.trusted_proxies.clone(),
            beat: config.beat(),
            clock,
            limits: Mutex::new(Limits::new(config.limits)),
            under_way: Semaphore::new(QUESTIONS_MAX),
        })
    }

    /// How many codes are known.
    #[must_use]
    pub fn codes(&self) -> usize {
        self.codes.len()
    }

    /// The routes. Served with the peer's address as `ConnectInfo`.
    pub fn router(self) -> Router {
        let site = Arc::new(self);
        let mail = Router::new()
            .route("/mail", get(mail_ja).post(ask_mail_ja))
            .route("/en/mail", get(mail_en).post(ask_mail_en));
        let mail = if site.courier.is_some() { mail } else { Router::new() };
        Router::new()
            .merge(mail)
            .route("/", get(form_ja).post(ask_ja))
            .route("/en", get(form_en).post(ask_en))
            .route("/style.css", get(style))
            .route("/health", get(|| async { "ok\n" }))
            .layer(map_response(guard))
            .with_state(site)
    }

    /// The page that a code leads to; the same page for all that lead nowhere.
    fn look_up(&self, code: &CaseCode, now: Timestamp) -> Option<u32> {
        let hash = self.key.hash(code);
        if let Some(page) = self.mailed().take(&hash, self.clock.elapsed()) {
            return Some(page);
        }
        let place = self.codes.binary_search_by_key(&hash, |&(known, _)| known).ok()?;
        let known = self.codes[place].1;
        (now < known.expires).then_some(known.page)
    }

    fn answer(&self, typed: &str) -> Answer {
        let code = match CaseCode::parse(typed) {
            Ok(code) => code,
            // It says nothing about anybody: whoever typed it could have found out alone.
            Err(problem) => return Answer::Mistyped(problem, typed.chars().take(TYPED_CHARS_MAX).collect()),
        };
        match self.look_up(&code, self.clock.now()) {
            Some(page) => Answer::Ready(self.pages.found(page)),
            None => {
                if self.limits().count_wrong(self.clock.elapsed()) {
                    tracing::warn!("wrong codes come in floods: answers slow down to one a second");
                }
                Answer::Ready(self.pages.unknown())
            }
        }
    }

    /// The same page whether the address is known or not, and a message to the courier either way.
    fn answer_mail(&self, typed: &str, language: Language) -> Answer {
        let Some(address) = mail::typed_address(typed) else {
            return Answer::MailMistyped(typed.chars().take(mail::ADDRESS_BYTES_MAX).collect());
        };
        let (hash, now) = (self.key.hash_mail(&address), self.clock.elapsed());
        let first = self.addresses.partition_point(|&(known, _)| known < hash);
        let same = self.addresses[first..].iter().take_while(|&&(known, _)| known == hash);
        let open = same.filter(|(_, known)| self.clock.now() < known.expires);
        let mut pages: Vec<u32> = open.map(|(_, known)| known.page).collect();
        if !pages.is_empty() && !self.mailed().may_mail(hash, now) {
            pages.clear();
        }
        match mail::fresh_codes(pages.len()) {
            Ok(codes) => {
                for (code, &page) in codes.iter().zip(&pages) {
                    self.mailed().expect(self.key.hash(code), page, now);
                }
                let to = (!pages.is_empty()).then_some(address);
                let codes = codes.iter().map(CaseCode::printed).collect();
                if let Some(courier) = &self.courier {
                    courier.hand(Message::new(to, language.words().lang, codes));
                }
            }
            Err(err) => tracing::error!("the system gives no random bytes: {err}"),
        }
        Answer::Ready(self.pages.mailed())
    }

    fn mailed(&self) -> std::sync::MutexGuard<'_, Mailed> {
        self.mailed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limits(&self) -> std::sync::MutexGuard<'_, Limits> {
        // Buckets are plain numbers: whatever a panic left is still a number of tokens.
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until `ended` is done; then open questions are answered.
pub async fn serve(
    site: Site,
    listener: tokio::net::TcpListener,
    ended: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let service = site.router().into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(ended).await
}

async fn form_ja(State(site): State<Arc<Site>>) -> Response {
    html(StatusCode::OK, site.pages.form().of(Language::Ja))
}

async fn form_en(State(site): State<Arc<Site>>) -> Response {
    html(StatusCode::OK, site.pages.form().of(Language::En))
}

async fn ask_ja(State(site): State<Arc<Site>>, peer: ConnectInfo<SocketAddr>, request: Request) -> Response {
    ask(&site, peer.0, request, Question::Code, Language::Ja).await
}

async fn ask_en(State(site): State<Arc<Site>>, peer: ConnectInfo<SocketAddr>, request: Request) -> Response {
    ask(&site, peer.0, request, Question::Code, Language::En).await
}

async fn mail_ja(State(site): State<Arc<Site>>) -> Response {
    html(StatusCode::OK, site.pages.mail_form().of(Language::Ja))
}

async fn mail_en(State(site): State<Arc<Site>>) -> Response {
    html(StatusCode::OK, site.pages.mail_form().of(Language::En))
}

async fn ask_mail_ja(State(site): State<Arc<Site>>, peer: ConnectInfo<SocketAddr>, request: Request) -> Response {
    ask(&site, peer.0, request, Question::Mail, Language::Ja).await
}

async fn ask_mail_en(State(site): State<Arc<Site>>, peer: ConnectInfo<SocketAddr>, request: Request) -> Response {
    ask(&site, peer.0, request, Question::Mail, Language::En).await
}

async fn ask(site: &Site, peer: SocketAddr, request: Request, question: Question, language: Language) -> Response {
    let busy = |status| html(status, site.pages.busy().of(language));
    let Ok(_place) = site.under_way.try_acquire() else { return busy(StatusCode::SERVICE_UNAVAILABLE) };
    let client = Client::of(client::address(peer.ip(), request.headers(), &site.trusted));
    let body = match timeout(BODY_WAIT_MAX, to_bytes(request.into_body(), BODY_BYTES_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    // From here on nothing depends on the client's line.
    let came = Instant::now();
    let (may_ask, flooded) = {
        let (mut limits, now) = (site.limits(), site.clock.elapsed());
        (limits.may_ask(client, now), limits.is_flooded(now))
    };
    let response = if may_ask {
        let answer = match question {
            Question::Code => site.answer(&typed(&body, "code")),
            Question::Mail => site.answer_mail(&typed(&body, "mail"), language),
        };
        let page = match answer {
            Answer::Ready(both) => Ok(both.of(language)),
            Answer::Mistyped(problem, typed) => site.pages.mistyped(language, problem, &typed),
            Answer::MailMistyped(typed) => site.pages.mail_mistyped(language, &typed),
        };
        page.map_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response(), |page| html(StatusCode::OK, page))
    } else {
        busy(StatusCode::TOO_MANY_REQUESTS)
    };
    sleep_until(next_beat(came, Instant::now(), if flooded { FLOODED_BEAT } else { site.beat })).await;
    response
}

/// The first beat after `now`, counted from when the question came.
fn next_beat(came: Instant, now: Instant, beat: Duration) -> Instant {
    let beats = (now - came).as_nanos() / beat.as_nanos() + 1;
    came + beat.saturating_mul(u32::try_from(beats).unwrap_or(u32::MAX))
}

/// A field of the form; nothing when it is not there.
fn typed(body: &[u8], field: &str) -> String {
    let field = form_urlencoded::parse(body).find(|(name, _)| name == field);
    field.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn html(status: StatusCode, page: Bytes) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], Body::from(page)).into_response()
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], pages::STYLE).into_response()
}

/// What every response says: nothing of it may be kept, framed, scripted or passed on.
async fn guard(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 8] = [
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_leave_at_beats_counted_from_the_question() {
        let came = Instant::now();
        let leaves = |after_ms| {
            let now = came + Duration::from_millis(after_ms);
            (next_beat(came, now, Duration::from_millis(50)) - came).as_millis()
        };
        assert_eq!([0, 3, 49, 50, 120].map(leaves), [50, 50, 50, 100, 150]);
    }

    #[test]
    fn the_code_comes_from_the_form() {
        assert_eq!(typed(b"code=04HMA-SW9NF&x=1", "code"), "04HMA-SW9NF");
        assert_eq!(typed("code=%EF%BC%90+4".as_bytes(), "code"), "０ 4");
        assert_eq!(typed(b"cod=1", "code"), "");
        assert_eq!(typed(b"\xff\x00&&==", "code"), "");
    }
}
