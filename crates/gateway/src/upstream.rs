//! Connections to the firm's servers: one pool a worker and upstream, last in, first out.
//!
//! HTTP/1.1 only, in clear or over TLS. A connection goes back to its pool when its response was read to the end
//! and the request was sent to the end; otherwise it is closed. The number of open connections is bounded by the
//! client requests in service; `upstream_idle_max` bounds the idle ones, the oldest are closed beyond it.

use crate::config;
use crate::metrics::Metrics;
use crate::stream::Stream;
use crate::tls::{self, TlsError};
use crate::upload::RequestBody;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until};
use tokio_rustls::TlsConnector;

/// An idle connection older than this is closed instead of used: most servers close theirs after 60 s or more.
const IDLE_AGE_MAX: Duration = Duration::from_secs(50);
/// Turns of the other tasks that a request waits for a pooled connection; beyond, the connection is closed.
const READY_TURNS_MAX: usize = 3;
/// hyper refuses smaller buffers.
const HEAD_BUFFER_BYTES_MIN: usize = 8192;

/// A server of the firm, ready to be connected to.
pub(crate) struct Target {
    /// Its name in the configuration.
    pub(crate) name: String,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    response_head_bytes_max: usize,
    idle_max: usize,
}

/// Why an upstream cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The host is no name that a certificate can hold.
    #[error("`{0}` is no host name or address")]
    Host(String),
    /// Its TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Why no connection could be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    #[error("connecting passed its deadline")]
    Late,
    #[error("the protocol could not be started")]
    Handshake(#[source] hyper::Error),
}

impl Target {
    /// Reads what the upstream needs: for `https` its roots.
    pub(crate) fn new(upstream: &config::Upstream, limits: &config::Limits) -> Result<Target, TargetError> {
        let is_https = upstream.scheme == http::uri::Scheme::HTTPS;
        let host = upstream.authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = match is_https {
            false => None,
            true => {
                let name = ServerName::try_from(host.clone()).map_err(|_| TargetError::Host(host.clone()))?;
                let config = tls::client_config(upstream.extra_roots.as_deref())?;
                Some((TlsConnector::from(config), name))
            }
        };
        Ok(Target {
            name: upstream.name.clone(),
            host,
            port: upstream.authority.port_u16().unwrap_or(if is_https { 443 } else { 80 }),
            tls,
            response_head_bytes_max: limits.response_head_bytes_max.max(HEAD_BUFFER_BYTES_MIN),
            idle_max: limits.upstream_idle_max,
        })
    }

    async fn stream(&self) -> io::Result<Stream> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tcp.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Stream::Plain(tcp)),
            Some((connector, name)) => Ok(Stream::Tls(Box::new(connector.connect(name.clone(), tcp).await?.into()))),
        }
    }

    async fn connect(&self, deadline: Duration) -> Result<Connection, ConnectError> {
        let stream = match tokio::time::timeout(deadline, self.stream()).await {
            Ok(stream) => stream.map_err(ConnectError::Connect)?,
            Err(_late) => return Err(ConnectError::Late),
        };
        let has_answered = Arc::new(AtomicBool::new(false));
        let io = TokioIo::new(Noticed { stream, has_answered: Arc::clone(&has_answered) });
        // hyper reads 100 header fields, which is many, and the number for which it has room at hand; beyond, 502.
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(self.response_head_bytes_max)
            .handshake(io)
            .await
            .map_err(ConnectError::Handshake)?;
        tokio::task::spawn_local(async move {
            if let Err(err) = connection.with_upgrades().await {
                tracing::debug!(error = %err, "upstream connection ended");
            }
        });
        let now = Instant::now();
        let timer = Box::pin(sleep_until(now.into()));
        Ok(Connection { sender, has_answered, timer, idle_since: now, age: Age::Fresh })
    }
}

/// Whether a connection has carried a request before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    Fresh,
    Reused,
}

/// A connection on which one request can be sent.
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<RequestBody>,
    has_answered: Arc<AtomicBool>,
    /// Fires at a request's deadline or before it: what is armed for one request is left to the next, so that few requests
    /// touch the runtime's timers.
    pub(crate) timer: Pin<Box<Sleep>>,
    idle_since: Instant,
    pub(crate) age: Age,
}

impl Connection {
    /// Whether the upstream sent any byte since [`Connection::expect_answer`].
    pub(crate) fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Relaxed)
    }

    /// Between the end of a body and the connection's next turn there is a moment in which it is not ready. One that
    /// stays so still has bytes of the last request to send, and is not used again.
    async fn becomes_ready(&self) -> bool {
        for _ in 0..READY_TURNS_MAX {
            if self.sender.is_ready() || self.sender.is_closed() {
                break;
            }
            tokio::task::yield_now().await;
        }
        self.sender.is_ready()
    }

    /// A request is about to be sent.
    pub(crate) fn expect_answer(&self) {
        self.has_answered.store(false, Ordering::Relaxed);
    }
}

/// The idle connections of one worker to one upstream.
pub(crate) struct Pool {
    target: Arc<Target>,
    metrics: Arc<Metrics>,
    /// Oldest first.
    idle: RefCell<VecDeque<Connection>>,
}

impl Pool {
    pub(crate) fn new(target: Arc<Target>, metrics: Arc<Metrics>) -> Rc<Pool> {
        Rc::new(Pool { target, metrics, idle: RefCell::default() })
    }

    /// The connection that was used last, if it still lives; else a new one.
    pub(crate) async fn connection(&self, connect_max: Duration) -> Result<Connection, ConnectError> {
        while let Some(connection) = self.take() {
            if connection.becomes_ready().await {
                return Ok(connection);
            }
        }
        self.fresh(connect_max).await
    }

    /// A new connection.
    pub(crate) async fn fresh(&self, connect_max: Duration) -> Result<Connection, ConnectError> {
        self.metrics.upstream_connects.inc();
        // Boxed, as it is rare and would take room in every request.
        Box::pin(self.target.connect(connect_max)).await.inspect_err(|err| {
            tracing::warn!(
                upstream = self.target.name,
                address = format_args!("{}:{}", self.target.host, self.target.port),
                error = err as &dyn std::error::Error,
                "cannot reach an upstream"
            );
        })
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let now = Instant::now();
        while let Some(connection) = idle.pop_back() {
            if now.saturating_duration_since(connection.idle_since) > IDLE_AGE_MAX {
                idle.clear();
            } else if !connection.sender.is_closed() {
                return Some(Connection { age: Age::Reused, ..connection });
            }
        }
        None
    }

    /// Keeps a connection whose request and response have both ended.
    pub(crate) fn give_back(&self, connection: Connection) {
        if connection.sender.is_closed() || self.target.idle_max == 0 {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        let now = Instant::now();
        let is_old = |oldest: &Connection| now.saturating_duration_since(oldest.idle_since) > IDLE_AGE_MAX;
        while idle.len() >= self.target.idle_max || idle.front().is_some_and(is_old) {
            idle.pop_front();
        }
        idle.push_back(Connection { idle_since: now, ..connection });
    }
}

/// A stream that notices whether anything was read.
struct Noticed {
    stream: Stream,
    has_answered: Arc<AtomicBool>,
}

impl AsyncRead for Noticed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.has_answered.store(true, Ordering::Relaxed);
        }
        polled
    }
}

impl AsyncWrite for Noticed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
