//! Ways around containment that stay closed: new names, other orders, connections that were open before.

use crate::containment::{call, contain, cut_off, staff};
use crate::harness::{ADMIN_TOKEN, Site, Then, Wire, connect, ok, start_after, start_with};
use crate::policy::{customers, get, log_in, site};
use sekisho_gateway::inspect::Action;

const TARO: &str = "of-taro";

/// A session that is contained for a time, whose account is then cut off.
#[test]
fn cut_off_closes_a_connection_whose_session_is_contained_already() {
    let site = site();
    let gateway = start_with(customers(), &site, staff);
    let mut idle = connect(&gateway);
    log_in(&mut idle, "tanaka", "right");
    assert_eq!(get(&mut idle, "/my/2", TARO).status(), 403);
    cut_off(&gateway);
    idle.rest();
}

/// A customer may close a position; a former employee has none.
#[test]
fn an_account_that_is_cut_off_is_kept_out_of_routes_that_stay_open_to_customers() {
    let site = site();
    let gateway = start_with(customers(), &site, staff);
    log_in(&mut connect(&gateway), "tanaka", "right");
    assert_eq!(get(&mut connect(&gateway), "/my/close/none", TARO).status(), 200);
    cut_off(&gateway);
    assert_eq!(get(&mut connect(&gateway), "/my/close/none", TARO).status(), 403);
}

/// A cut-off, then a shorter containment of the same account, then a restart.
#[test]
fn a_cut_off_outlives_a_later_shorter_order_over_a_restart() {
    let first = site();
    let gateway = start_with(customers(), &first, staff);
    cut_off(&gateway);
    let key = crate::harness::key().account("Tanaka");
    let order = format!(r#"{{"target":{{"account":"{key}"}},"for_s":60,"by":"sato"}}"#);
    assert_eq!(call(&gateway, "POST", "/contain", ADMIN_TOKEN, &order).text(), "{\"changed\":false}\n");
    let records = gateway.shutdown();
    let second = site();
    let gateway = start_after(&records, customers(), &second, staff);
    let list = call(&gateway, "GET", "/containment", ADMIN_TOKEN, "");
    assert!(list.text().contains("\"until\":null"), "{}", list.text());
}

/// The response that shows a foreign field gives the session another name with it.
#[test]
fn a_new_name_of_a_contained_session_is_contained() {
    let site = Site::new(|request, wire| match request.target() {
        "/my/2" => {
            wire.send("HTTP/1.1 200 OK\r\nset-cookie: session=renewed; Path=/\r\ncontent-type: text/plain\r\ncontent-length: 10\r\n\r\nHK10000002");
            Then::Keep
        }
        "/login" => {
            wire.send("HTTP/1.1 303 See Other\r\nlocation: /my\r\nset-cookie: session=of-taro; Path=/\r\ncontent-length: 0\r\n\r\n");
            Then::Keep
        }
        _ => ok(wire, "HK10000001"),
    });
    let gateway = start_with(customers(), &site, |config| contain(config, Action::Record));
    let mut wire = connect(&gateway);
    log_in(&mut wire, "HK10000001", "right");
    assert_eq!(get(&mut wire, "/my/2", TARO).header("set-cookie"), Some("session=renewed; Path=/"));
    assert_eq!(get(&mut wire, "/my/1", TARO).status(), 403);
    assert_eq!(get(&mut wire, "/my/1", "renewed").status(), 403);
}

/// A log-in and nothing more: the connection is idle when its account is cut off.
#[test]
fn cut_off_closes_a_connection_that_only_logged_in() {
    let site = site();
    let gateway = start_with(customers(), &site, staff);
    let mut idle = connect(&gateway);
    log_in(&mut idle, "tanaka", "right");
    cut_off(&gateway);
    idle.rest();
}

/// A WebSocket of a session that is contained for a time.
#[test]
fn a_websocket_ends_when_its_session_is_contained() {
    let site = site();
    let gateway = start_with(customers(), &site, |config| {
        contain(config, Action::Block);
        config.routes.iter_mut().for_each(|route| route.websocket = true);
    });
    let mut wire: Wire = connect(&gateway);
    log_in(&mut wire, "HK10000001", "right");
    let mut live = connect(&gateway);
    live.send(&format!(
        "GET /my/stays HTTP/1.1\r\nhost: a.example\r\ncookie: session={TARO}\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
    ));
    assert_eq!(live.response().status(), 101);
    assert_eq!(get(&mut wire, "/my/2", TARO).status(), 403);
    live.rest();
}

/// A planted customer is somebody else too: `on = ["foreign"]` is enough.
#[test]
fn a_graver_rule_does_not_hide_the_one_that_contains() {
    let site = site();
    let gateway = start_with(customers(), &site, |config| {
        contain(config, Action::Record);
        config.canaries = vec!["account_holders".to_owned()];
        config.routes.iter_mut().for_each(|route| route.rules.canary = Action::Record);
    });
    let mut wire = connect(&gateway);
    log_in(&mut wire, "HK10000001", "right");
    assert_eq!(get(&mut wire, "/my/2", TARO).status(), 200);
    assert_eq!(get(&mut wire, "/", TARO).status(), 403);
}

/// A proxy that does not say whom it speaks for.
#[test]
fn a_trusted_peer_is_never_contained() {
    let site = site();
    let gateway = start_with(customers(), &site, |config| {
        contain(config, Action::Block);
        config.trusted_peers = vec!["127.0.0.0/8".parse().unwrap()];
    });
    let mut wire = connect(&gateway);
    for (target, status) in [("/my/2", 403), ("/public/none", 200)] {
        wire.send(&format!("GET {target} HTTP/1.1\r\nhost: a.example\r\n\r\n"));
        assert_eq!(wire.response().status(), status, "{target}");
    }
}
