//! Each threshold just below and just above, on a simulated clock. `simulation` is a month of ordinary work.

mod counting;
mod simulation;

use super::*;
use sekisho_model::{RegisterId, SubjectId};

/// Monday, 2026-11-23, 09:00 in Tokyo.
const MONDAY_9: i64 = 1_795_392_000_000_000;
const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn at(after: i64) -> Timestamp {
    Timestamp(MONDAY_9 + after)
}

fn subject(id: u32) -> Subject {
    Subject { register: RegisterId(0), id: SubjectId(id) }
}

fn account(number: u8) -> AccountKey {
    AccountKey([number; 16])
}

fn of_account(number: u8, after: i64) -> Reading<'static> {
    Reading {
        at: at(after),
        client: "192.0.2.1".parse().unwrap(),
        session: Some(SessionKey([number; 16])),
        account: Some(account(number)),
        kind: AccountKind::Staff,
        person: None,
        route: "/staff",
        case: Case::NotAsked,
    }
}

fn of_customer(client: &str, session: u32, after: i64) -> Reading<'static> {
    let mut key = [0; 16];
    key[..4].copy_from_slice(&session.to_le_bytes());
    Reading {
        client: client.parse().unwrap(),
        session: Some(SessionKey(key)),
        account: None,
        person: Some(subject(session)),
        route: "/my",
        ..of_account(0, after)
    }
}

fn watch(rules: WatchRules) -> Watch {
    Watch::new(rules, |name| account(name.as_bytes()[0] - b'0'))
}

fn staff(budget: Budget) -> Watch {
    watch(WatchRules { staff: Some(budget), ..WatchRules::default() })
}

fn kinds(alerts: &[Alert]) -> Vec<AlertKind> {
    alerts.iter().map(|alert| alert.kind).collect()
}

/// Reads these subjects, one a second; all alerts.
fn read(watch: &mut Watch, number: u8, from: i64, subjects: std::ops::Range<u32>) -> Vec<Alert> {
    let begun = subjects.start;
    subjects
        .flat_map(|id| watch.note(&of_account(number, from + i64::from(id - begun) * SECOND), &[subject(id)]))
        .collect()
}

#[test]
fn an_hour_s_budget_is_what_may_be_read() {
    let mut watch = staff(Budget { subjects_per_hour_max: Some(100), ..Budget::default() });
    assert_eq!(read(&mut watch, 1, 0, 0..100), []);
    assert_eq!(read(&mut watch, 1, 101 * SECOND, 0..100), [], "the same ones again");
    let alerts = read(&mut watch, 1, 202 * SECOND, 100..101);
    assert_eq!(kinds(&alerts), [AlertKind::Budget]);
    assert_eq!(alerts[0].to_string(), "101 distinct customers in 1 h; limit = 100");
    assert_eq!(alerts[0].account, Some(account(1)));
    assert_eq!(read(&mut watch, 2, 203 * SECOND, 0..100), [], "each account has its own");
}

#[test]
fn an_alert_comes_once_and_again_when_the_number_doubles() {
    let mut watch = staff(Budget { subjects_per_hour_max: Some(10), ..Budget::default() });
    let counts: Vec<u64> = read(&mut watch, 1, 0, 0..100).iter().map(|alert| alert.count).collect();
    assert_eq!(counts, [11, 22, 44, 88]);
    let next_hour: Vec<u64> = read(&mut watch, 1, HOUR + MINUTE, 0..12).iter().map(|alert| alert.count).collect();
    assert!(next_hour.len() <= 1, "{next_hour:?}");
}

#[test]
fn the_windows_slide() {
    let budget = Budget {
        subjects_per_hour_max: Some(60),
        subjects_per_day_max: Some(250),
        subjects_per_30_days_max: Some(800),
        peers_floor: None,
    };
    let mut watch = staff(budget);
    let mut next = 0;
    let mut told = Vec::new();
    // 50 new ones in the last minutes of an hour and 50 in the first of the next: too many, though neither hour has more.
    for (from, number) in [(56 * MINUTE, 50), (2 * HOUR + MINUTE, 50), (3 * HOUR - 4 * MINUTE, 50), (3 * HOUR, 20)] {
        told.extend(read(&mut watch, 1, from, next..next + number).iter().map(|alert| (from, alert.window_s)));
        next += number;
    }
    assert_eq!(told, [(3 * HOUR - 4 * MINUTE, HOUR_S)]);
    // 170 so far today; a day later they do not count any more, in 30 days they do.
    told.clear();
    for day in 1..=16 {
        let from = day * 2 * DAY;
        told.extend(read(&mut watch, 1, from, next..next + 50).iter().map(|alert| (day, alert.window_s)));
        next += 50;
    }
    assert_eq!(told, [(13, 30 * DAY_S)], "170 and 13 times 50 are 820");
}

#[test]
fn an_account_has_its_own_budget_where_it_is_named() {
    let rules = WatchRules {
        staff: Some(Budget { subjects_per_hour_max: Some(10), ..Budget::default() }),
        accounts: vec![NamedBudget {
            name: "2".into(),
            budget: Budget { subjects_per_hour_max: Some(50), ..Budget::default() },
        }],
        ..WatchRules::default()
    };
    assert!(!format!("{rules:?}").contains("\"2\""), "names stay out of logs");
    let mut watch = watch(rules);
    assert_eq!(kinds(&read(&mut watch, 1, 0, 0..11)), [AlertKind::Budget]);
    assert_eq!(read(&mut watch, 2, 0, 0..50), []);
    assert_eq!(kinds(&read(&mut watch, 2, MINUTE, 50..51)), [AlertKind::Budget]);
}

#[test]
fn what_is_read_without_a_case_is_told_beside() {
    let mut watch = staff(Budget { subjects_per_hour_max: Some(10), ..Budget::default() });
    let mut alerts = Vec::new();
    for id in 0..11 {
        let case = if id < 4 { Case::Open } else { Case::Missing };
        alerts.extend(watch.note(&Reading { case, ..of_account(1, i64::from(id) * SECOND) }, &[subject(id)]));
    }
    assert_eq!(alerts[0].to_string(), "11 distinct customers in 1 h; limit = 10; 7 without a case");
}

/// Accounts 1 to `others` read 10 customers in each working hour of `days` days, one of them `most` in each 250th.
fn ordinary(watch: &mut Watch, others: u8, days: i64, most: u32) {
    let mut hours = 0;
    for hour in (0..days * 24).filter(|hour| (9..18).contains(&((hour + 9) % 24)) && hour / 24 % 7 < 5) {
        for number in 1..=others {
            hours += 1;
            let number_read = if hours % 250 == 0 { most } else { 10 };
            assert_eq!(read(watch, number, hour * HOUR, 0..number_read), []);
        }
    }
}

#[test]
fn peers_have_a_verdict_when_there_are_enough_hours_of_others() {
    let budget = Budget { peers_floor: Some(12), ..Budget::default() };
    let mut watch = staff(budget);
    // 9 hours on each of 10 workdays, of two others: 180 hours.
    ordinary(&mut watch, 2, 12, 10);
    assert_eq!(read(&mut watch, 9, 14 * DAY, 0..100), [], "180 hours are too few");
    ordinary_day(&mut watch, 14);
    ordinary_day(&mut watch, 15);
    let alerts = read(&mut watch, 9, 16 * DAY, 0..100);
    assert_eq!(alerts[0].to_string(), "16 distinct customers in 1 h; peers' 99.5 % = 10");
    assert_eq!(alerts[0].limit, 15);
}

/// The workday of accounts 1 and 2 so many days later.
fn ordinary_day(watch: &mut Watch, day: i64) {
    for hour in 1..10 {
        for number in 1..=2 {
            read(watch, number, day * DAY + hour * HOUR, 0..10);
        }
    }
}

#[test]
fn one_account_is_compared_with_the_others_and_never_with_itself() {
    let mut watch = staff(Budget { peers_floor: Some(12), ..Budget::default() });
    ordinary(&mut watch, 3, 19, 10);
    let mut alone = 0;
    for hour in 0..9 {
        let alerts = read(&mut watch, 1, 21 * DAY + hour * HOUR, 0..16);
        alone += alerts.len();
        assert!(alerts.iter().all(|alert| alert.peers_quantile == Some(10)), "its own hours do not raise it");
    }
    assert_eq!(alone, 9);
}

#[test]
fn a_few_high_hours_of_peers_are_not_what_is_ordinary() {
    let mut watch = staff(Budget { peers_floor: Some(60), ..Budget::default() });
    ordinary(&mut watch, 8, 26, 50);
    let alerts = read(&mut watch, 9, 28 * DAY, 0..61);
    assert_eq!(alerts[0].peers_quantile, Some(10), "one hour in 250 is beyond 99.5 %");
    assert_eq!(alerts[0].limit, 60, "the floor");
}

#[test]
fn other_hours_are_another_class() {
    let mut watch = staff(Budget { peers_floor: Some(12), ..Budget::default() });
    ordinary(&mut watch, 4, 19, 10);
    assert_eq!(read(&mut watch, 1, 20 * DAY, 0..40), [], "nobody ever worked on a Sunday: there is no verdict");
    assert_eq!(kinds(&read(&mut watch, 1, 21 * DAY, 0..16)), [AlertKind::Peers]);
}

#[test]
fn hours_are_those_of_the_firm() {
    let hours = Hours::default();
    let class = |after: i64| hours.slot(at(after)).class;
    assert_eq!(class(-HOUR), HourClass::Work, "08:00");
    assert_eq!(class(-HOUR - 1), HourClass::WorkdayElse, "before eight");
    assert_eq!(class(9 * HOUR - 1), HourClass::Work, "before six in the evening");
    assert_eq!(class(9 * HOUR), HourClass::WorkdayElse);
    assert_eq!(class(5 * DAY), HourClass::Weekend, "Saturday, though Friday in Greenwich until nine");
    assert_eq!(class(-9 * HOUR), HourClass::WorkdayElse, "Monday, 00:00");
    assert_eq!(class(-9 * HOUR - 1), HourClass::WeekendElse, "Sunday");
    let slot = hours.slot(at(90 * MINUTE));
    assert_eq!(slot.hour, at(HOUR)..at(2 * HOUR));
    assert_eq!(slot.day, at(-9 * HOUR)..at(15 * HOUR));
}

#[test]
fn a_slow_drip_is_found_and_a_busy_day_is_none() {
    let day = |watch: &mut Watch, day: i64, number: u32| -> Vec<AlertKind> {
        // A few an hour, so that no hour stands out.
        let alerts = (0..9).flat_map(|hour| {
            let from = number * hour / 9;
            let to = number * (hour + 1) / 9;
            read(watch, 1, day * DAY + i64::from(hour) * HOUR, from..to)
        });
        kinds(&alerts.collect::<Vec<_>>())
    };
    let mut watch = staff(Budget { peers_floor: Some(30), ..Budget::default() });
    let workdays = |from: i64| (from..).filter(|day| day % 7 < 5);
    for (nth, at) in workdays(0).take(20).enumerate() {
        assert_eq!(day(&mut watch, at, if nth == 15 { 500 } else { 40 + nth as u32 % 3 }), [], "day {at}");
    }
    let mut number = 40.0;
    let found = workdays(28).take(10).position(|at| {
        number *= 1.3;
        !day(&mut watch, at, number as u32).is_empty()
    });
    assert_eq!(found, Some(4), "the fifth day of growth, at 3.7 times as much");
}

#[test]
fn a_client_that_is_signed_in_as_many_is_told() {
    let clients =
        ClientLimits { persons_per_hour_max: Some(20), sessions_per_hour_max: Some(30), ..Default::default() };
    let rules = WatchRules { clients: clients.clone(), ..WatchRules::default() };
    let mut stuffed = watch(rules.clone());
    let log_ins = |watch: &mut Watch, number: u32, client: &dyn Fn(u32) -> String| -> Vec<Alert> {
        (0..number).flat_map(|it| watch.note(&of_customer(&client(it), it, i64::from(it) * SECOND), &[])).collect()
    };
    let alerts = log_ins(&mut stuffed, 50, &|_| "203.0.113.9".into());
    assert_eq!(kinds(&alerts), [AlertKind::ClientPersons, AlertKind::ClientSessions, AlertKind::ClientPersons]);
    assert_eq!(alerts[0].to_string(), "logged in as 21 distinct customers in 1 h; limit = 20");
    assert_eq!(alerts[0].next_step(), "sekisho scope --client 203.0.113.9");
    assert_eq!(log_ins(&mut watch(rules.clone()), 20, &|_| "203.0.113.9".into()), []);

    let spread = log_ins(&mut watch(rules.clone()), 81, &|it| format!("203.0.113.{it}"));
    assert_eq!(kinds(&spread), [AlertKind::PrefixPersons], "a network may have four times as many");
    let spread = log_ins(&mut watch(rules.clone()), 81, &|it| format!("2001:db8:7:{it:x}::1"));
    assert_eq!(kinds(&spread), [AlertKind::PrefixPersons], "/48");

    let never = ClientLimits { never: vec!["203.0.113.0/24".parse().unwrap()], ..clients };
    let mut office = watch(WatchRules { clients: never, ..WatchRules::default() });
    assert_eq!(log_ins(&mut office, 50, &|_| "203.0.113.9".into()), []);
}

#[test]
fn a_client_s_window_slides_in_steps_of_five_minutes() {
    let clients = ClientLimits { persons_per_hour_max: Some(20), ..Default::default() };
    let mut watch = watch(WatchRules { clients, ..WatchRules::default() });
    let alerts: Vec<Alert> =
        (0..200).flat_map(|it| watch.note(&of_customer("203.0.113.9", it, i64::from(it) * 3 * MINUTE), &[])).collect();
    assert_eq!(alerts, [], "twenty an hour, each hour");
}

#[test]
fn a_session_that_is_shown_many_is_told_and_an_account_s_is_not() {
    let clients = ClientLimits { subjects_per_hour_max: Some(100), ..Default::default() };
    let mut watch = watch(WatchRules { clients, ..WatchRules::default() });
    let page: Vec<Subject> = (0..101).map(subject).collect();
    assert_eq!(watch.note(&of_customer("203.0.113.9", 1, 0), &page[..100]), []);
    let alerts = watch.note(&of_customer("203.0.113.9", 1, SECOND), &page);
    assert_eq!(kinds(&alerts), [AlertKind::SessionSubjects, AlertKind::ClientSubjects]);
    assert_eq!(watch.note(&of_account(1, 2 * SECOND), &page), []);
}

#[test]
fn a_clock_that_steps_back_counts_as_one_that_stands() {
    let mut watch = staff(Budget { subjects_per_hour_max: Some(10), ..Budget::default() });
    assert_eq!(read(&mut watch, 1, DAY, 0..6), []);
    assert_eq!(kinds(&read(&mut watch, 1, 0, 6..11)), [AlertKind::Budget]);
}

#[test]
fn what_was_recalled_counts_and_is_not_told() {
    let mut watch = staff(Budget { subjects_per_day_max: Some(100), ..Budget::default() });
    (0..200).for_each(|id| watch.recall(at(i64::from(id) * SECOND), account(1), AccountKind::Staff, subject(id)));
    assert_eq!(kinds(&read(&mut watch, 1, HOUR, 0..1)), [AlertKind::Budget]);
}

#[test]
fn accounts_and_clients_are_bounded() {
    let clients =
        ClientLimits { persons_per_hour_max: Some(20), subjects_per_hour_max: Some(100), ..Default::default() };
    let budget = Budget { subjects_per_hour_max: Some(10), ..Budget::default() };
    let mut watch = watch(WatchRules { clients, staff: Some(budget), ..WatchRules::default() });
    for number in 0..100_000_u32 {
        let client = std::net::Ipv4Addr::from_bits(number.wrapping_mul(2_654_435_761)).to_string();
        watch.note(&of_customer(&client, number, i64::from(number)), &[subject(number)]);
        if number < 3_000 {
            let mut key = [0; 16];
            key[..4].copy_from_slice(&number.to_le_bytes());
            watch.note(&Reading { account: Some(AccountKey(key)), ..of_account(1, i64::from(number)) }, &[subject(1)]);
        }
    }
    let (accounts, receivers) = watch.remembered();
    assert_eq!(accounts, ACCOUNTS_MAX);
    assert!(receivers <= 2 * (RECEIVERS_MAX + 2), "{receivers}");
}

#[test]
fn open_cases_are_read_again_when_the_file_changes() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("open.txt");
    let cases = OpenCases::new(file.clone());
    assert_eq!(cases.judge("C-1", at(0)), Case::Open, "no file yet: every id counts");
    std::fs::write(&file, "C-1\n C-2 \n\n").unwrap();
    assert_eq!(cases.judge("C-3", at(0)), Case::Open, "not looked at twice in a second");
    assert_eq!(cases.judge("C-3", at(SECOND)), Case::Missing);
    assert_eq!(cases.judge("C-2", at(SECOND)), Case::Open);
    std::fs::write(&file, "C-3\nC-4\nC-5\n").unwrap();
    assert_eq!(cases.judge("C-3", at(2 * SECOND)), Case::Open);
    assert_eq!(cases.judge("C-1", at(2 * SECOND)), Case::Missing);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(cases.judge("C-3", at(3 * SECOND)), Case::Open, "the last content stays");
}

#[test]
fn a_case_is_named_in_a_header_the_query_or_the_path() {
    let head = |target: &str, headers: &[(&str, &str)]| {
        let request =
            headers.iter().fold(http::Request::get(target), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    };
    let header = CaseSource::Header(http::HeaderName::from_static("x-case-id"));
    assert_eq!(header.id(&head("/", &[("X-Case-Id", " C-1 ")])), Some("C-1".into()));
    assert_eq!(header.id(&head("/", &[("X-Case-Id", "C-1"), ("X-Case-Id", "C-2")])), None, "two are none");
    assert_eq!(header.id(&head("/", &[("X-Case-Id", " ")])), None);
    let query = CaseSource::Query("case".into());
    assert_eq!(query.id(&head("/s?q=1&case=C%2D1", &[])), Some("C-1".into()));
    assert_eq!(query.id(&head("/s?case=1&case=2", &[])), None);
    let path = CaseSource::Path("/cases/".into());
    assert_eq!(path.id(&head("/cases/C-1/person", &[])), Some("C-1".into()));
    assert_eq!(path.id(&head("/casesC-1", &[])), None);
}
