//! Whose data a session may see where users share something: a connection, a pipeline, HTTP/2; and where a response has
//! no body, or is no response.

use crate::harness::{Running, Site, Wire, connect, start_with};
use crate::policy::{configure, customers, get, log_in, site, start, withheld};
use crate::tls::{Certificate, http2, on_a_runtime, request};
use http_body_util::BodyExt;
use sekisho_gateway::inspect::Action;
use sekisho_model::{Inspection, Record, Uninspectable, WithheldReason};

const TARO: &str = "of-taro";
const HANAKO: &str = "of-hanako";

/// Taro and Hanako are signed in.
fn both(foreign: Action) -> (Site, Running, Wire) {
    let (site, gateway) = start(foreign);
    let mut wire = connect(&gateway);
    log_in(&mut wire, "HK10000001", "right");
    log_in(&mut wire, "HK10000002", "right&as=of-hanako");
    (site, gateway, wire)
}

#[test]
fn users_who_share_a_connection_are_told_apart_by_their_sessions() {
    let (_site, _gateway, mut wire) = both(Action::Block);
    for _ in 0..3 {
        assert_eq!(get(&mut wire, "/my/1", TARO).text(), "HK10000001");
        assert_eq!(get(&mut wire, "/my/2", HANAKO).text(), "HK10000002");
        assert_eq!(get(&mut wire, "/my/2", TARO).status(), 403);
        assert_eq!(get(&mut wire, "/my/1", HANAKO).status(), 403);
        assert_eq!(get(&mut wire, "/my/1", "of-nobody").status(), 403);
    }
}

#[test]
fn pipelined_requests_of_several_users_are_told_apart() {
    let (_site, _gateway, mut wire) = both(Action::Block);
    let asked = [("/my/1", TARO), ("/my/1", HANAKO), ("/my/2", HANAKO), ("/my/2", TARO), ("/my/1", TARO)];
    let pipeline = asked.map(|(target, session)| {
        format!("GET {target} HTTP/1.1\r\nhost: a.example\r\ncookie: session={session}\r\n\r\n")
    });
    wire.send(&pipeline.concat());
    let statuses = asked.map(|_| wire.response().status());
    assert_eq!(statuses, [200, 403, 200, 403, 200]);
}

#[test]
fn http2_streams_of_several_users_are_told_apart() {
    let site = site();
    let certificate = Certificate::new();
    let gateway = start_with(customers(), &site, |config| {
        configure(config, Action::Mask);
        certificate.serve(config);
    });
    let answers = on_a_runtime(async {
        let mut sender = http2(&gateway, &certificate).await;
        for (account, session) in [("HK10000001", TARO), ("HK10000002", HANAKO)] {
            let form = format!("account={account}&password=right&as={session}");
            let request = http::Request::post("https://localhost/login")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form.into())
                .unwrap();
            assert_eq!(sender.send_request(request).await.unwrap().status(), 303);
        }
        let sent: Vec<_> = (0..40)
            .map(|n| {
                let session = if n % 4 < 2 { TARO } else { HANAKO };
                let mut request = request(if n % 2 == 0 { "/my/1" } else { "/my/2" });
                request.headers_mut().insert("cookie", format!("session={session}").parse().unwrap());
                sender.send_request(request)
            })
            .collect();
        let mut answers = Vec::new();
        for answer in sent {
            let body = answer.await.unwrap().into_body().collect().await.unwrap().to_bytes();
            answers.push(String::from_utf8(body.to_vec()).unwrap());
        }
        answers
    });
    let masked = "*".repeat(10);
    let expected = ["HK10000001", &masked, &masked, "HK10000002"];
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer, expected[n % 4], "stream {n}");
    }
}

#[test]
fn a_redirect_and_answers_without_a_body_are_held_back_for_what_their_heads_hold() {
    let (_site, gateway, mut wire) = both(Action::Mask);
    for target in ["/my/moved", "/my/unchanged"] {
        let answer = get(&mut wire, target, TARO);
        assert_eq!((answer.status(), answer.header("x-account"), answer.header("location")), (403, None, None));
        assert_ne!(get(&mut wire, target, HANAKO).status(), 403, "{target}");
    }
    let head = |wire: &mut Wire, session: &str| {
        wire.send(&format!("HEAD /my/head HTTP/1.1\r\nhost: a.example\r\ncookie: session={session}\r\n\r\n"));
        wire.try_head().expect("an answer")
    };
    let own = head(&mut wire, HANAKO);
    assert_eq!((own.status(), own.header("x-account")), (200, Some("HK10000002")));
    let foreign = head(&mut wire, TARO);
    assert_eq!((foreign.status(), foreign.header("x-account")), (403, None));
    let records = gateway.shutdown();
    let reasons: Vec<_> = withheld(&records).iter().map(|one| one.reason).collect();
    assert_eq!(reasons, [WithheldReason::ForeignSubject; 3]);
}

/// What a WebSocket carries is not seen: it passes where the route lets it, and is recorded as not inspected.
#[test]
fn a_websocket_after_a_log_in_passes_where_the_route_says_so_and_nowhere_else() {
    for websocket in [true, false] {
        let site = site();
        let gateway = start_with(customers(), &site, |config| {
            configure(config, Action::Block);
            config.routes.iter_mut().for_each(|route| route.websocket = websocket);
        });
        let mut wire = connect(&gateway);
        log_in(&mut wire, "HK10000001", "right");
        wire.send(&format!(
            "GET /my/live HTTP/1.1\r\nhost: a.example\r\ncookie: session={TARO}\r\nconnection: upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
        ));
        assert_eq!(wire.response().status(), if websocket { 101 } else { 502 });
        if websocket {
            assert_eq!(wire.read_exact(10), b"HK10000002");
        }
        let upgraded = gateway.shutdown().into_iter().filter(|record| {
            let is = Inspection::NotInspectable(Uninspectable::Upgraded);
            matches!(record, Record::Closed(closed) if closed.inspection == is)
        });
        assert_eq!(upgraded.count(), usize::from(websocket));
    }
}
