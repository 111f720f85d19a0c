//! Clients that keep every byte they receive, also of a response that ends in the middle.

use anyhow::Result;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A client that hears nothing for this long gives up: the gateway was killed long before.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// What one request brought.
pub(super) struct Response {
    pub(super) bytes: Vec<u8>,
    pub(super) extent: Extent,
}

/// Whether a response came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    Part,
}

/// Clients at work.
pub(super) struct Load {
    clients: Vec<JoinHandle<Vec<Response>>>,
}

/// Asks for each page once, over several connections, until all are asked for or the gateway is gone.
pub(super) fn load(gateway: SocketAddr, pages: Range<u64>, clients: usize) -> Load {
    let next = Arc::new(AtomicU64::new(pages.start));
    let client = |_| {
        let (next, pages) = (next.clone(), pages.clone());
        std::thread::spawn(move || ask(gateway, &next, pages.end))
    };
    Load { clients: (0..clients).map(client).collect() }
}

impl Load {
    /// Everything that was received.
    pub(super) fn received(self) -> Result<Vec<Response>> {
        let mut responses = Vec::new();
        for client in self.clients {
            responses.extend(client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?);
        }
        Ok(responses)
    }
}

fn ask(gateway: SocketAddr, next: &AtomicU64, end: u64) -> Vec<Response> {
    let mut responses = Vec::new();
    let Ok(mut connection) = TcpStream::connect(gateway) else { return responses };
    if connection.set_read_timeout(Some(SILENCE_MAX)).is_err() {
        return responses;
    }
    loop {
        let page = next.fetch_add(1, Ordering::Relaxed);
        let request = format!("GET /pages/{page} HTTP/1.1\r\nHost: site.example\r\nCookie: session=s{page}\r\n\r\n");
        if page >= end || connection.write_all(request.as_bytes()).is_err() {
            return responses;
        }
        let response = receive(&mut connection);
        let extent = response.extent;
        responses.push(response);
        if extent == Extent::Part {
            return responses;
        }
    }
}

fn receive(connection: &mut TcpStream) -> Response {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while !is_whole(&bytes) {
        match connection.read(&mut buffer) {
            Ok(0) | Err(_) => return Response { bytes, extent: Extent::Part },
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
    Response { bytes, extent: Extent::Whole }
}

/// Whether a response has come to its end, by its own framing.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(head_end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..head_end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    match length.and_then(|length| length.trim().parse::<usize>().ok()) {
        Some(length) => bytes.len() >= head_end + 4 + length,
        None => bytes.ends_with(b"\r\n0\r\n\r\n"),
    }
}
