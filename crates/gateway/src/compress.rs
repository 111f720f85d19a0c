//! Compression to the client: which encoding, which responses, and the body that does it.
//!
//! Only on routes with `compress`, which are those without subjects: a compressed secret beside reflected input can
//! be guessed from the length (BREACH). Only text, from 1 KB, never what is encoded already. A stream that falls
//! silent is flushed, so that events are not stuck in an encoder.

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode, response};
use http_body::{Body, Frame};
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Shorter bodies are sent as they are.
const BODY_BYTES_MIN: u64 = 1024;
/// Compressed bytes gathered before they are sent on.
const OUTPUT_BYTES_MIN: usize = 8 * 1024;
const GZIP_LEVEL: u32 = 5;
const BROTLI_QUALITY: u32 = 4;
/// 256 KiB of window each for brotli and zstd: bounds the memory of a stream.
const WINDOW_LOG: u32 = 18;
const ZSTD_LEVEL: i32 = 3;

/// The encodings, most wanted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Zstd,
    Brotli,
    Gzip,
}

impl Encoding {
    const ALL: [Encoding; 3] = [Encoding::Zstd, Encoding::Brotli, Encoding::Gzip];

    fn name(self) -> &'static str {
        match self {
            Encoding::Zstd => "zstd",
            Encoding::Brotli => "br",
            Encoding::Gzip => "gzip",
        }
    }

    /// The encoding that the client likes best (RFC 9110, 12.5.3); ours decides between equals.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Encoding> {
        let weight = |encoding: Encoding| {
            let items = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
            let mut any = None;
            for (name, q) in items.flat_map(|line| line.split(',')).map(weighted) {
                match name {
                    name if name.eq_ignore_ascii_case(encoding.name()) => return q,
                    "*" => any = Some(q),
                    _ => {}
                }
            }
            any.unwrap_or(0)
        };
        let best = Encoding::ALL.into_iter().rev().max_by_key(|encoding| weight(*encoding))?;
        (weight(best) > 0).then_some(best)
    }
}

/// An item of `Accept-Encoding`: its name and its weight in thousandths.
fn weighted(item: &str) -> (&str, u16) {
    let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
    let q = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("q="));
    let thousandths = q.map_or(1000.0, |q| q.trim().parse::<f32>().unwrap_or(0.0) * 1000.0);
    (name.trim(), thousandths.clamp(0.0, 1000.0) as u16)
}

/// Whether a response may be compressed for a client that accepts it.
pub(crate) fn is_eligible(head: &response::Parts, body_bytes: Option<u64>) -> bool {
    let headers = &head.headers;
    let no_transform = headers.get_all(CACHE_CONTROL).iter().any(|line| {
        line.as_bytes().split(|byte| *byte == b',').any(|word| word.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
    });
    head.status != StatusCode::PARTIAL_CONTENT
        && !headers.contains_key(CONTENT_ENCODING)
        && !no_transform
        && body_bytes.is_none_or(|bytes| bytes >= BODY_BYTES_MIN)
        && headers.get(CONTENT_TYPE).is_some_and(|value| is_text(value.as_bytes()))
}

fn is_text(content_type: &[u8]) -> bool {
    let kind = content_type.split(|byte| *byte == b';').next().unwrap_or(b"").trim_ascii().to_ascii_lowercase();
    let listed: [&[u8]; 6] = [
        b"application/json",
        b"application/javascript",
        b"application/xml",
        b"application/x-ndjson",
        b"application/manifest+json",
        b"image/svg+xml",
    ];
    kind.starts_with(b"text/") || kind.ends_with(b"+json") || kind.ends_with(b"+xml") || listed.contains(&&kind[..])
}

/// Tells caches that the response depends on `Accept-Encoding`, whether it was compressed for this client or not.
pub(crate) fn vary(head: &mut response::Parts) {
    head.headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
}

/// Makes the head one of a compressed body.
pub(crate) fn encode_head(head: &mut response::Parts, encoding: Encoding) {
    head.headers.remove(CONTENT_LENGTH);
    head.headers.remove(ACCEPT_RANGES);
    head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    // Other bytes than the upstream's: the tag compares weakly from now on (RFC 9110, 8.8.1).
    let weak = head.headers.get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""));
    if let Some(weak) = weak.and_then(|tag| HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()).ok()) {
        head.headers.insert(ETAG, weak);
    }
}

/// A body that is compressed as it passes.
pub(crate) struct Compressed<B> {
    body: B,
    encoder: Option<Encoder>,
    is_flushed: bool,
    trailers: Option<HeaderMap>,
}

impl<B> Compressed<B> {
    pub(crate) fn new(body: B, encoding: Encoding) -> io::Result<Compressed<B>> {
        Ok(Compressed { body, encoder: Some(Encoder::new(encoding)?), is_flushed: true, trailers: None })
    }

    /// The input stands still: everything gathered goes out.
    fn flush(&mut self) -> io::Result<Option<Bytes>> {
        self.is_flushed = true;
        let Some(encoder) = &mut self.encoder else { return Ok(None) };
        encoder.flush()?;
        Ok(encoder.output(1))
    }
}

impl<B> Body for Compressed<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        loop {
            if this.encoder.is_none() {
                return Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            }
            match Pin::new(&mut this.body).poll_frame(cx).map_err(Into::into)? {
                Poll::Pending if this.is_flushed => return Poll::Pending,
                Poll::Pending => match this.flush()? {
                    Some(output) => return Poll::Ready(Some(Ok(Frame::data(output)))),
                    None => return Poll::Pending,
                },
                Poll::Ready(Some(frame)) => match frame.into_data() {
                    Ok(data) => {
                        this.is_flushed = false;
                        let Some(encoder) = &mut this.encoder else { continue };
                        encoder.write(&data)?;
                        if let Some(output) = encoder.output(OUTPUT_BYTES_MIN) {
                            return Poll::Ready(Some(Ok(Frame::data(output))));
                        }
                    }
                    Err(frame) => this.trailers = frame.into_trailers().ok(),
                },
                Poll::Ready(None) => {
                    let Some(encoder) = this.encoder.take() else { continue };
                    return Poll::Ready(Some(Ok(Frame::data(encoder.finish()?.into()))));
                }
            }
        }
    }
}

enum Encoder {
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    fn new(encoding: Encoding) -> io::Result<Encoder> {
        Ok(match encoding {
            Encoding::Gzip => {
                Encoder::Gzip(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL)))
            }
            Encoding::Brotli => {
                Encoder::Brotli(Box::new(brotli::CompressorWriter::new(Vec::new(), 4096, BROTLI_QUALITY, WINDOW_LOG)))
            }
            Encoding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.window_log(WINDOW_LOG)?;
                Encoder::Zstd(encoder)
            }
        })
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        match self {
            Encoder::Gzip(encoder) => encoder.write_all(data),
            Encoder::Brotli(encoder) => encoder.write_all(data),
            Encoder::Zstd(encoder) => encoder.write_all(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Encoder::Gzip(encoder) => encoder.flush(),
            Encoder::Brotli(encoder) => encoder.flush(),
            Encoder::Zstd(encoder) => encoder.flush(),
        }
    }

    /// What has come out, when it is at least so many bytes.
    fn output(&mut self, bytes_min: usize) -> Option<Bytes> {
        let output = match self {
            Encoder::Gzip(encoder) => encoder.get_mut(),
            Encoder::Brotli(encoder) => encoder.get_mut(),
            Encoder::Zstd(encoder) => encoder.get_mut(),
        };
        (output.len() >= bytes_min).then(|| std::mem::take(output).into())
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Brotli(encoder) => Ok(encoder.into_inner()),
            Encoder::Zstd(encoder) => encoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests;
