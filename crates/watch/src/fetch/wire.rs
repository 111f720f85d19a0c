//! A connection that keeps a copy of what goes over it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are copied of an answer; its reader stops before that (chunked coding adds to a body's length).
const RECEIVED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The copy.
#[derive(Debug, Default)]
pub(super) struct Wire {
    pub(super) sent: Vec<u8>,
    pub(super) received: Vec<u8>,
}

impl Wire {
    /// No more is copied.
    pub(super) fn is_full(&self) -> bool {
        self.received.len() >= RECEIVED_BYTES_MAX
    }
}

/// The connection.
pub(super) struct Recorded<S> {
    inner: S,
    wire: Arc<Mutex<Wire>>,
}

impl<S> Recorded<S> {
    pub(super) fn new(inner: S, wire: &Arc<Mutex<Wire>>) -> Recorded<S> {
        Recorded { inner, wire: Arc::clone(wire) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Recorded<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, into);
        if let Poll::Ready(Ok(())) = polled {
            let mut wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
            let room = RECEIVED_BYTES_MAX.saturating_sub(wire.received.len());
            let read = &into.filled()[before..];
            wire.received.extend_from_slice(&read[..read.len().min(room)]);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Recorded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = polled {
            let mut wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
            wire.sent.extend_from_slice(&bytes[..written]);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
