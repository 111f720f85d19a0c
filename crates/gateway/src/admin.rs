//! The operator's address: `/metrics` for Prometheus, `/health` for whoever watches, and the calls of [`admin_api`].
//! A thread of its own, so that it answers when the workers are busy. Never a client's address.

use crate::Error;
use crate::admin_api;
use crate::server::{Shared, run_on_thread};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use sekisho_ledger::Health;
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Connections at once; a further one waits.
const CONNECTIONS_MAX: usize = 16;
/// How long a connection may take for a head, or stay idle.
const HEAD_MAX: Duration = Duration::from_secs(10);

/// Starts the thread.
pub(crate) fn spawn(
    shared: Arc<Shared>,
    socket: TcpListener,
    stop: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, Error> {
    run_on_thread("admin".to_owned(), move || run(shared, socket, stop))
}

async fn run(shared: Arc<Shared>, socket: TcpListener, mut stop: watch::Receiver<bool>) {
    let socket = match tokio::net::TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(err) => return tracing::error!(error = %err, "cannot listen on the admin address"),
    };
    let mut registry = Registry::with_prefix("sekisho");
    shared.metrics.register(&mut registry);
    registry.register_collector(Box::new(crate::metrics::Live::new(Arc::clone(&shared))));
    let registry = Arc::new(registry);
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = accept(&socket, &free) => accepted,
        };
        let Some((tcp, permit)) = accepted else { continue };
        let (shared, registry) = (Arc::clone(&shared), Arc::clone(&registry));
        tokio::task::spawn_local(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let (shared, registry) = (Arc::clone(&shared), Arc::clone(&registry));
                async move { Ok::<_, Infallible>(answer(&shared, &registry, request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_MAX)
                .serve_connection(TokioIo::new(tcp), service);
            if let Err(err) = connection.await {
                tracing::debug!(error = %err, "admin connection ended");
            }
            drop(permit);
        });
    }
}

async fn accept(
    socket: &tokio::net::TcpListener,
    free: &Arc<Semaphore>,
) -> Option<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(free).acquire_owned().await.ok()?;
    match socket.accept().await {
        Ok((tcp, _)) => Some((tcp, permit)),
        Err(err) => {
            tracing::warn!(error = %err, "cannot accept an admin connection");
            tokio::time::sleep(crate::server::ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn answer(shared: &Shared, registry: &Registry, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if admin_api::has(request.uri().path()) {
        let (status, body) = admin_api::answer(shared, request).await;
        return text(status, "application/json", format!("{body}\n"));
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET only\n".to_owned());
    }
    match request.uri().path() {
        "/metrics" => metrics(registry),
        "/health" => health(shared),
        _ => text(StatusCode::NOT_FOUND, "text/plain", "/metrics, /health or /containment\n".to_owned()),
    }
}

fn metrics(registry: &Registry) -> Response<Full<Bytes>> {
    let mut page = String::new();
    match encode(&mut page, registry) {
        Ok(()) => text(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", page),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "cannot write metrics\n".to_owned()),
    }
}

fn health(shared: &Shared) -> Response<Full<Bytes>> {
    let ledger = shared.parts.ledger.health();
    let now = shared.parts.clock.now();
    let registers: Vec<_> = shared
        .parts
        .index
        .load()
        .registers()
        .iter()
        .map(|register| {
            let age_s = now.since(register.built_at).as_secs();
            serde_json::json!({ "name": register.name, "persons": register.persons, "age_s": age_s })
        })
        .collect();
    let (status, word) = match ledger {
        Health::Healthy => (StatusCode::OK, "healthy"),
        Health::Emergency => (StatusCode::OK, "emergency"),
        Health::Unhealthy => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    };
    let connections = shared.admission.open();
    let page = serde_json::json!({ "ledger": word, "registers": registers, "connections": connections });
    text(status, "application/json", format!("{page}\n"))
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
