//! Reads one request head, line by line, and decides how its body is framed.
//! A line is judged when its LF is there, so that cutting the bytes otherwise never changes the verdict.
//! It answers only "is this unambiguous, and how long is the body"; hyper parses the head again for its meaning.

use super::refusal::HeadRefusal;
use super::target::{check_authority, check_target, same_authority};
use std::ops::Range;

/// Longest Content-Length in digits: 19 digits fit u64; one more is refused, leading zeros or not.
const LENGTH_DIGITS_MAX: usize = 19;

/// Fields whose imitation with underscores is refused: those that frame, route, or name the client.
const IMITATED: &[&[u8]] = &[
    b"content-length",
    b"transfer-encoding",
    b"x-forwarded-for",
    b"x-forwarded-proto",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-prefix",
    b"x-real-ip",
];

/// How the body after a head is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
}

/// What [`Head::feed`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The head needs more bytes.
    Partial,
    /// The head is whole: its bytes up to `len`.
    Whole { len: usize, framing: Framing },
}

/// A head being read. `feed` is called with the same bytes and more each time, from the head's first byte.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Bytes searched for LF.
    searched: usize,
    /// Where the line begins that is not judged yet.
    line_start: usize,
    headers: usize,
    /// Set by the request line.
    line: Option<RequestLine>,
    host: Option<Range<usize>>,
    length: Option<u64>,
    chunked: bool,
    expect: bool,
}

#[derive(Debug)]
struct RequestLine {
    version: Version,
    /// The authority of an absolute-form target, as a range of the head, and its default port.
    authority: Option<(Range<usize>, u16)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

/// Whether a field line stays or is taken out of the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Line,
    Nothing,
}

impl Head {
    /// Reads on. `bytes` may hold more than the head. A line that must not reach hyper (an offer of h2c) is
    /// taken out in place; `removed` then says by how much `bytes` became shorter: its last bytes are void.
    pub(super) fn feed(
        &mut self,
        bytes: &mut [u8],
        limits: (usize, usize),
        removed: &mut usize,
    ) -> Result<Progress, HeadRefusal> {
        let (bytes_max, headers_max) = limits;
        *removed = 0;
        check_first_byte(bytes)?;
        loop {
            let end = bytes.len() - *removed;
            let Some(found) = memchr::memchr(b'\n', &bytes[self.searched..end]) else {
                self.searched = end;
                return if end > bytes_max { Err(HeadRefusal::HeadTooLong) } else { Ok(Progress::Partial) };
            };
            let line_end = self.searched + found + 1;
            if line_end > bytes_max {
                return Err(HeadRefusal::HeadTooLong);
            }
            let start = self.line_start;
            let Some(content_end) = (line_end - start >= 2).then(|| line_end - 2).filter(|&at| bytes[at] == b'\r')
            else {
                return Err(HeadRefusal::BareLf);
            };
            self.searched = line_end;
            self.line_start = line_end;
            if content_end == start && self.line.is_some() {
                return Ok(Progress::Whole { len: line_end, framing: self.finish(bytes)? });
            }
            if self.judge(bytes, start..content_end, headers_max)? == Keep::Nothing {
                bytes.copy_within(line_end..end, start);
                *removed += line_end - start;
                self.searched = start;
                self.line_start = start;
            }
        }
    }

    /// Judges one line without its CRLF.
    fn judge(&mut self, bytes: &[u8], line: Range<usize>, headers_max: usize) -> Result<Keep, HeadRefusal> {
        if self.line.is_some() {
            self.headers += 1;
            if self.headers > headers_max {
                return Err(HeadRefusal::TooManyHeaders);
            }
            return self.field(bytes, line);
        }
        match (line.is_empty(), line.start) {
            (true, 0) => Ok(Keep::Line),
            (true, _) => Err(HeadRefusal::EmptyLines),
            (false, start) => {
                self.line = Some(request_line(&bytes[line], start)?);
                Ok(Keep::Line)
            }
        }
    }

    fn field(&mut self, bytes: &[u8], line: Range<usize>) -> Result<Keep, HeadRefusal> {
        let field = &bytes[line.clone()];
        let name_len = check_name(field)?;
        let (name, value) = (&field[..name_len], &field[name_len + 1..]);
        check_value(value)?;
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                let value = trim(value);
                let start = line.end - (field.len() - name_len - 1) + offset_of(&field[name_len + 1..], value);
                self.host(value, start..start + value.len())?;
            }
            6 if name.eq_ignore_ascii_case(b"expect") => self.expect(trim(value))?,
            7 if name.eq_ignore_ascii_case(b"upgrade") && offers_h2c(value) => return Ok(Keep::Nothing),
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(trim_spaces(value))?,
            14 if name.eq_ignore_ascii_case(b"http2-settings") => return Ok(Keep::Nothing),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.transfer_encoding(value)?,
            _ if memchr::memchr(b'_', name).is_some() && imitates(name) => return Err(HeadRefusal::UnderscoreName),
            _ => {}
        }
        Ok(Keep::Line)
    }

    fn host(&mut self, value: &[u8], range: Range<usize>) -> Result<(), HeadRefusal> {
        if self.host.is_some() {
            return Err(HeadRefusal::DuplicateHost);
        }
        check_authority(value)?;
        self.host = Some(range);
        Ok(())
    }

    fn expect(&mut self, value: &[u8]) -> Result<(), HeadRefusal> {
        if self.expect || !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(HeadRefusal::BadExpectation);
        }
        self.expect = true;
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), HeadRefusal> {
        if self.length.is_some() {
            return Err(HeadRefusal::DuplicateContentLength);
        }
        if self.chunked {
            return Err(HeadRefusal::LengthAndEncoding);
        }
        self.length = Some(parse_length(value).ok_or(HeadRefusal::BadContentLength)?);
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), HeadRefusal> {
        if self.length.is_some() {
            return Err(HeadRefusal::LengthAndEncoding);
        }
        if self.chunked {
            return Err(HeadRefusal::DuplicateTransferEncoding);
        }
        if self.line.as_ref().is_some_and(|line| line.version == Version::Http10) {
            return Err(HeadRefusal::TransferEncodingInHttp10);
        }
        check_chunked(value)?;
        self.chunked = true;
        Ok(())
    }

    /// Judges the head as a whole, at its empty line.
    fn finish(&self, bytes: &[u8]) -> Result<Framing, HeadRefusal> {
        let line = self.line.as_ref().expect("the empty line that ends a head comes after its request line");
        match (&self.host, &line.authority) {
            (None, _) if line.version == Version::Http11 => return Err(HeadRefusal::MissingHost),
            (Some(host), Some((authority, default_port)))
                if !same_authority(&bytes[host.clone()], &bytes[authority.clone()], *default_port) =>
            {
                return Err(HeadRefusal::HostMismatch);
            }
            _ => {}
        }
        Ok(if self.chunked { Framing::Chunked } else { Framing::Length(self.length.unwrap_or(0)) })
    }
}

/// Holds the fields of an HTTP/2 head to the same rules; what hyper refuses in any head is not looked for again.
pub(crate) fn check_http2_fields<'f>(fields: impl Iterator<Item = (&'f str, &'f [u8])>) -> Result<(), HeadRefusal> {
    let mut length = None;
    for (name, value) in fields {
        match name {
            "content-length" if length.is_some() => return Err(HeadRefusal::DuplicateContentLength),
            "content-length" => length = Some(parse_length(value).ok_or(HeadRefusal::BadContentLength)?),
            "transfer-encoding" => return Err(HeadRefusal::UnknownTransferCoding),
            name if name.contains('_') && imitates(name.as_bytes()) => return Err(HeadRefusal::UnderscoreName),
            _ => {}
        }
    }
    Ok(())
}

/// Refuses what cannot begin a request at its first byte (a TLS hello, say), so that it need not be waited for.
fn check_first_byte(bytes: &[u8]) -> Result<(), HeadRefusal> {
    match bytes.first() {
        None | Some(b'\r' | b'\n') => Ok(()),
        Some(&byte) if is_token_byte(byte) => Ok(()),
        Some(_) => Err(HeadRefusal::BadMethod),
    }
}

fn request_line(line: &[u8], start: usize) -> Result<RequestLine, HeadRefusal> {
    if line.contains(&b'\r') {
        return Err(HeadRefusal::BareCr);
    }
    let first = memchr::memchr(b' ', line).ok_or(HeadRefusal::BadRequestLine)?;
    let last = memchr::memrchr(b' ', line).ok_or(HeadRefusal::BadRequestLine)?;
    if first == last {
        return Err(HeadRefusal::BadRequestLine);
    }
    let (method, target, version) = (&line[..first], &line[first + 1..last], &line[last + 1..]);
    if method.is_empty() || !method.iter().all(|&byte| is_token_byte(byte)) {
        return Err(HeadRefusal::BadMethod);
    }
    let version = match version {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => return Err(HeadRefusal::UnsupportedVersion),
        _ => return Err(HeadRefusal::BadVersion),
    };
    let target_start = start + first + 1;
    let authority = check_target(method, target)?
        .map(|found| (target_start + found.range.start..target_start + found.range.end, found.default_port));
    Ok(RequestLine { version, authority })
}

/// The length of the field's name.
fn check_name(field: &[u8]) -> Result<usize, HeadRefusal> {
    match field.first() {
        Some(b' ' | b'\t') => return Err(HeadRefusal::ObsFold),
        Some(b':') => return Err(HeadRefusal::EmptyHeaderName),
        _ => {}
    }
    let Some(len) = field.iter().position(|&byte| !is_token_byte(byte)) else {
        return Err(HeadRefusal::MissingColon);
    };
    match field[len] {
        b':' => Ok(len),
        b'\r' => Err(HeadRefusal::BareCr),
        b' ' | b'\t' if trim(&field[len..]).first() == Some(&b':') => Err(HeadRefusal::SpaceBeforeColon),
        _ if !field.contains(&b':') => Err(HeadRefusal::MissingColon),
        _ => Err(HeadRefusal::BadHeaderName),
    }
}

/// Refuses control characters other than tab. Without a branch for each byte, so that it runs over many at once.
fn check_value(value: &[u8]) -> Result<(), HeadRefusal> {
    let bad = value.iter().fold(false, |bad, &byte| bad | ((byte < 0x20) & (byte != b'\t')) | (byte == 0x7f));
    match bad {
        false => Ok(()),
        true if value.contains(&b'\r') => Err(HeadRefusal::BareCr),
        true => Err(HeadRefusal::ControlCharacter),
    }
}

fn parse_length(value: &[u8]) -> Option<u64> {
    let plain = (1..=LENGTH_DIGITS_MAX).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    plain.then(|| std::str::from_utf8(value).ok()?.parse().ok()).flatten()
}

/// Accepts `chunked` in any case with spaces around it, and nothing else; says what else it is.
fn check_chunked(value: &[u8]) -> Result<(), HeadRefusal> {
    if trim_spaces(value).eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let mut codings = value.split(|&byte| byte == b',').map(trim_spaces);
    let well_formed =
        codings.clone().all(|coding| !coding.is_empty() && coding.iter().all(|&byte| is_token_byte(byte)));
    let chunked = codings.clone().filter(|coding| coding.eq_ignore_ascii_case(b"chunked")).count();
    let last_is_chunked = codings.next_back().is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
    match (well_formed, chunked, last_is_chunked) {
        (true, 0, _) | (true, 1, true) => Err(HeadRefusal::UnknownTransferCoding),
        _ => Err(HeadRefusal::BadTransferEncoding),
    }
}

fn offers_h2c(value: &[u8]) -> bool {
    value.split(|&byte| byte == b',').any(|protocol| trim(protocol).eq_ignore_ascii_case(b"h2c"))
}

fn imitates(name: &[u8]) -> bool {
    let same = |byte: &u8, wanted: &u8| byte.eq_ignore_ascii_case(wanted) || (*byte == b'_' && *wanted == b'-');
    IMITATED.iter().any(|wanted| name.len() == wanted.len() && name.iter().zip(*wanted).all(|(b, w)| same(b, w)))
}

/// RFC 9110 section 5.6.2: the characters of a token.
pub(super) fn is_token_byte(byte: u8) -> bool {
    const TOKEN: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 128 {
            let symbol = matches!(
                byte as u8,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
            );
            table[byte] = symbol || (byte as u8).is_ascii_alphanumeric();
            byte += 1;
        }
        table
    };
    TOKEN[byte as usize]
}

/// Without the optional whitespace (space and tab) of RFC 9110 section 5.6.3.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Without spaces around it. The framing fields are held to this: a tab there is an attempt to be read differently.
fn trim_spaces(mut value: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = value {
        value = rest;
    }
    value
}

/// Where a trimmed value begins in the value.
fn offset_of(value: &[u8], trimmed: &[u8]) -> usize {
    let leading = value.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    if trimmed.is_empty() { 0 } else { leading }
}
