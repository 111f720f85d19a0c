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
    /// Whose requests follow.
    session: Option<SessionKey>,
}

impl Story {
    fn new() -> Story {
        let mut story = Story { records: Vec::new(), at: START, sequence: 0, session: None };
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
            session: self.session,
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
        subject_next: 5000,
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

/// The holders' register with one column changed.
fn holders_but(name: &str, change: impl Fn(&mut Field)) -> RegisterDescription {
    let mut register = holders();
    change(register.fields.iter_mut().find(|field| field.name == name).expect("a column"));
    register
}

#[test]
fn sco_1_a_column_is_judged_by_what_each_epoch_said_of_it() {
    let text = |field: &mut Field| {
        (field.kind, field.not_examined) = (FieldKind::Text, Some("no detector for `text` yet".into()));
    };
    let story = Story::new().registers(&[holders_but("mail", text)]).clean("198.51.100.7");
    let story = story.registers(&[holders()]).clean("198.51.100.7");
    let reason = "1 of 2 inspected responses passed while it was not examined: no detector for `text` yet";
    assert_eq!(state(&story.ask(&Question::default()), "mail"), (&crate::FieldState::NotExamined, reason));
    let only_first = Question { to: Some(START.after(Duration::from_secs(3))), ..Question::default() };
    assert_eq!(state(&story.ask(&only_first), "mail").1, "no detector for `text` yet");
}

#[test]
fn sco_1_a_column_that_is_gone_was_looked_for_while_it_was_there() {
    let gone = |field: &mut Field| field.not_examined = Some(Field::FORMER.into());
    let story = Story::new().registers(&[holders()]).clean("198.51.100.7").registers(&[holders_but("mail", gone)]);
    assert_eq!(state(&story.ask(&Question::default()), "mail").0, &crate::FieldState::NotObserved);
    let reason = "1 of 2 inspected responses passed while it was not examined: no longer a column of the register";
    assert_eq!(state(&story.clean("198.51.100.7").ask(&Question::default()), "mail").1, reason);
}

#[test]
fn sco_1_values_that_were_not_indexed_once_are_told_after_they_were_corrected() {
    let story = Story::new().registers(&[holders_but("mail", |field| field.values_not_indexed = 1)]);
    let story = story.clean("198.51.100.7").registers(&[holders()]).clean("198.51.100.7");
    let reason = "1 value could not be indexed and was not looked for";
    assert_eq!(state(&story.ask(&Question::default()), "mail"), (&crate::FieldState::NotExamined, reason));
}

#[test]
fn sco_1_a_person_who_came_later_was_not_looked_for_before() {
    let early = RegisterDescription { subject_next: 2, ..holders() };
    let story = Story::new().registers(&[early]).clean("198.51.100.7").registers(&[holders()]);
    let asked = |id| Some(("account_holders".to_owned(), SubjectId(id)));
    let of = |story: &Story, id| story.ask(&Question { subject: asked(id), ..Question::default() });
    assert_eq!(state(&of(&story, 1), "mail").0, &crate::FieldState::NotObserved);
    let answer = of(&story, 2);
    let expected = (&crate::FieldState::NotExamined, "the person was not in the register yet");
    assert_eq!(state(&answer, "mail"), expected);
    let reason = "1 of 2 inspected responses passed before the person was in the register";
    assert_eq!(state(&of(&story.clean("198.51.100.7"), 2), "mail").1, reason);
}

#[test]
fn sco_1_other_registers_are_not_asked_about_when_one_person_is() {
    let (id, name) = (RegisterId(1), "applicants".to_owned());
    let story = Story::new().registers(&[holders(), RegisterDescription { id, name, ..holders() }]);
    let subject = Some(("applicants".to_owned(), SubjectId(2)));
    let answer = story.clean("198.51.100.7").ask(&Question { subject, ..Question::default() });
    let mails: Vec<_> = answer.fields.iter().filter(|field| field.field == "mail").collect();
    assert_eq!(mails[0].reason.as_deref(), Some("not asked about"));
    assert_eq!(mails[1].state, crate::FieldState::NotObserved);
}

#[test]
fn sco_1_a_name_is_not_observed_near_an_anchor_only() {
    let answer = Story::new().registers(&[holders()]).clean("198.51.100.7").ask(&Question::default());
    let reason = "looked for only near a mail, account number, card or phone of the same person";
    assert_eq!(state(&answer, "氏名"), (&crate::FieldState::NotObserved, reason));
}

#[test]
fn sco_1_a_response_that_a_reload_overtakes_counts_by_what_both_registers_looked_for() {
    let gone = |field: &mut Field| field.not_examined = Some(Field::FORMER.into());
    let mut story = Story::new().registers(&[holders_but("mail", gone)]);
    story = story.opens("203.0.113.5", &[(1, 0b1, 0)], &[]).registers(&[holders()]);
    story.close(None, Inspection::Inspected);
    let answer = story.ask(&Question { from: Some(START.after(Duration::from_secs(4))), ..Question::default() });
    assert_eq!(state(&answer, "mail").1, Field::FORMER);
    assert_eq!(state(&answer, "氏名").0, &crate::FieldState::NotObserved);
}

#[test]
fn more_columns_over_time_than_a_set_holds_are_told_as_one() {
    let mut story = Story::new();
    for round in 0..2 {
        let fields = (0..40).map(|at| field(&format!("column-{round}-{at}"), FieldKind::Phone)).collect();
        story = story.registers(&[RegisterDescription { fields, ..holders() }]);
        story = story.exposes("203.0.113.5", &[(1, 1 << 39, 0)], &[]);
    }
    let answer = story.ask(&Question::default());
    assert_eq!(answer.fields.len(), 64);
    let told = &answer.fields[63];
    assert_eq!((told.state, told.persons), (crate::FieldState::Exposed, 1));
    assert!(told.reason.as_deref().is_some_and(|reason| reason.contains("more than 64 columns")), "{told:?}");
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
fn an_abrupt_end_is_told_though_no_restart_lies_in_the_period() {
    let beat = |at, is_last| {
        Record::Heartbeat(Heartbeat {
            at,
            sequence_next: 2,
            inspected: 1,
            without_body: 0,
            not_inspectable: Vec::new(),
            bytes_scanned: 9,
            records_lost: 0,
            is_last,
        })
    };
    let ends = |story: &Story, to| story.ask(&Question { to, ..Question::default() }).coverage.open_ends;
    let mut story = Story::new().clean("198.51.100.7");
    let last_sign = story.at;
    story.push(beat(last_sign, false));
    assert_eq!(ends(&story, None), [crate::OpenEnd { source: 1, last_sign, ended: false }]);
    let table = render(&story.ask(&Question::default()), &jiff::tz::TimeZone::UTC, Colour::No);
    assert!(table.contains("gateway           runs still, or ended abruptly after 2023-11-14 22:13:22"), "{table}");
    assert_eq!(ends(&story, Some(last_sign)), [], "it ran on behind the period");

    let before_restart = story.at;
    story = story.clean("198.51.100.7");
    let at = story.at;
    story.push(Record::Started(Started { at, sequence_first: 1_000_001, version: "test".into() }));
    assert_eq!(ends(&story, Some(before_restart)), [crate::OpenEnd { source: 1, last_sign, ended: true }]);
    story.push(beat(story.at, true));
    assert_eq!(ends(&story, None), [], "it ended as it should");
}

#[test]
fn sessions_are_told_by_their_hash_so_that_one_can_be_asked_about() {
    let mut story = Story::new().registers(&[holders()]);
    for (session, persons) in [(3, 1), (7, 2), (3, 3), (3, 3)] {
        story.session = Some(SessionKey([session; 16]));
        story = story.exposes("203.0.113.5", &[(persons, 0b1, 0)], &[]);
    }
    story.session = None;
    story = story.exposes("203.0.113.5", &[(4, 0b1, 0)], &[]);
    let asked = Question { lists_sessions: true, ..Question::default() };
    let answer = story.ask(&asked);
    let told: Vec<_> = answer.sessions.iter().map(|told| (told.session.as_str(), told.findings)).collect();
    assert_eq!(told, [("03".repeat(16).as_str(), 3), ("07".repeat(16).as_str(), 1)]);
    let table = render(&answer, &jiff::tz::TimeZone::UTC, Colour::No);
    assert!(table.contains(&format!("  {}  3 findings", "03".repeat(16))), "{table}");
    assert!(table.lines().all(|line| text::width(line) <= 80), "fits 80 columns");
    let one = Question { session: Some(SessionKey([7; 16])), ..asked };
    assert_eq!(story.ask(&one).persons(), 1);
    assert!(story.ask(&Question::default()).sessions.is_empty(), "who does not ask is not told");
}

#[test]
fn sessions_beyond_the_limit_are_counted_by_their_findings() {
    let mut sessions = crate::sessions::Sessions::default();
    for session in 0..=1000_u128 {
        (0..=u128::from(session == 5)).for_each(|_| sessions.add(SessionKey(session.to_be_bytes()), START));
    }
    let (told, findings_more) = sessions.told();
    assert_eq!((told.len(), told[0].findings, findings_more), (1000, 2, 1));
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
