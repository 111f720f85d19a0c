//! Stub: a strict reader of HTTP/1 request heads under hyper.

/// An I/O stream that lets only unambiguous HTTP/1 requests through to the reader above it.
pub struct HeadGate<IO> {
    _io: IO,
}
