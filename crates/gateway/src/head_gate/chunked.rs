//! Follows a chunked body (RFC 9112 section 7.1) without changing it, stricter than the grammar: no whitespace
//! around the size, at most eight digits, CRLF everywhere, few bytes of extensions, harmless trailer fields only.

use super::head::is_token_byte;
use super::refusal::HeadRefusal;

/// Digits of a chunk's size: chunks below 4 GiB.
const SIZE_DIGITS_MAX: u32 = 8;
/// Bytes of all chunk extensions of one body. No client is known to use them; attackers do (CVE-2023-39326).
const EXTENSION_BYTES_MAX: usize = 1024;
/// Bytes of a trailer section.
const TRAILER_BYTES_MAX: usize = 4096;

/// Fields that RFC 9110 section 6.5.1 forbids in a trailer: framing, routing, authentication, content.
const FORBIDDEN_TRAILERS: &[&[u8]] = &[
    b"authorization",
    b"cache-control",
    b"connection",
    b"content-encoding",
    b"content-length",
    b"content-range",
    b"content-type",
    b"cookie",
    b"expect",
    b"forwarded",
    b"host",
    b"http2-settings",
    b"keep-alive",
    b"max-forwards",
    b"origin",
    b"proxy-authorization",
    b"proxy-connection",
    b"range",
    b"referer",
    b"set-cookie",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"via",
];
/// And everything that begins so.
const FORBIDDEN_TRAILER_PREFIXES: &[&[u8]] = &[b"x-forwarded-", b"if-", b"sec-", b"x-real-"];

/// A chunked body being followed.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    state: State,
    extension_bytes: usize,
    /// The trailer section so far; empty for nearly all bodies.
    trailers: Vec<u8>,
    trailer_line_start: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Size { value: u64, digits: u32 },
    Extension { size: u64 },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    Trailers,
    Done,
}

impl Default for State {
    fn default() -> State {
        State::Size { value: 0, digits: 0 }
    }
}

impl Chunked {
    /// Whether the last CRLF has been seen.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Follows the body through `bytes`; how many of them belong to it.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let mut at = 0;
        while at < bytes.len() && !self.is_done() {
            if let State::Data { left } = self.state {
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += taken;
                let left = left - taken as u64;
                self.state = if left == 0 { State::DataCr } else { State::Data { left } };
            } else {
                self.state = self.step(bytes[at]).map_err(|reason| Fault { at, reason })?;
                at += 1;
            }
        }
        Ok(at)
    }

    /// One byte outside the data.
    fn step(&mut self, byte: u8) -> Result<State, HeadRefusal> {
        match self.state {
            State::Size { value, digits } => self.size(value, digits, byte),
            State::Extension { size } => self.extension(size, byte),
            State::SizeLf { size } => match byte {
                b'\n' if size == 0 => Ok(State::Trailers),
                b'\n' => Ok(State::Data { left: size }),
                _ => Err(HeadRefusal::BareCr),
            },
            State::DataCr if byte == b'\r' => Ok(State::DataLf),
            State::DataLf if byte == b'\n' => Ok(State::default()),
            State::DataCr | State::DataLf => Err(HeadRefusal::BadChunkEnd),
            State::Trailers => self.trailer(byte),
            State::Data { .. } | State::Done => unreachable!("feed takes the data itself and stops when done"),
        }
    }

    fn size(&mut self, value: u64, digits: u32, byte: u8) -> Result<State, HeadRefusal> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\r' if digits > 0 => return Ok(State::SizeLf { size: value }),
            b'\n' if digits > 0 => return Err(HeadRefusal::BareLf),
            b';' if digits > 0 => return self.extension(value, byte),
            _ => return Err(HeadRefusal::BadChunkSize),
        };
        if digits == SIZE_DIGITS_MAX {
            return Err(HeadRefusal::BadChunkSize);
        }
        Ok(State::Size { value: value * 16 + u64::from(digit), digits: digits + 1 })
    }

    fn extension(&mut self, size: u64, byte: u8) -> Result<State, HeadRefusal> {
        match byte {
            b'\r' => return Ok(State::SizeLf { size }),
            b'\n' => return Err(HeadRefusal::BareLf),
            b'\t' | b' '..=b'~' => self.extension_bytes += 1,
            _ => return Err(HeadRefusal::BadChunkExtension),
        }
        if self.extension_bytes > EXTENSION_BYTES_MAX {
            return Err(HeadRefusal::BadChunkExtension);
        }
        Ok(State::Extension { size })
    }

    fn trailer(&mut self, byte: u8) -> Result<State, HeadRefusal> {
        if self.trailers.len() == TRAILER_BYTES_MAX {
            return Err(HeadRefusal::TrailersTooLong);
        }
        if self.trailers.last() == Some(&b'\r') && byte != b'\n' {
            return Err(HeadRefusal::BareCr);
        }
        self.trailers.push(byte);
        if byte != b'\n' {
            return Ok(State::Trailers);
        }
        let line = self.trailers[self.trailer_line_start..].strip_suffix(b"\r\n").ok_or(HeadRefusal::BareLf)?;
        if line.is_empty() {
            self.trailers = Vec::new();
            return Ok(State::Done);
        }
        check_trailer(line)?;
        self.trailer_line_start = self.trailers.len();
        Ok(State::Trailers)
    }
}

/// Where a body breaks the rules, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) reason: HeadRefusal,
}

fn check_trailer(line: &[u8]) -> Result<(), HeadRefusal> {
    let colon = memchr::memchr(b':', line).ok_or(HeadRefusal::BadTrailer)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let name_is_good = !name.is_empty() && name.iter().all(|&byte| is_token_byte(byte));
    let value_is_good = value.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
    if !name_is_good || !value_is_good {
        return Err(HeadRefusal::BadTrailer);
    }
    // Underscores count as hyphens, since a CGI-style application cannot tell them apart.
    let name: Vec<u8> = name.iter().map(|&byte| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }).collect();
    let forbidden = FORBIDDEN_TRAILERS.contains(&name.as_slice())
        || FORBIDDEN_TRAILER_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if forbidden { Err(HeadRefusal::ForbiddenTrailer) } else { Ok(()) }
}
