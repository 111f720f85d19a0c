//! WebSocket: passed through where the route says so, and nowhere else.

use crate::harness::{Message, Running, Site, Then, Wire, connect, start};
use sekisho_model::{Inspection, Record, Uninspectable};

const WISH: &str = "GET /ws HTTP/1.1\r\nhost: a.example\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n\
                    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\
                    sec-websocket-extensions: permessage-deflate\r\n\r\n";

/// A site that switches and then sends everything back in capitals.
fn shouting() -> Site {
    Site::new(|_, wire| {
        wire.send(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nset-cookie: a=b\r\n\
             sec-websocket-extensions: permessage-deflate\r\n\r\n",
        );
        loop {
            let heard = wire.read_exact(5);
            wire.send(&String::from_utf8(heard).unwrap().to_uppercase());
        }
    })
}

fn switched(site: &Site, first_bytes: &str) -> (Running, Wire, Message) {
    let gateway = start(site, |config| config.routes[0].websocket = true);
    let mut wire = connect(&gateway);
    wire.send(&format!("{WISH}{first_bytes}"));
    let response = wire.response();
    (gateway, wire, response)
}

#[test]
fn bytes_pass_both_ways_after_the_switch() {
    let site = shouting();
    let (_gateway, mut wire, response) = switched(&site, "");
    assert_eq!(response.status(), 101);
    assert_eq!(response.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(response.header("set-cookie"), None);
    for word in ["hello", "world"] {
        wire.send(word);
        assert_eq!(wire.read_exact(5), word.to_uppercase().as_bytes());
    }
}

#[test]
fn compression_within_the_websocket_is_not_agreed_on() {
    let site = shouting();
    let (_gateway, _wire, response) = switched(&site, "");
    assert_eq!(response.header("sec-websocket-extensions"), None);
    assert_eq!(site.seen()[0].header("sec-websocket-extensions"), None);
    assert_eq!(site.seen()[0].header("upgrade"), Some("websocket"));
}

#[test]
fn what_was_sent_right_behind_the_wish_is_not_lost() {
    let site = shouting();
    let (_gateway, mut wire, _response) = switched(&site, "early");
    assert_eq!(wire.read_exact(5), b"EARLY");
}

#[test]
fn a_websocket_is_recorded_as_not_inspected_and_cut_at_shutdown() {
    let site = shouting();
    let (gateway, mut wire, _response) = switched(&site, "");
    let records = gateway.shutdown();
    assert!(wire.rest().is_empty());
    let upgraded = records.iter().filter_map(|record| match record {
        Record::Closed(closed) => Some(closed.inspection),
        _ => None,
    });
    assert_eq!(upgraded.collect::<Vec<_>>(), [Inspection::NotInspectable(Uninspectable::Upgraded)]);
}

#[test]
fn elsewhere_the_wish_is_dropped_and_a_switch_all_the_same_is_502() {
    let site = Site::saying("no");
    let gateway = start(&site, |_| {});
    let mut wire = connect(&gateway);
    wire.send(WISH);
    assert_eq!(wire.response().text(), "no");
    assert_eq!(site.seen()[0].header("upgrade"), None);

    let site = Site::new(|_, wire| {
        wire.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
        Then::Close
    });
    let gateway = start(&site, |_| {});
    let mut wire = connect(&gateway);
    wire.send(WISH);
    assert_eq!(wire.response().status(), 502);
}
