//! What the client gets: an upstream's body after inspection, or a short page of the gateway's own.

use crate::account::Account;
use crate::compress::{self, Compressed, Encoding};
use crate::config::Route;
use crate::download::UpstreamBody;
use crate::inspect::{InspectedBody, Reading};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Response, StatusCode, request};
use http_body::{Body, Frame, SizeHint};
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A body after inspection.
pub(crate) type Inspected = InspectedBody<Reading<UpstreamBody>>;

/// The body of any response, with the account that is closed when it ends or is dropped.
pub(crate) struct Reply {
    kind: Kind,
    account: Account,
}

enum Kind {
    Page(Option<Bytes>),
    Inspected(Inspected),
    Compressed(Box<Compressed<Inspected>>),
}

/// Whether and how a response is compressed for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    /// The route does not compress.
    Off,
    /// The route compresses, this client does not want it; caches must know.
    NotAccepted,
    /// With this encoding.
    With(Encoding),
}

impl Compression {
    /// What the route allows and the client accepts.
    pub(crate) fn wanted(route: &Route, head: &request::Parts) -> Compression {
        match route.compress && head.method != Method::HEAD {
            false => Compression::Off,
            true => Encoding::accepted(&head.headers).map_or(Compression::NotAccepted, Compression::With),
        }
    }
}

/// How long a client is asked to wait after a refusal, in seconds.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("5");

const SUSPENDED: &str = "403 安全のため、ご利用を一時停止しています。お手数ですが、お客様窓口へご連絡ください。\n\
                         403 For safety your access is suspended for now. Please contact our customer desk.\n";

/// What somebody who is kept out is told.
pub(crate) fn suspended(account: Account) -> Response<Reply> {
    text(StatusCode::FORBIDDEN, Bytes::from_static(SUSPENDED.as_bytes()), account)
}

/// A short page without details: they are in the log, not the client's business.
pub(crate) fn page(status: StatusCode, account: Account) -> Response<Reply> {
    let page = format!("{} {}\n", status.as_u16(), status.canonical_reason().unwrap_or("Error"));
    text(status, Bytes::from(page), account)
}

fn text(status: StatusCode, page: Bytes, account: Account) -> Response<Reply> {
    let mut response = Response::new(Reply::new(Kind::Page(Some(page)), account));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, RETRY_AFTER_S);
    }
    response
}

/// An upstream's response with its account, compressed where that is wanted and worth it.
pub(crate) fn inspected(response: Response<Inspected>, compression: Compression, account: Account) -> Response<Reply> {
    let (mut head, body) = response.into_parts();
    let eligible = compression != Compression::Off
        && !body.is_end_stream()
        && compress::is_eligible(&head, body.size_hint().exact());
    let kind = match (eligible, compression) {
        (true, Compression::With(encoding)) => match Compressed::new(body, encoding) {
            Ok(compressed) => {
                compress::encode_head(&mut head, encoding);
                Kind::Compressed(Box::new(compressed))
            }
            Err(err) => {
                tracing::error!(error = %err, "cannot start a compressor");
                return page(StatusCode::INTERNAL_SERVER_ERROR, account);
            }
        },
        _ => Kind::Inspected(body),
    };
    if eligible {
        compress::vary(&mut head);
    }
    Response::from_parts(head, Reply::new(kind, account))
}

impl Reply {
    fn new(kind: Kind, mut account: Account) -> Reply {
        account.handed_out();
        Reply { kind, account }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        this.account.asked();
        let polled = match &mut this.kind {
            Kind::Page(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Kind::Inspected(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Kind::Compressed(body) => Pin::new(body).poll_frame(cx),
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                this.account.body_bytes(frame.data_ref().map_or(0, Bytes::len));
                this.account.handed_out();
            }
            Poll::Ready(Some(Err(_))) => this.account.broke_off(),
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Page(text) => text.is_none(),
            Kind::Inspected(body) => body.is_end_stream(),
            Kind::Compressed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Page(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
            Kind::Inspected(body) => body.size_hint(),
            Kind::Compressed(body) => body.size_hint(),
        }
    }
}
