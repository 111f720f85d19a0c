//! Tests of the gate: the tables of refused and accepted requests, the properties, and the gate under real hyper.

mod connection;
mod properties;
mod table;

use super::{HeadGate, HeadLimits, RefusalCounts};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, DuplexStream};

/// hyper above a gate, on one end of a pipe. Tests run with paused time, so that deadlines pass when all else waits.
struct Server {
    counts: Arc<RefusalCounts>,
    /// `METHOD target body` of each request that reached the service.
    seen: Arc<Mutex<Vec<String>>>,
    client: DuplexStream,
    connection: tokio::task::JoinHandle<hyper::Result<()>>,
}

impl Server {
    /// A server whose requests take this long to answer. A pipe of one byte lets the gate see one byte at a time.
    fn start(pipe_bytes: usize, answer_after: Duration) -> Server {
        let (client, server) = tokio::io::duplex(pipe_bytes);
        let counts = Arc::new(RefusalCounts::default());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let gate = HeadGate::new(server, HeadLimits::default()).counting(Arc::clone(&counts));
        let service_seen = Arc::clone(&seen);
        let service = service_fn(move |request| answer(request, Arc::clone(&service_seen), answer_after));
        let connection = tokio::spawn(async move {
            let mut http = hyper::server::conn::http1::Builder::new();
            http.header_read_timeout(None).serve_connection(TokioIo::new(gate), service).await
        });
        Server { counts, seen, client, connection }
    }

    /// All that the client receives until the server closes.
    async fn received(&mut self) -> String {
        let mut received = Vec::new();
        self.client.read_to_end(&mut received).await.expect("the pipe does not fail");
        String::from_utf8(received).expect("the responses are text")
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no test panics while it holds this").clone()
    }

    /// The names of the refusals that were counted.
    fn refusals(&self) -> Vec<&'static str> {
        self.counts.iter().filter(|&(_, count)| count > 0).map(|(reason, _)| reason.name()).collect()
    }
}

/// Reads the body and says what came; 400 with the refusal's name when the gate found the body bad.
async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<String>>>,
    after: Duration,
) -> Result<Response<Full<Bytes>>, Infallible> {
    tokio::time::sleep(after).await;
    let (parts, body) = request.into_parts();
    let (status, text) = match body.collect().await {
        Ok(body) => (StatusCode::OK, String::from_utf8_lossy(&body.to_bytes()).into_owned()),
        Err(err) => (StatusCode::BAD_REQUEST, refusal_name(&err)),
    };
    seen.lock().expect("no test panics while it holds this").push(format!("{} {} {text}", parts.method, parts.uri));
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    Ok(response)
}

/// The name of the refusal at the root of an error, as a service would find it.
fn refusal_name(err: &(dyn std::error::Error + 'static)) -> String {
    let mut err = Some(err);
    while let Some(inner) = err {
        let refusal = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(reason) = refusal.and_then(|inner| inner.downcast_ref::<super::HeadRefusal>()) {
            return reason.name().to_owned();
        }
        err = inner.source();
    }
    "no refusal".to_owned()
}
