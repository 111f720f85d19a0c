//! The fast way to an answer equals the plain one: a ledger of several runs, sealed or not, asked through its reader, and
//! all of its records added up one by one.

use ipnet::IpNet;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use sekisho_ledger::{Ledger, Options, Reader, SealOnClose};
use sekisho_model::*;
use sekisho_scope::{Answer, Question, answer_records, ask};
use sekisho_testkit::{SimClock, SimDisk};
use sekisho_tlog::SigningKey;
use std::sync::Arc;
use std::time::Duration;

const T0: Timestamp = Timestamp(1_700_000_000_000_000);
/// From one step of a story to the next: the margin around a period is six of them.
const STEP: Duration = Duration::from_secs(600);
const CLIENTS: [&str; 5] = ["192.0.2.1", "192.0.2.200", "198.51.100.7", "2001:db8::1", "2001:db8:0:0:1::5"];
const NETWORKS: [&str; 6] =
    ["192.0.2.0/24", "192.0.2.128/25", "198.51.100.7/32", "0.0.0.0/0", "2001:db8::/32", "2001:db8:0:0:1::/80"];
const ROUTES: [&str; 2] = ["/mypage", "/search"];

/// What happens next on the site. Responses overlap: parts and ends name one of the last that began.
#[derive(Clone, Debug)]
enum Step {
    Registers { number: u16, is_swapped: bool },
    Opens(Request),
    Exposes { back: u64, exposures: Vec<Exposure>, generic: Vec<Generic> },
    Ends { back: u64, inspection: Inspection },
    EndsClean(Request, Inspection),
    Loses(u64),
    IsSuspect(Request),
}

#[derive(Clone, Debug)]
struct Request {
    client: &'static str,
    session: Option<u8>,
    route: &'static str,
}

impl Request {
    fn transaction(&self, at: Timestamp) -> Transaction {
        Transaction {
            at,
            client: self.client.parse().expect("an address"),
            client_key: [1; 16],
            session: self.session.map(|session| SessionKey([session; 16])),
            route: self.route.into(),
            method: "GET".into(),
            status: 200,
        }
    }
}

fn request() -> impl Strategy<Value = Request> {
    let parts = (select(&CLIENTS[..]), proptest::option::of(0..3u8), select(&ROUTES[..]));
    parts.prop_map(|(client, session, route)| Request { client, session, route })
}

fn inspection() -> impl Strategy<Value = Inspection> {
    select(vec![
        Inspection::Inspected,
        Inspection::WithoutBody,
        Inspection::NotInspectable(Uninspectable::Container),
        Inspection::NotInspectable(Uninspectable::Charset),
    ])
}

fn step() -> impl Strategy<Value = Step> {
    let exposure = (0..2u16, 0..9u32, 0..4u64, 0..4u64).prop_map(|(register, id, fields, reflected)| Exposure {
        subject: Subject { register: RegisterId(register), id: SubjectId(id) },
        fields: FieldSet(fields),
        reflected: FieldSet(reflected),
    });
    let kinds = vec![GenericKind::Email, GenericKind::Pan, GenericKind::MyNumber];
    let generic = (select(kinds), proptest::option::of(0..3u8), any::<bool>()).prop_map(|(kind, value, reflected)| {
        let value = value.filter(|_| kind != GenericKind::MyNumber).map(|value| [value; 8]);
        Generic { kind, value, reflected }
    });
    prop_oneof![
        1 => (0..2u16, any::<bool>()).prop_map(|(number, is_swapped)| Step::Registers { number, is_swapped }),
        4 => request().prop_map(Step::Opens),
        6 => (0..4u64, vec(exposure, 0..4), vec(generic, 0..2))
            .prop_map(|(back, exposures, generic)| Step::Exposes { back, exposures, generic }),
        4 => (0..4u64, inspection()).prop_map(|(back, inspection)| Step::Ends { back, inspection }),
        3 => (request(), inspection()).prop_map(|(request, inspection)| Step::EndsClean(request, inspection)),
        1 => (0..3u64).prop_map(Step::Loses),
        1 => request().prop_map(Step::IsSuspect),
    ]
}

fn question() -> impl Strategy<Value = Question> {
    let time = || proptest::option::of((0..60u32).prop_map(|step| T0.after(STEP * step)));
    let network = select(&NETWORKS[..]).prop_map(|network| network.parse::<IpNet>().expect("a network"));
    let register = select(vec!["holders", "register-1", "nobody"]);
    let subject = (register, 0..9u32).prop_map(|(register, id)| (register.to_owned(), SubjectId(id)));
    let session = (0..4u8).prop_map(|session| SessionKey([session; 16]));
    let route = select(&ROUTES[..]).prop_map(str::to_owned);
    let sessions = proptest::collection::btree_set(session.clone(), 0..3).prop_map(Arc::new);
    let who = (weighted(0.3, network), weighted(0.3, session), weighted(0.3, sessions));
    (time(), time(), who, weighted(0.3, route), weighted(0.3, subject)).prop_map(
        |(from, to, (client, session, sessions), route, subject)| Question {
            from,
            to,
            client,
            session,
            sessions,
            route,
            subject,
            lists_sessions: true,
        },
    )
}

/// The registers as an epoch describes them: numbers and columns change, names stay.
fn registers(at: Timestamp, number: u16, is_swapped: bool) -> Record {
    let field = |name: &str, kind| Field { name: name.into(), kind, not_examined: None, values_not_indexed: 0 };
    let mut fields = vec![field("mail", FieldKind::Email), field("name", FieldKind::Name)];
    if is_swapped {
        fields.reverse();
    }
    let description = RegisterDescription {
        id: RegisterId(number),
        name: "holders".into(),
        fields,
        persons: 9,
        subject_next: 9,
        built_at: T0,
        is_canary: false,
    };
    Record::Registers(Registers { at, registers: vec![description] })
}

/// The record of a step, if it can be taken now.
fn record(step: &Step, at: Timestamp, ledger: &Ledger, begun: &mut Vec<u64>) -> Option<Record> {
    let of = |begun: &[u64], back: u64| begun.iter().rev().nth(usize::try_from(back).ok()?).copied();
    let (disposition, body_bytes_released) = (Disposition::Released, 10);
    Some(match step.clone() {
        Step::Registers { number, is_swapped } => registers(at, number, is_swapped),
        Step::Opens(request) => {
            let sequence = ledger.next_sequence();
            begun.push(sequence);
            Record::Opened(Opened { sequence, transaction: request.transaction(at) })
        }
        Step::Exposes { back, exposures, generic } => {
            let (sequence, span) = (of(begun, back)?, ByteRange { start: 0, end: 9 });
            Record::Exposed(Exposed { sequence, at, span, exposures, generic })
        }
        Step::Ends { back, inspection } => {
            let sequence = of(begun, back)?;
            begun.retain(|open| *open != sequence);
            Record::Closed(Closed { sequence, at, transaction: None, inspection, disposition, body_bytes_released })
        }
        Step::EndsClean(request, inspection) => {
            let (sequence, transaction) = (ledger.next_sequence(), Some(request.transaction(at)));
            Record::Closed(Closed { sequence, at, transaction, inspection, disposition, body_bytes_released })
        }
        Step::Loses(records_lost) => {
            let _never_told = ledger.next_sequence();
            let (sequence_next, inspected, without_body, not_inspectable, bytes_scanned) = (1, 0, 0, Vec::new(), 0);
            Record::Heartbeat(Heartbeat {
                at,
                sequence_next,
                inspected,
                without_body,
                not_inspectable,
                bytes_scanned,
                records_lost,
                is_last: false,
            })
        }
        Step::IsSuspect(request) => Record::Suspect(Suspect {
            at,
            first: Timestamp(at.0 - 1),
            client: request.client.parse().expect("an address"),
            session: request.session.map(|session| SessionKey([session; 16])),
            route: request.route.into(),
            requests: 300,
            reason: SuspectReason::BlindInjection,
        }),
    })
}

/// A ledger of these runs; what the last one wrote stays in the log.
fn written(runs: &[Vec<Step>]) -> Reader {
    let (disk, clock) = (SimDisk::new(), Arc::new(SimClock::at(T0)));
    let mut at = T0;
    for (run, steps) in runs.iter().enumerate() {
        clock.step_wall_clock(at);
        let options = Options {
            disk: Arc::new(disk.clone()),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            wal_file_bytes: 64 * 1024,
            seal_on_close: if run + 1 < runs.len() { SealOnClose::Yes } else { SealOnClose::No },
            ..Options::new("/ledger", SigningKey::from_seed("ledger.example/1", &[7; 32]).expect("a good name"))
        };
        let (ledger, _) = Ledger::open(options).expect("opens");
        let mut begun = Vec::new();
        for step in steps {
            at = at.after(STEP);
            if let Some(record) = record(step, at, &ledger, &mut begun) {
                ledger.append(record).expect("is taken");
            }
        }
        ledger.close().expect("closes");
    }
    Reader::open("/ledger", Arc::new(disk)).expect("opens")
}

/// What is said of each person; how many responses is left out, for a seal may cut one in two.
fn persons(answer: &Answer) -> Vec<(&str, u32, u64, u64, Timestamp, Timestamp)> {
    let names = answer.registers.iter().map(|register| register.name.as_str());
    let ids = names.flat_map(|name| (0..9).map(move |id| (name, id)));
    let found = ids.filter_map(|(name, id)| Some((name, id, answer.person(name, SubjectId(id))?)));
    found.map(|(name, id, of)| (name, id, of.fields, of.reflected, of.first, of.last)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn an_answer_equals_the_plain_sum_of_all_records(
        runs in vec(vec(step(), 1..40), 1..4),
        questions in vec(question(), 12),
    ) {
        let reader = written(&runs);
        let mut records = Vec::new();
        reader.records(&mut |source, record| records.push((source, record))).expect("reads");
        let now = T0.after(STEP * 100);
        for question in questions.iter().chain([&Question::default()]) {
            let (fast, plain) = (ask(&reader, question, now).expect("is answered"), answer_records(question, &records, now));
            prop_assert_eq!(fast.to_json(), plain.to_json(), "{:?}", question);
            prop_assert_eq!(persons(&fast), persons(&plain), "{:?}", question);
        }
    }
}
