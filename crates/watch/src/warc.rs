//! Records after WARC/1.1 (ISO 28500:2017), each a gzip member of its own.
//!
//! Pure: bytes in, bytes out. HTTP messages are kept as they came over the wire, transfer coding and all.

use crate::fetch::Truncated;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{self, Read, Write};

/// Bytes of one record, uncompressed; what is larger cannot be one of ours.
const RECORD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Warcinfo,
    Request,
    Response,
    Metadata,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Warcinfo => "warcinfo",
            Kind::Request => "request",
            Kind::Response => "response",
            Kind::Metadata => "metadata",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Kind::Warcinfo => "application/warc-fields",
            Kind::Request => "application/http;msgtype=request",
            Kind::Response => "application/http;msgtype=response",
            Kind::Metadata => "application/json",
        }
    }
}

/// A record to be written.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    /// `urn:uuid:…`, without angle brackets.
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    /// Empty for a warcinfo record.
    pub(crate) url: String,
    /// The record that this one belongs to.
    pub(crate) concurrent_to: Option<String>,
    /// Why the block is not all that was sent.
    pub(crate) truncated: Option<Truncated>,
    pub(crate) block: Vec<u8>,
}

impl Record {
    /// The record's bytes before compression: what its hash in the log is of.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = format!(
            "WARC/1.1\r\nWARC-Type: {}\r\nWARC-Record-ID: <{}>\r\nWARC-Date: {}\r\n",
            self.kind.name(),
            self.id,
            self.at.strftime("%Y-%m-%dT%H:%M:%SZ")
        );
        // Writing into a String cannot fail.
        if !self.url.is_empty() {
            let _ = write!(head, "WARC-Target-URI: {}\r\n", self.url);
        }
        if let Some(id) = &self.concurrent_to {
            let _ = write!(head, "WARC-Concurrent-To: <{id}>\r\n");
        }
        if let Some(truncated) = self.truncated {
            let reason = match truncated {
                Truncated::Length => "length",
                Truncated::Time => "time",
                Truncated::Disconnect => "disconnect",
            };
            let _ = write!(head, "WARC-Truncated: {reason}\r\n");
        }
        let digest = base32(&Sha256::digest(&self.block));
        let _ = write!(
            head,
            "WARC-Block-Digest: sha256:{digest}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
            self.kind.content_type(),
            self.block.len()
        );
        [head.as_bytes(), &self.block, b"\r\n\r\n"].concat()
    }
}

/// One gzip member.
pub(crate) fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut member = GzEncoder::new(Vec::new(), Compression::default());
    member.write_all(bytes)?;
    member.finish()
}

/// The one record in a gzip member.
pub(crate) fn decompress(member: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    GzDecoder::new(member).take(RECORD_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A record's type and block.
pub(crate) fn parse(record: &[u8]) -> Option<(&str, &[u8])> {
    let end = find(record, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&record[..end]).ok()?;
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let length: usize = field("Content-Length")?.parse().ok()?;
    Some((field("WARC-Type")?, record.get(end + 4..end.checked_add(4)?.checked_add(length)?)?))
}

/// Where `needle` begins.
pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// RFC 4648, section 6, as digests in WARC files are written.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    for chunk in bytes.chunks(5) {
        let mut group = [0; 8];
        group[3..3 + chunk.len()].copy_from_slice(chunk);
        let group = u64::from_be_bytes(group);
        let digits = (chunk.len() * 8).div_ceil(5);
        for digit in 0..8 {
            let value = usize::try_from(group >> (35 - 5 * digit) & 31).unwrap_or(0);
            text.push(if digit < digits { char::from(ALPHABET[value]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_rfc_4648() {
        for (text, expected) in [("", ""), ("f", "MY======"), ("foob", "MZXW6YQ="), ("foobar", "MZXW6YTBOI======")] {
            assert_eq!(base32(text.as_bytes()), expected);
        }
    }

    #[test]
    fn a_record_is_read_again() {
        let record = Record {
            kind: Kind::Response,
            id: "urn:uuid:1".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            url: "http://example.com/".to_owned(),
            concurrent_to: None,
            truncated: None,
            block: b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec(),
        };
        let bytes = decompress(&compress(&record.bytes()).expect("in memory")).expect("a member");
        assert_eq!(bytes, record.bytes());
        assert_eq!(parse(&bytes), Some(("response", record.block.as_slice())));
        assert_eq!(parse(&bytes[..bytes.len() - 10]), None);
    }
}
