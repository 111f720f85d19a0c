//! Limits at their edge: the last that passes and the first that does not.

use crate::harness::{Site, Then, connect, get, ok, start, until};
use std::sync::atomic::{AtomicUsize, Ordering};

fn echo_length() -> Site {
    Site::new(|request, wire| ok(wire, &request.body.len().to_string()))
}

#[test]
fn a_body_of_the_limit_passes_and_one_more_byte_is_413() {
    let site = echo_length();
    let gateway = start(&site, |config| config.limits.request_body_bytes_max = 10);
    let mut wire = connect(&gateway);
    wire.send("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 10\r\n\r\n0123456789");
    assert_eq!(wire.response().text(), "10");
    wire.send("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 11\r\n\r\n");
    assert_eq!(wire.response().status(), 413);

    let mut wire = connect(&gateway);
    wire.send("POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n");
    assert_eq!(wire.response().text(), "10");
    wire.send("POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n");
    assert_eq!(wire.response().status(), 413);
}

#[test]
fn fields_up_to_the_limit_pass_and_one_more_is_431() {
    let site = echo_length();
    let gateway = start(&site, |config| config.limits.request_headers_max = 5);
    for (extra, status) in [(4, 200), (5, 431)] {
        let mut wire = connect(&gateway);
        let fields: String = (0..extra).map(|n| format!("x-{n}: 1\r\n")).collect();
        wire.send(&format!("GET / HTTP/1.1\r\nhost: a.example\r\n{fields}\r\n"));
        assert_eq!(wire.response().status(), status, "{extra} fields beside the host");
    }
}

#[test]
fn a_head_beyond_its_bytes_is_431() {
    let site = echo_length();
    let gateway = start(&site, |config| config.limits.request_head_bytes_max = 9000);
    for (bytes, status) in [(8000, 200), (9000, 431)] {
        let mut wire = connect(&gateway);
        wire.send(&format!("GET / HTTP/1.1\r\nhost: a.example\r\nx: {}\r\n\r\n", "a".repeat(bytes)));
        assert_eq!(wire.response().status(), status);
    }
}

#[test]
fn a_connection_beyond_the_limit_is_closed_and_room_is_made_again() {
    for per_prefix in [false, true] {
        let site = echo_length();
        let gateway = start(&site, |config| match per_prefix {
            true => config.limits.connections_per_prefix_max = 2,
            false => config.limits.connections_max = 2,
        });
        let served = |wire: &mut crate::harness::Wire| {
            wire.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
            wire.response().status()
        };
        let (mut first, mut second) = (connect(&gateway), connect(&gateway));
        assert_eq!((served(&mut first), served(&mut second)), (200, 200));
        let mut third = connect(&gateway);
        assert!(third.rest().is_empty(), "closed without a word");
        drop(first);
        until("a place is free again", || {
            let mut wire = connect(&gateway);
            let sent = wire.try_send(b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
            sent.is_ok() && wire.try_head().is_some()
        });
        assert_eq!(served(&mut second), 200);
    }
}

#[test]
fn a_trusted_load_balancer_is_not_counted_as_one_client() {
    let site = echo_length();
    let gateway = start(&site, |config| {
        config.limits.connections_per_prefix_max = 1;
        config.trusted_peers = vec!["127.0.0.1/32".parse().unwrap()];
    });
    let mut wires: Vec<_> = (0..3).map(|_| connect(&gateway)).collect();
    for wire in &mut wires {
        wire.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
        assert_eq!(wire.response().status(), 200);
    }
}

#[test]
fn ambiguous_heads_never_reach_the_site() {
    let site = echo_length();
    let gateway = start(&site, |_| {});
    for request in [
        "POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\nhost: a.example\n\n",
        "GET / HTTP/1.1\r\nhost: a.example\r\nhost: b.example\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: user@a.example\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: \r\n\r\n",
    ] {
        let mut wire = connect(&gateway);
        wire.send(request);
        assert_eq!(wire.response().status(), 400, "{request:?}");
    }
    assert_eq!(site.seen().len(), 0);
}

#[test]
fn idle_upstream_connections_are_kept_up_to_the_limit() {
    static WAITING: AtomicUsize = AtomicUsize::new(0);
    let site = Site::new(|request, wire| {
        if request.target() == "/together" {
            WAITING.fetch_add(1, Ordering::SeqCst);
            until("three requests are there at once", || WAITING.load(Ordering::SeqCst) >= 3);
        }
        ok(wire, "ok")
    });
    let gateway = start(&site, |config| config.limits.upstream_idle_max = 1);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(get(&gateway, "/together").status(), 200));
        }
    });
    assert_eq!(site.connections(), 3);
    for _ in 0..3 {
        assert_eq!(get(&gateway, "/alone").status(), 200);
    }
    assert_eq!(site.connections(), 3, "the one that was kept serves them all");
}

#[test]
fn a_response_has_a_hundred_header_fields_at_most() {
    for (fields, status) in [(100, 200), (101, 502)] {
        let more: String = (1..fields).map(|at| format!("x-field-{at}: 1\r\n")).collect();
        let site = Site::new(move |_, wire| {
            wire.send(&format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{more}\r\n"));
            Then::Keep
        });
        let gateway = start(&site, |_| {});
        assert_eq!(get(&gateway, "/").status(), status, "with {fields} fields");
    }
}
