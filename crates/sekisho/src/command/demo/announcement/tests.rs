//! What may be said, and what may not, of one small ledger.

use super::*;
use sekisho_model::*;
use sekisho_scope::{Question, answer_records};

/// 2026-11-23 08:00:00 UTC, 17:00 in Japan.
const START: Timestamp = Timestamp(1_795_420_800_000_000);
const SOURCE: SourceId = SourceId(1);

fn field(name: &str, kind: FieldKind, not_examined: Option<&str>) -> Field {
    Field { name: name.into(), kind, not_examined: not_examined.map(Into::into), values_not_indexed: 0 }
}

fn registers_in_force() -> Record {
    let holders = vec![
        field("email", FieldKind::Email, None),
        field("card", FieldKind::Pan, None),
        field("address", FieldKind::Address, Some("no detector")),
    ];
    let applicants = vec![field("email", FieldKind::Email, None), field("name", FieldKind::Name, None)];
    let register = |id, name: &str, fields| RegisterDescription {
        id: RegisterId(id),
        name: name.into(),
        fields,
        persons: 5000,
        subject_next: 5000,
        built_at: START,
        is_canary: false,
    };
    let registers = vec![register(0, "account_holders", holders), register(1, "seminar_applicants", applicants)];
    Record::Registers(Registers { at: START, registers })
}

fn transaction(at: Timestamp) -> Transaction {
    Transaction {
        at,
        client: [127, 0, 0, 66].into(),
        client_key: [0; 16],
        session: None,
        route: "/seminars".into(),
        method: "GET".into(),
        status: 200,
    }
}

/// A response at `at`, with (register, subject, fields) inside.
fn response(sequence: u64, at: Timestamp, inspection: Inspection, inside: &[(u16, u32, u64)]) -> Vec<Record> {
    let exposure = |(register, id, fields): &(u16, u32, u64)| Exposure {
        subject: Subject { register: RegisterId(*register), id: SubjectId(*id) },
        fields: FieldSet(*fields),
        reflected: FieldSet(0),
    };
    let exposures = inside.iter().map(exposure).collect();
    let span = ByteRange { start: 0, end: 9 };
    vec![
        Record::Opened(Opened { sequence, transaction: transaction(at) }),
        Record::Exposed(Exposed { sequence, at, span, exposures, generic: Vec::new() }),
        Record::Closed(Closed {
            sequence,
            at,
            transaction: None,
            inspection,
            disposition: Disposition::Released,
            body_bytes_released: 100,
        }),
    ]
}

fn answer(records: Vec<Record>) -> Answer {
    let started = Record::Started(Started { at: START, sequence_first: 1, version: "test".into() });
    let records: Vec<(SourceId, Record)> =
        [started, registers_in_force()].into_iter().chain(records).map(|record| (SOURCE, record)).collect();
    answer_records(&Question::default(), &records, START)
}

#[test]
fn exposed_not_observed_and_not_examined_are_kept_apart() {
    let answer = answer(response(1, START, Inspection::Inspected, &[(0, 7, 0b1), (1, 3, 0b11), (1, 4, 0b11)]));
    assert_eq!(
        japanese(&answer),
        "2026年11月23日午後5時ごろ、当社ウェブサイトへの不正アクセスにより、次のお客様の情報が第三者に閲覧されたことを確認いたしました。\n\
         ・口座をお持ちのお客様 1名（メールアドレス 1名）\n\
         ・セミナーにお申し込みのお客様 2名（メールアドレス 2名、氏名 2名）\n\
         複数の区分に該当するお客様は、それぞれの区分に含めて数えております。\n\
         口座をお持ちのお客様のカード番号については、検査した応答の範囲では、閲覧されたことは確認されておりません。\n\
         口座をお持ちのお客様の住所については、検査の対象外のため、閲覧の有無を確認できておりません。\n\
         対象の応答1件のうち、本文を検査したものは1件、本文のないものは0件、検査できなかったものは0件です。\n"
    );
    assert_eq!(
        english(&answer),
        "We have confirmed that at about 23 November 2026, 17:00 (Japan time), through unauthorised access to our web \
         site, a third party saw the data of:\n\
         - 1 account holders (e-mail address of 1)\n\
         - 2 seminar applicants (e-mail address of 2, name of 2)\n\
         Whoever is in more than one of these groups is counted in each.\n\
         Of account holders, not observed in the responses inspected: card number.\n\
         Of account holders, not examined, so we cannot say: postal address.\n\
         Of 1 responses in question, 1 were inspected, 0 had no body, 0 could not be inspected.\n"
    );
}

#[test]
fn what_limits_the_statement_stands_in_it() {
    let later = START.after(std::time::Duration::from_secs(120));
    let mut records = response(1, START, Inspection::Inspected, &[(1, 3, 0b1)]);
    records.extend(response(2, later, Inspection::NotInspectable(Uninspectable::Upgraded), &[(1, 4, 0b1)]));
    records.push(Record::Suspect(Suspect {
        at: later,
        first: START,
        client: [127, 0, 0, 66].into(),
        session: None,
        route: "/seminars".into(),
        requests: 20,
        reason: SuspectReason::BlindInjection,
    }));
    let answer = answer(records);
    let (japanese, english) = (japanese(&answer), english(&answer));
    assert!(japanese.starts_with("2026年11月23日午後5時から同日午後5時2分までの間に、"), "{japanese}");
    assert!(
        japanese.contains(
            "対象の応答2件のうち、本文を検査したものは1件、本文のないものは0件、検査できなかったものは1件です。"
        ),
        "{japanese}"
    );
    assert!(japanese.contains("判断できない形式のリクエストが、20件以上ありました。"), "{japanese}");
    assert!(english.contains("At least 20 requests had a form"), "{english}");
}

#[test]
fn without_an_exposure_nothing_is_confirmed() {
    let answer = answer(response(1, START, Inspection::Inspected, &[]));
    let (japanese, english) = (japanese(&answer), english(&answer));
    assert!(!japanese.contains("確認いたしました"), "{japanese}");
    assert!(japanese.starts_with("検査した応答の範囲では、"), "{japanese}");
    assert!(english.starts_with("In the responses inspected, no customer's data was observed"), "{english}");
}
