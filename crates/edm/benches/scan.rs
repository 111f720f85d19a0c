//! How fast bodies are scanned, and how fast an index is built. `cargo bench -p sekisho-edm`.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use sekisho_edm::{ColumnConfig, Encoding, HashKey, Index, IndexBuilder, Reflected, RegisterConfig, Scanner, TextForm};
use sekisho_model::{FieldKind, Timestamp};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

const PERSONS: u64 = 100_000;
const KINDS: [FieldKind; 7] = [
    FieldKind::AccountId,
    FieldKind::Name,
    FieldKind::Kana,
    FieldKind::Romaji,
    FieldKind::Email,
    FieldKind::Phone,
    FieldKind::Pan,
];

fn person(number: u64) -> [String; 7] {
    const SURNAMES: [&str; 4] =
        ["佐藤 サトウ Sato", "鈴木 スズキ Suzuki", "髙橋 タカハシ Takahashi", "田中 タナカ Tanaka"];
    const GIVEN: [&str; 3] = ["太郎 タロウ Taro", "花子 ハナコ Hanako", "一郎 イチロウ Ichiro"];
    let pick = |list: &'static [&'static str], at: u64| -> Vec<&'static str> {
        list[usize::try_from(at).expect("small") % list.len()].split(' ').collect()
    };
    let (surname, given) = (pick(&SURNAMES, number), pick(&GIVEN, number / 7));
    [
        format!("HK{number:08}"),
        format!("{} {}", surname[0], given[0]),
        format!("{} {}", surname[1], given[1]),
        format!("{} {}", given[2], surname[2]),
        format!("user{number}@mail.example"),
        format!("090-{:04}-{:04}", number / 10_000, number % 10_000),
        card(number),
    ]
}

fn card(number: u64) -> String {
    let body = format!("411111{number:09}");
    let check = (0..10u32).find(|check| luhn(&format!("{body}{check}"))).expect("one of ten fits");
    format!("{body}{check}")
}

fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0') * if at % 2 == 1 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

fn register(persons: u64) -> (RegisterConfig, String) {
    let mut csv = KINDS.map(FieldKind::name).join(",");
    for number in 0..persons {
        csv.push('\n');
        csv.push_str(&person(number).join(","));
    }
    let column = |kind: FieldKind| ColumnConfig { name: kind.name().to_owned(), kind, pattern: None };
    let config = RegisterConfig {
        name: "account_holders".to_owned(),
        row_key: "account_id".to_owned(),
        columns: KINDS.into_iter().map(column).collect(),
        encoding: Encoding::Auto,
    };
    (config, csv)
}

fn build(config: &RegisterConfig, csv: &str) -> Index {
    let mut builder = IndexBuilder::new(Arc::new(HashKey::new([1; 16])), Timestamp(0));
    builder.register(config, csv.as_bytes(), "persons.csv").expect("the register is good");
    builder.build()
}

fn clean_html() -> String {
    let mut page = String::from("<!DOCTYPE html><html lang=\"ja\"><head><title>箱根FX</title></head><body>");
    let mut row = 0;
    while page.len() < 10_000 {
        writeln!(
            page,
            "<tr class=\"rate row-{row}\"><td><a href=\"/rates/USDJPY?id={row}\">USD/JPY</a></td><td data-bid=\"150.{:03}\">買い 150.{:03}</td><td>スプレッド 0.2銭</td></tr>",
            row * 7 % 1000,
            row * 13 % 1000
        )
        .expect("memory");
        row += 1;
    }
    page
}

fn one_customer() -> String {
    let p = person(4711);
    let card = format!(
        "<dl><dt>お名前</dt><dd>{} 様（{}）</dd><dt>口座</dt><dd>{}</dd><dt>メール</dt><dd>{}</dd></dl>",
        p[1], p[2], p[0], p[4]
    );
    clean_html().replacen("<body>", &format!("<body>{card}"), 1)
}

/// A page for a customer who is logged in, with nobody's data but theirs: what a gateway sees most.
fn own_page() -> String {
    let p = person(4711);
    let head = format!("<header><span>{}様</span><a href=\"/logout\">ログアウト</a></header>", p[1].replace(' ', "　"));
    let form = format!(
        "<dl><dt>口座番号</dt><dd>{}</dd><dt>お名前</dt><dd>{}</dd><dt>フリガナ</dt><dd>{}</dd><dt>メール</dt><dd>{}</dd><dt>電話番号</dt><dd>{}</dd></dl>",
        p[0], p[1], p[2], p[4], p[5]
    );
    let mut page = clean_html().replacen("<body>", &format!("<body>{head}"), 1);
    let middle = page.match_indices("<tr").nth(30).expect("a page has rows").0;
    page.insert_str(middle, &form);
    page
}

fn json_of_20() -> String {
    let rows: Vec<String> = (0..20u64)
        .map(|at| {
            let p = person(at * 4999);
            format!(
                r#"{{"account_id":"{}","name":"{}","kana":"{}","email":"{}","phone":"{}","status":"active","balance":{}}}"#,
                p[0],
                p[1],
                p[2],
                p[4],
                p[5],
                at * 123_457
            )
        })
        .collect();
    format!("[{}]", rows.join(","))
}

fn csv_of_10_000() -> String {
    let mut csv = String::from("account_id,name,kana,romaji,email,phone,pan\n");
    for number in 0..10_000 {
        csv.push_str(&person(number * 9).join(","));
        csv.push('\n');
    }
    csv
}

fn benches(c: &mut Criterion) {
    let (config, csv) = register(PERSONS);
    let index = Arc::new(build(&config, &csv));
    let mut group = c.benchmark_group("scan");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    let bodies = [
        ("html_10k_clean", clean_html()),
        ("html_10k_one_customer", one_customer()),
        ("html_10k_own_page", own_page()),
        ("json_20_customers", json_of_20()),
        ("csv_10k_customers", csv_of_10_000()),
    ];
    for (name, body) in &bodies {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(*name, |b| {
            b.iter(|| {
                let mut scanner = Scanner::new(Arc::clone(&index), TextForm::default(), Arc::default());
                let mut findings = Vec::new();
                for chunk in body.as_bytes().chunks(16 * 1024) {
                    scanner.feed(chunk, &mut findings);
                }
                scanner.finish(&mut findings);
                findings.len()
            });
        });
    }
    group.finish();
    request(c, &index);
    let mut group = c.benchmark_group("index");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Elements(PERSONS));
    group.bench_function("build_100k_persons", |b| {
        b.iter_batched(|| (), |()| build(&config, &csv), BatchSize::PerIteration);
    });
    group.finish();
}

/// What an ordinary request costs before its response is seen.
fn request(c: &mut Criterion, index: &Arc<Index>) {
    let parts = [
        "/account/rates?pair=USDJPY&from=2026-11-01",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
        "https://fx.example/account/",
        "session=8d0ac1ee3fa24c0b9a7d51c2f6b3e804",
    ];
    let mut group = c.benchmark_group("request");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Bytes(parts.iter().map(|part| part.len() as u64).sum()));
    group.bench_function("ordinary", |b| {
        b.iter(|| {
            let mut reflected = Reflected::default();
            parts.iter().for_each(|part| reflected.add(index, part.as_bytes()));
            reflected
        });
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
