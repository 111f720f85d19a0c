//! Asks for a page as a polite visitor does, and keeps every byte of it.
//!
//! One connection a request, no cookies, no scripts. Each redirect is a hop of its own. `robots.txt` is asked first, and
//! two requests to one host lie [`Options::host_gap`] apart. What went over the wire is copied as it was, below TLS, so
//! that the archive holds the server's own bytes. An answer that does not come is an outcome, not an error.

mod address;
mod wire;

pub use address::is_public;

use crate::Error;
use crate::address_list::URL_BYTES_MAX;
use crate::http_message::{BODY_BYTES_MAX, Response};
use crate::robots::{PRODUCT_TOKEN, ROBOTS_BYTES_MAX, Robots};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONNECTION, HOST, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::Url;
use wire::{Recorded, Wire};

/// Redirects that are followed; a longer chain counts as unreachable.
pub const HOPS_MAX: usize = 8;
/// What one visit may spend waiting for answers, all hops and their `robots.txt` together, as a multiple of
/// [`Options::answer_max`]: a chain of slow answers would hold up the pages behind it. Turns are not counted.
pub const VISIT_ANSWERS_MAX: u32 = 4;
/// Bytes of a header's value that is sent back or kept; a longer one is left out.
pub(crate) const HEADER_BYTES_MAX: usize = 1_024;
/// Addresses of a host that are tried.
const ADDRESSES_MAX: usize = 4;
/// How long one address may take to answer a connection attempt.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long an answer of `robots.txt` is believed; the RFC says no longer than a day.
const ROBOTS_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How to ask.
#[derive(Clone, Debug)]
pub struct Options {
    /// Private and loopback addresses may be asked: for tests, and for a firm's own network.
    pub allow_private: bool,
    /// From the request to the last byte.
    pub answer_max: Duration,
    /// Between two requests to one host.
    pub host_gap: Duration,
    /// An address or mailbox in the `User-Agent`, so that a firm can ask who is looking.
    pub contact: Option<String>,
}

/// One request and its answer, as they went over the wire.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// The address asked.
    pub url: String,
    /// The request's bytes; empty when no connection came about.
    pub request: Vec<u8>,
    /// The response's bytes; empty when none came.
    pub response: Vec<u8>,
    /// Why the response's end is missing, if it is.
    pub truncated: Option<Truncated>,
    /// The status; 0 when no answer came.
    pub status: u16,
}

/// Why the end of a response is missing, in the words of WARC/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncated {
    /// It was larger than the limit.
    Length,
    /// It took longer than the limit.
    Time,
    /// The connection broke off.
    Disconnect,
}

/// What the server was told of our last visit.
#[derive(Clone, Debug, Default)]
pub struct Conditional {
    /// The tag of the page that we have.
    pub etag: Option<String>,
    /// The page's time as the server said it.
    pub last_modified: Option<String>,
}

impl Conditional {
    fn is_asked(&self) -> bool {
        self.etag.is_some() || self.last_modified.is_some()
    }
}

/// How asking ended.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// An answer that is no redirect, and where it came from.
    Answer(Response, Url),
    /// None, and why.
    Failed(String),
    /// The site asks that the page be left alone.
    NotAllowed,
}

/// Everything about one visit.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) outcome: Outcome,
    trip: Trip,
}

/// What a visit, or a question to a firm's log, may still do.
#[derive(Clone, Copy, Debug)]
struct Trip {
    /// How long it may still wait for answers.
    patience: Duration,
    /// Whether private addresses may be asked.
    allow_private: bool,
}

impl Trip {
    fn may_ask(&self, address: IpAddr) -> bool {
        self.allow_private || is_public(address)
    }

    /// A public site was reached. It must not lead us into the operator's own network, whatever the operator allowed.
    fn reached(&mut self, address: IpAddr) {
        self.allow_private &= !is_public(address);
    }
}

/// Asks for pages.
pub struct Fetcher {
    options: Options,
    tls: TlsConnector,
    robots: Mutex<HashMap<String, (Instant, Option<Robots>)>>,
    next: Mutex<HashMap<String, Instant>>,
}

impl Fetcher {
    /// With the system's root certificates.
    pub fn new(options: Options) -> Result<Fetcher, Error> {
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if added == 0 {
            tracing::warn!("found no root certificates on this system: every https page will be unreachable");
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|err| Error::Tls(err.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tls = TlsConnector::from(Arc::new(config));
        Ok(Fetcher { options, tls, robots: Mutex::default(), next: Mutex::default() })
    }

    /// Visits a page, following redirects.
    pub(crate) async fn visit(&self, url: &Url, conditional: &Conditional) -> Visit {
        let mut visit = Visit { exchanges: Vec::new(), outcome: Outcome::NotAllowed, trip: self.trip() };
        self.go_on(&mut visit, url, conditional).await;
        visit
    }

    fn trip(&self) -> Trip {
        let Options { answer_max, allow_private, .. } = self.options;
        Trip { patience: answer_max * VISIT_ANSWERS_MAX, allow_private }
    }

    /// Goes on with a visit at another address, within what is left of its hops and its patience.
    pub(crate) async fn go_on(&self, visit: &mut Visit, url: &Url, conditional: &Conditional) {
        let Visit { exchanges, trip, .. } = visit;
        let mut next = url.clone();
        let mut conditional = conditional.clone();
        visit.outcome = loop {
            if exchanges.len() > HOPS_MAX {
                break Outcome::Failed(format!("more than {HOPS_MAX} redirects"));
            }
            match self.allowed(&next, trip).await {
                Ok(true) => {}
                Ok(false) => break Outcome::NotAllowed,
                Err(reason) => break Outcome::Failed(reason),
            }
            let asked = std::mem::take(&mut conditional);
            let (exchange, answer) = self.ask(&next, &asked, BODY_BYTES_MAX, trip).await;
            exchanges.push(exchange);
            let response = match answer {
                Ok(response) => response,
                Err(reason) => break Outcome::Failed(reason),
            };
            if response.status == 304 && !asked.is_asked() {
                break Outcome::Failed("status 304 without being asked for it".to_owned());
            }
            if ![301, 302, 303, 307, 308].contains(&response.status) {
                break Outcome::Answer(response, next);
            }
            match response.header("location").map(|location| next.join(location)) {
                Some(Ok(target)) if may_follow(&target) => next = target,
                _ => break Outcome::Failed(format!("status {} leads nowhere", response.status)),
            }
        };
    }

    /// Asks for one file below a firm's log: its body when the status is 200, `None` when it says that there is none.
    pub(crate) async fn file(&self, url: &Url, bytes_max: usize) -> Result<Option<Vec<u8>>, String> {
        let mut trip = self.trip();
        if !self.allowed(url, &mut trip).await? {
            return Err(format!("robots.txt asks that {url} be left alone"));
        }
        let (exchange, answer) = self.ask(url, &Conditional::default(), bytes_max, &mut trip).await;
        let response = answer.map_err(|reason| format!("{url}: {reason}"))?;
        match response.status {
            200 if exchange.truncated.is_some() => Err(format!("{url} is larger than {bytes_max} bytes")),
            200 => Ok(Some(response.body)),
            404 | 410 => Ok(None),
            status => Err(format!("{url}: status {status}")),
        }
    }

    /// Whether `robots.txt` lets us ask; an error when it cannot be learned (RFC 9309, section 2.3.1.4).
    async fn allowed(&self, url: &Url, trip: &mut Trip) -> Result<bool, String> {
        let origin = url.origin().ascii_serialization();
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let known = lock(&self.robots).get(&origin).cloned();
        if let Some((_, Some(robots))) = known.filter(|(at, _)| at.elapsed() < ROBOTS_AGE_MAX) {
            return Ok(robots.allows(path));
        }
        let robots = self.ask_robots(url, trip).await?;
        let allowed = robots.allows(path);
        lock(&self.robots).insert(origin, (Instant::now(), Some(robots)));
        Ok(allowed)
    }

    async fn ask_robots(&self, page: &Url, trip: &mut Trip) -> Result<Robots, String> {
        let mut url = page.join("/robots.txt").map_err(|err| err.to_string())?;
        for _ in 0..=HOPS_MAX {
            let (_, answer) = self.ask(&url, &Conditional::default(), ROBOTS_BYTES_MAX, trip).await;
            let response = answer?;
            match response.status {
                200..=299 => return Ok(Robots::parse(&String::from_utf8_lossy(&response.body))),
                301 | 302 | 303 | 307 | 308 => match response.header("location").map(|target| url.join(target)) {
                    Some(Ok(target)) if may_follow(&target) => url = target,
                    _ => return Ok(Robots::allow_all()),
                },
                // 429 is a server under load, and meant as one.
                500.. | 429 => return Err(format!("robots.txt: status {}", response.status)),
                _ => return Ok(Robots::allow_all()),
            }
        }
        Ok(Robots::allow_all())
    }

    /// One request, in its turn.
    async fn ask(
        &self,
        url: &Url,
        conditional: &Conditional,
        max: usize,
        trip: &mut Trip,
    ) -> (Exchange, Result<Response, String>) {
        self.wait_for_turn(url).await;
        let wire = Arc::new(Mutex::new(Wire::default()));
        let answer_max = self.options.answer_max.min(trip.patience);
        let begin = Instant::now();
        let ended = tokio::time::timeout(answer_max, self.exchange(url, conditional, max, (&wire, trip))).await;
        trip.patience = trip.patience.saturating_sub(begin.elapsed());
        let wire = std::mem::take(&mut *lock(&wire));
        let truncated = match &ended {
            Ok(Ok(true)) if !wire.is_full() => None,
            Ok(Ok(_)) => Some(Truncated::Length),
            Ok(Err(_)) => Some(Truncated::Disconnect),
            Err(_) => Some(Truncated::Time),
        };
        let ended = ended.unwrap_or_else(|_| {
            let limit = self.options.answer_max;
            Err(match answer_max < limit {
                true => {
                    format!("all answers together took more than {:.0} s", (limit * VISIT_ANSWERS_MAX).as_secs_f64())
                }
                false => format!("no whole answer within {} s", limit.as_secs_f64()),
            })
        });
        let response = Response::parse(&wire.received);
        let status = response.as_ref().map_or(0, |response| response.status);
        let answer = ended.and_then(|_| response.ok_or_else(|| "the answer is no HTTP".to_owned()));
        let (request, response) = (wire.sent, wire.received);
        (Exchange { url: url.to_string(), request, response, truncated, status }, answer)
    }

    /// Connects, asks, and reads to the end; whether the end came within the limit.
    async fn exchange(
        &self,
        url: &Url,
        conditional: &Conditional,
        max: usize,
        (wire, trip): (&Arc<Mutex<Wire>>, &mut Trip),
    ) -> Result<bool, String> {
        let stream = self.connect(url, trip).await?;
        if url.scheme() == "http" {
            return converse(Recorded::new(stream, wire), self.request(url, conditional)?, max).await;
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(|_| "the host is no name for TLS".to_owned())?;
        let tls = self.tls.connect(name, stream).await.map_err(|err| format!("TLS: {err}"))?;
        converse(Recorded::new(tls, wire), self.request(url, conditional)?, max).await
    }

    async fn connect(&self, url: &Url, trip: &mut Trip) -> Result<TcpStream, String> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = url.port_or_known_default().unwrap_or(80);
        let found =
            tokio::net::lookup_host((host, port)).await.map_err(|err| format!("no address for {host}: {err}"))?;
        let found: Vec<_> = found.collect();
        let usable: Vec<_> =
            found.iter().copied().filter(|address| trip.may_ask(address.ip())).take(ADDRESSES_MAX).collect();
        if usable.is_empty() {
            return Err(match found.first() {
                Some(address) if self.options.allow_private => {
                    format!("{} is a private address, and a public site led to it", address.ip())
                }
                Some(address) => format!("{} is a private address; --allow-private asks it", address.ip()),
                None => format!("no address for {host}"),
            });
        }
        let mut reason = String::new();
        for address in usable {
            match tokio::time::timeout(CONNECT_MAX, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    trip.reached(address.ip());
                    return Ok(stream);
                }
                Ok(Err(err)) => reason = format!("cannot connect to {address}: {err}"),
                Err(_) => reason = format!("cannot connect to {address} within {} s", CONNECT_MAX.as_secs()),
            }
        }
        Err(reason)
    }

    fn request(&self, url: &Url, conditional: &Conditional) -> Result<Request<Empty<Bytes>>, String> {
        let contact = self.options.contact.as_ref().map(|contact| format!("; {contact}")).unwrap_or_default();
        let agent = format!("{PRODUCT_TOKEN}/{} (archives public notices{contact})", env!("CARGO_PKG_VERSION"));
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let mut request = Request::get(&url[url::Position::BeforePath..url::Position::AfterQuery])
            .header(HOST, authority)
            .header(header::USER_AGENT, agent)
            .header(ACCEPT, "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8")
            .header(ACCEPT_LANGUAGE, "ja,en;q=0.8")
            .header(ACCEPT_ENCODING, "identity")
            .header(CONNECTION, "close");
        if let Some(etag) = &conditional.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(time) = &conditional.last_modified {
            request = request.header(IF_MODIFIED_SINCE, time);
        }
        request.body(Empty::new()).map_err(|err| format!("cannot ask: {err}"))
    }

    /// Waits until the host may be asked again, and takes the turn.
    async fn wait_for_turn(&self, url: &Url) {
        let host = url.host_str().unwrap_or_default().to_owned();
        let asked = lock(&self.robots).get(&url.origin().ascii_serialization()).cloned();
        let asked = asked.and_then(|(_, robots)| robots?.crawl_delay);
        let gap = self.options.host_gap.max(asked.unwrap_or_default());
        let at = {
            let mut next = lock(&self.next);
            let at = next.get(&host).copied().unwrap_or_else(Instant::now).max(Instant::now());
            next.insert(host, at + gap);
            at
        };
        tokio::time::sleep_until(at.into()).await;
    }
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Sends the request and reads the answer; the bytes are in the wire's record.
async fn converse<S>(stream: Recorded<S>, request: Request<Empty<Bytes>>, max: usize) -> Result<bool, String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let told = |err: hyper::Error| match std::error::Error::source(&err) {
        Some(source) => format!("the answer broke off: {source}"),
        None => format!("the answer broke off: {err}"),
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(told)?;
    let connection = tokio::spawn(connection);
    let ended = async {
        let mut body = sender.send_request(request).await.map_err(told)?.into_body();
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            bytes += frame.map_err(told)?.data_ref().map_or(0, Bytes::len);
            if bytes > max {
                return Ok(false);
            }
        }
        Ok(true)
    }
    .await;
    connection.abort();
    ended
}

/// Whether a redirect's target is an address that we ask, and that fits into the log.
pub(crate) fn may_follow(target: &Url) -> bool {
    ["http", "https"].contains(&target.scheme()) && target.as_str().len() <= URL_BYTES_MAX
}

/// A poisoned lock guards plain maps, which are whole after any panic.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_site_does_not_lead_into_the_operators_network() {
        let [public, private] = ["8.8.8.8", "127.0.0.1"].map(|text| text.parse::<IpAddr>().expect("an address"));
        let mut trip = Trip { patience: Duration::ZERO, allow_private: true };
        trip.reached(private);
        assert!(trip.may_ask(private) && trip.may_ask(public), "the operator allowed it");
        trip.reached(public);
        assert!(!trip.may_ask(private) && trip.may_ask(public));
    }

    #[test]
    fn a_redirect_must_fit_into_the_log() {
        let url =
            |length: usize| Url::parse(&format!("https://example.jp/{}", "x".repeat(length))).expect("an address");
        assert!(may_follow(&url(1_000)) && !may_follow(&url(URL_BYTES_MAX)));
        assert!(!may_follow(&Url::parse("file:///etc/hosts").expect("an address")));
    }
}
