//! Why a request was refused: stable names for metrics, the status, the sentence for the client, and counts.

use http::StatusCode;
use std::sync::atomic::{AtomicU64, Ordering};

/// Declares the reasons once, so that name, status and sentence cannot drift apart.
macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident => $status:ident, $name:literal, $sentence:literal;)+) => {
        /// Why the gate refused a request. The names of [`HeadRefusal::name`] are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum HeadRefusal {
            $($(#[$doc])* $variant,)+
        }

        impl HeadRefusal {
            /// Every reason, in the order of declaration.
            pub const ALL: &[HeadRefusal] = &[$(HeadRefusal::$variant,)+];

            /// The stable name, for metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(HeadRefusal::$variant => $name,)+ }
            }

            /// The status the client is told.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(HeadRefusal::$variant => StatusCode::$status,)+ }
            }

            /// What is wrong, for the client; never quotes the request.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(HeadRefusal::$variant => $sentence,)+ }
            }
        }
    };
}

refusals! {
    /// The head is longer than [`super::HeadLimits::head_bytes_max`].
    HeadTooLong => REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_long", "the request head is too long";
    /// More fields than [`super::HeadLimits::headers_max`].
    TooManyHeaders => REQUEST_HEADER_FIELDS_TOO_LARGE, "too_many_headers", "the request has too many header fields";
    /// The head was not complete within [`super::HeadLimits::head_deadline`].
    HeadTimeout => REQUEST_TIMEOUT, "head_timeout", "the request head took too long";
    /// A line ends with LF alone.
    BareLf => BAD_REQUEST, "bare_lf", "a line must end with CR LF";
    /// CR that is not followed by LF.
    BareCr => BAD_REQUEST, "bare_cr", "CR without LF";
    /// NUL or another control character in a field value.
    ControlCharacter => BAD_REQUEST, "control_character", "control character in a header field";
    /// More than the one empty line that RFC 9112 section 2.2 lets a server ignore.
    EmptyLines => BAD_REQUEST, "empty_lines", "empty lines before the request line";
    /// Not `method SP target SP version`; HTTP/0.9 is one of these.
    BadRequestLine => BAD_REQUEST, "bad_request_line", "the request line must be: method, target, version";
    /// The method is no token.
    BadMethod => BAD_REQUEST, "bad_method", "the method is not a token";
    /// CONNECT: the gateway is no tunnel.
    Connect => NOT_IMPLEMENTED, "connect", "CONNECT is not supported";
    /// Not an HTTP version by its form.
    BadVersion => BAD_REQUEST, "bad_version", "the HTTP version is malformed";
    /// A version other than 1.0 and 1.1.
    UnsupportedVersion => HTTP_VERSION_NOT_SUPPORTED, "unsupported_version", "HTTP/1.1 or HTTP/1.0 is spoken here";
    /// The target is neither a path nor an absolute `http(s)` URI.
    BadTarget => BAD_REQUEST, "bad_target", "the request target is malformed";
    /// Whitespace, a control character, a non-ASCII byte or a fragment in the target.
    TargetCharacter => BAD_REQUEST, "target_character", "the request target holds a character that must be escaped";
    /// `user@host` in an authority.
    UserInfo => BAD_REQUEST, "user_info", "user information in the authority";
    /// A field line that begins with a space or tab.
    ObsFold => BAD_REQUEST, "obs_fold", "a header field must not be folded over lines";
    /// A field line without a colon.
    MissingColon => BAD_REQUEST, "missing_colon", "a header line has no colon";
    /// A field line that begins with its colon.
    EmptyHeaderName => BAD_REQUEST, "empty_header_name", "a header field has no name";
    /// Whitespace between a field's name and its colon.
    SpaceBeforeColon => BAD_REQUEST, "space_before_colon", "space between a header's name and its colon";
    /// A field name that is no token.
    BadHeaderName => BAD_REQUEST, "bad_header_name", "a header's name is not a token";
    /// `Content_Length` and its like, which CGI-style applications read as the field with hyphens.
    UnderscoreName => BAD_REQUEST, "underscore_name", "a header's name imitates another one with underscores";
    /// HTTP/1.1 without Host.
    MissingHost => BAD_REQUEST, "missing_host", "the Host field is missing";
    /// More than one Host.
    DuplicateHost => BAD_REQUEST, "duplicate_host", "more than one Host field";
    /// Host is empty or no `host[:port]`.
    BadHost => BAD_REQUEST, "bad_host", "the Host field is not a host and port";
    /// Host names another authority than an absolute target.
    HostMismatch => BAD_REQUEST, "host_mismatch", "the Host field differs from the request target";
    /// More than one Content-Length, even equal ones.
    DuplicateContentLength => BAD_REQUEST, "duplicate_content_length", "more than one Content-Length";
    /// Content-Length is not plain digits, or too large.
    BadContentLength => BAD_REQUEST, "bad_content_length", "Content-Length is not a number of bytes";
    /// Content-Length together with Transfer-Encoding.
    LengthAndEncoding => BAD_REQUEST, "length_and_encoding", "Content-Length together with Transfer-Encoding";
    /// More than one Transfer-Encoding field.
    DuplicateTransferEncoding => BAD_REQUEST, "duplicate_transfer_encoding", "more than one Transfer-Encoding";
    /// Transfer-Encoding is malformed, names chunked twice, or does not end with it.
    BadTransferEncoding => BAD_REQUEST, "bad_transfer_encoding", "Transfer-Encoding is malformed";
    /// A transfer coding other than chunked.
    UnknownTransferCoding => NOT_IMPLEMENTED, "unknown_transfer_coding", "chunked is the only transfer coding spoken here";
    /// Transfer-Encoding in an HTTP/1.0 request.
    TransferEncodingInHttp10 => BAD_REQUEST, "transfer_encoding_in_http10", "Transfer-Encoding needs HTTP/1.1";
    /// Expect with something other than `100-continue`, or twice.
    BadExpectation => EXPECTATION_FAILED, "bad_expectation", "100-continue is the only expectation met here";
    /// A chunk's size is not hexadecimal digits, or too many of them.
    BadChunkSize => BAD_REQUEST, "bad_chunk_size", "a chunk's size is malformed";
    /// A chunk extension is malformed or too long.
    BadChunkExtension => BAD_REQUEST, "bad_chunk_extension", "a chunk extension is malformed or too long";
    /// No CRLF where a chunk's data end.
    BadChunkEnd => BAD_REQUEST, "bad_chunk_end", "a chunk's data must end with CR LF";
    /// A trailer line is malformed.
    BadTrailer => BAD_REQUEST, "bad_trailer", "a trailer field is malformed";
    /// A trailer field that bears on framing, routing or authentication.
    ForbiddenTrailer => BAD_REQUEST, "forbidden_trailer", "a field that must not stand in the trailer";
    /// The trailer section is too long.
    TrailersTooLong => REQUEST_HEADER_FIELDS_TOO_LARGE, "trailers_too_long", "the trailer section is too long";
}

impl std::fmt::Display for HeadRefusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.sentence())
    }
}

impl std::error::Error for HeadRefusal {}

impl HeadRefusal {
    /// The whole response, to be written as it is.
    pub(super) fn response(self) -> String {
        let status = self.status();
        let body = format!("{status}: {}\n", self.sentence());
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\n\
             cache-control: no-store\r\nconnection: close\r\n\r\n{body}"
        )
    }
}

/// How many requests were refused for each reason; shared by all gates of a gateway.
#[derive(Debug)]
pub struct RefusalCounts {
    refused: Box<[AtomicU64]>,
    idle_closed: AtomicU64,
}

impl Default for RefusalCounts {
    fn default() -> RefusalCounts {
        RefusalCounts {
            refused: HeadRefusal::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            idle_closed: AtomicU64::new(0),
        }
    }
}

impl RefusalCounts {
    /// How many requests were refused for this reason.
    #[must_use]
    pub fn refused(&self, reason: HeadRefusal) -> u64 {
        self.refused[reason as usize].load(Ordering::Relaxed)
    }

    /// Every reason with its count, zeros included, so that a metric never appears out of nowhere.
    pub fn iter(&self) -> impl Iterator<Item = (HeadRefusal, u64)> + '_ {
        HeadRefusal::ALL.iter().map(|&reason| (reason, self.refused(reason)))
    }

    /// How many connections were closed because they waited too long for a request.
    #[must_use]
    pub fn idle_closed(&self) -> u64 {
        self.idle_closed.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, reason: HeadRefusal) {
        self.refused[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_idle_closed(&self) {
        self.idle_closed.fetch_add(1, Ordering::Relaxed);
    }
}
