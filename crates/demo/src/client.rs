//! A client that writes requests by hand and keeps what it received as it came: one connection a request.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::timeout;

/// A whole exchange; beyond, it has failed.
const EXCHANGE_MAX: Duration = Duration::from_secs(30);
/// Bytes of one response; beyond, it has failed.
const RESPONSE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Somebody at one address.
#[derive(Debug)]
pub struct Client {
    server: SocketAddr,
    address: Ipv4Addr,
    cookie: Option<String>,
    requests: u32,
    capture: Option<Capture>,
}

/// Where exchanges are kept, numbered from 1.
#[derive(Debug)]
struct Capture {
    directory: PathBuf,
    exchanges: u64,
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body's bytes with their framing.
    pub body_bytes: usize,
}

impl Client {
    /// Somebody who connects to `server` from this loopback address.
    #[must_use]
    pub fn new(server: SocketAddr, address: Ipv4Addr) -> Client {
        Client { server, address, cookie: None, requests: 0, capture: None }
    }

    /// Keeps every exchange as raw bytes in this directory: `<n>.request`, `<n>.response`.
    #[must_use]
    pub fn capturing(self, directory: &Path) -> Client {
        Client { capture: Some(Capture { directory: directory.to_owned(), exchanges: 0 }), ..self }
    }

    /// Asks for a target, which is percent-encoded already.
    pub async fn get(&mut self, target: &str) -> io::Result<Answer> {
        self.exchange("GET", target, "").await
    }

    /// Sends a form.
    pub async fn post(&mut self, target: &str, fields: &[(&str, &str)]) -> io::Result<Answer> {
        let pairs = fields.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value)));
        self.exchange("POST", target, &pairs.collect::<Vec<_>>().join("&")).await
    }

    /// Requests made so far.
    #[must_use]
    pub fn requests(&self) -> u32 {
        self.requests
    }

    async fn exchange(&mut self, method: &str, target: &str, form: &str) -> io::Result<Answer> {
        let mut request = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.server);
        request.push_str("User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n");
        if let Some(cookie) = &self.cookie {
            request.push_str(&format!("Cookie: {cookie}\r\n"));
        }
        if method == "POST" {
            let length = form.len();
            request
                .push_str(&format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(form);
        self.requests += 1;
        let late = || io::Error::new(io::ErrorKind::TimedOut, "the answer took too long");
        let response = timeout(EXCHANGE_MAX, self.send(request.as_bytes())).await.map_err(|_| late())??;
        if let Some(capture) = &mut self.capture {
            capture.keep(request.as_bytes(), &response)?;
        }
        self.read_head(&response)
    }

    async fn send(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((self.address, 0)))?;
        let mut stream = socket.connect(self.server).await?;
        stream.write_all(request).await?;
        let mut response = Vec::new();
        stream.take(RESPONSE_BYTES_MAX).read_to_end(&mut response).await?;
        Ok(response)
    }

    fn read_head(&mut self, response: &[u8]) -> io::Result<Answer> {
        let bad = || io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP response");
        let end = response.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(bad)?;
        let head = String::from_utf8_lossy(&response[..end]);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(bad)?;
        for line in head.lines() {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("set-cookie")
            {
                self.cookie = value.trim().split(';').next().map(str::to_owned);
            }
        }
        Ok(Answer { status, body_bytes: response.len() - end - 4 })
    }
}

impl Capture {
    fn keep(&mut self, request: &[u8], response: &[u8]) -> io::Result<()> {
        self.exchanges += 1;
        fs::write(self.directory.join(format!("{}.request", self.exchanges)), request)?;
        fs::write(self.directory.join(format!("{}.response", self.exchanges)), response)
    }
}

/// Everything but letters, digits and `-._` as `%XX`.
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
