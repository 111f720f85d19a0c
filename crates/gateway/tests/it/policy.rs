//! Whose data a session may see: log-ins through the whole gateway, over real sockets, against a site with a hole.

use crate::admin::admin;
use crate::harness::{Message, Running, Site, Then, Wire, connect, ok, register, route, start_after, start_with};
use sekisho_edm::Index;
use sekisho_gateway::config::{Config, Login, NamedBy, Names, Route};
use sekisho_gateway::inspect::{Action, Policy, RouteClass};
use sekisho_model::{Closed, Disposition, FieldKind, Record, Withheld, WithheldOutcome, WithheldReason};
use std::sync::Arc;

const CUSTOMERS: &str = "id,account,mail\nHK10000001,HK10000001,taro@example.com\n\
                         HK10000002,HK10000002,hanako@example.com\n";

pub(crate) fn customers() -> Index {
    register(&[("account", FieldKind::AccountId), ("mail", FieldKind::Email)], CUSTOMERS)
}

/// A site whose pages show whatever account the path asks for: broken object-level authorisation.
pub(crate) fn site() -> Site {
    Site::new(|request, wire| match request.target() {
        "/login" if request.text().contains("password=right") => {
            let name = if request.text().contains("as=of-hanako") { "of-hanako" } else { "of-taro" };
            redirect(wire, "/my", &format!("set-cookie: session={name}; Path=/; HttpOnly\r\n"))
        }
        "/login" if request.text().contains("password=signed-in") => redirect(wire, "/my", ""),
        "/login" => redirect(wire, "/login?failed", ""),
        "/my/mixed-up" => {
            wire.send("HTTP/1.1 200 OK\r\nset-cookie: session=of-taro\r\ncontent-length: 10\r\n\r\nHK10000001");
            Then::Keep
        }
        "/my/renew" => redirect(wire, "/my", "set-cookie: session=renewed; Path=/\r\n"),
        "/logout" => redirect(wire, "/", "set-cookie: session=; Max-Age=0\r\n"),
        "/my/moved" => redirect(wire, "/my/account/HK10000002", ""),
        "/my/unchanged" => {
            wire.send("HTTP/1.1 304 Not Modified\r\nx-account: HK10000002\r\n\r\n");
            Then::Keep
        }
        "/my/head" => {
            wire.send("HTTP/1.1 200 OK\r\nx-account: HK10000002\r\ncontent-length: 10\r\n\r\n");
            Then::Keep
        }
        "/my/stays" => {
            wire.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
            wire.rest();
            Then::Close
        }
        "/my/live" => {
            wire.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
            wire.send("HK10000002");
            Then::Close
        }
        "/my/long" => ok(wire, &format!("HK10000001{}HK10000002", " ".repeat(100_000))),
        target => {
            let path = target.split('?').next().unwrap_or_default();
            ok(
                wire,
                match path.rsplit('/').next() {
                    Some("1") => "HK10000001",
                    Some("2") => "HK10000002",
                    Some("mail") => "taro@example.com",
                    _ => "nothing here",
                },
            )
        }
    })
}

fn redirect(wire: &mut Wire, to: &str, fields: &str) -> Then {
    wire.send(&format!("HTTP/1.1 303 See Other\r\nlocation: {to}\r\n{fields}content-length: 0\r\n\r\n"));
    Then::Keep
}

pub(crate) fn start(foreign: Action) -> (Site, Running) {
    let site = site();
    let gateway = start_with(customers(), &site, |config| configure(config, foreign));
    (site, gateway)
}

pub(crate) fn configure(config: &mut Config, foreign: Action) {
    config.logins = vec![Arc::new(Login {
        host: None,
        path: "/login".to_owned(),
        by: NamedBy::Field { field: "account".to_owned(), names: Names::Persons(FieldKind::AccountId) },
        success_statuses: vec![302, 303],
        success_location: Some("/my".to_owned()),
        token_field: None,
    })];
    config.admin = Some(([127, 0, 0, 1], 0).into());
    config.logout_paths = vec!["/logout".to_owned()];
    let rules = |class| Policy { class, foreign, ..Policy::default() };
    config.routes.push(Route { rules: rules(RouteClass::Own), ..route("/my") });
    config.routes.push(Route { rules: rules(RouteClass::Public), ..route("/public") });
}

pub(crate) fn log_in(wire: &mut Wire, account: &str, password: &str) -> Message {
    let form = format!("account={account}&password={password}");
    wire.send(&format!(
        "POST /login HTTP/1.1\r\nhost: a.example\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{form}",
        form.len()
    ));
    wire.response()
}

pub(crate) fn get(wire: &mut Wire, target: &str, session: &str) -> Message {
    wire.send(&format!("GET {target} HTTP/1.1\r\nhost: a.example\r\ncookie: session={session}\r\n\r\n"));
    wire.response()
}

fn metrics(gateway: &Running) -> String {
    admin(gateway, "/metrics").text().to_owned()
}

pub(crate) fn withheld(records: &[Record]) -> Vec<&Withheld> {
    let withheld = records.iter().filter_map(|record| match record {
        Record::Withheld(withheld) => Some(withheld),
        _ => None,
    });
    withheld.collect()
}

fn blocked(records: &[Record]) -> Vec<&Closed> {
    let closed = records.iter().filter_map(|record| match record {
        Record::Closed(closed) if closed.disposition == Disposition::Blocked => Some(closed),
        _ => None,
    });
    closed.collect()
}

#[test]
fn pol_1_a_session_sees_its_own_person_and_nobody_else() {
    let (_site, gateway) = start(Action::Block);
    let mut wire = connect(&gateway);
    assert_eq!(log_in(&mut wire, "HK10000001", "right").status(), 303);
    assert_eq!(get(&mut wire, "/my/1", "of-taro").text(), "HK10000001");
    let other = get(&mut wire, "/my/2", "of-taro");
    assert_eq!(other.status(), 403);
    assert!(!other.text().contains("HK10000002"), "{}", other.text());
    assert_eq!(get(&mut wire, "/my/1", "of-taro").status(), 200, "the session goes on");
    let records = gateway.shutdown();
    let [withheld] = withheld(&records)[..] else { panic!("one part was withheld") };
    assert_eq!(withheld.reason, WithheldReason::ForeignSubject);
    assert_eq!(Some(withheld.exposures[0].subject.id), customers().subject("account_holders", "HK10000002"));
    assert_eq!(blocked(&records)[0].body_bytes_released, 0);
}

#[test]
fn pol_1_a_session_that_belongs_to_nobody_sees_nobody() {
    let (_site, gateway) = start(Action::Block);
    let mut wire = connect(&gateway);
    assert_eq!(log_in(&mut wire, "HK10000001", "wrong").header("location"), Some("/login?failed"));
    assert_eq!(get(&mut wire, "/my/1", "of-taro").status(), 403);
    wire.send("GET /my/1 HTTP/1.1\r\nhost: a.example\r\n\r\n");
    assert_eq!(wire.response().status(), 403);
    let reasons: Vec<_> = withheld(&gateway.shutdown()).iter().map(|withheld| withheld.reason).collect();
    assert_eq!(reasons, [WithheldReason::NoSubject, WithheldReason::NoSubject]);
}

#[test]
fn a_session_keeps_its_person_when_renewed_and_loses_it_at_the_log_out() {
    let (_site, gateway) = start(Action::Block);
    let mut wire = connect(&gateway);
    log_in(&mut wire, "HK10000001", "right");
    assert_eq!(get(&mut wire, "/my/renew", "of-taro").status(), 303);
    assert_eq!(get(&mut wire, "/my/1", "renewed").status(), 200);
    assert_eq!(get(&mut wire, "/logout", "renewed").status(), 303);
    assert_eq!(get(&mut wire, "/my/1", "renewed").status(), 403);
}

#[test]
fn another_log_in_of_the_same_session_switches_the_account() {
    let (_site, gateway) = start(Action::Block);
    let mut wire = connect(&gateway);
    log_in(&mut wire, "HK10000001", "right");
    log_in(&mut wire, "HK10000002", "right");
    assert_eq!(get(&mut wire, "/my/2", "of-taro").status(), 200);
    assert_eq!(get(&mut wire, "/my/1", "of-taro").status(), 403);
}

#[test]
fn a_log_in_that_issues_no_session_binds_nobody() {
    let (_site, gateway) = start(Action::Block);
    let mut wire = connect(&gateway);
    log_in(&mut wire, "HK10000001", "right");
    // The site sends whoever is signed in to /my, and never looked at the password.
    let form = "account=HK10000002&password=signed-in";
    wire.send(&format!(
        "POST /login HTTP/1.1\r\nhost: a.example\r\ncookie: session=of-taro\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    ));
    assert_eq!(wire.response().header("location"), Some("/my"));
    assert_eq!(get(&mut wire, "/my/2", "of-taro").status(), 403);
    assert_eq!(get(&mut wire, "/my/1", "of-taro").status(), 200);
    let told = metrics(&gateway);
    assert!(told.contains("sekisho_logins_bound_total 1\n") && told.contains("sekisho_logins_unbound_total 1\n"));
}

#[test]
fn an_answer_that_hands_out_somebody_elses_session_shows_nobody_else() {
    let (_site, gateway) = start(Action::Block);
    let mut wire = connect(&gateway);
    log_in(&mut wire, "HK10000001", "right");
    // A cache that mixes up whole answers: the cookie of another customer's session, and that customer's page.
    assert_eq!(get(&mut wire, "/my/mixed-up", "of-hanako").status(), 403);
    assert_eq!(get(&mut wire, "/my/1", "of-hanako").status(), 403);
    assert_eq!(get(&mut wire, "/my/1", "of-taro").status(), 200);
}

#[test]
fn what_was_sent_before_the_foreign_part_is_counted_and_the_stream_is_broken_off() {
    let (_site, gateway) = start(Action::Block);
    let mut wire = connect(&gateway);
    log_in(&mut wire, "HK10000001", "right");
    wire.send("GET /my/long HTTP/1.1\r\nhost: a.example\r\ncookie: session=of-taro\r\n\r\n");
    let received = String::from_utf8_lossy(&wire.rest()).into_owned();
    assert!(received.contains("HK10000001") && !received.contains("HK10000002"));
    let records = gateway.shutdown();
    let body = received.split_once("\r\n\r\n").expect("a head").1;
    assert!(body.len() < 100_020, "the body is not whole");
    // Released to the connection; what was still in its buffers did not reach the client.
    let released = blocked(&records)[0].body_bytes_released;
    assert!((body.len() as u64..100_010).contains(&released), "{released}");
}

#[test]
fn pol_1_a_public_route_shows_nobody_and_an_echo_is_not_withheld() {
    let (_site, gateway) = start(Action::Block);
    let mut wire = connect(&gateway);
    log_in(&mut wire, "HK10000001", "right");
    assert_eq!(get(&mut wire, "/public/1", "of-taro").status(), 403);
    assert_eq!(get(&mut wire, "/public/mail?q=taro@example.com", "of-taro").status(), 200);
}

#[test]
fn after_a_restart_a_session_is_still_its_persons_whatever_numbers_they_have_then() {
    let (_site, gateway) = start(Action::Block);
    let mut wire = connect(&gateway);
    log_in(&mut wire, "HK10000001", "right");
    assert_eq!(get(&mut wire, "/my/renew", "of-taro").status(), 303);
    let records = gateway.shutdown();
    let other_order = "id,account,mail\nHK10000002,HK10000002,hanako@example.com\n\
                       HK10000001,HK10000001,taro@example.com\n";
    let index = register(&[("account", FieldKind::AccountId), ("mail", FieldKind::Email)], other_order);
    let site = site();
    let gateway = start_after(&records, index, &site, |config| configure(config, Action::Block));
    let mut wire = connect(&gateway);
    for session in ["of-taro", "renewed"] {
        assert_eq!(get(&mut wire, "/my/1", session).text(), "HK10000001");
        assert_eq!(get(&mut wire, "/my/2", session).status(), 403);
    }
    assert_eq!(get(&mut wire, "/logout", "of-taro").status(), 303);
    let records = [records, gateway.shutdown()].concat();
    let gateway = start_after(&records, customers(), &site, |config| configure(config, Action::Block));
    assert_eq!(get(&mut connect(&gateway), "/my/1", "of-taro").status(), 403, "logged out before the restart");
}

#[test]
fn mask_replaces_the_values_of_others_and_nothing_else() {
    let (_site, gateway) = start(Action::Mask);
    let mut wire = connect(&gateway);
    log_in(&mut wire, "HK10000001", "right");
    let masked = get(&mut wire, "/my/2", "of-taro");
    assert_eq!((masked.status(), masked.text()), (200, "**********"));
    assert_eq!(get(&mut wire, "/my/1", "of-taro").text(), "HK10000001");
    let records = gateway.shutdown();
    let withheld = withheld(&records);
    assert_eq!(withheld.iter().map(|one| one.outcome).collect::<Vec<_>>(), [WithheldOutcome::Masked]);
    let masked =
        records.iter().filter(|record| matches!(record, Record::Closed(it) if it.disposition == Disposition::Masked));
    assert_eq!(masked.count(), 1);
}

#[test]
fn record_lets_pass_and_counts_what_block_would_have_ended() {
    let (_site, gateway) = start(Action::Record);
    let mut wire = connect(&gateway);
    log_in(&mut wire, "HK10000001", "right");
    assert_eq!(get(&mut wire, "/my/2", "of-taro").text(), "HK10000002");
    assert!(metrics(&gateway).contains("sekisho_responses_would_withhold_total 1\n"));
    assert!(metrics(&gateway).contains("sekisho_responses_withheld_total 0\n"));
    let records = gateway.shutdown();
    let outcomes: Vec<_> = withheld(&records).iter().map(|withheld| withheld.outcome).collect();
    assert_eq!(outcomes, [WithheldOutcome::Passed]);
    assert!(records.iter().any(|record| matches!(record, Record::Exposed(_))));
}
