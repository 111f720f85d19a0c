//! Who is kept out: by itself after the first foreign field, or by an operator; sockets that close, and routes that stay open.

use crate::harness::{ADMIN_TOKEN, Message, Running, Site, Then, Wire, connect, ok, start_after, start_with, until};
use crate::policy::{configure, customers, get, log_in, site};
use crate::tls::{Certificate, http2, on_a_runtime, request};
use sekisho_gateway::config::{Config, ContainCause, ContainRules, NamedBy, Names, Route};
use sekisho_gateway::inspect::{Action, Policy, RouteClass};
use sekisho_model::{ContainReason, Contained, Disposition, Record, Target, WithheldReason};
use std::sync::Arc;
use std::sync::mpsc::channel;

const TARO: &str = "of-taro";
const HANAKO: &str = "of-hanako";

pub(crate) fn contain(config: &mut Config, foreign: Action) {
    configure(config, foreign);
    let on = vec![ContainCause::Rule(WithheldReason::ForeignSubject), ContainCause::Rule(WithheldReason::NoSubject)];
    config.containment = ContainRules { on, ..ContainRules::default() };
    let rules = Policy { class: RouteClass::Own, foreign, ..Policy::default() };
    config.routes.push(Route { continuity: true, rules, ..crate::harness::route("/my/close") });
}

fn both(foreign: Action) -> (Site, Running, Wire) {
    let site = site();
    let gateway = start_with(customers(), &site, |config| contain(config, foreign));
    let mut wire = connect(&gateway);
    log_in(&mut wire, "HK10000001", "right");
    log_in(&mut wire, "HK10000002", "right&as=of-hanako");
    (site, gateway, wire)
}

fn contained(records: &[Record]) -> Vec<&Contained> {
    let contained = records.iter().filter_map(|record| match record {
        Record::Contained(contained) => Some(contained),
        _ => None,
    });
    contained.collect()
}

/// A call of the admin address.
pub(crate) fn call(gateway: &Running, method: &str, path: &str, token: &str, body: &str) -> Message {
    let mut wire = Wire::connect(gateway.admin_address().expect("an admin address"));
    wire.send(&format!(
        "{method} {path} HTTP/1.1\r\nhost: admin\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    ));
    wire.response()
}

/// The key of the session that was kept out first.
fn first_key(gateway: &Running) -> String {
    let list = call(gateway, "GET", "/containment", ADMIN_TOKEN, "");
    let list: serde_json::Value = serde_json::from_str(list.text()).expect("JSON");
    list["contained"][0]["target"]["session"].as_str().expect("a session").to_owned()
}

#[test]
fn after_the_first_foreign_field_no_later_request_of_the_session_passes() {
    for foreign in [Action::Block, Action::Mask, Action::Record] {
        let (_site, gateway, mut wire) = both(foreign);
        assert_eq!(get(&mut wire, "/my/1", TARO).text(), "HK10000001");
        get(&mut wire, "/my/2", TARO);
        for target in ["/my/1", "/my/2", "/", "/public/none"] {
            let refused = get(&mut wire, target, TARO);
            assert_eq!(refused.status(), 403, "{foreign:?} {target}");
            assert!(refused.text().contains("ご利用を一時停止しています"), "{}", refused.text());
        }
        assert_eq!(get(&mut wire, "/my/2", HANAKO).text(), "HK10000002", "another session of the same address");
        assert_eq!(get(&mut wire, "/my/close/1", TARO).text(), "HK10000001", "closing a position");
        let records = gateway.shutdown();
        let contained = contained(&records);
        assert_eq!(contained.len(), 1);
        assert_eq!(contained[0].reason, ContainReason::Rule(WithheldReason::ForeignSubject));
        assert!(matches!(contained[0].target, Target::Session(_)) && contained[0].until > Some(contained[0].at));
    }
}

#[test]
fn an_address_is_kept_out_only_for_requests_without_a_session_and_never_a_named_one() {
    let without = |wire: &mut Wire, target: &str| {
        wire.send(&format!("GET {target} HTTP/1.1\r\nhost: a.example\r\n\r\n"));
        wire.response().status()
    };
    for never in [Vec::new(), vec!["127.0.0.0/8".parse().unwrap()]] {
        let is_named = !never.is_empty();
        let site = site();
        let gateway = start_with(customers(), &site, |config| {
            contain(config, Action::Block);
            config.containment.never = never;
        });
        let mut wire = connect(&gateway);
        log_in(&mut wire, "HK10000001", "right");
        assert_eq!(without(&mut wire, "/public/none"), 200);
        assert_eq!(without(&mut wire, "/my/2"), 403);
        assert_eq!(without(&mut wire, "/public/none"), if is_named { 200 } else { 403 });
        assert_eq!(get(&mut wire, "/my/1", TARO).status(), 200);
    }
}

#[test]
fn an_operator_lists_releases_and_keeps_out_with_the_token_only() {
    let (_site, gateway, mut wire) = both(Action::Block);
    get(&mut wire, "/my/2", TARO);
    let wrong =
        [call(&gateway, "GET", "/containment", "", ""), call(&gateway, "GET", "/containment", &"0".repeat(32), "")];
    assert_eq!(wrong.map(|answer| answer.status()), [401, 401]);
    let target = format!(r#"{{"session":"{}"}}"#, first_key(&gateway));
    let order = format!(r#"{{"target":{target},"by":"tanaka"}}"#);
    assert_eq!(call(&gateway, "POST", "/release", "wrong", &order).status(), 401);
    assert_eq!(get(&mut wire, "/my/1", TARO).status(), 403);
    assert_eq!(call(&gateway, "POST", "/release", ADMIN_TOKEN, &order).text(), "{\"changed\":true}\n");
    assert_eq!(get(&mut wire, "/my/1", TARO).status(), 200);
    assert_eq!(call(&gateway, "POST", "/release", ADMIN_TOKEN, &order).text(), "{\"changed\":false}\n");
    let for_a_minute = format!(r#"{{"target":{target},"for_s":60,"by":"tanaka"}}"#);
    assert_eq!(call(&gateway, "POST", "/contain", ADMIN_TOKEN, &for_a_minute).status(), 200);
    assert_eq!(get(&mut wire, "/my/1", TARO).status(), 403);
    for bad in ["", "{}", r#"{"target":{"session":"x"},"by":"a"}"#, &order, &for_a_minute.replace("60", "9999999")] {
        let answer = call(&gateway, "POST", "/contain", ADMIN_TOKEN, bad);
        assert!(answer.status() == 400 && answer.text().contains("error"), "{bad}: {}", answer.text());
    }
    assert_eq!(call(&gateway, "POST", "/contain", ADMIN_TOKEN, &"x".repeat(5000)).status(), 413);
    assert_eq!(call(&gateway, "DELETE", "/contain", ADMIN_TOKEN, "").status(), 405);
}

#[test]
fn who_was_kept_out_is_so_after_a_restart() {
    let (_site, gateway, mut wire) = both(Action::Block);
    get(&mut wire, "/my/2", TARO);
    let records = gateway.shutdown();
    let site = site();
    let gateway = start_after(&records, customers(), &site, |config| contain(config, Action::Block));
    let mut wire = connect(&gateway);
    assert_eq!(get(&mut wire, "/my/1", TARO).status(), 403);
    assert_eq!(get(&mut wire, "/my/2", HANAKO).status(), 200);
}

#[test]
fn a_response_under_way_ends_when_its_session_is_kept_out() {
    let (go_on, may_go_on) = channel::<()>();
    let may_go_on = std::sync::Mutex::new(may_go_on);
    let site = Site::new(move |request, wire| match request.target() {
        "/slow" => {
            wire.send(
                "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n5\r\n\u{1}irst\r\n",
            );
            let _hung_up = may_go_on.lock().unwrap().recv();
            let _broken = wire.try_send(b"6\r\nsecond\r\n0\r\n\r\n");
            Then::Keep
        }
        _ => ok(wire, "HK10000002"),
    });
    let gateway = start_with(customers(), &site, |config| contain(config, Action::Block));
    let mut slow = connect(&gateway);
    slow.send("GET /slow HTTP/1.1\r\nhost: a.example\r\ncookie: session=thief\r\n\r\n");
    slow.try_head().expect("a head");
    assert_eq!(slow.chunk().unwrap().as_deref(), Some(&b"\x01irst"[..]));
    assert_eq!(get(&mut connect(&gateway), "/my/2", "thief").status(), 403);
    go_on.send(()).unwrap();
    assert!(!matches!(slow.chunk(), Ok(Some(_))), "the rest is not released");
    let records = gateway.shutdown();
    let blocked = records.iter().filter(|record| {
        matches!(record, Record::Closed(closed) if closed.disposition == Disposition::Blocked && closed.body_bytes_released == 5)
    });
    assert_eq!(blocked.count(), 1);
}

/// Staff of the name `tanaka` are signed in; what they are shown does not matter.
pub(crate) fn staff(config: &mut Config) {
    contain(config, Action::Block);
    let by = NamedBy::Field { field: "account".to_owned(), names: Names::Account };
    let login = sekisho_gateway::config::Login { by, ..(*config.logins[0]).clone() };
    config.logins = vec![Arc::new(login)];
}

pub(crate) fn cut_off(gateway: &Running) {
    let key = crate::harness::key().account("Tanaka");
    let order = format!(r#"{{"target":{{"account":"{key}"}},"by":"sato"}}"#);
    assert_eq!(call(gateway, "POST", "/cut-off", ADMIN_TOKEN, &order).text(), "{\"changed\":true}\n");
}

#[test]
fn an_account_that_is_cut_off_loses_its_connections_and_comes_in_no_more() {
    let site = site();
    let gateway = start_with(customers(), &site, |config| {
        staff(config);
        config.routes.iter_mut().for_each(|route| route.websocket = true);
    });
    let mut idle = connect(&gateway);
    log_in(&mut idle, "tanaka", "right");
    assert_eq!(get(&mut idle, "/", TARO).status(), 200);
    let mut other = connect(&gateway);
    log_in(&mut other, "suzuki", "right&as=of-hanako");
    assert_eq!(get(&mut other, "/", HANAKO).status(), 200);
    let mut live = connect(&gateway);
    live.send(&format!(
        "GET /my/stays HTTP/1.1\r\nhost: a.example\r\ncookie: session={TARO}\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
    ));
    assert_eq!(live.response().status(), 101);
    cut_off(&gateway);
    assert!(idle.rest().is_empty(), "an idle keep-alive connection is closed");
    assert!(live.rest().is_empty(), "a WebSocket is closed");
    assert_eq!(get(&mut connect(&gateway), "/", TARO).status(), 403);
    assert_eq!(get(&mut other, "/", HANAKO).status(), 200);
    log_in(&mut connect(&gateway), "tanaka", "right&as=of-hanako");
    until("a new session of the account", || get(&mut connect(&gateway), "/", HANAKO).status() == 403);
}

#[test]
fn an_http2_connection_of_an_account_that_is_cut_off_is_closed() {
    let site = site();
    let certificate = Certificate::new();
    let gateway = start_with(customers(), &site, |config| {
        staff(config);
        certificate.serve(config);
    });
    on_a_runtime(async {
        let mut sender = http2(&gateway, &certificate).await;
        let login = http::Request::post("https://localhost/login")
            .header("content-type", "application/x-www-form-urlencoded")
            .body("account=tanaka&password=right".into())
            .unwrap();
        assert_eq!(sender.send_request(login).await.unwrap().status(), 303);
        let mut page = request("/");
        page.headers_mut().insert("cookie", format!("session={TARO}").parse().unwrap());
        assert_eq!(sender.send_request(page).await.unwrap().status(), 200);
        cut_off(&gateway);
        while sender.ready().await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
}
