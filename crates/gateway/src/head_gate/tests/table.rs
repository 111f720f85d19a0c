//! Request bytes and their fate. Each entry is judged whole, cut in two at every byte, and byte by byte under hyper.

use super::super::HeadRefusal::{self, *};
use super::super::framer::{Framer, Stop};
use super::super::fuzz::fuzz_head_gate;
use super::Server;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

const REFUSED: &[(&str, HeadRefusal)] = &[
    // framing: length and encoding
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        LengthAndEncoding,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        LengthAndEncoding,
    ),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", DuplicateContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", DuplicateContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello", BadContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", BadContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello", BadContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello", BadContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\nhello", BadContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \t5\r\n\r\nhello", BadContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5.0\r\n\r\nhello", BadContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", BadContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n", BadContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 00000000000000000005\r\n\r\nhello", BadContentLength),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\n\r\nhello", UnderscoreName),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n0\r\n\r\n", UnderscoreName),
    ("POST / HTTP/1.1\r\nHost: a\r\nX_Forwarded-For: 10.0.0.1\r\n\r\n", UnderscoreName),
    // framing: transfer codings
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        DuplicateTransferEncoding,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        DuplicateTransferEncoding,
    ),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", UnknownTransferCoding),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", UnknownTransferCoding),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", UnknownTransferCoding),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", UnknownTransferCoding),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", BadTransferEncoding),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", BadTransferEncoding),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;x=1\r\n\r\n0\r\n\r\n", BadTransferEncoding),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", BadTransferEncoding),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", BadTransferEncoding),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n", BadTransferEncoding),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n", BadTransferEncoding),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n", BadTransferEncoding),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", ControlCharacter),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", SpaceBeforeColon),
    ("POST / HTTP/1.1\r\nHost: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ObsFold),
    ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", TransferEncodingInHttp10),
    // lines
    ("GET / HTTP/1.1\nHost: a\r\n\r\n", BareLf),
    ("GET / HTTP/1.1\r\nHost: a\n\r\n", BareLf),
    ("GET / HTTP/1.1\r\nHost: a\r\n\n", BareLf),
    ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", BareLf),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n", BareCr),
    ("GET / HTTP/1.1\r\nHost: a\r\nX\r: y\r\n\r\n", BareCr),
    ("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", BareCr),
    ("GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n", BareCr),
    ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", EmptyLines),
    // fields
    ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", ObsFold),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\t2\r\n\r\n", ObsFold),
    ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", ObsFold),
    ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", SpaceBeforeColon),
    ("GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", SpaceBeforeColon),
    ("GET / HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n", EmptyHeaderName),
    ("GET / HTTP/1.1\r\nHost: a\r\nno colon here\r\n\r\n", MissingColon),
    ("GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", MissingColon),
    ("GET / HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n", BadHeaderName),
    ("GET / HTTP/1.1\r\nHost: a\r\nX(Y): z\r\n\r\n", BadHeaderName),
    ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length\u{3a9}: 5\r\n\r\n", BadHeaderName),
    ("GET / HTTP/1.1\r\nHost: a\r\nX\0: y\r\n\r\n", BadHeaderName),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n", ControlCharacter),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: y\x1bz\r\n\r\n", ControlCharacter),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: y\x7fz\r\n\r\n", ControlCharacter),
    ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 0\r\n\r\n", BadExpectation),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
        BadExpectation,
    ),
    // the request line
    ("GET /\r\nHost: a\r\n\r\n", BadRequestLine),
    ("GET\r\nHost: a\r\n\r\n", BadRequestLine),
    ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", TargetCharacter),
    ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", TargetCharacter),
    ("GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", BadRequestLine),
    (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", BadMethod),
    ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", BadMethod),
    ("GET\0 / HTTP/1.1\r\nHost: a\r\n\r\n", BadMethod),
    ("\x16\x03\x01\x02\x00\x01", BadMethod),
    ("CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n", Connect),
    ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", UnsupportedVersion),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", UnsupportedVersion),
    ("GET / HTTP/0.9\r\nHost: a\r\n\r\n", UnsupportedVersion),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", UnsupportedVersion),
    ("GET / http/1.1\r\nHost: a\r\n\r\n", BadVersion),
    ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", BadVersion),
    ("GET / HTTP/1.10\r\nHost: a\r\n\r\n", BadVersion),
    ("GET / HTTP/1\r\nHost: a\r\n\r\n", BadVersion),
    ("GET / XTTP/1.1\r\nHost: a\r\n\r\n", BadVersion),
    // the target
    ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", TargetCharacter),
    ("GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", TargetCharacter),
    ("GET /a\x01b HTTP/1.1\r\nHost: a\r\n\r\n", TargetCharacter),
    ("GET /関所 HTTP/1.1\r\nHost: a\r\n\r\n", TargetCharacter),
    ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", BadTarget),
    ("GET a.example HTTP/1.1\r\nHost: a.example\r\n\r\n", BadTarget),
    ("GET ftp://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", BadTarget),
    ("GET http:///path HTTP/1.1\r\nHost: a\r\n\r\n", BadHost),
    ("GET http://user@a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", UserInfo),
    ("GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", HostMismatch),
    ("GET http://a.example:8080/ HTTP/1.1\r\nHost: a.example\r\n\r\n", HostMismatch),
    ("GET https://a.example/ HTTP/1.1\r\nHost: a.example:80\r\n\r\n", HostMismatch),
    // Host
    ("GET / HTTP/1.1\r\n\r\n", MissingHost),
    ("GET http://a.example/ HTTP/1.1\r\n\r\n", MissingHost),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", DuplicateHost),
    ("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", DuplicateHost),
    ("GET / HTTP/1.1\r\nHost:\r\n\r\n", BadHost),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", BadHost),
    ("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", BadHost),
    ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", BadHost),
    ("GET / HTTP/1.1\r\nHost: a:\r\n\r\n", BadHost),
    ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", BadHost),
    ("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", BadHost),
    ("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", BadHost),
    ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", BadHost),
    ("GET / HTTP/1.1\r\nHost: [::g]\r\n\r\n", BadHost),
    ("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", UserInfo),
    ("GET / HTTP/1.0\r\nHost: a b\r\n\r\n", BadHost),
];

/// Bad bodies after the same good head.
const BAD_CHUNKS: &[(&str, HeadRefusal)] = &[
    ("\r\n", BadChunkSize),
    ("g\r\n", BadChunkSize),
    ("-1\r\n", BadChunkSize),
    ("+5\r\nhello\r\n", BadChunkSize),
    (" 5\r\nhello\r\n", BadChunkSize),
    ("5 \r\nhello\r\n", BadChunkSize),
    ("0x5\r\nhello\r\n", BadChunkSize),
    ("123456789\r\n", BadChunkSize),
    ("fffffffffffffffff\r\n", BadChunkSize),
    ("000000005\r\nhello\r\n", BadChunkSize),
    ("5\nhello\r\n", BareLf),
    ("5\rhello", BareCr),
    ("5\r\nhello0\r\n\r\n", BadChunkEnd),
    ("5\r\nhello\n0\r\n\r\n", BadChunkEnd),
    ("5\r\nhello\r0\r\n\r\n", BadChunkEnd),
    ("5;a\nhello\r\n", BareLf),
    ("5;a\0\r\nhello\r\n", BadChunkExtension),
    ("5;a\r\r\nhello\r\n", BareCr),
    ("0\r\nX: y\n\r\n", BareLf),
    ("0\r\nX y\r\n\r\n", BadTrailer),
    ("0\r\nX : y\r\n\r\n", BadTrailer),
    ("0\r\n: y\r\n\r\n", BadTrailer),
    ("0\r\nX: y\rz\r\n\r\n", BareCr),
    ("0\r\n X: y\r\n\r\n", BadTrailer),
    ("0\r\nContent-Length: 5\r\n\r\n", ForbiddenTrailer),
    ("0\r\ntransfer-encoding: chunked\r\n\r\n", ForbiddenTrailer),
    ("0\r\nX: y\r\nHost: b\r\n\r\n", ForbiddenTrailer),
    ("0\r\nAuthorization: Bearer x\r\n\r\n", ForbiddenTrailer),
    ("0\r\nX_Forwarded_For: 10.0.0.1\r\n\r\n", ForbiddenTrailer),
];

/// Requests that pass, each with what the service sees.
const ACCEPTED: &[(&str, &[&str])] = &[
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &["GET / "]),
    ("GET /?q=a&b=%e9%96%a2 HTTP/1.1\r\nHost: a.example:8080\r\n\r\n", &["GET /?q=a&b=%e9%96%a2 "]),
    ("GET / HTTP/1.1\r\nhost:a.example\r\n\r\n", &["GET / "]),
    ("GET / HTTP/1.1\r\nHost: \t a.example \t\r\n\r\n", &["GET / "]),
    ("GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n", &["GET / "]),
    ("GET / HTTP/1.1\r\nHost: my_service-1\r\n\r\n", &["GET / "]),
    ("GET / HTTP/1.0\r\n\r\n", &["GET / "]),
    ("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", &["GET / "]),
    ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &["OPTIONS * "]),
    ("GET http://A.example/x HTTP/1.1\r\nHost: a.EXAMPLE\r\n\r\n", &["GET http://A.example/x "]),
    ("GET http://a.example:80/x HTTP/1.1\r\nHost: a.example\r\n\r\n", &["GET http://a.example:80/x "]),
    ("GET https://[::1]/x HTTP/1.1\r\nHost: [::1]:443\r\n\r\n", &["GET https://[::1]/x "]),
    ("GET http://a.example?q HTTP/1.1\r\nHost: a.example\r\n\r\n", &["GET http://a.example/?q "]),
    ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &["GET / "]),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", &["POST / "]),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", &["POST / hello"]),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 005 \r\n\r\nhello", &["POST / hello"]),
    ("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 4\r\n\r\n\r\n\r\n", &["POST / \r\n\r\n"]),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\nGET /smuggled HTTP/1.1\nX: y\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        &["POST / GET /smuggled HTTP/1.1\nX: y\n", "GET / "],
    ),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &["POST / hello"]),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:  Chunked \r\n\r\n0\r\n\r\n", &["POST / "]),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\";c\r\nhello\r\n0;z\r\nX-Sum: 1\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        &["POST / hello", "GET /2 "],
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n00000002\r\n\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
        &["POST / \r\n0123456789"],
    ),
    (
        "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nxGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
        &["POST /1 x", "GET /2 ", "GET /3 "],
    ),
    ("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n", &["GET /1 ", "GET /2 "]),
    ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\nok", &["POST / ok"]),
    ("GET / HTTP/1.1\r\nHost: a\r\nX_Api_Key: k\r\nX-Empty:\r\nX-Tab: a\tb\r\nX-Latin: \u{e9}\r\n\r\n", &["GET / "]),
    ("PATCH-ME / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~: token\r\n\r\n", &["PATCH-ME / "]),
    ("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", &["GET / "]),
];

/// What passes when the bytes come in these pieces, and why it ended. Limits as [`super::HeadLimits`] has them.
fn judge<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Option<Stop>) {
    let mut framer = Framer::new(64 * 1024, 100);
    let (mut passed, mut held) = (Vec::new(), Vec::new());
    for piece in pieces {
        held.extend_from_slice(piece);
        let advance = framer.advance(&mut held);
        held.truncate(advance.len);
        passed.extend(held.drain(..advance.passed));
        if advance.stop.is_some() {
            return (passed, advance.stop);
        }
    }
    (passed, None)
}

/// The verdict is the same whole and cut in two anywhere.
fn check(bytes: &[u8], passed: &[u8], stop: Option<Stop>) {
    let text = bytes.escape_ascii();
    assert_eq!(judge([bytes]), (passed.to_vec(), stop), "{text}");
    for cut in 1..bytes.len() {
        let (one, other) = bytes.split_at(cut);
        assert_eq!(judge([one, other]), (passed.to_vec(), stop), "cut at {cut}: {text}");
    }
}

#[test]
fn refused_heads_do_not_pass_however_they_are_cut() {
    for &(head, reason) in REFUSED {
        check(head.as_bytes(), b"", Some(Stop::Head(reason)));
    }
}

#[test]
fn a_refused_head_after_a_good_request_stops_there() {
    let good = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    for &(head, reason) in REFUSED {
        check(format!("{good}{head}").as_bytes(), good.as_bytes(), Some(Stop::Head(reason)));
    }
}

#[test]
fn accepted_requests_pass_unchanged_however_they_are_cut() {
    for &(request, _) in ACCEPTED {
        check(request.as_bytes(), request.as_bytes(), None);
    }
}

#[test]
fn bad_chunks_stop_at_the_fault_however_they_are_cut() {
    for &(body, reason) in BAD_CHUNKS {
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        let (passed, stop) = judge([request.as_bytes()]);
        assert_eq!(stop, Some(Stop::Body(reason)), "{}", request.escape_debug());
        check(request.as_bytes(), &passed, stop);
    }
}

#[test]
fn offers_of_h2c_are_taken_out() {
    let offered = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
                   HTTP2-Settings: AAMAAABk\r\nUPGRADE: websocket, H2C\r\nX: y\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
    let without = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nX: y\r\n\r\n\
                   GET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
    check(offered.as_bytes(), without.as_bytes(), None);
}

#[test]
fn limits_hold_to_the_byte() {
    let head = |pad: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(pad)).into_bytes();
    let fixed = head(0).len();
    let longest = head(64 * 1024 - fixed);
    assert_eq!(judge([&longest[..]]), (longest.clone(), None));
    let too_long = Some(Stop::Head(HeadTooLong));
    assert_eq!(judge([&head(64 * 1024 + 1 - fixed)[..]]), (vec![], too_long));
    assert_eq!(judge(head(64 * 1024 + 1 - fixed).chunks(1000)), (vec![], too_long));
    assert_eq!(judge([&vec![b'A'; 64 * 1024 + 1][..]]), (vec![], too_long), "a request line without end");

    let fields =
        |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count - 1)).into_bytes();
    assert_eq!(judge([&fields(100)[..]]), (fields(100), None));
    assert_eq!(judge([&fields(101)[..]]), (vec![], Some(Stop::Head(TooManyHeaders))));
}

#[test]
fn chunk_extensions_and_trailers_have_limits() {
    let stop = |body: String| {
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        judge([request.as_bytes()]).1
    };
    // The limit is for all chunks of a body together.
    assert_eq!(stop(format!("{}0\r\n\r\n", "1;abc\r\nx\r\n".repeat(256))), None);
    assert_eq!(stop(format!("{}0;\r\n\r\n", "1;abc\r\nx\r\n".repeat(256))), Some(Stop::Body(BadChunkExtension)));
    assert_eq!(stop(format!("0\r\nX: {}\r\n\r\n", "y".repeat(4096 - 7))), None);
    assert_eq!(stop(format!("0\r\nX: {}\r\n\r\n", "y".repeat(4096 - 6))), Some(Stop::Body(TrailersTooLong)));
}

#[tokio::test(start_paused = true)]
async fn refused_heads_are_answered_under_hyper() {
    for pipe_bytes in [1, 4096] {
        for &(head, reason) in REFUSED {
            let mut server = Server::start(pipe_bytes, Duration::ZERO);
            let (mut read, mut write) = tokio::io::split(server.client);
            tokio::spawn(async move { write.write_all(head.as_bytes()).await });
            let mut received = String::new();
            tokio::io::AsyncReadExt::read_to_string(&mut read, &mut received).await.expect("the pipe does not fail");
            let status = reason.status();
            assert!(received.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{}: {received}", head.escape_debug());
            assert!(received.contains("\r\nconnection: close\r\n"), "{received}");
            assert!(received.ends_with(&format!("\r\n\r\n{status}: {}\n", reason.sentence())), "{received}");
            server.client = tokio::io::duplex(1).0;
            assert_eq!(server.refusals(), [reason.name()], "{}", head.escape_debug());
            assert_eq!(server.seen(), [""; 0], "{}", head.escape_debug());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn accepted_requests_reach_the_service_under_hyper() {
    for pipe_bytes in [1, 4096] {
        for &(request, expected) in ACCEPTED {
            let mut server = Server::start(pipe_bytes, Duration::ZERO);
            let (mut read, mut write) = tokio::io::split(server.client);
            tokio::spawn(async move { write.write_all(request.as_bytes()).await });
            let mut received = String::new();
            tokio::io::AsyncReadExt::read_to_string(&mut read, &mut received).await.expect("the pipe does not fail");
            server.client = tokio::io::duplex(1).0;
            assert_eq!(server.seen(), expected, "{}", request.escape_debug());
            assert_eq!(
                received.matches("HTTP/1.1 200 OK").count() + received.matches("HTTP/1.0 200 OK").count(),
                expected.len()
            );
            assert_eq!(server.refusals(), [""; 0]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_chunk_is_the_services_to_answer() {
    for &(body, reason) in BAD_CHUNKS {
        let mut server = Server::start(4096, Duration::ZERO);
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        server.client.write_all(request.as_bytes()).await.expect("the pipe is open");
        let received = server.received().await;
        assert!(received.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{received}");
        assert!(received.ends_with(reason.name()), "{}: {received}", body.escape_debug());
        assert_eq!(received.matches("HTTP/1.1").count(), 1, "{received}");
        assert_eq!(server.refusals(), [reason.name()]);
    }
}

#[test]
fn corpus() {
    let chunked = BAD_CHUNKS.iter().map(|(body, _)| *body);
    for text in REFUSED.iter().map(|(head, _)| *head).chain(ACCEPTED.iter().map(|(request, _)| *request)).chain(chunked)
    {
        for seed in [0, 2, 6, 21] {
            fuzz_head_gate(&[&[seed], text.as_bytes()].concat());
        }
    }
}

#[test]
fn names_are_unique_and_of_one_form() {
    let names: std::collections::BTreeSet<&str> = HeadRefusal::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), HeadRefusal::ALL.len());
    assert!(
        names
            .iter()
            .all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'))
    );
}
