//! Log-ins other than a form that gives out a cookie: a bearer token in the answer's JSON, and a person whom the upstream
//! signs for in a header. Over real sockets, against a site that shows any account to anybody.

use crate::harness::{Message, Running, Site, Then, Wire, connect, ok, start_with};
use crate::policy::{configure, customers};
use crate::tokens::{SECRET, token};
use sekisho_gateway::config::{Config, Login, NamedBy, Names, SessionSource, Token, TokenKeys, TokenPlace};
use sekisho_gateway::inspect::Action;
use sekisho_model::{AlertKind, FieldKind, Record};
use std::sync::Arc;

/// The header in which the site signs for whom it logs in.
const SUBJECT: &str = "x-login-subject";

fn site() -> Site {
    Site::new(|request, wire| match request.target() {
        "/api/login" if !request.text().contains("right") => ok(wire, r#"{"error":"wrong password"}"#),
        "/api/login" => {
            let body = r#"{"user":{"account":"HK10000001"},"auth":{"access_token":"t-of-taro"},"lang":"ja"}"#;
            let (start, end) = body.split_at(50);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n";
            wire.send(&format!("{head}\r\n{:x}\r\n{start}\r\n", start.len()));
            wire.send(&format!("{:x}\r\n{end}\r\n0\r\n\r\n", end.len()));
            Then::Keep
        }
        "/callback?code=of-taro" => signed(wire, "session=of-taro", &token("HK10000001", SECRET)),
        "/callback?code=forged" => {
            signed(wire, "session=of-forger", &token("HK10000002", "another secret of thirty-two bytes!"))
        }
        // A web shell that writes headers.
        "/my/shell" => signed(wire, "session=of-shell", &token("HK10000002", SECRET)),
        "/my/again" => signed(wire, "other=1", &token("HK10000001", SECRET)),
        "/my/echo" => ok(wire, request.header(SUBJECT).unwrap_or("no such header")),
        target => ok(wire, if target.ends_with('2') { "HK10000002" } else { "HK10000001" }),
    })
}

fn signed(wire: &mut Wire, cookie: &str, token: &str) -> Then {
    wire.send(&format!(
        "HTTP/1.1 303 See Other\r\nlocation: /my\r\nset-cookie: {cookie}\r\n{SUBJECT}: {token}\r\ncontent-length: 0\r\n\r\n"
    ));
    Then::Keep
}

fn start(change: impl FnOnce(&mut Config)) -> (Site, tempfile::TempDir, Running) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, SECRET).unwrap();
    let site = site();
    let gateway = start_with(customers(), &site, |config| {
        configure(config, Action::Block);
        config.admin = Some(([127, 0, 0, 1], 0).into());
        let login = Login {
            path: "/api/login".to_owned(),
            success_statuses: vec![200],
            success_location: None,
            token_field: Some("auth.access_token".to_owned()),
            ..(*config.logins[0]).clone()
        };
        let signed = Login {
            path: "/callback".to_owned(),
            by: NamedBy::Signed(Token {
                place: TokenPlace::Header(SUBJECT.parse().unwrap()),
                keys: TokenKeys::Secret(path),
                issuer: Some("idp".to_owned()),
                audience: Some("site".to_owned()),
                claim: "sub".to_owned(),
                names: Names::Persons(FieldKind::AccountId),
            }),
            ..(*config.logins[0]).clone()
        };
        config.logins = vec![Arc::new(login), Arc::new(signed)];
        config.session = SessionSource { bearer: true, ..SessionSource::default() };
        change(config);
    });
    (site, folder, gateway)
}

fn get(wire: &mut Wire, target: &str, field: &str) -> Message {
    wire.send(&format!("GET {target} HTTP/1.1\r\nhost: a.example\r\n{field}\r\n\r\n"));
    wire.response()
}

fn post(wire: &mut Wire, body: &str) -> Message {
    let head = "POST /api/login HTTP/1.1\r\nhost: a.example\r\ncontent-type: application/json\r\n";
    wire.send(&format!("{head}content-length: {}\r\n\r\n{body}", body.len()));
    wire.response()
}

#[test]
fn a_bearer_token_in_the_answer_is_the_session() {
    let own = |config: &mut Config| {
        let rules = config.routes.iter().find(|route| route.path_prefix == "/my").unwrap().rules;
        config.routes.iter_mut().for_each(|route| route.rules = rules);
    };
    let (_site, _folder, gateway) = start(own);
    let mut wire = connect(&gateway);
    assert_eq!(get(&mut wire, "/my/1", "authorization: Bearer t-of-taro").status(), 403, "before the log-in");
    assert_eq!(post(&mut wire, r#"{"account":"HK10000001","password":"wrong"}"#).status(), 200);
    assert_eq!(get(&mut wire, "/my/1", "authorization: Bearer t-of-taro").status(), 403, "it failed");
    let answer = post(&mut wire, r#"{"account":"HK10000001","password":"right"}"#);
    assert!(answer.text().contains("HK10000001"), "one's own data in the answer to one's log-in");
    assert_eq!(get(&mut wire, "/my/1", "authorization: Bearer t-of-taro").text(), "HK10000001");
    assert_eq!(get(&mut wire, "/my/2", "authorization: Bearer t-of-taro").status(), 403);
    assert_eq!(get(&mut wire, "/my/1", "authorization: Bearer t-of-hanako").status(), 403);
    let metrics = crate::admin::admin(&gateway, "/metrics").text().to_owned();
    assert!(metrics.contains("sekisho_logins_bound_total 1\n"), "{metrics}");
    assert!(metrics.contains("sekisho_logins_unbound_total 1\n"), "the answer without a token: {metrics}");
}

#[test]
fn a_person_whom_the_upstream_signs_for_is_the_sessions() {
    let (_site, _folder, gateway) = start(|_| {});
    let mut wire = connect(&gateway);
    let answer = get(&mut wire, "/callback?code=of-taro", "accept: */*");
    assert_eq!(answer.header(SUBJECT), None, "it is no client's business");
    assert_eq!(get(&mut wire, "/my/1", "cookie: session=of-taro").text(), "HK10000001");
    assert_eq!(get(&mut wire, "/my/2", "cookie: session=of-taro").status(), 403);
    get(&mut wire, "/callback?code=forged", "accept: */*");
    assert_eq!(get(&mut wire, "/my/2", "cookie: session=of-forger").status(), 403);
}

#[test]
fn a_clients_copy_of_the_signed_header_does_not_reach_the_upstream() {
    let (_site, _folder, gateway) = start(|_| {});
    let mut wire = connect(&gateway);
    let field = format!("{SUBJECT}: {}", token("HK10000002", SECRET));
    assert_eq!(get(&mut wire, "/my/echo", &field).text(), "no such header");
}

#[test]
fn who_is_signed_for_where_nobody_logs_in_is_an_incident_and_binds_nobody() {
    let (_site, _folder, gateway) = start(|_| {});
    let mut wire = connect(&gateway);
    get(&mut wire, "/callback?code=of-taro", "accept: */*");
    get(&mut wire, "/my/again", "cookie: session=of-taro");
    let answer = get(&mut wire, "/my/shell", "accept: */*");
    assert_eq!(answer.header(SUBJECT), None);
    assert_eq!(get(&mut wire, "/my/2", "cookie: session=of-shell").status(), 403);
    get(&mut wire, "/my/shell", "cookie: session=of-taro");
    get(&mut wire, "/my/shell", "cookie: session=of-taro");
    let records = gateway.shutdown();
    let alerts: Vec<AlertKind> = records
        .iter()
        .filter_map(|record| match record {
            Record::Alert(alert) => Some(alert.kind),
            _ => None,
        })
        .collect();
    assert_eq!(alerts, [AlertKind::BoundElsewhere; 2], "once without a session, once for Taro's");
}
