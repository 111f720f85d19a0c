//! An HTTP/1.1 response as it lies in the archive, cut into status, headers and body again.
//!
//! Pure. Transfer coding (chunked) and content coding (gzip, deflate) are taken off; limits keep a small answer from
//! becoming a large body.

use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
use std::io::Read;

/// Bytes of a body after decoding; what comes after is left out.
pub(crate) const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// Reads the wire's bytes; a body that breaks off is taken as far as it goes.
    pub(crate) fn parse(wire: &[u8]) -> Option<Response> {
        let mut rest = wire;
        loop {
            let end = crate::warc::find(rest, b"\r\n\r\n")?;
            let head = String::from_utf8_lossy(&rest[..end]).into_owned();
            rest = &rest[end + 4..];
            let mut lines = head.split("\r\n");
            let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
            if (100..200).contains(&status) {
                continue;
            }
            let fields = lines.filter_map(|line| line.split_once(':'));
            let headers = fields.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            let mut response = Response { status, headers: headers.collect(), body: Vec::new() };
            let is_chunked = response.header("transfer-encoding").is_some_and(|value| value.contains("chunked"));
            let body = if is_chunked { join_chunks(rest) } else { rest.to_vec() };
            response.body = decode(body, response.header("content-encoding").unwrap_or_default());
            return Some(response);
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn join_chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = crate::warc::find(rest, b"\r\n") {
        let size = String::from_utf8_lossy(&rest[..end]);
        let size = size.split(';').next().unwrap_or_default().trim();
        let Ok(size) = usize::from_str_radix(size, 16) else { break };
        let begin = end + 2;
        let chunk = &rest[begin..rest.len().min(begin.saturating_add(size))];
        body.extend_from_slice(chunk);
        if size == 0 || chunk.len() < size {
            break;
        }
        rest = rest.get(begin + size + 2..).unwrap_or_default();
    }
    body
}

fn decode(mut body: Vec<u8>, coding: &str) -> Vec<u8> {
    let coding = coding.trim().to_ascii_lowercase();
    let decoder: Box<dyn Read + '_> = match coding.as_str() {
        "gzip" | "x-gzip" => Box::new(GzDecoder::new(body.as_slice())),
        // The standard means zlib; servers exist that send the bare stream.
        "deflate" if body.first().is_some_and(|byte| byte & 0x0f == 8) => Box::new(ZlibDecoder::new(body.as_slice())),
        "deflate" => Box::new(DeflateDecoder::new(body.as_slice())),
        _ => {
            // How much was read beyond the limit depends on how the bytes came.
            body.truncate(BODY_BYTES_MAX);
            return body;
        }
    };
    let mut plain = Vec::new();
    // What was decoded before an error is the page's beginning.
    let _ = decoder.take(BODY_BYTES_MAX as u64).read_to_end(&mut plain);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(wire: &[u8]) -> String {
        String::from_utf8_lossy(&Response::parse(wire).expect("a response").body).into_owned()
    }

    #[test]
    fn codings_are_taken_off() {
        assert_eq!(body(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), "hi");
        assert_eq!(
            body(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x\r\n yo\r\n0\r\n\r\n"),
            "hi yo"
        );
        let zipped = crate::warc::compress("日本".as_bytes()).expect("in memory");
        let wire =
            [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n".as_slice(), &zipped]
                .concat();
        assert_eq!(body(&wire), "日本");
    }

    /// Where reading stopped depends on how the bytes came; a document that is larger must still be the same each time.
    #[test]
    fn a_body_is_cut_at_its_limit_however_much_was_read() {
        let read = |more: usize| {
            let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\n".to_vec();
            let wire = [head, vec![b'x'; BODY_BYTES_MAX + more]].concat();
            Response::parse(&wire).expect("a response").body.len()
        };
        assert_eq!((read(1), read(9_000)), (BODY_BYTES_MAX, BODY_BYTES_MAX));
    }

    #[test]
    fn a_body_that_breaks_off_is_taken_as_far_as_it_goes() {
        assert_eq!(body(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhi"), "hi");
        assert_eq!(body(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi"), "hi");
        assert_eq!(Response::parse(b"HTTP/1.1 200"), None);
    }
}
