//! What is not foreign and too much all the same, through the whole gateway over real sockets.

use crate::admin::admin;
use crate::harness::{Message, Running, Site, Then, Wire, connect, ok, register, route, start_with};
use sekisho_edm::Index;
use sekisho_gateway::config::{Config, Login, NamedBy, Names, Route};
use sekisho_gateway::inspect::watch::{Budget, CaseSource, ClientLimits, WatchRules};
use sekisho_gateway::inspect::{Policy, RouteClass};
use sekisho_model::{Alert, AlertKind, FieldKind, Record};
use std::fmt::Write as _;
use std::sync::Arc;

const CUSTOMERS: u32 = 200;

fn customers() -> Index {
    let mut csv = "id,account\n".to_owned();
    (0..CUSTOMERS).for_each(|number| writeln!(csv, "{0},{0}", name(number)).unwrap());
    register(&[("account", FieldKind::AccountId)], &csv)
}

fn name(number: u32) -> String {
    format!("HK{:08}", 10_000_000 + number)
}

/// Every log-in succeeds and gives out a session of its own; `/staff/<n>` and `/my/<n>` show a customer, `/staff/echo` what
/// it was asked.
fn site() -> Site {
    Site::new(|request, wire| {
        let target = request.target().to_owned();
        let path = target.split('?').next().unwrap_or_default();
        match path.rsplit('/').next().unwrap_or_default() {
            "login" => {
                let account = request.text().split('=').nth(1).unwrap_or_default().to_owned();
                let to = if path.starts_with("/staff") { "/staff" } else { "/my" };
                wire.send(&format!(
                    "HTTP/1.1 303 See Other\r\nlocation: {to}\r\nset-cookie: session=of-{account}; Path=/\r\n\
                     content-length: 0\r\n\r\n"
                ));
                Then::Keep
            }
            "echo" => ok(wire, target.split("q=").nth(1).unwrap_or_default()),
            number => ok(wire, &number.parse().map_or_else(|_| "nobody".to_owned(), name)),
        }
    })
}

fn start(watch: WatchRules) -> (Site, Running) {
    let site = site();
    let gateway = start_with(customers(), &site, |config: &mut Config| {
        let login = |path: &str, names, to: &str| {
            Arc::new(Login {
                host: None,
                path: path.to_owned(),
                by: NamedBy::Field { field: "account".to_owned(), names },
                success_statuses: vec![303],
                success_location: Some(to.to_owned()),
                token_field: None,
            })
        };
        config.logins = vec![
            login("/staff/login", Names::Account, "/staff"),
            login("/my/login", Names::Persons(FieldKind::AccountId), "/my"),
        ];
        config.admin = Some(([127, 0, 0, 1], 0).into());
        let rules = |class| Policy { class, ..Policy::default() };
        let case = Some(CaseSource::Header(http::HeaderName::from_static("x-case-id")));
        config.routes.push(Route { rules: rules(RouteClass::Staff), case, ..route("/staff") });
        config.routes.push(Route { rules: rules(RouteClass::Own), ..route("/my") });
        config.watch = watch;
    });
    (site, gateway)
}

fn log_in(wire: &mut Wire, path: &str, account: &str) {
    let form = format!("account={account}");
    let length = form.len();
    wire.send(&format!(
        "POST {path} HTTP/1.1\r\nhost: a.example\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {length}\r\n\r\n{form}"
    ));
    assert_eq!(wire.response().status(), 303);
}

fn get(wire: &mut Wire, target: &str, account: &str, headers: &str) -> Message {
    wire.send(&format!("GET {target} HTTP/1.1\r\nhost: a.example\r\ncookie: session=of-{account}\r\n{headers}\r\n"));
    wire.response()
}

fn alerts(records: &[Record]) -> Vec<&Alert> {
    let alerts = records.iter().filter_map(|record| match record {
        Record::Alert(alert) => Some(alert),
        _ => None,
    });
    alerts.collect()
}

#[test]
fn a_clerk_who_reads_ten_times_as_much_is_told_with_the_numbers() {
    let budget = Budget { subjects_per_hour_max: Some(99), ..Budget::default() };
    let (_site, gateway) = start(WatchRules { staff: Some(budget), ..WatchRules::default() });
    let mut wire = connect(&gateway);
    for (clerk, number) in [("ito", 10), ("kato", 12), ("mori", 100)] {
        log_in(&mut wire, "/staff/login", clerk);
        for customer in 0..number {
            let case = if customer < 10 { "x-case-id: C-1\r\n" } else { "" };
            assert_eq!(get(&mut wire, &format!("/staff/{customer}"), clerk, case).text(), name(customer));
        }
    }
    let metrics = admin(&gateway, "/metrics").text().to_owned();
    assert!(metrics.contains("sekisho_alerts_total{kind=\"budget\"} 1\n"), "{metrics}");
    let records = gateway.shutdown();
    let [alert] = alerts(&records)[..] else { panic!("one alert: {:?}", alerts(&records)) };
    assert_eq!(alert.to_string(), "100 distinct customers in 1 h; limit = 99; 90 without a case");
    assert_eq!(alert.account, Some(crate::harness::key().account("mori")));
    assert_eq!(alert.next_step(), format!("sekisho scope --account {}", crate::harness::key().account("mori")));
}

#[test]
fn a_thief_who_signs_in_as_fifty_persons_is_told() {
    let clients = ClientLimits { persons_per_hour_max: Some(20), ..ClientLimits::default() };
    let (_site, gateway) = start(WatchRules { clients, ..WatchRules::default() });
    let mut wire = connect(&gateway);
    for customer in 0..50 {
        log_in(&mut wire, "/my/login", &name(customer));
        let page = get(&mut wire, &format!("/my/{customer}"), &name(customer), "");
        assert_eq!(page.text(), name(customer), "their own data, each time");
    }
    let records = gateway.shutdown();
    let told: Vec<(AlertKind, u64)> = alerts(&records).iter().map(|alert| (alert.kind, alert.count)).collect();
    assert_eq!(told, [(AlertKind::ClientPersons, 21), (AlertKind::ClientPersons, 42)]);
    assert!(!records.iter().any(|record| matches!(record, Record::Withheld(_))), "nothing was foreign");
}

#[test]
fn what_is_only_echoed_is_not_counted() {
    let budget = Budget { subjects_per_hour_max: Some(5), ..Budget::default() };
    let (_site, gateway) = start(WatchRules { staff: Some(budget), ..WatchRules::default() });
    let mut wire = connect(&gateway);
    log_in(&mut wire, "/staff/login", "mori");
    for customer in 0..50 {
        let echo = get(&mut wire, &format!("/staff/echo?q={}", name(customer)), "mori", "");
        assert_eq!(echo.text(), name(customer));
    }
    assert_eq!(alerts(&gateway.shutdown()), [] as [&Alert; 0]);
}

#[test]
fn without_limits_nothing_is_told_and_a_reload_sets_them() {
    let (site, gateway) = start(WatchRules::default());
    let mut wire = connect(&gateway);
    log_in(&mut wire, "/staff/login", "mori");
    (0..50).for_each(|customer| _ = get(&mut wire, &format!("/staff/{customer}"), "mori", ""));
    let mut config = crate::harness::config(site.address);
    config.admin = Some(([127, 0, 0, 1], 0).into());
    let budget = Budget { subjects_per_hour_max: Some(5), ..Budget::default() };
    config.watch = WatchRules { staff: Some(budget), ..WatchRules::default() };
    gateway.reload(config).expect("only the limits change");
    (0..6).for_each(|customer| _ = get(&mut wire, &format!("/staff/{customer}"), "mori", ""));
    let records = gateway.shutdown();
    assert_eq!(alerts(&records).iter().map(|alert| alert.count).collect::<Vec<_>>(), [6]);
}
