//! One ledger, many questions: the answers as an operator reads them.

use crate::table::{Colour, render};
use crate::{Answer, Question, answer_records, text};
use sekisho_model::*;
use std::net::IpAddr;
use std::time::Duration;

const SOURCE: SourceId = SourceId(1);
const START: Timestamp = Timestamp(1_700_000_000_000_000);

/// A ledger in the making, a second a record.
struct Story {
    records: Vec<(SourceId, Record)>,
    at: Timestamp,
    sequence: u64,
}

impl Story {
    fn new() -> Story {
        let mut story = Story { records: Vec::new(), at: START, sequence: 0 };
        story.push(Record::Started(Started { at: START, sequence_first: 1, version: "test".into() }));
        story
    }

    fn push(&mut self, record: Record) {
        self.records.push((SOURCE, record));
        self.at = self.at.after(Duration::from_secs(1));
    }

    fn registers(mut self, registers: &[RegisterDescription]) -> Story {
        let at = self.at;
        self.push(Record::Registers(Registers { at, registers: registers.to_vec() }));
        self
    }

    fn transaction(&self, client: &str) -> Transaction {
        Transaction {
            at: self.at,
            client: client.parse::<IpAddr>().expect("a test address"),
            client_key: [0; 16],
            session: None,
            route: "/members".into(),
            method: "GET".into(),
            status: 200,
        }
    }

    fn clean(mut self, client: &str) -> Story {
        self.sequence += 1;
        let transaction = Some(self.transaction(client));
        self.close(transaction, Inspection::Inspected);
        self
    }

    fn uninspected(mut self, client: &str, why: Uninspectable) -> Story {
        self.sequence += 1;
        let transaction = Some(self.transaction(client));
        self.close(transaction, Inspection::NotInspectable(why));
        self
    }

    fn exposes(self, client: &str, exposures: &[(u32, u64, u64)], generic: &[Generic]) -> Story {
        let mut story = self.opens(client, exposures, generic);
        story.close(None, Inspection::Inspected);
        story
    }

    fn opens(mut self, client: &str, exposures: &[(u32, u64, u64)], generic: &[Generic]) -> Story {
        self.sequence += 1;
        let (sequence, transaction) = (self.sequence, self.transaction(client));
        self.push(Record::Opened(Opened { sequence, transaction }));
        let exposures = exposures.iter().map(|(id, fields, reflected)| Exposure {
            subject: Subject { register: RegisterId(0), id: SubjectId(*id) },
            fields: FieldSet(*fields),
            reflected: FieldSet(*reflected),
        });
        let (at, span, exposures) = (self.at, ByteRange { start: 0, end: 9 }, exposures.collect());
        self.push(Record::Exposed(Exposed { sequence, at, span, exposures, generic: generic.to_vec() }));
        self
    }

    fn close(&mut self, transaction: Option<Transaction>, inspection: Inspection) {
        let (sequence, at, disposition) = (self.sequence, self.at, Disposition::Released);
        let body_bytes_released = 100;
        self.push(Record::Closed(Closed { sequence, at, transaction, inspection, disposition, body_bytes_released }));
    }

    fn lost(mut self, responses: u64) -> Story {
        self.sequence += responses;
        self
    }

    fn ask(&self, question: &Question) -> Answer {
        answer_records(question, &self.records, START.after(Duration::from_secs(7200)))
    }
}

fn field(name: &str, kind: FieldKind) -> Field {
    Field { name: name.into(), kind, not_examined: None, values_not_indexed: 0 }
}

fn holders() -> RegisterDescription {
    let mut address = field("住所", FieldKind::Address);
    address.not_examined = Some("no detector reads addresses".into());
    let mut phone = field("phone", FieldKind::Phone);
    phone.values_not_indexed = 3;
    RegisterDescription {
        id: RegisterId(0),
        name: "account_holders".into(),
        fields: vec![field("mail", FieldKind::Email), field("氏名", FieldKind::Name), phone, address],
        persons: 5000,
        built_at: START,
        is_canary: false,
    }
}

fn mail(value: u8, reflected: bool) -> Generic {
    Generic { kind: GenericKind::Email, value: Some([value; 8]), reflected }
}

fn state<'a>(answer: &'a Answer, name: &str) -> (&'a crate::FieldState, &'a str) {
    let field = answer.fields.iter().find(|field| field.field == name).expect("the field is in the answer");
    (&field.state, field.reason.as_deref().unwrap_or(""))
}

#[test]
fn what_was_withheld_is_told_and_counts_nobody() {
    let mut story = Story::new();
    let transaction = story.transaction("192.0.2.1");
    let subject = Subject { register: RegisterId(0), id: SubjectId(7) };
    let exposures = vec![Exposure { subject, fields: FieldSet(1), reflected: FieldSet::EMPTY }];
    let (reason, outcome) = (WithheldReason::ForeignSubject, WithheldOutcome::Ended);
    story.push(Record::Withheld(Withheld {
        sequence: 1,
        at: story.at,
        transaction,
        exposures,
        generic: Vec::new(),
        reason,
        outcome,
    }));
    let answer = story.ask(&Question::default());
    assert_eq!((answer.persons(), answer.coverage.withheld), (0, 1));
    let others = Question { client: Some("198.51.100.0/24".parse().expect("a network")), ..Question::default() };
    assert_eq!(story.ask(&others).coverage.withheld, 0);
}

#[test]
fn an_alert_is_told_with_its_numbers_and_what_to_do_next() {
    let mut story = Story::new();
    story.push(Record::Alert(Alert {
        at: story.at,
        kind: AlertKind::Peers,
        client: "192.0.2.1".parse().expect("an address"),
        session: Some(SessionKey([0xab; 16])),
        account: Some(AccountKey([0xcd; 16])),
        route: "/staff".into(),
        window_s: 3600,
        count: 214,
        limit: 57,
        peers_quantile: Some(38),
        without_case: Some(190),
    }));
    let answer = story.ask(&Question::default());
    let table = render(&answer, &jiff::tz::TimeZone::UTC, Colour::No);
    let told: Vec<&str> = table.lines().skip_while(|line| *line != "Alerts").skip(1).map(str::trim).collect();
    assert!(told[0].ends_with("192.0.2.1  /staff  account cdcdcdcd…"), "{told:?}");
    assert_eq!(told[1], "214 distinct customers in 1 h; peers' 99.5 % = 38; 190 without a case");
    assert_eq!(told[2], format!("sekisho scope --account {}", "cd".repeat(16)));
    let json: serde_json::Value = serde_json::from_str(&answer.to_json()).expect("JSON");
    assert_eq!(json["alerts"][0]["kind"], "peers");
    let others = Question { client: Some("198.51.100.0/24".parse().expect("a network")), ..Question::default() };
    assert!(story.ask(&others).alerts.is_empty());
}

#[test]
fn the_table_of_a_theft() {
    let my_number = Generic { kind: GenericKind::MyNumber, value: None, reflected: false };
    let story = Story::new()
        .registers(&[holders()])
        .clean("198.51.100.7")
        .exposes("203.0.113.5", &[(1, 0b11, 0), (2, 0b11, 0), (3, 0b01, 0)], &[mail(1, false), my_number])
        .exposes("203.0.113.5", &[(1, 0b01, 0), (9, 0, 0b01)], &[mail(1, false), mail(2, true)])
        .lost(2)
        .uninspected("198.51.100.7", Uninspectable::Container)
        .opens("203.0.113.5", &[(4, 0b01, 0)], &[]);
    let table = render(&story.ask(&Question::default()), &jiff::tz::TimeZone::UTC, Colour::No);
    insta::assert_snapshot!(table);
    assert!(table.lines().all(|line| text::width(line) <= 80), "fits 80 columns");
}

#[test]
fn the_json_is_a_contract() {
    let story = Story::new().registers(&[holders()]).exposes("203.0.113.5", &[(1, 0b11, 0)], &[mail(1, false)]);
    insta::assert_snapshot!(story.ask(&Question::default()).to_json());
}

#[test]
fn sco_1_a_field_without_a_detector_was_not_examined() {
    let answer = Story::new().registers(&[holders()]).clean("198.51.100.7").ask(&Question::default());
    assert_eq!(state(&answer, "住所"), (&crate::FieldState::NotExamined, "no detector reads addresses"));
    assert_eq!(state(&answer, "mail"), (&crate::FieldState::NotObserved, ""));
    assert_eq!(state(&answer, "phone").0, &crate::FieldState::NotExamined);
}

#[test]
fn sco_1_nothing_is_said_without_inspected_responses() {
    let story = Story::new().registers(&[holders()]).uninspected("198.51.100.7", Uninspectable::Container);
    let answer = story.ask(&Question::default());
    let expected = (&crate::FieldState::NotExamined, "no response in this scope was inspected");
    assert_eq!(state(&answer, "mail"), expected);
}

#[test]
fn sco_1_a_register_loaded_late_did_not_examine_what_came_before() {
    let story = Story::new().clean("198.51.100.7").clean("198.51.100.7").registers(&[holders()]).clean("198.51.100.7");
    let (state_all, reason) = {
        let answer = story.ask(&Question::default());
        (answer.fields[0].state, answer.fields[0].reason.clone())
    };
    assert_eq!(state_all, crate::FieldState::NotExamined);
    assert!(reason.expect("a reason").starts_with("2 of 3 inspected responses"));
    let since = Question { from: Some(START.after(Duration::from_secs(3))), ..Question::default() };
    assert_eq!(state(&story.ask(&since), "mail").0, &crate::FieldState::NotObserved);
}

#[test]
fn a_restart_without_registers_examines_no_field() {
    let story = Story::new().registers(&[holders()]);
    let mut story = story;
    let at = story.at;
    story.push(Record::Started(Started { at, sequence_first: 1, version: "test".into() }));
    let answer = story.clean("198.51.100.7").ask(&Question::default());
    assert_eq!(state(&answer, "mail").1, "the register was not loaded in this period");
}

#[test]
fn reflected_values_are_never_counted() {
    let story = Story::new().registers(&[holders()]).exposes("203.0.113.5", &[(1, 0, 0b1)], &[mail(1, true)]);
    let answer = story.ask(&Question::default());
    assert_eq!((answer.persons(), answer.generic.emails, answer.first), (0, 0, None));
    assert_eq!((answer.reflected.persons, answer.reflected.generic_findings), (1, 1));
    assert_eq!(state(&answer, "mail").0, &crate::FieldState::NotObserved);
}

#[test]
fn an_abrupt_end_is_told_as_such_and_not_as_so_many_missing_numbers() {
    let mut story = Story::new().clean("198.51.100.7");
    let at = story.at;
    story.push(Record::Started(Started { at, sequence_first: 1_000_001, version: "test".into() }));
    let answer = story.ask(&Question::default());
    assert_eq!(answer.coverage.gaps, [crate::Gap { source: 1, first: 2, last: 1_000_000, abrupt_end: true }]);
    let table = render(&answer, &jiff::tz::TimeZone::UTC, Colour::No);
    assert!(table.contains("missing numbers   unknown, after an abrupt end of the gateway"), "{table}");
}

#[test]
fn gaps_are_seen_whatever_the_client() {
    let story = Story::new().clean("198.51.100.7").lost(3).clean("203.0.113.5").clean("198.51.100.7");
    let client = "198.51.100.0/24".parse().expect("a network");
    let answer = story.ask(&Question { client: Some(client), ..Question::default() });
    assert_eq!(answer.coverage.responses, 2);
    assert_eq!(answer.coverage.gaps, [crate::Gap { source: 1, first: 2, last: 4, abrupt_end: false }]);
}

#[test]
fn one_person_is_asked_for_by_number() {
    let story = Story::new().registers(&[holders()]).exposes("203.0.113.5", &[(1, 0b1, 0), (2, 0b1, 0)], &[]);
    let subject = Some(("account_holders".to_owned(), SubjectId(2)));
    let answer = story.ask(&Question { subject, ..Question::default() });
    assert_eq!(answer.persons(), 1);
    assert_eq!(answer.person("account_holders", SubjectId(2)).map(|person| person.responses), Some(1));
    assert_eq!(answer.person("account_holders", SubjectId(1)), None);
}

#[test]
fn columns_keep_their_meaning_when_a_rebuild_reorders_them() {
    let mut swapped = holders();
    swapped.fields.swap(0, 1);
    let story = Story::new()
        .registers(&[holders()])
        .exposes("203.0.113.5", &[(1, 0b01, 0)], &[])
        .registers(&[swapped])
        .exposes("203.0.113.5", &[(1, 0b10, 0)], &[]);
    let answer = story.ask(&Question::default());
    assert_eq!(answer.registers[0].combinations.len(), 1);
    assert_eq!(answer.registers[0].combinations[0].fields, ["mail"]);
}

#[test]
fn counts_and_widths_are_for_people() {
    assert_eq!(text::count(1_234_567), "1,234,567");
    assert_eq!(text::count(999), "999");
    assert_eq!(text::pad("氏名", 6), "氏名  ");
    assert_eq!(text::wrap("one two three", 7), ["one two", "three"]);
}
