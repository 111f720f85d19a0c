//! WebSocket: a 101 on a listed route joins client and upstream byte for byte.
//!
//! What passes is not inspected and recorded as such. `Sec-WebSocket-Extensions` is removed both ways, so that what
//! passes is at least not compressed. The joined connections end with either side, when both fall silent for
//! [`SILENCE_MAX`], or at shutdown.

use crate::activity::{Activity, Watched};
use crate::head_gate::HeadGate;
use crate::headers::has_word;
use crate::server::{Contained, Worker};
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Version, response};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Parts, Upgraded};
use hyper_util::rt::TokioIo;
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Joined connections on which neither side says anything for so long are closed.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(600);
/// Bytes read at once in each direction; more are not held.
const BUFFER_BYTES: usize = 8 * 1024;

/// A client's wish for a WebSocket, on a route that allows it.
pub(crate) struct Wish {
    client: OnUpgrade,
}

/// The wish of a request (RFC 6455, 4.2.1): HTTP/1.1, GET, with the fields that make it one.
pub(crate) fn wish(request: &mut Request<Incoming>) -> Option<Wish> {
    let headers = request.headers();
    let is_wish = request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && headers.contains_key(SEC_WEBSOCKET_KEY)
        && has_word(headers, &CONNECTION, "upgrade")
        && has_word(headers, &UPGRADE, "websocket");
    is_wish.then(|| Wish { client: hyper::upgrade::on(request) })
}

/// Puts the wish back into a head whose connection fields were stripped.
pub(crate) fn ask(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.remove(SEC_WEBSOCKET_EXTENSIONS);
}

/// Makes the upstream's 101 the client's: only the fields of the handshake pass. `None` when it is no WebSocket.
pub(crate) fn switch(head: &response::Parts) -> Option<HeaderMap> {
    if !has_word(&head.headers, &UPGRADE, "websocket") {
        return None;
    }
    let mut headers = HeaderMap::new();
    ask(&mut headers);
    for name in [SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL] {
        if let Some(value) = head.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    Some(headers)
}

/// Joins the two once both have switched.
pub(crate) fn join(
    worker: &Rc<Worker>,
    wish: Wish,
    upstream: OnUpgrade,
    (activity, contained): (&Arc<Activity>, Contained),
) {
    let mut stop = worker.stop.clone();
    let cut_off = worker.cut_off(Arc::clone(activity), contained);
    worker.spawn(async move {
        tokio::select! {
            joined = joined(wish.client, upstream) => match joined {
                Ok(()) => {}
                Err(err) => tracing::debug!(error = %err, "a WebSocket ended"),
            },
            _ = stop.wait_for(|stop| *stop) => {}
            () = cut_off => {}
        }
    });
}

async fn joined(client: OnUpgrade, upstream: OnUpgrade) -> io::Result<()> {
    let both = async { tokio::try_join!(client, upstream) };
    let (client, upstream) = timeout(SILENCE_MAX, both).await?.map_err(io::Error::other)?;
    let (client, early) = ungated(client)?;
    let mut upstream = TokioIo::new(upstream);
    timeout(SILENCE_MAX, upstream.write_all(&early)).await??;
    let (client_reads, client_writes) = tokio::io::split(client);
    let (upstream_reads, upstream_writes) = tokio::io::split(upstream);
    let last = Cell::new(Instant::now());
    // Either side's end ends both: a half-open WebSocket is of no use.
    tokio::select! {
        ended = copy(client_reads, upstream_writes, &last) => ended,
        ended = copy(upstream_reads, client_writes, &last) => ended,
    }
}

/// Takes the stream from under the gate, which reads HTTP only, with what the client sent too early.
fn ungated(client: Upgraded) -> io::Result<(Watched, Vec<u8>)> {
    let Parts { io, .. } = client
        .downcast::<TokioIo<HeadGate<Watched>>>()
        .map_err(|_| io::Error::other("a client connection is not behind its gate"))?;
    Ok(io.into_inner().into_upgraded())
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    last: &Cell<Instant>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let allowed = SILENCE_MAX.saturating_sub(last.get().elapsed());
        let read = match timeout(allowed, from.read(&mut buffer)).await {
            Ok(read) => read?,
            Err(_silent) if last.get().elapsed() < SILENCE_MAX => continue,
            Err(silent) => return Err(silent.into()),
        };
        if read == 0 {
            return timeout(SILENCE_MAX, to.shutdown()).await?;
        }
        last.set(Instant::now());
        timeout(SILENCE_MAX, to.write_all(&buffer[..read])).await??;
    }
}
