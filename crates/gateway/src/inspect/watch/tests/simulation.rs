//! A month of ordinary work gives no alert; with an insider it gives the right ones, and soon.
//!
//! 20 staff read 3 to 40 of 100,000 customers in a working hour, by how busy they and the hour are, some in the evening and
//! at weekends. 1,000 customers sign in at 1 to 3 addresses of their own or behind one of 20 shared ones, and see
//! themselves. 30 days; every alert is looked at.

use super::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const STAFF: u8 = 20;
const INSIDER: u8 = 7;
const CUSTOMERS: u32 = 1_000;

/// What the insider does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Insider {
    /// What the others do.
    Honest,
    /// Ten times as much on this day.
    TenTimes(i64),
    /// 30 % more on each day from this one.
    Drip(i64),
}

fn rules() -> WatchRules {
    WatchRules {
        staff: Some(Budget {
            subjects_per_hour_max: Some(200),
            subjects_per_day_max: Some(800),
            subjects_per_30_days_max: Some(8_000),
            peers_floor: Some(30),
        }),
        clients: ClientLimits {
            sessions_per_hour_max: Some(60),
            persons_per_hour_max: Some(20),
            subjects_per_hour_max: Some(100),
            never: Vec::new(),
        },
        ..WatchRules::default()
    }
}

/// Two months of each kind, or as many as are wanted: `SEKISHO_MONTHS=30 cargo test -p sekisho-gateway simulation`.
fn seeds() -> std::ops::RangeInclusive<u64> {
    1..=std::env::var("SEKISHO_MONTHS").map_or(2, |months| months.parse().expect("a number"))
}

/// Thirty days from Monday, 2026-11-23; every alert.
fn month(seed: u64, insider: Insider) -> Vec<Alert> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut watch = watch(rules());
    let pace: Vec<f64> = (0..=STAFF).map(|_| random.random_range(4.0..14.0)).collect();
    let mut alerts = Vec::new();
    for hour in -9..30 * 24 - 9 {
        let (day, of_day) = ((hour + 9) / 24, (hour + 9) % 24);
        let mut events = Vec::new();
        for number in 1..=STAFF {
            let mean = pace[usize::from(number)] * busy(day % 7 >= 5, of_day) * random.random_range(0.5..1.6);
            let more = if number == INSIDER { factor(insider, day) } else { 1.0 };
            for _ in 0..(mean * more).round() as u32 {
                let reading = of_account(number, hour * HOUR + random.random_range(0..HOUR));
                events.push((reading, subject(random.random_range(0..100_000))));
            }
        }
        for customer in (0..CUSTOMERS).filter(|_| (7..24).contains(&of_day)) {
            if random.random_bool(0.1) {
                let client = match customer % 5 {
                    0 => format!("198.51.{}.1", customer % 100),
                    _ => format!("203.{}.{}.{}", customer / 250, customer % 250, random.random_range(1..4)),
                };
                let session = customer + CUSTOMERS * u32::try_from(day).unwrap();
                let from = hour * HOUR + random.random_range(0..HOUR);
                let reading = Reading { person: Some(subject(customer)), ..of_customer(&client, session, from) };
                events.push((reading, subject(customer)));
            }
        }
        events.sort_by_key(|(reading, _)| reading.at);
        alerts.extend(events.iter().flat_map(|(reading, subject)| watch.note(reading, &[*subject])));
    }
    alerts
}

/// How much of a busy hour this one is.
fn busy(is_weekend: bool, of_day: i64) -> f64 {
    let of_workday = match of_day {
        9..=11 | 13..=16 => 1.0,
        8 | 12 | 17 => 0.5,
        18..=20 => 0.1,
        _ => 0.0,
    };
    of_workday * if is_weekend { 0.15 } else { 1.0 }
}

fn factor(insider: Insider, day: i64) -> f64 {
    match insider {
        Insider::TenTimes(on) if day == on => 10.0,
        Insider::Drip(from) if day >= from => 1.3_f64.powi(i32::try_from(day - from + 1).unwrap()),
        _ => 1.0,
    }
}

#[test]
fn a_month_of_ordinary_work_gives_no_alert() {
    for seed in seeds() {
        assert_eq!(month(seed, Insider::Honest), [], "seed {seed}");
    }
}

#[test]
fn an_insider_who_reads_ten_times_as_much_is_found_within_the_hour() {
    for seed in seeds() {
        let alerts = month(seed, Insider::TenTimes(22));
        let first = alerts.first().expect("an alert");
        assert_eq!(first.account, Some(account(INSIDER)), "{first}");
        let begun = 22 * DAY - HOUR;
        println!("seed {seed}: {} min after eight: {first}", (first.at.0 - at(begun).0) / MINUTE);
        assert!(first.at < at(begun + 2 * HOUR), "{first}");
        assert!(alerts.iter().all(|alert| alert.account == Some(account(INSIDER))));
        assert!(kinds(&alerts).contains(&AlertKind::Peers));
    }
}

#[test]
fn a_slow_drip_is_found_within_days() {
    for seed in seeds() {
        let alerts = month(seed, Insider::Drip(21));
        let first = alerts.first().expect("an alert");
        assert!(alerts.iter().all(|alert| alert.account == Some(account(INSIDER))));
        let days = (first.at.0 - at(21 * DAY - 9 * HOUR).0) / DAY + 1;
        println!("seed {seed}: on day {days} of the drip: {first}");
        let drip = alerts.iter().find(|alert| alert.kind == AlertKind::SlowDrip).expect("a drip");
        let days = (drip.at.0 - at(21 * DAY - 9 * HOUR).0) / DAY + 1;
        println!("seed {seed}: on day {days} of the drip: {drip}");
        assert!(days <= 8, "day {days}: {drip}");
    }
}
