//! What counting costs a response that shows somebody's data. `cargo bench -p sekisho-gateway --bench watch`.

use criterion::{Criterion, criterion_group, criterion_main};
use sekisho_gateway::inspect::watch::{AccountKind, Budget, Case, ClientLimits, Reading, Watch, WatchRules};
use sekisho_model::{AccountKey, RegisterId, SessionKey, Subject, SubjectId, Timestamp};
use std::hint::black_box;

const SECOND: i64 = 1_000_000;

fn watch() -> Watch {
    let budget = Budget {
        subjects_per_hour_max: Some(1_000_000),
        subjects_per_day_max: Some(1_000_000),
        subjects_per_30_days_max: Some(1_000_000),
        peers_floor: Some(1_000_000),
    };
    let clients = ClientLimits {
        sessions_per_hour_max: Some(1_000_000),
        persons_per_hour_max: Some(1_000_000),
        subjects_per_hour_max: Some(1_000_000),
        never: Vec::new(),
    };
    Watch::new(WatchRules { staff: Some(budget), clients, ..WatchRules::default() }, |_| AccountKey([0; 16]))
}

fn subject(id: u64) -> Subject {
    Subject { register: RegisterId(0), id: SubjectId((id % 4_000_000_000) as u32) }
}

fn key(number: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.to_le_bytes());
    key
}

/// A part of the response number `n`, 100 a second.
fn reading(n: u64, account: Option<AccountKey>, session: u64) -> Reading<'static> {
    Reading {
        at: Timestamp(1_795_392_000 * SECOND + n as i64 * SECOND / 100),
        client: std::net::Ipv4Addr::from_bits(session as u32).into(),
        session: Some(SessionKey(key(session))),
        account,
        kind: AccountKind::Staff,
        person: account.is_none().then(|| subject(session)),
        route: "/staff",
        case: Case::Missing,
    }
}

fn counting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("watch");
    let (mut staff, mut n) = (watch(), 0);
    group.bench_function("an account of 100 reads one of 50,000 customers", |bench| {
        bench.iter(|| {
            n += 1;
            let account = Some(AccountKey(key(n % 100)));
            black_box(staff.note(&reading(n, account, n % 100), &[subject(n.wrapping_mul(2_654_435_761) % 50_000)]))
        });
    });
    let (mut again, mut n) = (watch(), 0);
    group.bench_function("an account reads the same customer again", |bench| {
        bench.iter(|| {
            n += 1;
            black_box(again.note(&reading(0, Some(AccountKey(key(1))), 1), &[subject(1)]))
        });
    });
    let (mut page, mut n) = (watch(), 0);
    let hundred: Vec<Subject> = (0..100).map(subject).collect();
    group.bench_function("an account reads a list of 100 customers", |bench| {
        bench.iter(|| {
            n += 1;
            black_box(page.note(&reading(n, Some(AccountKey(key(1))), 1), &hundred))
        });
    });
    let (mut customers, mut n) = (watch(), 0_u64);
    group.bench_function("one of 100,000 customers sees themselves", |bench| {
        bench.iter(|| {
            n += 1;
            let customer = n.wrapping_mul(2_654_435_761) % 100_000;
            black_box(customers.note(&reading(n, None, customer), &[subject(customer)]))
        });
    });
    group.finish();
}

criterion_group!(benches, counting);
criterion_main!(benches);
