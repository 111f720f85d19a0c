//! The fold's paths, the journal at every cut, the join of scopes, and mails that must not go.

mod hostile;
mod journal;

use crate::config::Config;
use crate::desk::{Desk, Task, Written};
use crate::plan::{Scope, plan};
use crate::register::{self, Recipients};
use crate::*;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use sekisho_edm::{HashKey, IndexBuilder};
use std::path::Path;
use std::sync::Arc;

const CASE: &str = "hakone-2026-1";

const CUSTOMERS: &str = "id,name,kana,email,phone,born,lang,zip,address
HK10000001,山田 太郎,ヤマダ タロウ,taro.yamada@example.jp,090-0000-1001,1980-02-03,ja,〒250-0001,神奈川県箱根町1-1
HK10000002,John Smith,ジョン スミス,john.smith@example.com,090-0000-1002,1970-01-01,en,,
HK10000003,佐藤 花子,サトウ ハナコ,,090-0000-1003,1990-05-05,,〒250-0003,神奈川県箱根町3-3
HK10000004,山田 次郎,ヤマダ ジロウ,taro.yamada@example.jp,090-0000-1004,2001-01-01,,,
HK10000005,鈴木 一郎,スズキ イチロウ,,090-0000-1005,1999-09-09,,,
";

pub(crate) const CONFIG: &str = r#"
[mail]
from = "箱根FX <notice@hakonefx.example>"
reply_to = "desk@hakonefx.example"
language = "ja"
[relay]
host = "127.0.0.1"
port = 2525
tls = "none"
[text.ja]
firm = "箱根FX株式会社"
summary = "2026年11月20日、当社のウェブサイトが不正に操作されました。"
cause = "ウェブサイトの不備によるものです。"
damage = "現時点で、二次被害は確認されておりません。"
measures = "ウェブサイトを修正し、関係当局に報告いたしました。"
contact = "お客さま相談窓口 0120-000-000 desk@hakonefx.example"
[text.en]
firm = "Hakone FX Co., Ltd."
summary = "On 20 November 2026 our web site was abused."
cause = "A fault in our web site."
damage = "We know of no misuse so far."
measures = "We corrected the fault and reported to the authorities."
contact = "Customer desk, desk@hakonefx.example"
[[register]]
name = "account_holders"
file = "customers.csv"
row_key = "id"
mail = "email"
person = "name"
language = "lang"
postal = ["zip", "address"]
[register.columns]
id = { kind = "account_id", pattern = "HK\\d{8}" }
name = "name"
kana = "kana"
email = "email"
phone = "phone"
born = "birth_date"
"#;

fn key() -> NoticeKey {
    NoticeKey::new([7; 16])
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).expect("a time")
}

fn config(text: &str) -> Config {
    Config::parse(text, Path::new("notify.toml")).expect("a configuration")
}

fn recipients(config: &Config, customers: &str) -> Recipients {
    let (key, mut recipients) = (key(), Recipients::new());
    let person = register::person_of(&key, CASE, &config.registers[0]);
    register::read(customers, &config.registers[0], 0, person, |_| true, &mut recipients).expect("a register");
    recipients
}

fn scope(rows: &str, config: &Config) -> Scope {
    let text = format!("register,row_key,fields,first,last,responses\n{rows}");
    Scope::read(&text, Path::new("exposed.csv"), &config.registers, &key(), CASE).expect("a scope")
}

fn person(row_key: &str) -> PersonKey {
    key().person(CASE, "account_holders", row_key)
}

fn entry(event: Event) -> Entry {
    Entry { at: at(0), by: Some("sato".into()), event }
}

fn take(campaign: &mut Campaign, events: Vec<Event>) {
    events.into_iter().for_each(|event| campaign.apply(&entry(event)).expect("allowed"));
}

fn desk(customers: &str, config_text: &str) -> Desk {
    let config = config(config_text);
    let mut builder = IndexBuilder::new(Arc::new(HashKey::new(key().scan_key())), sekisho_model::Timestamp(0));
    let built = builder.register(&config.registers[0].config, customers.as_bytes(), "customers.csv");
    built.unwrap_or_else(|errors| panic!("{errors:?}"));
    let recipients = recipients(&config, customers);
    Desk::new(CASE, TimeZone::UTC, config, key(), recipients, Arc::new(builder.build())).expect("a desk")
}

fn task(row_key: &str, fields: &[&str]) -> Task {
    let fields = fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>();
    Task { person: person(row_key), notice: 1, fields: fields.into(), told: Arc::from([]) }
}

/// One notice's events by a letter each, and the state that they end in.
fn check(path: &str, expected: &str) {
    let (person, notice) = (person("HK10000001"), 1);
    let mut campaign = Campaign::default();
    let mut ended = Ok(());
    for letter in path.chars() {
        let event = match letter {
            'm' => Event::Planned { person, notice, fields: vec!["email".into()], way: Way::Mail },
            'l' => Event::Planned { person, notice, fields: vec!["email".into()], way: Way::Letter },
            'n' => Event::Planned { person, notice, fields: vec!["email".into()], way: Way::NotInRegister },
            'a' => Event::Attempt { person, notice },
            's' => Event::Sent { person, notice, code: 250, queue_id: None },
            'd' => Event::Deferred { person, notice, code: 451, until: at(60) },
            'u' => Event::Unknown { person, notice, why: Doubt::ConnectionLost },
            'b' => Event::Bounced { person, notice, how: Bounce::Refused, code: 550, status: None },
            'B' => Event::Bounced { person, notice, how: Bounce::Returned, code: 0, status: None },
            'h' => Event::Held { person, notice, why: "it holds a card number".into() },
            'g' => Event::AddressGone { person, notice, way: Way::NoAddress },
            'q' => Event::Requeued { person, notice },
            'p' => Event::Postal { person, notice },
            'w' => Event::Printed { person, notice, batch: 1 },
            'r' => Event::Returned { person, notice },
            'S' => Event::Substituted { person, notice, publication: "https://www.example.jp/1".into() },
            other => panic!("no event is called {other}"),
        };
        ended = campaign.apply(&entry(event));
        if ended.is_err() {
            break;
        }
    }
    let states: Vec<&str> = campaign.all().map(|(.., notice)| notice.state.name()).collect();
    let told = if ended.is_ok() { states.join(" ") } else { format!("refused, {}", states.join(" ")) };
    assert_eq!(told, expected, "{path}");
}

#[test]
fn every_path_of_a_notice_ends_in_one_state() {
    check("m", "queued");
    check("ma", "sending");
    check("mas", "sent");
    check("madas", "sent");
    check("mau", "unknown");
    check("mab", "bounced");
    check("masB", "bounced");
    check("mauB", "bounced");
    check("maus", "sent");
    check("mauqas", "sent");
    check("mh", "held");
    check("mhqas", "sent");
    check("mg", "no_address");
    check("n", "no_address");
    check("nS", "substitute");
    check("l", "postal");
    check("lw", "postal");
    check("lwr", "returned");
    check("mabqas", "sent");
    check("mabpwrS", "substitute");
    check("masp", "postal");
}

#[test]
fn what_would_tell_somebody_twice_is_refused() {
    check("masa", "refused, sent");
    check("maua", "refused, unknown");
    check("masm", "refused, sent");
    check("masq", "refused, sent");
    check("maa", "refused, sending");
    check("lr", "refused, postal");
    check("ms", "refused, queued");
    check("mb", "refused, queued");
    check("lwl", "refused, postal");
}

#[test]
fn attempts_without_an_outcome_count_as_unknown_and_are_settled_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut journal, _) = Journal::open(&dir.path().join("journal.log"), &[], |_| Ok(())).expect("a journal");
    let config = config(CONFIG);
    let scope = scope("account_holders,HK10000001,email name,,,1\n", &config);
    let mut campaign = Campaign::default();
    let planned = plan(&campaign, &scope, &recipients(&config, CUSTOMERS));
    take(&mut campaign, planned.events);
    take(&mut campaign, vec![Event::Attempt { person: person("HK10000001"), notice: 1 }]);
    assert_eq!(campaign.counts(true).by_state["sending"], 1);
    assert_eq!(campaign.counts(false).by_state["unknown"], 1);
    assert_eq!(send::settle(&mut campaign, &mut journal, at(9)).expect("settled"), 1);
    assert_eq!(send::settle(&mut campaign, &mut journal, at(9)).expect("settled"), 0);
    assert_eq!(campaign.in_state(State::Unknown).count(), 1);
}

#[test]
fn a_scope_is_joined_with_the_register_of_now() {
    let config = config(CONFIG);
    let scope = scope(
        "account_holders,HK10000001,email name,,,1\naccount_holders,HK10000003,email,,,1\naccount_holders,HK10000005,email,,,1\naccount_holders,HK10000099,email,,,1\n",
        &config,
    );
    let campaign = Campaign::default();
    let plan = plan(&campaign, &scope, &recipients(&config, CUSTOMERS));
    assert_eq!((plan.new, plan.letters, plan.events.len()), (4, 1, 4));
    assert_eq!(plan.missing, [(0, "HK10000099".to_owned())]);
    assert_eq!(plan.without_address, [(0, "HK10000005".to_owned())]);
}

#[test]
fn a_larger_scope_adds_persons_and_updates_and_nobody_is_told_twice() {
    let config = config(CONFIG);
    let recipients = recipients(&config, CUSTOMERS);
    let mut campaign = Campaign::default();
    let first = scope("account_holders,HK10000001,email,,,1\naccount_holders,HK10000002,email,,,1\n", &config);
    let planned = plan(&campaign, &first, &recipients);
    take(&mut campaign, planned.events);
    // Both are told, but only one relay answered.
    for (row, ended) in [("HK10000001", true), ("HK10000002", false)] {
        let (person, notice) = (person(row), 1);
        let sent = Event::Sent { person, notice, code: 250, queue_id: None };
        let outcome = if ended { sent } else { Event::Unknown { person, notice, why: Doubt::TimedOut } };
        take(&mut campaign, vec![Event::Attempt { person, notice }, outcome]);
    }
    let again = plan(&campaign, &first, &recipients);
    assert_eq!((again.events.len(), again.unchanged), (0, 2));
    let before = campaign.plan_hash();
    let larger = scope(
        "account_holders,HK10000001,name phone,,,1\naccount_holders,HK10000002,email,,,1\naccount_holders,HK10000004,email,,,1\n",
        &config,
    );
    let added = plan(&campaign, &larger, &recipients);
    assert_eq!((added.new, added.updates, added.unchanged), (1, 1, 1));
    take(&mut campaign, added.events);
    assert_ne!(before, campaign.plan_hash(), "a changed set voids approvals");
    let task = campaign.task(person("HK10000001"), 2).expect("an update");
    assert_eq!(*task.fields, ["email", "name", "phone"].map(String::from));
    assert_eq!(*task.told, ["email".to_owned()]);
    // What has not begun grows in place.
    let wider = scope("account_holders,HK10000004,email name,,,1\n", &config);
    let replanned = plan(&campaign, &wider, &recipients);
    assert_eq!((replanned.new, replanned.updates, replanned.replanned), (0, 0, 1));
    take(&mut campaign, replanned.events);
    assert_eq!(campaign.counts(false).notices, 4);
}

#[test]
fn scopes_that_cannot_be_joined_are_refused_with_every_line() {
    let config = config(CONFIG);
    let text = "register,row_key,fields\nholders,1,email\naccount_holders,,email\naccount_holders,2,shoe_size\naccount_holders,3,\n";
    let told = Scope::read(text, Path::new("x.csv"), &config.registers, &key(), CASE).expect_err("refused").to_string();
    for part in ["line 2: notify.toml has no", "line 3: it has no row key", "`shoe_size`", "line 5: it names no field"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn approvals_are_of_different_operators_and_of_exactly_this() {
    let mut campaign = Campaign::default();
    take(&mut campaign, vec![Event::Approved { of: "a".into() }, Event::Approved { of: "a".into() }]);
    assert_eq!(campaign.approvers("a"), ["sato"]);
    let other = Entry { by: Some("suzuki".into()), ..entry(Event::Approved { of: "a".into() }) };
    campaign.apply(&other).expect("allowed");
    assert_eq!(campaign.approvers("a"), ["sato", "suzuki"]);
    assert!(campaign.approvers("b").is_empty());
}

#[test]
fn claims_are_opened_decided_and_paid_in_this_order() {
    let mut campaign = Campaign::default();
    let day = |day: i8| jiff::civil::date(2026, 12, day);
    let open = Event::ClaimOpened {
        claim: 1,
        person: person("HK10000001"),
        what: ClaimKind::ReissueFee,
        amount: 1_100,
        currency: "JPY".into(),
        evidence: "desk-118".into(),
    };
    let paid = |day| Event::ClaimPaid { claim: 1, payer: "insurer".into(), on: day };
    let decided = Event::ClaimDecided { claim: 1, decision: Decision::Accepted, amount: 1_100, on: day(10) };
    take(&mut campaign, vec![open.clone()]);
    assert!(campaign.apply(&entry(open)).is_err(), "numbers follow one another");
    assert!(campaign.apply(&entry(paid(day(11)))).is_err(), "not decided");
    take(&mut campaign, vec![decided.clone()]);
    assert!(campaign.apply(&entry(decided)).is_err(), "decided once");
    assert!(campaign.apply(&entry(paid(day(9)))).is_err(), "paid before it was decided");
    take(&mut campaign, vec![paid(day(11))]);
    assert!(campaign.apply(&entry(paid(day(12)))).is_err(), "paid once");
    assert_eq!(campaign.claims()[0].paid, Some(("insurer".into(), day(11))));
}

#[test]
fn a_mail_tells_its_person_which_fields_left() {
    let desk = desk(CUSTOMERS, CONFIG);
    let text = desk.readable(&task("HK10000001", &["email", "name"]), at(0));
    assert!(text.contains("漏えいが確認された、お客さまご本人の情報\n・お名前\n・メールアドレス\n\n"), "{text}");
    assert!(
        text.contains("漏えいが確認されていない情報\n・お名前（フリガナ）\n・電話番号\n・お客さま番号・口座番号\n\n"),
        "{text}"
    );
    assert!(text.contains("漏えいの有無を確認できていない情報\n・生年月日\n\n"), "{text}");
    let english = desk.readable(&task("HK10000002", &["email"]), at(0));
    assert!(english.contains("Dear John Smith,") && english.contains("exposed\n- Mail address\n\n"), "{english}");
}

#[test]
fn a_mail_with_its_recipients_data_alone_may_go() {
    let desk = desk(CUSTOMERS, CONFIG);
    // 山田 次郎 has the address of 山田 太郎: a family.
    for row in ["HK10000001", "HK10000002", "HK10000004"] {
        let written = desk.mail(&task(row, &["email"]), at(0)).expect("written");
        let Written::Mail { bytes, .. } = written else { panic!("{row}: {written:?}") };
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.contains(&format!("Message-ID: {}", desk.message_id(person(row), 1))), "{text}");
        assert!(text.lines().all(|line| line.len() <= 998 && line.is_ascii()), "{text}");
    }
}

/// What stops a mail to HK10000001 when the firm's text holds this.
fn held(planted: &str) -> String {
    let config = CONFIG.replace("ウェブサイトの不備によるものです。", planted);
    match desk(CUSTOMERS, &config).mail(&task("HK10000001", &["email"]), at(0)).expect("written") {
        Written::Held(why) => why,
        other => format!("{other:?}").chars().take(20).collect(),
    }
}

#[test]
fn a_mail_with_anybody_elses_data_is_held() {
    assert_eq!(held("担当 john.smith@example.com"), "it holds data of another person of `account_holders`");
    assert_eq!(held("お電話 090-0000-1003"), "it holds data of another person of `account_holders`");
    assert_eq!(held("HK10000005 の件"), "it holds data of another person of `account_holders`");
    assert_eq!(held("HK10000001 の件"), "it holds its recipient's `id`");
    assert_eq!(held("カード 4111 1111 1111 1111"), "it holds a card number");
}

/// The surname of the recipient and 「誠に」 of the greeting are no name of a brother 誠 who shares the address; his name as it is
/// written is.
#[test]
fn a_name_put_together_from_the_recipients_and_the_texts_words_stops_no_mail() {
    let customers = CUSTOMERS.replace("次郎", "誠").replace("ジロウ", "マコト");
    assert_ne!(customers, CUSTOMERS);
    let written = |planted: &str| {
        let config = CONFIG.replace("ウェブサイトの不備によるものです。", planted);
        match desk(&customers, &config).mail(&task("HK10000001", &["email"]), at(0)).expect("written") {
            Written::Held(why) => why,
            Written::Mail { .. } => "goes".to_owned(),
            Written::NoAddress(_) => "no address".to_owned(),
        }
    };
    assert_eq!(written("不備です。"), "goes");
    for name in ["山田 誠", "山田誠", "山田　誠", "ヤマダ マコト", "ヤマダ・マコト"] {
        let told = written(&format!("taro.yamada@example.jp「{name}」様"));
        assert_eq!(told, "it holds data of another person of `account_holders`", "{name}");
    }
}

#[test]
fn a_person_whose_row_is_gone_is_not_lost() {
    let gone = CUSTOMERS.replace("HK10000002,", "HK10000092,");
    let written = desk(&gone, CONFIG).mail(&task("HK10000002", &["email"]), at(0)).expect("written");
    assert!(matches!(written, Written::NoAddress(Way::NotInRegister)), "{written:?}");
}

#[test]
fn a_person_whose_address_came_back_is_planned_again() {
    let config = config(CONFIG);
    let scope = scope("account_holders,HK10000001,email,,,1\n", &config);
    let recipients = recipients(&config, CUSTOMERS);
    let mut campaign = Campaign::default();
    let planned = plan(&campaign, &scope, &recipients);
    take(&mut campaign, planned.events);
    // At the moment of sending the register had no address.
    take(&mut campaign, vec![Event::AddressGone { person: person("HK10000001"), notice: 1, way: Way::NotInRegister }]);
    let again = plan(&campaign, &scope, &recipients);
    assert_eq!((again.replanned, again.unchanged), (1, 0));
    take(&mut campaign, again.events);
    assert_eq!(campaign.in_state(State::Queued).count(), 1);
}

#[test]
fn an_entry_that_is_refused_changes_nothing() {
    let mut campaign = Campaign::default();
    let second = Event::Planned { person: person("x"), notice: 2, fields: Vec::new(), way: Way::Mail };
    assert!(campaign.apply(&entry(second)).is_err());
    assert_eq!(campaign.counts(false).persons, 0);
}

#[test]
fn a_configuration_tells_all_that_is_wrong() {
    let told = |text: &str| Config::parse(text, Path::new("notify.toml")).expect_err("refused").to_string();
    let wrong = CONFIG
        .replace("127.0.0.1", "relay.example.com")
        .replace("port = 2525", "port = 2525\nuser = \"u\"\nconnections = 999")
        .replace("kana = \"kana\"", "kana = \"shoe\"");
    let wrong = told(&wrong);
    for part in ["relay.tls = \"none\"", "password_file", "from 1 to 64", "`kana` has no known kind"] {
        assert!(wrong.contains(part), "{part}: {wrong}");
    }
    let unknown = told(&CONFIG.replace("language = \"ja\"", "langauge = \"ja\""));
    assert!(unknown.contains("langauge"), "{unknown}");
}

#[test]
fn the_sample_configuration_can_be_used() {
    let sample = config(crate::config::SAMPLE);
    assert_eq!(
        sample.limits_by_domain["example.jp"],
        throttle::Limits { connections: 4, per_minute: 20, per_day: 4_500 }
    );
    assert_eq!(sample.texts.len(), 2);
}

#[test]
fn throttles_do_not_change_what_was_approved() {
    let hash = |text: &str| config(text).hash;
    assert_eq!(hash(CONFIG), hash(&format!("{CONFIG}\n[throttle]\nper_minute = 5\n")));
    assert_ne!(hash(CONFIG), hash(&CONFIG.replace("no misuse", "some misuse")));
}

#[test]
fn what_there_is_one_of_a_person_is_small() {
    assert!(size_of::<Notice>() <= 40, "{} bytes", size_of::<Notice>());
    assert!(size_of::<register::Recipient>() <= 32, "{} bytes", size_of::<register::Recipient>());
}

#[test]
fn a_recipient_is_what_its_row_says() {
    let config = config(CONFIG);
    let recipients = recipients(&config, CUSTOMERS);
    let told = |row: &str| {
        let recipient = &recipients[&person(row)];
        let (mail, postal) = (recipient.mail().unwrap_or("-"), recipient.postal().collect::<Vec<_>>().join("/"));
        format!("{} {} {mail} {postal} {:?}", recipient.row_key(), recipient.name(), recipient.way())
    };
    assert_eq!(told("HK10000001"), "HK10000001 山田 太郎 taro.yamada@example.jp 〒250-0001/神奈川県箱根町1-1 Mail");
    assert_eq!(told("HK10000003"), "HK10000003 佐藤 花子 - 〒250-0003/神奈川県箱根町3-3 Letter");
    assert_eq!(told("HK10000005"), "HK10000005 鈴木 一郎 -  NoAddress");
    assert_eq!(recipients[&person("HK10000002")].domain(), "example.com");
}

#[test]
fn a_clock_that_stepped_back_is_an_error_before_any_mail() {
    let mut campaign = Campaign::default();
    take(&mut campaign, vec![Event::Approved { of: "a".into() }]);
    assert!(campaign.check_clock(at(-60)).is_ok(), "a minute is no matter");
    let told = campaign.check_clock(at(-86_400)).expect_err("a day is").to_string();
    assert!(told.contains("1440 min behind") && told.contains("--clock-is-right"), "{told}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_text_is_no_report_or_names_an_action(text in "(?s).{0,400}") {
        let _ = dsn::read(&text);
    }
}
