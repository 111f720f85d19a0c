//! What the operator sees.

use crate::harness::{Message, Site, Wire, connect, get, start, until};
use sekisho_gateway::Gateway;

pub(crate) fn admin(gateway: &Gateway, target: &str) -> Message {
    let mut wire = Wire::connect(gateway.admin_address().expect("an admin address"));
    wire.send(&format!("GET {target} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n"));
    wire.response()
}

#[test]
fn metrics_count_responses_refusals_and_connections() {
    let site = Site::saying("ok");
    let gateway = start(&site, |config| config.admin = Some("127.0.0.1:0".parse().unwrap()));
    assert_eq!(get(&gateway, "/news?q=secret").status(), 200);
    let mut bad = connect(&gateway);
    bad.send("GET / HTTP/1.1\nhost: a.example\n\n");
    assert_eq!(bad.response().status(), 400);
    let open = connect(&gateway);
    let lines = [
        "sekisho_responses_total{route=\"/\",status=\"2xx\"} 1",
        "sekisho_outcomes_total{reason=\"passed\"} 1",
        "sekisho_heads_refused_total{reason=\"bare_lf\"} 1",
        "sekisho_connections_open 1",
        "sekisho_ledger_health 0",
        "sekisho_held_bytes 0",
        "sekisho_responses_inspected_total 1",
        "sekisho_access_log_dropped_total 0",
    ];
    for line in lines {
        let mut page = String::new();
        until(line, || {
            admin(&gateway, "/metrics").text().clone_into(&mut page);
            page.lines().any(|found| found == line)
        });
        assert!(!page.contains("secret") && page.ends_with("# EOF\n"));
    }
    drop(open);
}

#[test]
fn health_names_the_ledger_and_the_registers() {
    let site = Site::saying("ok");
    let gateway = start(&site, |config| config.admin = Some("127.0.0.1:0".parse().unwrap()));
    let health = admin(&gateway, "/health");
    assert_eq!(health.status(), 200);
    let json: serde_json::Value = serde_json::from_str(health.text()).unwrap();
    assert_eq!(json["ledger"], "healthy");
    assert!(json["registers"].is_array());
    assert_eq!(admin(&gateway, "/other").status(), 404);
}

#[test]
fn a_client_that_leaves_before_its_answer_is_counted_as_gone() {
    let site = Site::raw(|mut wire| drop(wire.rest()));
    let gateway = start(&site, |config| config.admin = Some("127.0.0.1:0".parse().unwrap()));
    let mut wire = connect(&gateway);
    wire.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
    until("the request reaches the site", || site.connections() > 0);
    drop(wire);
    until("it is counted", || {
        let page = admin(&gateway, "/metrics");
        page.text().lines().any(|line| line == "sekisho_outcomes_total{reason=\"client_gone\"} 1")
    });
}
