//! A strict reader of HTTP/1 requests under hyper: an I/O stream that lets only unambiguous requests through.
//!
//! hyper accepts some requests that another server would read differently (bare LF, two Host fields, …); whoever
//! can make two servers disagree about where a request ends can smuggle one past the inspection. The gate stands
//! between the socket (or TLS stream) and hyper's HTTP/1 server connection. hyper sees a head only when the whole
//! head is good, and of a body only what its framing covers. What is refused is listed in [`HeadRefusal`].
//! It is no HTTP parser: hyper reads the head again for its meaning. It does not judge HTTP/2.
//!
//! # Bodies
//! A Content-Length body is counted. A chunked body is followed by a strict state machine, so that the connection
//! can be kept alive after it. A fault in a body reaches the service as an `io::Error` of kind `InvalidData` with
//! the [`HeadRefusal`] inside; the service answers (400), the gate does not: the response may have begun.
//!
//! # How a bad head is answered
//! Responses to earlier, pipelined requests must go out first and whole. hyper reads while a response is under way
//! too (to notice that the client left), and takes EOF then as a reason to drop the response. So the gate first
//! hands over one empty line, which every HTTP/1 server ignores before a request line (RFC 9112 section 2.2). While
//! that line lies in its buffer hyper does not read; it reads again only when it looks for the next head, that is
//! when all earlier responses are done. On that read the gate says EOF. hyper flushes and shuts the stream down,
//! and in [`AsyncWrite::poll_shutdown`] the gate writes the refusal with `Connection: close`, closes its side, and
//! reads on for a moment so that the client can receive it ([`LINGER`], [`LINGER_BYTES_MAX`]).
//!
//! # Deadlines
//! The gate enforces the head's deadline (408) from the head's first byte, and the keep-alive deadline (closed
//! silently) from the last byte read or written. hyper's own `header_read_timeout` must be off: it mixes the two.
//! When the keep-alive deadline passes, the empty line serves as a probe in the same way: if hyper reads again
//! before it writes, it is idle; otherwise a response was under way, and the wait begins anew after it.
//!
//! # Choices
//! One empty line before a request line is let through. `Upgrade: h2c` and `HTTP2-Settings` lines are taken out of
//! the head: some clients offer them to every server, and an answer in HTTP/1.1 is always right. Names with an
//! underscore pass unless they imitate a field that frames, routes or names the client (`Content_Length`).
//! An expectation other than `100-continue` gets 417, an unknown transfer coding or CONNECT 501.
//!
//! Reading order: this file, `head_gate/framer.rs`, `head_gate/head.rs`, `head_gate/chunked.rs`.

mod chunked;
mod framer;
mod fuzz;
mod head;
mod refusal;
mod target;
#[cfg(test)]
mod tests;

pub use fuzz::fuzz_head_gate;
pub(crate) use head::check_http2_fields;
pub use refusal::{HeadRefusal, RefusalCounts};
pub(crate) use target::{is_authority, is_target_path};

use framer::{Framer, Stop};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How long the gate writes a refusal and then waits for the client to close; then the socket is dropped.
pub const LINGER: Duration = Duration::from_secs(2);
/// How many bytes the gate reads and throws away while it waits for that; then the socket is dropped.
pub const LINGER_BYTES_MAX: usize = 256 * 1024;

/// What hyper is given when there will be no further head, or to learn whether it waits for one.
const EMPTY_LINE: &[u8] = b"\r\n";

/// What one connection may take.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Bytes of a request head, its empty line included; beyond, 431. hyper's `max_buf_size` must not be smaller.
    pub head_bytes_max: usize,
    /// Header fields of a request; beyond, 431. hyper's `max_headers` must not be smaller.
    pub headers_max: usize,
    /// For a request's whole head, from its first byte; beyond, 408.
    pub head_deadline: Duration,
    /// For the next request's first byte; beyond, the connection is closed.
    pub idle_deadline: Duration,
}

impl Default for HeadLimits {
    /// As [`crate::config::Limits`] and [`crate::config::Deadlines`] have them.
    fn default() -> HeadLimits {
        HeadLimits::new(&crate::config::Limits::default(), &crate::config::Deadlines::default())
    }
}

impl HeadLimits {
    /// The parts of the configuration that concern a request's head.
    #[must_use]
    pub fn new(limits: &crate::config::Limits, deadlines: &crate::config::Deadlines) -> HeadLimits {
        HeadLimits {
            head_bytes_max: limits.request_head_bytes_max,
            headers_max: limits.request_headers_max,
            head_deadline: deadlines.request_head,
            idle_deadline: deadlines.keep_alive_idle,
        }
    }
}

/// An I/O stream that lets only unambiguous HTTP/1 requests through to the reader above it.
#[derive(Debug)]
pub struct HeadGate<IO> {
    io: IO,
    framer: Framer,
    limits: HeadLimits,
    counts: Option<Arc<RefusalCounts>>,
    /// Bytes read that hyper does not have yet: first `passed` good ones, then part of a head.
    /// Empty, without memory, on an idle connection and whenever a whole head came in one read.
    held: Vec<u8>,
    delivered: usize,
    passed: usize,
    stage: Stage,
    wait: Option<Wait>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Calls of `poll_write`, to tell whether hyper was idle when probed.
    writes: u64,
}

/// How far the connection is from its end.
#[derive(Debug)]
enum Stage {
    Open,
    /// hyper has an empty line and may be idle; `writes` as of then.
    Probed {
        writes: u64,
    },
    /// No further head will pass.
    Refusing(HeadRefusal),
    /// The same, and hyper has an empty line: its next read shows that it has finished all responses.
    RefusingProbed(HeadRefusal),
    /// A body broke the rules: reading fails from here on.
    BrokenBody(HeadRefusal),
    /// hyper has seen EOF and will shut the stream down; the refusal is then written.
    Answering(Answer),
    /// hyper has seen EOF.
    Ended,
}

/// A refusal on its way to the client.
#[derive(Debug)]
struct Answer {
    response: String,
    written: usize,
    /// When the socket is dropped whatever the client does; set by the first `poll_shutdown`.
    until: Option<Instant>,
    own_side_closed: bool,
    bytes_discarded: usize,
}

/// What the gate waits for, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wait {
    what: Awaited,
    until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Request,
    RestOfHead,
}

impl<IO> HeadGate<IO> {
    /// A gate before the connection's first byte.
    pub fn new(io: IO, limits: HeadLimits) -> HeadGate<IO> {
        HeadGate {
            io,
            framer: Framer::new(limits.head_bytes_max, limits.headers_max),
            limits,
            counts: None,
            held: Vec::new(),
            delivered: 0,
            passed: 0,
            stage: Stage::Open,
            wait: None,
            timer: None,
            writes: 0,
        }
    }

    /// Counts refusals and idle ends here.
    #[must_use]
    pub fn counting(mut self, counts: Arc<RefusalCounts>) -> HeadGate<IO> {
        self.counts = Some(counts);
        self
    }

    /// The stream below.
    pub fn get_ref(&self) -> &IO {
        &self.io
    }

    /// After an upgrade (101): the stream, and the bytes that the client sent after the head that asked for it.
    /// Whatever hyper itself has buffered then (`Parts::read_buf`) is at most the gate's empty line: to be ignored.
    pub fn into_upgraded(mut self) -> (IO, Vec<u8>) {
        self.held.drain(..self.delivered);
        (self.io, self.held)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for HeadGate<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            if gate.deliver(buf) {
                return Poll::Ready(Ok(()));
            }
            match gate.stage {
                Stage::Open => match ready!(gate.poll_fill(cx, buf))? {
                    Filled::Again => {}
                    Filled::Given => return Poll::Ready(Ok(())),
                },
                Stage::Probed { writes } if writes != gate.writes => gate.resume(),
                Stage::Probed { .. } => gate.end_idle(),
                Stage::Refusing(reason) => {
                    // Should a read buffer have one byte only, half of the line serves as well.
                    buf.put_slice(&EMPTY_LINE[..EMPTY_LINE.len().min(buf.remaining())]);
                    gate.stage = Stage::RefusingProbed(reason);
                    return Poll::Ready(Ok(()));
                }
                Stage::RefusingProbed(reason) => gate.answer(reason),
                Stage::BrokenBody(reason) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, reason)));
                }
                Stage::Answering(_) | Stage::Ended => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// What [`HeadGate::poll_fill`] did.
enum Filled {
    /// The caller's buffer holds what it may have (nothing at all means EOF).
    Given,
    /// The gate's state changed; look again.
    Again,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> HeadGate<IO> {
    /// Hands over good bytes that are held.
    fn deliver(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let len = (self.passed - self.delivered).min(buf.remaining());
        if len == 0 {
            return false;
        }
        buf.put_slice(&self.held[self.delivered..self.delivered + len]);
        self.delivered += len;
        if self.delivered == self.passed {
            self.held.drain(..self.passed);
            (self.delivered, self.passed) = (0, 0);
            if self.held.is_empty() {
                self.held = Vec::new();
            }
        }
        true
    }

    /// Reads once, straight into the caller's buffer, and takes back what must not be seen yet.
    fn poll_fill(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<Filled>> {
        let start = buf.filled().len();
        match Pin::new(&mut self.io).poll_read(cx, buf) {
            Poll::Ready(result) => result?,
            Poll::Pending => return self.poll_deadline(cx, buf).map(Ok),
        }
        if buf.filled().len() == start {
            self.stage = Stage::Ended;
            return Poll::Ready(Ok(Filled::Given));
        }
        let stop = if self.held.is_empty() { self.judge_in_place(start, buf) } else { self.judge_held(start, buf) };
        match stop {
            None => {}
            Some(Stop::Head(reason)) => self.stage = Stage::Refusing(reason),
            Some(Stop::Body(reason)) => {
                self.count(reason);
                self.stage = Stage::BrokenBody(reason);
            }
        }
        let given = buf.filled().len() > start;
        Poll::Ready(Ok(if given { Filled::Given } else { Filled::Again }))
    }

    /// The common case: nothing held, a whole head (or body) in one read. No copy, no memory.
    fn judge_in_place(&mut self, start: usize, buf: &mut ReadBuf<'_>) -> Option<Stop> {
        let bytes = &mut buf.filled_mut()[start..];
        let advance = self.framer.advance(bytes);
        self.held.extend_from_slice(&bytes[advance.passed..advance.len]);
        buf.set_filled(start + advance.passed);
        self.end_wait_if(advance.passed > 0);
        advance.stop
    }

    /// Part of a head is held: the new bytes join it.
    fn judge_held(&mut self, start: usize, buf: &mut ReadBuf<'_>) -> Option<Stop> {
        self.held.extend_from_slice(&buf.filled()[start..]);
        buf.set_filled(start);
        let advance = self.framer.advance(&mut self.held);
        self.held.truncate(advance.len);
        self.passed = advance.passed;
        self.end_wait_if(advance.passed > 0);
        advance.stop
    }

    fn end_wait_if(&mut self, head_passed: bool) {
        if head_passed {
            self.wait = None;
        }
    }

    /// Nothing to read now: is a deadline over?
    fn poll_deadline(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Filled> {
        if !self.framer.is_at_head() {
            return Poll::Pending;
        }
        let wait = self.current_wait();
        ready!(self.poll_timer(cx, wait.until));
        match wait.what {
            Awaited::RestOfHead => {
                self.stage = Stage::Refusing(HeadRefusal::HeadTimeout);
                Poll::Ready(Filled::Again)
            }
            Awaited::Request => {
                buf.put_slice(&EMPTY_LINE[..EMPTY_LINE.len().min(buf.remaining())]);
                self.stage = Stage::Probed { writes: self.writes };
                Poll::Ready(Filled::Given)
            }
        }
    }

    /// The wait under way, begun now if it is another than before.
    fn current_wait(&mut self) -> Wait {
        // An empty line before the request line is not yet a request.
        let mid_head = !matches!(&self.held[self.passed..], b"" | b"\r" | b"\r\n");
        let (what, limit) = match mid_head {
            true => (Awaited::RestOfHead, self.limits.head_deadline),
            false => (Awaited::Request, self.limits.idle_deadline),
        };
        match self.wait {
            Some(wait) if wait.what == what => wait,
            _ => *self.wait.insert(Wait { what, until: Instant::now() + limit }),
        }
    }

    /// One timer a connection. It is moved only when it would ring too late; rung too early, it is set again:
    /// so a busy connection touches the clock's wheel about once a deadline, not once a request.
    fn poll_timer(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if timer.deadline() > until {
            timer.as_mut().reset(until);
        }
        ready!(timer.as_mut().poll(cx));
        if Instant::now() >= until {
            return Poll::Ready(());
        }
        timer.as_mut().reset(until);
        timer.as_mut().poll(cx)
    }

    /// hyper wrote since it was probed: a response was under way.
    fn resume(&mut self) {
        self.stage = Stage::Open;
        self.wait = None;
    }

    fn end_idle(&mut self) {
        self.stage = Stage::Ended;
        if let Some(counts) = &self.counts {
            counts.count_idle_closed();
        }
    }

    fn answer(&mut self, reason: HeadRefusal) {
        self.count(reason);
        self.held = Vec::new();
        self.stage = Stage::Answering(Answer {
            response: reason.response(),
            written: 0,
            until: None,
            own_side_closed: false,
            bytes_discarded: 0,
        });
    }

    fn count(&self, reason: HeadRefusal) {
        if let Some(counts) = &self.counts {
            counts.count(reason);
        }
    }

    /// Writes the refusal, closes this side, and lets the client close the other one.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Stage::Answering(answer) = &mut self.stage else { return Poll::Ready(Ok(())) };
        let until = *answer.until.get_or_insert_with(|| Instant::now() + LINGER);
        if self.poll_timer(cx, until).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let Stage::Answering(answer) = &mut self.stage else { return Poll::Ready(Ok(())) };
        answer.poll(&mut self.io, cx)
    }
}

impl Answer {
    fn poll<IO: AsyncRead + AsyncWrite + Unpin>(&mut self, io: &mut IO, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.response.len() {
            let rest = &self.response.as_bytes()[self.written..];
            match ready!(Pin::new(&mut *io).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                len => self.written += len,
            }
        }
        if !self.own_side_closed {
            ready!(Pin::new(&mut *io).poll_flush(cx))?;
            ready!(Pin::new(&mut *io).poll_shutdown(cx))?;
            self.own_side_closed = true;
        }
        let mut scratch = [0; 2048];
        while self.bytes_discarded < LINGER_BYTES_MAX {
            let mut buf = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut *io).poll_read(cx, &mut buf))?;
            match buf.filled().len() {
                0 => break,
                len => self.bytes_discarded += len,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for HeadGate<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let gate = self.get_mut();
        gate.note_write();
        Pin::new(&mut gate.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let gate = self.get_mut();
        gate.note_write();
        Pin::new(&mut gate.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        match gate.stage {
            Stage::Answering(_) => gate.poll_answer(cx),
            _ => Pin::new(&mut gate.io).poll_shutdown(cx),
        }
    }
}

impl<IO> HeadGate<IO> {
    /// A response is on its way, so the connection is not idle: the wait for a request begins anew. Set here and
    /// not at the next read, because hyper, having read in vain before it wrote, does not read again by itself.
    fn note_write(&mut self) {
        self.writes += 1;
        if let Some(wait) = self.wait.as_mut().filter(|wait| wait.what == Awaited::Request) {
            wait.until = Instant::now() + self.limits.idle_deadline;
        }
    }
}
