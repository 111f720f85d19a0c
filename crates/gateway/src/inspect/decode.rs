//! Takes a content encoding off, in bounded steps: gzip, deflate (zlib, and the raw form some servers send), br, zstd.
//!
//! Push input, then pull output until there is none. One step yields at most the caller's buffer, so that a bomb costs
//! a step at a time; how much a body may decode to in all is the caller's to count. Windows are bounded too: 8 MiB for
//! zstd (RFC 9659), 16 MiB for br, 32 KiB for the others.

use bytes::{Buf, Bytes};
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use std::io::{self, BufRead, Read};

/// The largest window of a zstd frame, as a power of two.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// What a member of a gzip file begins with (RFC 1952, 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// brotli's input buffer.
const BROTLI_BUFFER_BYTES: usize = 4096;

/// A content encoding that can be taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Encoding {
    /// The encoding of this name (RFC 9110, 8.4.1; names are case-insensitive).
    pub(super) fn from_name(name: &str) -> Option<Encoding> {
        let name = name.trim();
        let names = [
            ("gzip", Encoding::Gzip),
            ("x-gzip", Encoding::Gzip),
            ("deflate", Encoding::Deflate),
            ("br", Encoding::Brotli),
            ("zstd", Encoding::Zstd),
        ];
        names.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, encoding)| encoding)
    }
}

/// What one step gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// This many bytes stand in the buffer.
    Output(usize),
    /// More input is wanted.
    Hungry,
    /// The body's end.
    End,
}

/// A decoder of one body.
pub(super) enum Decoder {
    Gzip(Box<GzDecoder<Feed>>),
    /// Which of the two forms of deflate it is shows in the first bytes.
    DeflateStart(Feed),
    Zlib(Box<ZlibDecoder<Feed>>),
    Deflate(Box<DeflateDecoder<Feed>>),
    Brotli(Box<brotli::Decompressor<Feed>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, Feed>>),
}

impl Decoder {
    pub(super) fn new(encoding: Encoding) -> io::Result<Decoder> {
        let feed = Feed::default();
        Ok(match encoding {
            Encoding::Gzip => Decoder::Gzip(Box::new(GzDecoder::new(feed))),
            Encoding::Deflate => Decoder::DeflateStart(feed),
            Encoding::Brotli => Decoder::Brotli(Box::new(brotli::Decompressor::new(feed, BROTLI_BUFFER_BYTES))),
            Encoding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(feed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Decoder::Zstd(Box::new(decoder))
            }
        })
    }

    /// The next encoded bytes. Call when the last step was [`Step::Hungry`], or first.
    pub(super) fn push(&mut self, input: Bytes) {
        self.feed().push(input);
    }

    /// No more input follows.
    pub(super) fn end(&mut self) {
        self.feed().ended = true;
    }

    /// Decodes into `buffer`, at most its length. A body without any byte is one, whatever it is said to be encoded in.
    pub(super) fn step(&mut self, buffer: &mut [u8]) -> io::Result<Step> {
        let feed = self.feed();
        if feed.ended && !feed.begun {
            return Ok(Step::End);
        }
        if let Decoder::DeflateStart(feed) = self {
            match feed.deflate_form() {
                Some(form) => *self = form,
                None if feed.ended => return Err(io::ErrorKind::UnexpectedEof.into()),
                None => return Ok(Step::Hungry),
            }
        }
        let read = match self {
            Decoder::Gzip(decoder) => read_members(decoder, buffer),
            Decoder::DeflateStart(_) => unreachable!("the form was chosen above"),
            Decoder::Zlib(decoder) => decoder.read(buffer),
            Decoder::Deflate(decoder) => decoder.read(buffer),
            Decoder::Brotli(decoder) => decoder.read(buffer),
            Decoder::Zstd(decoder) => decoder.read(buffer),
        };
        match read {
            Ok(0) => Ok(Step::End),
            Ok(bytes) => Ok(Step::Output(bytes)),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(Step::Hungry),
            Err(err) => Err(err),
        }
    }

    fn feed(&mut self) -> &mut Feed {
        match self {
            Decoder::Gzip(decoder) => decoder.get_mut(),
            Decoder::DeflateStart(feed) => feed,
            Decoder::Zlib(decoder) => decoder.get_mut(),
            Decoder::Deflate(decoder) => decoder.get_mut(),
            Decoder::Brotli(decoder) => decoder.get_mut(),
            Decoder::Zstd(decoder) => decoder.get_mut(),
        }
    }
}

/// Reads members one behind the other. What follows the last one and begins none is padding, which browsers leave out too.
fn read_members(decoder: &mut GzDecoder<Feed>, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        let read = decoder.read(buffer)?;
        if read > 0 {
            return Ok(read);
        }
        let feed = decoder.get_mut();
        if !feed.ended && feed.input.len() < GZIP_MAGIC.len() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if !feed.input.starts_with(&GZIP_MAGIC) {
            return Ok(0);
        }
        *decoder = GzDecoder::new(std::mem::take(feed));
    }
}

/// Input as a reader that would block where more may follow.
#[derive(Default)]
pub(super) struct Feed {
    input: Bytes,
    /// Whether there was any.
    begun: bool,
    ended: bool,
}

impl Feed {
    fn push(&mut self, input: Bytes) {
        self.begun |= !input.is_empty();
        self.input = match self.input.is_empty() {
            true => input,
            false => [self.input.as_ref(), input.as_ref()].concat().into(),
        };
    }

    /// RFC 1950 begins with a checked pair of bytes; RFC 1951 alone nearly never has it.
    fn deflate_form(&mut self) -> Option<Decoder> {
        let [cmf, flg] = *self.input.first_chunk::<2>()?;
        let is_zlib = cmf & 0x0f == 8 && u16::from_be_bytes([cmf, flg]).is_multiple_of(31);
        let feed = std::mem::take(self);
        Some(match is_zlib {
            true => Decoder::Zlib(Box::new(ZlibDecoder::new(feed))),
            false => Decoder::Deflate(Box::new(DeflateDecoder::new(feed))),
        })
    }
}

impl Read for Feed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?.len().min(buffer.len());
        self.input.copy_to_slice(&mut buffer[..bytes]);
        Ok(bytes)
    }
}

impl BufRead for Feed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.input.is_empty() && !self.ended {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => Ok(&self.input),
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.input.advance(bytes);
    }
}
