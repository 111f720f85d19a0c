//! From a customer's value in the site's answer to the ledger: the whole gateway, over real sockets.

use crate::harness::{Kind, Site, Then, connect, get, key, ok, records, register, start_with, until};
use sekisho_edm::Index;
use sekisho_model::{Closed, Disposition, FieldIndex, FieldKind, FieldSet, Inspection, Opened, Record, Uninspectable};
use sekisho_testkit::{Fault, Gate, OperationKind};
use std::io::{ErrorKind, Write};
use std::sync::Arc;

const CUSTOMERS: &str = "id,name,mail\n1,箱根太郎,taro@example.com\n2,箱根花子,hanako@example.com\n";

fn customers() -> Index {
    register(&[("name", FieldKind::Name), ("mail", FieldKind::Email)], CUSTOMERS)
}

/// Row key, fields that left, fields that were reflected, in the order of the ledger.
fn exposures(records: &[Record]) -> Vec<(&'static str, FieldSet, FieldSet)> {
    let index = customers();
    let row_key = |subject| {
        let is_it = |key: &&str| index.subject("account_holders", key) == Some(subject);
        ["1", "2"].iter().find(|key| is_it(key)).copied().expect("a registered subject")
    };
    let exposed = records.iter().filter_map(|record| match record {
        Record::Exposed(exposed) => Some(&exposed.exposures),
        _ => None,
    });
    exposed.flatten().map(|it| (row_key(it.subject.id), it.fields, it.reflected)).collect()
}

fn closed(records: &[Record]) -> Vec<&Closed> {
    let closed = records.iter().filter_map(|record| match record {
        Record::Closed(closed) => Some(closed),
        _ => None,
    });
    closed.collect()
}

fn opened(records: &[Record]) -> &Opened {
    let opened = records.iter().find_map(|record| match record {
        Record::Opened(opened) => Some(opened),
        _ => None,
    });
    opened.expect("an opened response")
}

const MAIL: FieldSet = FieldSet(1 << 1);

#[test]
fn a_customers_mail_in_an_answer_is_in_the_ledger() {
    let site = Site::saying("<p>こんにちは、箱根太郎 様 (taro@example.com)</p>");
    let gateway = start_with(customers(), &site, |_| {});
    let mut wire = connect(&gateway);
    wire.send("GET /my/page?from=mail HTTP/1.1\r\nhost: a.example\r\ncookie: session=abc\r\n\r\n");
    assert!(wire.response().text().contains("taro@example.com"));
    let records = gateway.shutdown();
    let name_and_mail: FieldSet = [FieldIndex(0), FieldIndex(1)].into_iter().collect();
    assert_eq!(exposures(&records), [("1", name_and_mail, FieldSet::EMPTY)]);
    let transaction = &opened(&records).transaction;
    assert_eq!(transaction.route, "/my");
    assert_eq!((transaction.method.as_str(), transaction.status), ("GET", 200));
    assert_eq!(transaction.session, Some(key().session(b"abc")));
    assert_eq!(transaction.client.to_string(), "127.0.0.1");
    let closed = closed(&records);
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].inspection, closed[0].disposition), (Inspection::Inspected, Disposition::Released));
    assert_eq!(closed[0].body_bytes_released, "<p>こんにちは、箱根太郎 様 (taro@example.com)</p>".len() as u64);
}

#[test]
fn the_reason_phrase_of_a_status_is_the_gateways() {
    let site = Site::new(|_, wire| {
        wire.send("HTTP/1.1 200 taro@example.com\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello");
        Then::Keep
    });
    let gateway = start_with(customers(), &site, |_| {});
    assert_eq!(get(&gateway, "/").first_line, "HTTP/1.1 200 OK");
    assert_eq!(exposures(&gateway.shutdown()), []);
}

#[test]
fn led_1_no_byte_of_an_exposure_leaves_before_it_is_durable() {
    let site = Site::saying("taro@example.com");
    let gateway = start_with(customers(), &site, |_| {});
    let gate = Gate::closed();
    let closed = Arc::clone(&gate);
    gateway.disk.set_fault(move |operation| match operation.kind {
        OperationKind::Sync => Fault::Wait(Arc::clone(&closed)),
        _ => Fault::None,
    });
    let mut wire = connect(&gateway);
    wire.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
    gate.wait_for_arrival();
    assert_eq!(wire.unread(), ErrorKind::WouldBlock, "nothing was sent while the sync was under way");
    gate.open();
    assert_eq!(wire.response().text(), "taro@example.com");
    for seed in 0..8 {
        let after_power_loss = records(&Arc::new(gateway.disk.crash(seed)));
        assert_eq!(exposures(&after_power_loss), [("1", MAIL, FieldSet::EMPTY)], "seed {seed}");
    }
}

#[test]
fn what_the_request_held_is_reflected_and_no_exposure() {
    let site = Site::new(|_, wire| ok(wire, "no such customer: taro@example.com"));
    let gateway = start_with(customers(), &site, |_| {});
    let mut wire = connect(&gateway);
    wire.send("GET /search?q=taro%40example.com HTTP/1.1\r\nhost: a.example\r\n\r\n");
    assert_eq!(wire.response().status(), 200);
    let form = "mail=taro%40example.com";
    wire.send(&format!(
        "POST /search HTTP/1.1\r\nhost: a.example\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{form}",
        form.len()
    ));
    assert_eq!(wire.response().status(), 200);
    let expected = ("1", FieldSet::EMPTY, MAIL);
    assert_eq!(exposures(&gateway.shutdown()), [expected, expected]);
}

#[test]
fn a_body_that_comes_compressed_all_the_same_is_read() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"hanako@example.com").unwrap();
    let body = encoder.finish().unwrap();
    let site = Site::new(move |_, wire| {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        wire.send(&head);
        wire.try_send(&body).unwrap();
        Then::Keep
    });
    let gateway = start_with(customers(), &site, |_| {});
    let response = get(&gateway, "/");
    assert_eq!(response.text(), "hanako@example.com");
    assert_eq!(response.header("content-encoding"), None);
    assert_eq!(exposures(&gateway.shutdown()), [("2", MAIL, FieldSet::EMPTY)]);
}

#[test]
fn every_response_of_a_connection_is_numbered_and_closed() {
    let site = Site::new(|request, wire| match request.target() {
        "/excluded" => ok(wire, "taro@example.com"),
        "/nothing" => {
            wire.send("HTTP/1.1 204 No Content\r\n\r\n");
            Then::Keep
        }
        "/dies" => {
            wire.send("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 100000\r\n\r\nhello");
            Then::Close
        }
        _ => ok(wire, "clean"),
    });
    let gateway = start_with(customers(), &site, |config| {
        let excluded = crate::harness::route("/excluded");
        config.routes.push(sekisho_gateway::config::Route { inspect: false, ..excluded });
    });
    let mut wire = connect(&gateway);
    for target in ["/clean", "/nothing", "/excluded", "/dies"] {
        wire.send(&format!("GET {target} HTTP/1.1\r\nhost: a.example\r\n\r\n"));
        match target {
            "/dies" => drop(wire.rest()),
            _ => assert!(wire.response().status() < 300),
        }
    }
    let records = gateway.shutdown();
    let excluded = Inspection::NotInspectable(Uninspectable::RouteExcluded);
    let found: Vec<_> = closed(&records).iter().map(|it| (it.sequence, it.inspection, it.disposition)).collect();
    assert_eq!(
        found,
        [
            (1, Inspection::Inspected, Disposition::Released),
            (2, Inspection::WithoutBody, Disposition::Released),
            (3, excluded, Disposition::Released),
            (4, Inspection::Inspected, Disposition::UpstreamFailed),
        ]
    );
}

#[test]
fn gw_1_without_a_ledger_the_upstream_is_not_contacted() {
    let site = Site::saying("taro@example.com");
    let gateway = start_with(customers(), &site, |config| {
        let orders = crate::harness::route("/orders");
        config.routes.push(sekisho_gateway::config::Route { continuity: true, ..orders });
        config.admin = Some("127.0.0.1:0".parse().unwrap());
    });
    gateway.disk.set_fault(|_| Fault::Error(ErrorKind::StorageFull));
    until("the ledger is known to be unhealthy", || {
        let response = get(&gateway, "/");
        assert!(response.status() == 503 && !response.text().contains("taro"), "{response:?}");
        gateway.ledger.health() == sekisho_ledger::Health::Unhealthy
    });
    let before = site.seen().len();
    let refused = get(&gateway, "/");
    assert_eq!((refused.status(), refused.header("retry-after")), (503, Some("5")));
    assert_eq!(site.seen().len(), before, "the upstream was not contacted");
    assert_eq!(get(&gateway, "/orders/close").text(), "taro@example.com", "a continuity route passes");
    let health = crate::admin::admin(&gateway, "/health");
    assert_eq!(health.status(), 503);
    assert!(health.text().contains("unhealthy"));
}

#[test]
fn a_client_that_leaves_is_recorded() {
    let site = Site::raw(|mut wire| {
        if wire.try_message(Kind::Request).is_some() {
            wire.send("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n");
            while wire.try_send(b"6\r\nhello\n\r\n").is_ok() {}
        }
    });
    let gateway = start_with(customers(), &site, |_| {});
    let mut wire = connect(&gateway);
    wire.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
    assert_eq!(wire.try_head().unwrap().status(), 200);
    drop(wire);
    until("the response is closed in the ledger", || {
        closed(&records(&gateway.disk)).iter().any(|it| it.disposition == Disposition::ClientGone)
    });
}
