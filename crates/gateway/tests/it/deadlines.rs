//! Every wait has an end. The configured deadlines are short; no test measures time, each waits for the outcome.

use crate::harness::{Site, Then, connect, get, ok, start, until};
use crate::tls::{Certificate, http2_wire, http2_with_window, on_a_runtime, request};
use http_body_util::BodyExt;
use std::net::TcpListener;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SHORT: Duration = Duration::from_millis(50);

/// A site that reads and never says a word.
fn silent() -> Site {
    Site::raw(|mut wire| drop(wire.rest()))
}

#[test]
fn a_silent_upstream_is_504() {
    let gateway = start(&silent(), |config| config.deadlines.first_byte = SHORT);
    assert_eq!(get(&gateway, "/").status(), 504);
}

#[test]
fn an_upstream_that_falls_silent_on_a_used_connection_is_504() {
    let site = Site::new(|request, wire| match request.target() {
        "/" => ok(wire, "hello"),
        _ => {
            drop(wire.rest());
            Then::Close
        }
    });
    let gateway = start(&site, |config| config.deadlines.first_byte = SHORT);
    assert_eq!(get(&gateway, "/").status(), 200);
    assert_eq!(get(&gateway, "/silent").status(), 504);
    assert_eq!(site.connections(), 1, "the deadline of the second request is one on the first one's connection");
}

#[test]
fn an_upstream_that_cannot_be_reached_in_time_is_504() {
    // A listener that accepts nothing; once its queue is full, connecting hangs.
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = full.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(tcp) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        queued.push(tcp);
        assert!(queued.len() < 10_000, "the queue never fills");
    }
    let gateway = start(&silent(), |config| {
        config.deadlines.connect = SHORT;
        config.upstreams[0].authority = address.to_string().parse().unwrap();
    });
    assert_eq!(get(&gateway, "/").status(), 504);
}

#[test]
fn an_upstream_body_that_stands_still_is_cut() {
    for length in [10, 1_000_000] {
        let site = Site::new(move |_, wire| {
            wire.send(&format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nhello"));
            drop(wire.rest());
            Then::Close
        });
        let gateway = start(&site, |config| config.deadlines.response_body_idle = SHORT);
        let mut wire = connect(&gateway);
        wire.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
        if length == 10 {
            // A short body's head waits for its first part, so that it can still become a 502.
            assert_eq!(wire.response().status(), 502);
        } else {
            assert_eq!(wire.try_head().expect("a head").status(), 200);
            assert!(wire.rest().len() < 100);
        }
    }
}

#[test]
fn a_request_body_that_stands_still_is_408() {
    let gateway = start(&silent(), |config| config.deadlines.request_body_idle = SHORT);
    let mut wire = connect(&gateway);
    wire.send("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 10\r\n\r\nhello");
    assert_eq!(wire.response().status(), 408);
    assert!(wire.rest().is_empty());
}

#[test]
fn a_slow_head_is_408_and_an_idle_connection_is_closed() {
    let site = Site::saying("ok");
    let gateway = start(&site, |config| config.deadlines.request_head = SHORT);
    let mut wire = connect(&gateway);
    wire.send("GET / HTTP/1.1\r\nhost: a.exa");
    assert_eq!(wire.response().status(), 408);

    let gateway = start(&site, |config| config.deadlines.keep_alive_idle = SHORT);
    let mut wire = connect(&gateway);
    wire.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
    assert_eq!(wire.response().status(), 200);
    assert!(wire.rest().is_empty());
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let site = Site::new(|_, wire| {
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
        let part = [b'a'; 64 * 1024];
        while wire.try_send(&part).is_ok() {}
        Then::Close
    });
    let gateway = start(&site, |config| config.deadlines.response_body_idle = SHORT * 4);
    let mut wire = connect(&gateway);
    wire.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
    until("the gateway gives up on the client", || {
        // Sending shows the end of a connection that is not read from.
        wire.try_send(b"\r\n").is_err()
    });
}

#[test]
fn http2_streams_without_a_window_end_and_give_back_what_they_hold() {
    let page: &str = Box::leak("箱根 ".repeat(40_000).into_boxed_str());
    let site = Site::saying(page);
    let certificate = Certificate::new();
    let gateway = start(&site, |config| {
        certificate.serve(config);
        config.limits.held_bytes_max = 64 * 1024;
        config.deadlines.response_body_idle = SHORT * 4;
        config.deadlines.held_wait = SHORT;
    });
    on_a_runtime(async {
        let mut hoarder = http2_with_window(&gateway, &certificate, 0).await;
        let mut answers = Vec::new();
        for _ in 0..10 {
            answers.push(hoarder.send_request(request("/")).await.unwrap());
        }
        assert!(answers.iter().any(|answer| answer.status() == 503), "too little is left for all of them");
        loop {
            let mut other = http2_with_window(&gateway, &certificate, 1 << 20).await;
            let answer = other.send_request(request("/")).await.unwrap();
            if answer.status() == 200 {
                assert!(answer.into_body().collect().await.unwrap().to_bytes() == page);
                break;
            }
        }
        for answer in answers.into_iter().filter(|answer| answer.status() == 200) {
            assert!(answer.into_body().collect().await.is_err(), "its connection was ended");
        }
    });
}

#[test]
fn an_http2_head_that_does_not_end_is_cut_also_beside_an_open_request() {
    let certificate = Certificate::new();
    let gateway = start(&silent(), |config| {
        certificate.serve(config);
        config.deadlines.request_head = SHORT;
    });
    // `:method: GET` and so on, indexed; the authority as a literal.
    let head = b"\x82\x87\x84\x01\x01a";
    let frame = |flags, stream| [&[0, 0, 6, 1, flags, 0, 0, 0, stream], &head[..]].concat();
    let (whole, open) = (frame(5, 1), frame(1, 3));
    for frames in [open.clone(), [whole, open].concat()] {
        on_a_runtime(async {
            let mut wire = http2_wire(&gateway, &certificate).await;
            let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
            let sent = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &settings, &frames].concat();
            wire.write_all(&sent).await.unwrap();
            // However it ends, it does.
            let _end = wire.read_to_end(&mut Vec::new()).await;
        });
    }
}
