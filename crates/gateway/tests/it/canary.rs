//! Planted customers, through the whole gateway over real sockets: one in a response is an incident.

use crate::admin::admin;
use crate::harness::{Running, Site, get, key, ok, route, start_with};
use sekisho_edm::{ColumnConfig, Encoding, Index, IndexBuilder, RegisterConfig};
use sekisho_gateway::config::Route;
use sekisho_gateway::inspect::{Action, Policy, RouteClass};
use sekisho_model::{FieldKind, Record, Timestamp, WithheldOutcome, WithheldReason};

const PLANTED: &str = "id,mail\nHK90000001,planted@example.com\n";
const CUSTOMERS: &str = "id,mail\nHK10000001,taro@example.com\n";

fn registers() -> Index {
    let mut builder = IndexBuilder::new(key(), Timestamp(0));
    for (name, csv) in [("account_holders", CUSTOMERS), ("planted", PLANTED)] {
        let column = |name: &str, kind| ColumnConfig { name: name.to_owned(), kind, pattern: None };
        let config = RegisterConfig {
            name: name.to_owned(),
            row_key: "id".to_owned(),
            columns: vec![column("id", FieldKind::AccountId), column("mail", FieldKind::Email)],
            encoding: Encoding::Auto,
        };
        builder.register(&config, csv.as_bytes(), "file.csv").expect("a good register");
    }
    builder.build()
}

fn start(foreign: Action, canary: Action) -> (Site, Running) {
    let site = Site::new(|request, wire| {
        let is_planted = request.target().contains("planted");
        ok(wire, if is_planted { "taro@example.com, planted@example.com" } else { "taro@example.com" })
    });
    let gateway = start_with(registers(), &site, |config| {
        config.canaries = vec!["planted".to_owned()];
        config.admin = Some(([127, 0, 0, 1], 0).into());
        config.routes[0].rules = Policy { canary, ..Policy::default() };
        let rules = Policy { class: RouteClass::Public, foreign, canary, ..Policy::default() };
        config.routes.push(Route { rules, ..route("/public") });
        config.routes.push(Route { rules: Policy { canary: Action::Allow, ..rules }, ..route("/public/staff") });
    });
    (site, gateway)
}

/// Outcomes of the incidents that were recorded, after `targets` were asked for.
fn check(foreign: Action, canary: Action, targets: &[&str], expected: &[WithheldOutcome]) {
    let (_site, gateway) = start(foreign, canary);
    targets.iter().for_each(|target| drop(get(&gateway, target)));
    let counted = format!("sekisho_responses_with_canaries_total {}\n", expected.len());
    let told = admin(&gateway, "/metrics").text().to_owned();
    assert!(told.contains(&counted), "{counted} in {told}");
    let records = gateway.shutdown();
    let incidents = records.iter().filter_map(|record| match record {
        Record::Withheld(it) if it.reason == WithheldReason::Canary => Some(it.outcome),
        _ => None,
    });
    assert_eq!(incidents.collect::<Vec<_>>(), expected, "{foreign:?} {canary:?} {targets:?}");
}

#[test]
fn a_planted_customer_is_an_incident_on_any_route() {
    check(Action::Record, Action::Record, &["/", "/planted", "/public/planted"], &[WithheldOutcome::Passed; 2]);
    check(Action::Record, Action::Block, &["/planted"], &[WithheldOutcome::Ended]);
    check(Action::Record, Action::Mask, &["/planted"], &[WithheldOutcome::Masked]);
}

#[test]
fn a_list_of_staff_may_show_them() {
    check(Action::Record, Action::Record, &["/public/staff/planted"], &[]);
}

#[test]
fn what_only_records_a_planted_customer_does_not_shield_it_from_block() {
    let (_site, gateway) = start(Action::Block, Action::Record);
    let answer = get(&gateway, "/public/planted");
    assert_eq!(answer.status(), 403);
    assert!(!answer.text().contains("planted@"), "{}", answer.text());
    check(Action::Block, Action::Record, &["/public/planted"], &[WithheldOutcome::Ended]);
}
