//! One client connection: who it is from, its TLS, its protocol, its end.

use crate::activity::{Activity, End, Graceful, Protocol, Watched, drive};
use crate::admission::{Admitted, Full};
use crate::forwarded::{self, ClientScheme};
use crate::head_gate::{HeadGate, HeadLimits};
use crate::proxy_protocol::{self, ProxyProtocolError};
use crate::server::{Contained, Worker};
use crate::service::Service;
use crate::serving::Serving;
use crate::stream::Stream;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// Header fields that hyper reads unless it is told of more; told, it makes room for them anew for each request.
const HYPER_HEADERS_MAX: usize = 100;
/// hyper refuses smaller buffers.
const HEAD_BUFFER_BYTES_MIN: usize = 8192;
/// HTTP/2 streams that a client may open and reset before they were served; beyond, GOAWAY (rapid reset).
const HTTP2_PENDING_RESETS_MAX: usize = 20;
/// HTTP/2 streams that a client may make the gateway reset by errors; beyond, GOAWAY (MadeYouReset).
const HTTP2_ERROR_RESETS_MAX: usize = 100;
/// HTTP/2 receive windows, of a stream and of a connection: what a client may send ahead of the upstream.
const HTTP2_STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
/// Response bytes that one HTTP/2 stream buffers.
const HTTP2_SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// A silent HTTP/2 connection is asked this often whether it lives, and given as long to say so.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);

/// Why a connection ended before its first request.
#[derive(Debug)]
enum Rejected {
    /// A limit on connections.
    Full(Full),
    /// No good PROXY header.
    Proxy(ProxyProtocolError),
    /// The TLS handshake failed.
    Tls,
    /// The TLS handshake took too long.
    TlsLate,
}

impl Rejected {
    fn name(&self) -> &'static str {
        match self {
            Rejected::Full(Full::Connections) => "connections_max",
            Rejected::Full(Full::Network) => "connections_per_prefix_max",
            Rejected::Proxy(_) => "proxy_protocol",
            Rejected::Tls => "tls_failed",
            Rejected::TlsLate => "tls_late",
        }
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve(worker: Rc<Worker>, tcp: TcpStream, peer: SocketAddr, listener: usize) {
    let metrics = &worker.shared.metrics;
    metrics.connected();
    match accept(&worker, tcp, peer, listener).await {
        Ok(End::Closed(Ok(()))) => metrics.ended("closed"),
        Ok(End::Closed(Err(err))) => {
            tracing::debug!(error = %err, "client connection ended");
            metrics.ended("broken");
        }
        Ok(End::Expired) => metrics.ended("expired"),
        Ok(End::Unread) => metrics.ended("unread"),
        Ok(End::CutOff) => metrics.ended("cut_off"),
        Err(rejected) => {
            if let Rejected::Proxy(err) = &rejected {
                tracing::debug!(error = err as &dyn std::error::Error, "no good PROXY header");
            }
            metrics.ended(rejected.name());
        }
    }
}

async fn accept(worker: &Rc<Worker>, tcp: TcpStream, peer: SocketAddr, listener: usize) -> Result<End, Rejected> {
    let serving = Arc::clone(&worker.current().serving);
    let limits = serving.limits();
    let mut admitted = worker.shared.admission.admit(limits.connections_max).map_err(Rejected::Full)?;
    // Without it small responses wait for the client's acknowledgement; nothing breaks where it is refused.
    let _refused = tcp.set_nodelay(true);
    let (tcp, client) = told_by_proxy(tcp, peer, &serving, listener).await?;
    if !forwarded::is_trusted(&serving.config.trusted_peers, client.ip()) {
        // A load balancer brings everybody's connections; its own address is no client's.
        admitted.count_client(client.ip(), limits.connections_per_prefix_max).map_err(Rejected::Full)?;
    }
    let (stream, protocol) = secured(tcp, &serving, listener).await?;
    let connection = Accepted { client, stream, protocol, _admitted: admitted };
    Ok(match protocol {
        Protocol::Http1 => connection.serve_http1(worker, &serving).await,
        Protocol::Http2 => connection.serve_http2(worker, &serving).await,
    })
}

/// The client's address: the peer's, or what the load balancer says before the first byte.
async fn told_by_proxy(
    mut tcp: TcpStream,
    peer: SocketAddr,
    serving: &Serving,
    listener: usize,
) -> Result<(TcpStream, SocketAddr), Rejected> {
    let config = &serving.config;
    if !config.listeners[listener].proxy_protocol {
        return Ok((tcp, peer));
    }
    let client = proxy_protocol::read(&mut tcp, peer, &config.trusted_peers, config.deadlines.handshake).await;
    Ok((tcp, client.map_err(Rejected::Proxy)?))
}

/// The stream after its TLS handshake, and the protocol that was agreed on in it.
async fn secured(tcp: TcpStream, serving: &Serving, listener: usize) -> Result<(Stream, Protocol), Rejected> {
    let Some(tls) = &serving.tls[listener] else {
        return Ok((Stream::Plain(tcp), Protocol::Http1));
    };
    let handshake = tokio::time::timeout(serving.deadlines().handshake, TlsAcceptor::from(tls.config()).accept(tcp));
    let tls = handshake.await.map_err(|_late| Rejected::TlsLate)?.map_err(|err| {
        tracing::debug!(error = %err, "TLS handshake failed");
        Rejected::Tls
    })?;
    let protocol = match tls.get_ref().1.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        _ => Protocol::Http1,
    };
    Ok((Stream::Tls(Box::new(tls.into())), protocol))
}

/// A connection that may send requests.
struct Accepted {
    client: SocketAddr,
    stream: Stream,
    protocol: Protocol,
    _admitted: Admitted,
}

impl Accepted {
    fn service(&self, worker: &Rc<Worker>) -> Rc<Service> {
        let scheme = match self.stream {
            Stream::Plain(_) => ClientScheme::Http,
            Stream::Tls(_) => ClientScheme::Https,
        };
        let activity = Activity::new(self.protocol);
        Service::new(Rc::clone(worker), self.client, scheme, activity)
    }

    async fn serve_http1(self, worker: &Rc<Worker>, serving: &Serving) -> End {
        let service = self.service(worker);
        let activity = Arc::clone(&service.activity);
        let watched = Watched::new(self.stream, Arc::clone(&activity));
        let gate = HeadGate::new(watched, HeadLimits::new(serving.limits(), serving.deadlines()))
            .counting(Arc::clone(&worker.shared.refusals));
        let mut http1 = http1::Builder::new();
        http1.max_buf_size(serving.limits().request_head_bytes_max.max(HEAD_BUFFER_BYTES_MIN));
        if serving.limits().request_headers_max > HYPER_HEADERS_MAX {
            http1.max_headers(serving.limits().request_headers_max);
        }
        let connection = http1
            .serve_connection(
                TokioIo::new(gate),
                service_fn(move |request| {
                    // Boxed: hyper keeps room for it as long as the connection lasts, and most connections are idle.
                    Box::pin(Rc::clone(&service).serve(request))
                }),
            )
            .with_upgrades();
        let cut_off = worker.cut_off(Arc::clone(&activity), Contained::StayOpen);
        drive(connection, &activity, serving.deadlines(), worker.stop.clone(), cut_off).await
    }

    async fn serve_http2(self, worker: &Rc<Worker>, serving: &Serving) -> End {
        let service = self.service(worker);
        let activity = Arc::clone(&service.activity);
        let watched = Watched::new(self.stream, Arc::clone(&activity));
        let limits = serving.limits();
        let connection = http2::Builder::new(OnThisThread)
            .timer(TokioTimer::new())
            .keep_alive_interval(HTTP2_PING_INTERVAL)
            .keep_alive_timeout(HTTP2_PING_INTERVAL)
            .max_concurrent_streams(limits.http2_streams_max)
            .max_header_list_size(u32::try_from(limits.request_head_bytes_max).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(HTTP2_PENDING_RESETS_MAX)
            .max_local_error_reset_streams(HTTP2_ERROR_RESETS_MAX)
            .initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(HTTP2_SEND_BUFFER_BYTES_MAX)
            .serve_connection(TokioIo::new(watched), service_fn(move |request| Rc::clone(&service).serve(request)));
        let cut_off = worker.cut_off(Arc::clone(&activity), Contained::StayOpen);
        drive(connection, &activity, serving.deadlines(), worker.stop.clone(), cut_off).await
    }
}

/// Runs the streams of an HTTP/2 connection on the worker's own thread.
#[derive(Clone)]
struct OnThisThread;

impl<F: Future<Output = ()> + 'static> Executor<F> for OnThisThread {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

impl<I, S, B> Graceful for http1::UpgradeableConnection<I, S>
where
    Self: Future<Output = Result<(), hyper::Error>>,
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn finish_requests(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, B, E> Graceful for http2::Connection<I, S, E>
where
    Self: Future<Output = Result<(), hyper::Error>>,
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn finish_requests(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
