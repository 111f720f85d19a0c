//! Thirty days of a broker's site, the same on every run: customers on their own pages, staff who read lists, one thief, and
//! two clean responses for every three with somebody's data. One segment for each run of the gateway.

use sekisho_ledger::{Ledger, Options, Position};
use sekisho_model::*;
use sekisho_tlog::SigningKey;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const START: Timestamp = Timestamp(1_761_000_000_000_000);
const DAYS: u64 = 30;
const HOLDERS: u64 = 200_000;
const APPLICANTS: u64 = 60_000;
const SESSIONS: u64 = 150_000;
const ROUTES: [&str; 10] = [
    "/mypage",
    "/mypage/orders",
    "/mypage/balance",
    "/mypage/tax",
    "/seminar",
    "/seminar/entry",
    "/contact",
    "/faq",
    "/news",
    "/prices",
];
/// The thief's network.
pub(crate) const THIEF_NETWORK: &str = "203.0.113.0/24";
/// Records that wait before the writer does.
const WAITING_MAX: u64 = 10_000;

/// A day of the story, from 0.
pub(crate) fn day(number: u64) -> Timestamp {
    START.after(Duration::from_secs(number * 86_400))
}

/// The session of this number.
pub(crate) fn session(number: u64) -> SessionKey {
    let (high, low) = (mix(number), mix(number ^ 0xA5A5));
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&low.to_be_bytes());
    SessionKey(bytes)
}

/// SplitMix64: numbers that look drawn, and are the same on every run.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// The wall clock follows the story; what the ledger waits for is measured in real time.
#[derive(Debug)]
struct StoryClock {
    now: AtomicI64,
    real: SystemClock,
}

impl Clock for StoryClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::Relaxed))
    }

    fn elapsed(&self) -> Duration {
        self.real.elapsed()
    }
}

/// Writes the ledger; `dir` must not hold one.
pub(crate) fn write(dir: &Path, exposures: u64, segments: u64) {
    let clock = Arc::new(StoryClock { now: AtomicI64::new(START.0), real: SystemClock::new() });
    let mut story = Story { clock, exposures: 0, responses: 0, heartbeat: START };
    for segment in 1..=segments {
        let options = Options {
            clock: Arc::clone(&story.clock) as Arc<dyn Clock>,
            // One file, so that closing makes one segment of it.
            wal_file_bytes: (exposures / segments * 800).max(1 << 20),
            sync_deadline: Duration::from_secs(60),
            seal_after_records: u64::MAX,
            seal_after: Duration::from_secs(u64::MAX >> 24),
            close_deadline: Duration::from_secs(600),
            ..Options::new(dir, SigningKey::from_seed("bench.example/1", &[1; 32]).expect("a good name"))
        };
        let (ledger, _) = Ledger::open(options).expect("opens");
        ledger.append(Record::Registers(registers(story.clock.now()))).expect("is taken");
        while story.exposures < exposures * segment / segments {
            story.response(&ledger, exposures);
        }
        ledger.close().expect("closes");
    }
}

fn registers(at: Timestamp) -> Registers {
    let field = |name: &str, kind| Field { name: name.into(), kind, not_examined: None, values_not_indexed: 0 };
    let fields = vec![
        field("mail", FieldKind::Email),
        field("name", FieldKind::Name),
        field("kana", FieldKind::Kana),
        field("account", FieldKind::AccountId),
        field("phone", FieldKind::Phone),
    ];
    let register = |id, name: &str, persons| RegisterDescription {
        id: RegisterId(id),
        name: name.into(),
        fields: fields.clone(),
        persons,
        subject_next: u32::MAX,
        built_at: START,
        is_canary: false,
    };
    Registers {
        at,
        registers: vec![register(0, "account_holders", HOLDERS), register(1, "seminar_applicants", APPLICANTS)],
    }
}

struct Story {
    clock: Arc<StoryClock>,
    exposures: u64,
    responses: u64,
    heartbeat: Timestamp,
}

impl Story {
    /// One response: three in five show a customer their own data.
    fn response(&mut self, ledger: &Ledger, exposures_all: u64) {
        let draw = mix(self.responses);
        self.responses += 1;
        let at = START.after(Duration::from_micros(DAYS * 86_400_000_000 / exposures_all * self.exposures));
        self.clock.now.store(at.0.max(self.clock.now().0 + 1000), Ordering::Relaxed);
        while self.heartbeat.after(Duration::from_secs(60)) <= self.clock.now() {
            self.beat(ledger);
        }
        let (customer, second) = (draw % SESSIONS, mix(draw));
        let position = match second % 1000 {
            0..15 => self.exposing(ledger, 900_000 + draw % 40, "/staff/list", 20, second),
            // The thief comes on the eleventh and twelfth day.
            15..47 if (day(10)..day(12)).contains(&at) => {
                self.exposing(ledger, 1_000_000, "/seminar/entry", 50, second)
            }
            15..600 => self.exposing(ledger, customer, ROUTES[(second >> 20) as usize % 6], 1, customer),
            _ => self.clean(ledger, customer, ROUTES[(second >> 20) as usize % ROUTES.len()]),
        };
        if self.responses.is_multiple_of(WAITING_MAX / 4) {
            ledger.wait_durable(position).expect("becomes durable");
        }
    }

    fn transaction(&self, customer: u64, route: &str) -> Transaction {
        let client = match customer {
            1_000_000 => Ipv4Addr::new(203, 0, 113, 5),
            900_000.. => Ipv4Addr::new(10, 0, 0, u8::try_from(customer % 40).expect("small")),
            _ => Ipv4Addr::from(0x0B00_0000 | u32::try_from(customer % 50_000 * 7).expect("small")),
        };
        let mut client_key = [0; 16];
        client_key[..8].copy_from_slice(&mix(u64::from(u32::from(client))).to_be_bytes());
        Transaction {
            at: self.clock.now(),
            client: IpAddr::from(client),
            client_key,
            session: Some(session(customer)),
            route: route.into(),
            method: "GET".into(),
            status: 200,
        }
    }

    fn exposing(&mut self, ledger: &Ledger, customer: u64, route: &str, persons: u64, first: u64) -> Position {
        let sequence = ledger.next_sequence();
        let transaction = self.transaction(customer, route);
        ledger.append(Record::Opened(Opened { sequence, transaction })).expect("is taken");
        let exposures = (0..persons).map(|person| {
            let register = u16::from(route.starts_with("/seminar"));
            let registered = if register == 0 { HOLDERS } else { APPLICANTS };
            let id = SubjectId(u32::try_from((first % registered + person) % registered).expect("small"));
            let fields =
                FieldSet([0b11, 0b11, 0b1, 0b111, 0b1011, 0b1_1111][(mix(first ^ self.responses) % 6) as usize]);
            Exposure { subject: Subject { register: RegisterId(register), id }, fields, reflected: FieldSet::EMPTY }
        });
        let exposures: Vec<Exposure> = exposures.collect();
        self.exposures += exposures.len() as u64;
        // The footer of every twentieth page has an address that no register lists.
        let footer = Generic { kind: GenericKind::Email, value: Some((first % 100).to_be_bytes()), reflected: false };
        let generic = if sequence.is_multiple_of(20) { vec![footer] } else { Vec::new() };
        let (at, span) = (self.clock.now(), ByteRange { start: 800, end: 4000 });
        ledger.append(Record::Exposed(Exposed { sequence, at, span, exposures, generic })).expect("is taken");
        self.close(ledger, sequence, None)
    }

    fn clean(&self, ledger: &Ledger, customer: u64, route: &str) -> Position {
        self.close(ledger, ledger.next_sequence(), Some(self.transaction(customer, route)))
    }

    fn close(&self, ledger: &Ledger, sequence: u64, transaction: Option<Transaction>) -> Position {
        let is_image = transaction.is_some() && sequence.is_multiple_of(9);
        let inspection =
            if is_image { Inspection::NotInspectable(Uninspectable::ContentType) } else { Inspection::Inspected };
        let (at, disposition, body_bytes_released) = (self.clock.now(), Disposition::Released, 10_000);
        let closed = Closed { sequence, at, transaction, inspection, disposition, body_bytes_released };
        ledger.append(Record::Closed(closed)).expect("is taken")
    }

    fn beat(&mut self, ledger: &Ledger) {
        self.heartbeat = self.heartbeat.after(Duration::from_secs(60));
        let beat = Heartbeat {
            at: self.heartbeat,
            sequence_next: self.responses,
            inspected: 20,
            without_body: 0,
            not_inspectable: vec![(Uninspectable::ContentType, 2)],
            bytes_scanned: 400_000,
            records_lost: 0,
            is_last: false,
        };
        ledger.append(Record::Heartbeat(beat)).expect("is taken");
    }
}
