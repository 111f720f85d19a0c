//! A stream on which a relay has one reply to each thing that it is told: what it says beyond, and a reply without end,
//! are errors. Also the words in clear before STARTTLS, read byte by byte, so that none behind them is kept.

use super::Wire;
use lettre::transport::smtp::client::AsyncTokioStream;
use lettre::transport::smtp::extension::ClientId;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Bytes of one reply, all its lines together; a longer one ends the connection.
const REPLY_BYTES_MAX: usize = 64 * 1024;
/// Bytes that are read at once.
const CHUNK_BYTES: usize = 4_096;

/// What goes both ways.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin + fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin + fmt::Debug> Duplex for T {}

/// A stream that keeps the turns.
#[derive(Debug)]
pub(super) struct Turns {
    stream: Box<dyn Duplex>,
    peer: SocketAddr,
    /// What was said before TLS, and is still to be read.
    greeting: Vec<u8>,
    reply: Reply,
    wire: Arc<Wire>,
}

/// How far the relay's reply came.
#[derive(Debug, Default)]
struct Reply {
    bytes: usize,
    /// Bytes of this line so far.
    line_bytes: usize,
    /// Whether this line says that another one follows.
    has_more: bool,
    ended: bool,
    /// More came than one reply: nothing that follows can be told apart.
    is_spoilt: bool,
}

impl Turns {
    pub(super) fn new(stream: Box<dyn Duplex>, peer: SocketAddr, greeting: Vec<u8>, wire: Arc<Wire>) -> Turns {
        // A greeting that was read in clear has ended; the next words are the sender's.
        let reply = Reply { ended: !greeting.is_empty(), ..Reply::default() };
        Turns { stream, peer, greeting, reply, wire }
    }
}

impl Reply {
    /// How many of these bytes belong to the reply.
    fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            if self.ended {
                self.is_spoilt = true;
                return if at > 0 { Ok(at) } else { Err(out_of_step()) };
            }
            self.bytes += 1;
            if self.bytes > REPLY_BYTES_MAX {
                self.is_spoilt = true;
                return Err(io::Error::new(io::ErrorKind::InvalidData, "its reply does not end"));
            }
            if self.line_bytes == 3 {
                self.has_more = *byte == b'-';
            }
            self.line_bytes += 1;
            if *byte == b'\n' {
                self.ended = !(self.has_more && self.line_bytes > 4);
                self.line_bytes = 0;
            }
        }
        Ok(bytes.len())
    }
}

fn out_of_step() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it says more than it was asked")
}

impl AsyncRead for Turns {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.greeting.is_empty() {
            let count = this.greeting.len().min(buf.remaining());
            buf.put_slice(&this.greeting[..count]);
            this.greeting.drain(..count);
            return Poll::Ready(Ok(()));
        }
        if this.reply.is_spoilt {
            return Poll::Ready(Err(out_of_step()));
        }
        let mut bytes = [0; CHUNK_BYTES];
        let mut chunk = ReadBuf::new(&mut bytes[..CHUNK_BYTES.min(buf.remaining())]);
        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut chunk))?;
        let count = this.reply.take(chunk.filled())?;
        buf.put_slice(&chunk.filled()[..count]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Turns {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.reply.is_spoilt {
            self.wire.refuse_writing();
            return Poll::Ready(Err(out_of_step()));
        }
        self.reply = Reply::default();
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Turns {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

/// The greeting, EHLO and STARTTLS (RFC 3207), up to where TLS begins; gives the greeting back. The error is told as why
/// there is no connection.
pub(super) async fn starttls(stream: &mut (impl Duplex + ?Sized), hello: &ClientId) -> Result<Vec<u8>, String> {
    let greeting = reply(stream, "the greeting", b"220").await?;
    say(stream, &format!("EHLO {hello}\r\n")).await?;
    let offers = reply(stream, "EHLO", b"250").await?;
    let is_offered = offers
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.get(4..))
        .any(|offer| offer.trim_ascii().eq_ignore_ascii_case(b"STARTTLS"));
    if !is_offered {
        return Err("it does not offer STARTTLS; write relay.tls = \"implicit\" if it speaks TLS from the first byte"
            .to_owned());
    }
    say(stream, "STARTTLS\r\n").await?;
    reply(stream, "STARTTLS", b"220").await?;
    Ok(greeting)
}

async fn say(stream: &mut (impl Duplex + ?Sized), words: &str) -> Result<(), String> {
    stream.write_all(words.as_bytes()).await.map_err(|_| "the connection was lost before TLS".to_owned())
}

/// One reply, byte by byte, with this code; of another one the code is told, and nothing else of it.
async fn reply(stream: &mut (impl Duplex + ?Sized), step: &str, code: &[u8]) -> Result<Vec<u8>, String> {
    let (mut state, mut bytes) = (Reply::default(), Vec::new());
    while !state.ended {
        let byte = stream.read_u8().await.map_err(|_| format!("{step} failed (the connection was lost)"))?;
        state.take(&[byte]).map_err(|err| format!("{step} failed ({err})"))?;
        bytes.push(byte);
    }
    if bytes.starts_with(code) {
        return Ok(bytes);
    }
    match bytes.first_chunk::<3>().filter(|code| code.iter().all(u8::is_ascii_digit)) {
        Some(code) => Err(format!("{step} failed (reply {})", String::from_utf8_lossy(code))),
        None => Err(format!("{step} failed (the reply is garbled)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes are taken of what comes at once, and how it stands.
    fn check(said: &str, expected: &str) {
        let mut reply = Reply::default();
        let taken = reply.take(said.as_bytes()).map_or_else(|err| err.to_string(), |count| count.to_string());
        let state = match (reply.ended, reply.is_spoilt) {
            (_, true) => "spoilt",
            (true, _) => "ended",
            _ => "goes on",
        };
        assert_eq!(format!("{taken}, {state}"), expected, "{said:?}");
    }

    #[test]
    fn a_reply_ends_with_its_last_line() {
        check("250 ok\r\n", "8, ended");
        check("250\r\n", "5, ended");
        check("250-one\r\n250-two\r\n", "18, goes on");
        check("250-one\r\n250 two\r\n", "18, ended");
        check("250 ok", "6, goes on");
        check("hello\n", "6, ended");
        check("25\n", "3, ended");
        check("250 ok\r\n250 queued\r\n", "8, spoilt");
    }
}
