//! Decides from a response's head what happens to it, and makes its body one that is released by the ledger.

use super::body::InspectedBody;
use super::decode::{Decoder, Encoding};
use super::flow::{Flow, Treatment, WaitForUpstream};
use super::journal::{Batch, Journal, Stake};
use super::media::Media;
use super::{BodyError, Bounds, RoutePolicy, head};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, response};
use http_body::Body;
use sekisho_edm::Reflected;
use sekisho_ledger::NotDurable;
use sekisho_model::{Disposition, Uninspectable, WithheldOutcome};
use std::error::Error;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

/// Bodies of at most this length keep their head back until the first finding is decided: a refusal is then a 503.
/// A longer one that cannot be recorded is broken off.
const HEAD_WAITS_BYTES_MAX: u64 = 64 * 1024;

const UNRECORDED: &str = "503 The answer cannot be recorded now, and so is withheld. Please try again later.\n";
const HELD: &str = "503 Too many answers are on their way now. Please try again later.\n";
const PARTIAL: &str = "502 The server sent a part of an answer that was not asked for.\n";
const WITHHELD: &str = "403 この内容は表示できません。お困りのときは、お客様窓口へご連絡ください。\n\
                        403 This answer is withheld: it holds data that this session may not see.\n";
const BROKEN: &str = "502 The server's answer is broken.\n";

/// Why a head does not leave.
enum HeadError {
    /// It cannot be recorded (GW-1).
    NotDurable,
    /// The route's policy forbids what it holds.
    Withheld,
}

/// A response on its way.
pub(super) struct Examiner {
    pub(super) journal: Box<Journal>,
    pub(super) method: Method,
    pub(super) policy: RoutePolicy,
    pub(super) is_personal: bool,
    pub(super) reflected: Arc<Reflected>,
    pub(super) bounds: Arc<Bounds>,
}

impl Examiner {
    pub(super) async fn examine<B>(mut self, response: Response<B>) -> Response<InspectedBody<B>>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (head, body) = response.into_parts();
        self.journal.transaction.status = head.status.as_u16();
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return self.upgraded(head, body);
        }
        match self.policy.inspect {
            true => self.inspect(head, body).await,
            false => {
                self.journal.not_inspectable(Uninspectable::RouteExcluded);
                let is_empty = has_no_body(&self.method, &head, &body);
                let body = Box::new(Flow::new(body, self.journal, Treatment::passing()));
                deliver(head, body, is_empty)
            }
        }
    }

    /// The connection becomes another protocol; its bytes are never seen here.
    fn upgraded<B>(mut self, head: response::Parts, body: B) -> Response<InspectedBody<B>>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        self.journal.not_inspectable(Uninspectable::Upgraded);
        self.journal.dispose(Disposition::Released);
        self.journal.close();
        Response::from_parts(head, InspectedBody::new(Box::new(Flow::new(body, self.journal, Treatment::passing()))))
    }

    async fn inspect<B>(mut self, mut head: response::Parts, body: B) -> Response<InspectedBody<B>>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        if is_partial(&head) {
            self.journal.not_inspectable(Uninspectable::Partial);
            return refuse(self.journal, Disposition::Refused, StatusCode::BAD_GATEWAY, PARTIAL);
        }
        match self.record_head(&head.headers).await {
            Ok(()) => {}
            Err(HeadError::NotDurable) => {
                return refuse(self.journal, Disposition::Refused, StatusCode::SERVICE_UNAVAILABLE, UNRECORDED);
            }
            Err(HeadError::Withheld) => {
                return refuse(self.journal, Disposition::Blocked, StatusCode::FORBIDDEN, WITHHELD);
            }
        }
        head::clean(&mut head.headers);
        let is_shared = head::is_asset(&head.headers);
        if self.is_personal && !is_shared {
            head::forbid_caching(&mut head.headers);
        }
        // Whether the upstream's word on caching stands only for a page that is known to be clean.
        let must_be_clean = !self.is_personal && !is_shared;
        let is_empty = has_no_body(&self.method, &head, &body);
        if is_empty {
            self.journal.without_body();
            // The head of a page that nobody looked at says what a cache may do with that.
            let is_of_another = self.method == Method::HEAD || head.status == StatusCode::NOT_MODIFIED;
            if self.journal.has_findings() || must_be_clean && is_of_another {
                head::forbid_caching(&mut head.headers);
            }
            let body = Box::new(Flow::new(body, self.journal, Treatment::passing()));
            return deliver(head, body, is_empty);
        }
        let wait = match body.size_hint().exact() {
            Some(bytes) if bytes <= HEAD_WAITS_BYTES_MAX => WaitForUpstream::Yes,
            _ => WaitForUpstream::No,
        };
        let treatment = self.treatment(&mut head.headers);
        let mut body = Box::new(Flow::new(body, self.journal, treatment));
        if must_be_clean && wait == WaitForUpstream::Yes {
            body.hold_whole();
        }
        match poll_fn(|cx| body.poll_first(cx, wait)).await {
            Ok(()) => {}
            Err(BodyError::Ledger(_)) => {
                let journal = body.into_journal();
                return refuse(journal, Disposition::Refused, StatusCode::SERVICE_UNAVAILABLE, UNRECORDED);
            }
            Err(BodyError::Held) => {
                return refuse(body.into_journal(), Disposition::Refused, StatusCode::SERVICE_UNAVAILABLE, HELD);
            }
            Err(BodyError::Withheld) => {
                return refuse(body.into_journal(), Disposition::Blocked, StatusCode::FORBIDDEN, WITHHELD);
            }
            Err(BodyError::Upstream(_) | BodyError::Decode(_)) => {
                return refuse(body.into_journal(), Disposition::UpstreamFailed, StatusCode::BAD_GATEWAY, BROKEN);
            }
        }
        if body.journal().has_findings() || must_be_clean && !body.is_clean() {
            head::forbid_caching(&mut head.headers);
        }
        let is_empty = body.is_finished();
        deliver(head, body, is_empty)
    }

    /// The head's own values: found, recorded and durable before the head leaves.
    async fn record_head(&mut self, headers: &HeaderMap) -> Result<(), HeadError> {
        let findings = head::findings_in(&self.journal.shared, headers, &self.reflected);
        if findings.is_empty() {
            return Ok(());
        }
        if let Some(forbidden) = self.journal.judge(&findings) {
            // A value in a head has no place that could be masked.
            self.journal.withheld(forbidden, WithheldOutcome::Ended);
            return Err(HeadError::Withheld);
        }
        let failure = match self.journal.expose(&findings) {
            Ok(mut batch) => match await_batch(&mut batch).await {
                Ok(()) => {
                    self.journal.durable(&batch);
                    return Ok(());
                }
                Err(err) => (batch.stake, err),
            },
            Err(failure) => failure,
        };
        self.pass_or_refuse(failure)
    }

    fn pass_or_refuse(&mut self, (stake, _err): (Stake, NotDurable)) -> Result<(), HeadError> {
        match self.journal.may_pass(stake) {
            true => {
                self.journal.not_inspectable(Uninspectable::LedgerUnavailable);
                Ok(())
            }
            false => Err(HeadError::NotDurable),
        }
    }

    /// How the body is read. A body that comes encoded leaves decoded: what was scanned is what is released.
    fn treatment(&mut self, headers: &mut HeaderMap) -> Treatment {
        let reflected = Some(Arc::clone(&self.reflected));
        let decoder = match encoding(headers) {
            Encoded::No => None,
            Encoded::With(encoding) => match Decoder::new(encoding) {
                Ok(decoder) => Some(decoder),
                Err(_no_memory_for_it) => {
                    self.journal.not_inspectable(Uninspectable::DecodeFailed);
                    return Treatment { reflected, ..Treatment::passing() };
                }
            },
            Encoded::Unknown => {
                // The label may be wrong, or nobody's to read: what the bytes hold as they are is found all the same.
                self.journal.not_inspectable(Uninspectable::ContentEncoding);
                None
            }
        };
        if decoder.is_some() {
            headers.remove(CONTENT_ENCODING);
            headers.remove(CONTENT_LENGTH);
        }
        Treatment {
            media: Some(Media::of(headers)),
            reflected,
            decoder,
            decoded_bytes_max: self.bounds.decoded_bytes_max,
            idle_flush: self.bounds.idle_flush,
        }
    }
}

impl Treatment {
    /// Nothing is looked at.
    fn passing() -> Treatment {
        Treatment { media: None, reflected: None, decoder: None, decoded_bytes_max: 0, idle_flush: Duration::MAX }
    }
}

async fn await_batch(batch: &mut Batch) -> Result<(), NotDurable> {
    match &mut batch.wait {
        Some(wait) => wait.await,
        None => Ok(()),
    }
}

/// The response; one whose body has nothing to release is closed at once, as nobody may ever poll it.
fn deliver<B>(head: response::Parts, mut body: Box<Flow<B>>, is_empty: bool) -> Response<InspectedBody<B>>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if is_empty {
        body.journal().close();
    }
    Response::from_parts(head, InspectedBody::new(body))
}

/// A short answer of the gateway's own in place of the upstream's.
fn refuse<B>(
    mut journal: Box<Journal>,
    disposition: Disposition,
    status: StatusCode,
    text: &'static str,
) -> Response<InspectedBody<B>>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    journal.dispose(disposition);
    journal.transaction.status = status.as_u16();
    // Closed here: the record tells of the upstream's bytes, of which none was released.
    journal.close();
    let mut response = Response::new(InspectedBody::new(Box::new(Flow::own(text, journal))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    head::forbid_caching(headers);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// HEAD, 204, 304 and bodies of no bytes.
fn has_no_body<B: Body>(method: &Method, head: &response::Parts, body: &B) -> bool {
    method == Method::HEAD
        || head.status == StatusCode::NO_CONTENT
        || head.status == StatusCode::NOT_MODIFIED
        || body.is_end_stream()
}

/// A part that nobody asked for: `Range` never reaches the upstream of an inspected route.
fn is_partial(head: &response::Parts) -> bool {
    let value = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_byteranges = value.len() >= 20 && value[..20].eq_ignore_ascii_case(b"multipart/byteranges");
    head.status == StatusCode::PARTIAL_CONTENT || is_byteranges
}

enum Encoded {
    No,
    With(Encoding),
    Unknown,
}

/// One encoding is taken off; several on top of each other count as unknown.
fn encoding(headers: &HeaderMap) -> Encoded {
    let mut found = Encoded::No;
    for line in headers.get_all(CONTENT_ENCODING) {
        let Ok(line) = line.to_str() else { return Encoded::Unknown };
        let names = line.split(',').map(str::trim);
        for name in names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity")) {
            found = match (found, Encoding::from_name(name)) {
                (Encoded::No, Some(encoding)) => Encoded::With(encoding),
                _ => return Encoded::Unknown,
            };
        }
    }
    found
}
