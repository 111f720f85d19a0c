use super::*;
use proptest::prelude::*;
use sekisho_model::{ByteRange, Closed, Disposition, Field, Inspection, Opened, Registers, SubjectId};

const SOURCE: SourceId = SourceId(1);
const AT: Timestamp = Timestamp(1_700_000_000_000_000);
const NAME: u64 = 0b01;
const MAIL: u64 = 0b10;

fn subject(register: u16, id: u32) -> Subject {
    Subject { register: RegisterId(register), id: SubjectId(id) }
}

fn session(id: u8) -> SessionKey {
    SessionKey([id; 16])
}

fn registers() -> Record {
    let field = |name: &str, kind| Field { name: name.into(), kind, not_examined: None, values_not_indexed: 0 };
    let register = |id, is_canary| RegisterDescription {
        id: RegisterId(id),
        name: format!("register {id}"),
        fields: vec![field("氏名", FieldKind::Name), field("mail", FieldKind::Email)],
        persons: 9,
        subject_next: 9,
        built_at: AT,
        is_canary,
    };
    Record::Registers(Registers { at: AT, registers: vec![register(0, false), register(1, false), register(2, true)] })
}

fn bound(to: u8, ids: &[u32]) -> Record {
    let subjects = ids.iter().map(|id| subject(0, *id)).collect();
    Record::Bound(Bound { at: AT, session: session(to), subjects, by: None, account: None })
}

/// A whole response of one part.
fn response(sequence: u64, of: Option<u8>, shown: &[(Subject, u64)]) -> Vec<Record> {
    let transaction = Transaction {
        at: AT,
        client: "203.0.113.5".parse().expect("an address"),
        client_key: [0xcc; 16],
        session: of.map(session),
        route: "/my".into(),
        method: "GET".into(),
        status: 200,
    };
    let exposure = |(subject, fields): &(Subject, u64)| Exposure {
        subject: *subject,
        fields: FieldSet(*fields),
        reflected: FieldSet::EMPTY,
    };
    let exposures: Vec<Exposure> = shown.iter().map(exposure).collect();
    let span = ByteRange { start: 0, end: 9 };
    vec![
        Record::Opened(Opened { sequence, transaction }),
        Record::Exposed(Exposed { sequence, at: AT, span, exposures, generic: Vec::new() }),
        Record::Closed(Closed {
            sequence,
            at: AT,
            transaction: None,
            inspection: Inspection::Inspected,
            disposition: Disposition::Released,
            body_bytes_released: 9,
        }),
    ]
}

fn report(records: impl IntoIterator<Item = Record>) -> RouteSeen {
    let mut replay = Replay::new(None, None);
    replay.record(SOURCE, &registers());
    records.into_iter().for_each(|record| replay.record(SOURCE, &record));
    replay.finish().routes.remove("/my").unwrap_or_default()
}

/// Own, shared, others, nobody.
fn check(shown: &[(Subject, u64)], expected: [u64; 4]) {
    let seen = report([bound(1, &[7])].into_iter().chain(response(1, Some(1), shown)));
    let Counts { own, shared, others, nobody, .. } = seen.counts;
    assert_eq!([own, shared, others, nobody], expected, "{shown:?}");
}

#[test]
fn own_persons_family_and_others_are_told_apart() {
    let own = (subject(0, 7), NAME | MAIL);
    check(&[own], [1, 0, 0, 0]);
    check(&[own, (subject(0, 8), MAIL)], [1, 1, 0, 0]);
    check(&[own, (subject(0, 8), NAME | MAIL)], [0, 0, 1, 0]);
    check(&[own, (subject(1, 3), NAME | MAIL)], [1, 1, 0, 0]);
    check(&[(subject(0, 8), MAIL)], [0, 0, 1, 0]);
    let many: Vec<_> = (10..20).map(|id| (subject(0, id), MAIL)).collect();
    check(&[&[own], &many[..]].concat(), [0, 0, 1, 0]);
}

#[test]
fn a_log_out_leaves_nobodys_session_and_a_restart_does_not() {
    let own = [(subject(0, 7), NAME)];
    let seen =
        report([bound(1, &[7])].into_iter().chain(response(1, Some(1), &own)).chain([bound(1, &[])]).chain(response(
            2,
            Some(1),
            &own,
        )));
    assert_eq!((seen.counts.own, seen.counts.nobody), (1, 1));
    let restart = Record::Started(sekisho_model::Started { at: AT, sequence_first: 1, version: "test".into() });
    let seen = report([bound(1, &[7]), restart].into_iter().chain(response(1, Some(1), &own)));
    assert_eq!((seen.counts.own, seen.counts.nobody), (1, 0));
}

#[test]
fn planted_customers_are_no_persons() {
    let seen = report(response(1, None, &[(subject(2, 1), NAME)]));
    assert_eq!((seen.counts.all(), seen.canaries), (0, 1));
    assert_eq!(seen.effect(Class::Public, |_| true), Effect::default());
}

#[test]
fn a_class_is_suggested_when_enough_fits() {
    let ordinary =
        |from: u64, number: u64| (from..from + number).flat_map(|at| response(at, Some(1), &[(subject(0, 7), NAME)]));
    let stranger = |at| response(at, Some(1), &[(subject(0, 8), NAME)]);
    let begin = || [bound(1, &[7])].into_iter();
    assert!(matches!(report(begin().chain(ordinary(1, 99))).suggestion(), Suggestion::None(_)));
    assert_eq!(report(begin().chain(ordinary(1, 100))).suggestion(), Suggestion::Class(Class::Own));
    let contradicted = report(begin().chain(ordinary(1, 998)).chain(stranger(2001)));
    let Suggestion::None(why) = contradicted.suggestion() else { panic!("1 of 999 is more than 0.1 %") };
    assert_eq!(why, "not `own`: 1 with others, of 999; in session 01010101…");
    let enough = report(begin().chain(ordinary(1, 999)).chain(stranger(2001)));
    assert_eq!(enough.suggestion(), Suggestion::Class(Class::Own));
    assert_eq!(enough.effect(Class::Own, |_| true), Effect { responses: 1, sessions: 1, persons: 1 });
    assert_eq!(enough.effect(Class::Own, |_| false), Effect::default());
}

proptest! {
    /// Against a recount that looks at each response by itself.
    #[test]
    fn the_replay_equals_a_naive_recount(
        steps in proptest::collection::vec((0u8..3, 1u8..4, proptest::collection::btree_set(1u32..5, 0..4)), 1..60)
    ) {
        let mut records = Vec::new();
        let mut naive = Counts::default();
        let (mut sessions, mut persons) = (HashSet::new(), HashSet::new());
        let mut owners: HashMap<u8, Vec<u32>> = HashMap::new();
        for (sequence, (what, who, ids)) in (1..).zip(&steps) {
            let ids: Vec<u32> = ids.iter().copied().collect();
            if *what == 0 {
                records.push(bound(*who, &ids));
                owners.insert(*who, ids);
                continue;
            }
            let shown: Vec<_> = ids.iter().map(|id| (subject(0, *id), NAME)).collect();
            records.extend(response(sequence, Some(*who), &shown));
            if ids.is_empty() {
                continue;
            }
            let own = owners.get(who).cloned().unwrap_or_default();
            let foreign: Vec<u32> = ids.into_iter().filter(|id| !own.contains(id)).collect();
            match (own.is_empty(), foreign.is_empty()) {
                (true, _) => naive.nobody += 1,
                (false, true) => naive.own += 1,
                (false, false) => naive.others += 1,
            }
            if !foreign.is_empty() {
                sessions.insert(*who);
                persons.extend(foreign);
            }
        }
        let seen = report(records);
        prop_assert_eq!(seen.counts, naive);
        let expected = Effect {
            responses: naive.nobody + naive.others,
            sessions: sessions.len() as u64,
            persons: persons.len() as u64,
        };
        prop_assert_eq!(seen.effect(Class::Own, |_| true), expected);
    }
}
