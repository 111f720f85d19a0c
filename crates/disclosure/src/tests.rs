//! The record's rules, and that nothing of it goes away (DIS-1).

use crate::entry::{Basis, Ground, Service, Step, Target};
use crate::notice::{Count, Measure, Notice, Period, State, Text};
use crate::site::{self, Files, Source};
use crate::{Act, Error, Store};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::path::PathBuf;
use verifying::{document, verified_after};

mod verifying;

pub(crate) const FIRM: &str = r#"
base_url = "https://oshirase.hakonefx.example/"
name = { ja = "箱根FX株式会社", en = "Hakone FX" }

[desk]
name = { ja = "お客様専用窓口", en = "Customer desk" }
telephone = "0120-000-000"
mail = "desk@hakonefx.example"
hours = { ja = "平日9時から18時", en = "Weekdays, 9:00 to 18:00" }

[mail]
domain = "hakonefx.example"
dkim_selector = "s2026"
subjects = ["【箱根FX】お客様情報に関する重要なお知らせ"]
"#;

struct Book {
    directory: tempfile::TempDir,
    hour: i64,
}

impl Book {
    fn new() -> Book {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("disclosure")).expect("made");
        std::fs::write(directory.path().join("disclosure/firm.toml"), FIRM).expect("written");
        Book { directory, hour: 0 }
    }

    fn dir(&self) -> PathBuf {
        self.directory.path().join("disclosure")
    }

    fn store(&self) -> Store {
        Store::open(&self.dir(), &self.directory.path().join("keys")).expect("a store")
    }

    fn now(&mut self) -> Timestamp {
        self.hour += 1;
        at(self.hour)
    }

    fn act(&mut self) -> Act<'static> {
        Act { operator: "sato", at: self.now() }
    }

    fn redact(&mut self, (leaf, part): (u64, &str), ground: Ground) -> Result<(), Error> {
        let (act, target) = (self.act(), Target { leaf, part: part.to_owned() });
        self.store().redact(target, (ground, text("東京地方裁判所 令和8年（ヨ）第1号")), act)
    }

    fn publish(&mut self, notice: Notice) -> Result<(), Error> {
        let act = self.act();
        self.store().publish("hakone-2026-1", notice, (Basis::Stated, None), act)
    }

    fn update(&mut self, notice: Notice) -> Result<(), Error> {
        let act = self.act();
        self.store().publish("hakone-2026-1", notice, (Basis::Stated, Some(text("人数を訂正しました。"))), act)
    }

    fn step(&mut self, step: Step) -> Result<(), Error> {
        let act = self.act();
        self.store().step("hakone-2026-1", step, act)
    }

    fn files(&self) -> Files {
        self.build().expect("built")
    }

    fn build(&self) -> Result<Files, Error> {
        let (store, dir) = (self.store(), self.dir());
        let source = Source {
            record: &store.record,
            key: store.verifier(),
            log: &sekisho_anchor::tiles(&dir),
            paper: &Files::new(),
        };
        site::build(&source)
    }

    fn page(&self, path: &str) -> String {
        String::from_utf8(self.files()[path].clone()).expect("UTF-8")
    }
}

fn at(hour: i64) -> Timestamp {
    "2026-11-20T00:00:00Z".parse::<Timestamp>().expect("a time") + SignedDuration::from_hours(hour)
}

fn text(ja: &str) -> Text {
    Text::new(ja, &format!("[{ja}]"))
}

fn notice(persons: u64) -> Notice {
    Notice {
        title: Text::new("お客様情報の漏えいについて", "Customer data left our systems"),
        happened: Text::new("不正アクセスがありました。\n遮断しました。", "Our site was attacked.\nWe stopped it."),
        found_at: Some(at(0)),
        exposed: vec![Period { from: Some(at(-48)), to: None }],
        counts: vec![Count {
            of: Measure::Persons,
            set: None,
            value: Some(persons),
            state: State::Confirmed,
            before: Vec::new(),
        }],
        left: vec![text("お名前")],
        not_left: vec![text("パスワード")],
        not_examined: vec![text("住所（検知の対象外のため）")],
        to_do: vec![text("不審なメールにご注意ください。")],
        measures: Vec::new(),
        next_update: Some(at(100)),
        next_note: Text::default(),
    }
}

fn withdrawal() -> Step {
    Step::Withdrawn { requester: text("当社"), reason: text("内容に誤りがあったため") }
}

fn refused(result: Result<(), Error>) -> String {
    result.expect_err("refused").to_string()
}

#[test]
fn a_notice_its_correction_and_its_withdrawal_stay() {
    let mut book = Book::new();
    book.publish(notice(185_626)).unwrap();
    book.update(notice(185_637)).unwrap();
    assert!(book.page("index.html").contains("185,637 名") && book.page("index.html").contains("185,626 名"));
    book.step(withdrawal()).unwrap();
    let page = book.page("index.html");
    let (statement, rest) = page.split_once("<h1>").expect("a heading");
    assert!(statement.contains("このお知らせは撤回されました") && statement.contains("内容に誤りがあったため"));
    assert!(rest.contains("不正アクセスがありました。"), "what it said stays below");
    assert!(book.page("v/1/index.html").contains("これは過去の版です。"));
    let trail = book.page("trail/index.html");
    assert!(trail.contains("<del>対象となるお客様: 185,626 名（確認済み）</del>"), "{trail}");
    assert!(trail.contains("<ins>対象となるお客様: 185,637 名（確認済み）</ins>"));
}

/// Where a text stands, in the site and in the record's own files.
fn holders(book: &Book, text: &str) -> (Vec<String>, bool) {
    let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let files = book.files().into_iter().filter(|(_, bytes)| holds(bytes)).map(|(path, _)| path).collect();
    let kept = std::fs::read_dir(book.dir().join("documents")).expect("documents");
    (files, kept.into_iter().any(|entry| holds(&std::fs::read(entry.expect("a file").path()).expect("read"))))
}

#[test]
fn a_redaction_by_a_court_hides_a_part_and_the_firm_keeps_it() {
    let mut book = Book::new();
    book.publish(notice(3)).unwrap();
    let before = book.store().record.versions[0].clone();
    book.redact((1, "happened"), Ground::CourtOrder).unwrap();
    let version = book.store().record.versions[0].clone();
    assert_eq!(version.document, before.document, "the hash stays");
    assert_eq!(version.notice.counts, before.notice.counts, "and the other parts");
    assert_eq!(holders(&book, "不正アクセス"), (Vec::new(), true));
    let page = book.page("index.html");
    assert!(page.contains("裁判所の命令") && page.contains("令和8年（ヨ）第1号") && page.contains(&before.document));
    assert!(refused(book.redact((1, "happened"), Ground::Privacy)).contains("redacted already"));
}

#[test]
fn a_redaction_for_privacy_erases_the_part_everywhere() {
    let mut book = Book::new();
    book.publish(notice(3)).unwrap();
    book.step(Step::Withdrawn { requester: text("田中一郎様"), reason: text("ご本人の申出") }).unwrap();
    assert!(!holders(&book, "田中一郎").0.is_empty());
    book.redact((2, "requester"), Ground::Privacy).unwrap();
    assert_eq!(holders(&book, "田中一郎"), (Vec::new(), false), "no copy of it is left");
    assert_eq!(holders(&book, "ご本人の申出").0.len(), 11, "the other part stays");
    assert!(book.page("index.html").contains("個人のプライバシーを守るため"));
}

#[test]
fn who_did_a_step_is_kept_and_not_shown() {
    let mut book = Book::new();
    book.publish(notice(3)).unwrap();
    assert_eq!(book.store().operator(1), Some("sato"));
    assert_eq!(holders(&book, "sato"), (Vec::new(), true));
}

#[test]
fn a_publisher_that_is_another_is_recorded_with_the_next_step() {
    let mut book = Book::new();
    book.publish(notice(3)).unwrap();
    std::fs::write(book.dir().join("firm.toml"), FIRM.replace("0120-000-000", "0120-111-111")).unwrap();
    assert!(book.page("index.html").contains("0120-000-000"), "what is not recorded is not shown");
    book.update(notice(3)).unwrap();
    assert!(book.page("index.html").contains("0120-111-111"));
    let kinds: Vec<&str> = book.store().record.entries.iter().map(|entry| entry.kind.name()).collect();
    assert_eq!(kinds, ["publisher", "published", "publisher", "updated"]);
}

#[test]
fn a_publisher_without_a_name_publishes_nothing() {
    let mut book = Book::new();
    std::fs::write(book.dir().join("firm.toml"), FIRM.replace("Hakone FX", " ")).unwrap();
    assert!(refused(book.publish(notice(3))).contains("`firm.toml: name` has no text in `en`"));
    assert!(book.store().record.entries.is_empty());
}

#[test]
fn an_update_leaves_no_figure_out() {
    let mut book = Book::new();
    book.publish(notice(185_626)).unwrap();
    let mut shorter = notice(0);
    shorter.counts.clear();
    assert!(refused(book.update(shorter)).contains("told a figure of persons that this one leaves out"));
    let mut unknown = notice(0);
    unknown.counts[0].value = None;
    unknown.counts[0].state = State::Unknown;
    book.update(unknown).unwrap();
    assert_eq!(book.store().record.versions[1].notice.counts[0].before, [185_626]);
}

#[test]
fn figures_that_contradict_each_other_are_told() {
    let mut wrong = notice(10);
    let set = |value| Count {
        of: Measure::Persons,
        set: Some(text("セミナー")),
        value: Some(value),
        state: State::Confirmed,
        before: Vec::new(),
    };
    wrong.counts.push(set(11));
    assert!(wrong.problems().iter().any(|told| told.contains("more than all: 11 of 10")), "{:?}", wrong.problems());
    wrong.counts[1] = set(9);
    assert_eq!(wrong.problems(), Vec::<String>::new());
    assert!(wrong.warnings()[0].contains("sum to 9, not to 10"));
    wrong.counts.push(set(9));
    assert!(wrong.problems()[0].contains("counts what another one counts"));
}

#[test]
fn where_the_lists_come_from_stands_on_the_page() {
    let mut book = Book::new();
    let act = book.act();
    let basis = Basis::Scope { sha256: "0".repeat(64) };
    book.store().publish("hakone-2026-1", notice(3), (basis, None), act).unwrap();
    assert!(book.page("index.html").contains("照合し、算出したものです"));
    book.update(notice(3)).unwrap();
    assert!(book.page("index.html").contains("記録から算出したものではありません"));
}

#[test]
fn an_embargo_has_a_reason_and_an_end_and_comes_before_the_first_publication() {
    let mut book = Book::new();
    let embargo = |until| Step::Embargo { reason: text("捜査機関の要請"), until };
    assert!(refused(book.step(embargo(at(0)))).contains("ends after it begins"));
    book.step(embargo(at(60))).unwrap();
    assert!(book.build().expect_err("refused").to_string().contains("before the first publication"));
    book.publish(notice(3)).unwrap();
    assert!(book.page("trail/index.html").contains("捜査機関の要請"), "it is told with the first version");
    assert!(refused(book.step(embargo(at(90)))).contains("before the first publication"));
}

#[test]
fn steps_that_may_not_follow_are_refused() {
    let mut book = Book::new();
    assert!(refused(book.update(notice(1))).contains("nothing is published yet"));
    assert!(refused(book.step(withdrawal())).contains("nothing is published yet"));
    book.publish(notice(1)).unwrap();
    assert!(refused(book.publish(notice(2))).contains("use `update`"));
    assert!(refused(book.redact((9, "left"), Ground::Privacy)).contains("there is no leaf 9"));
    assert!(refused(book.redact((1, "counts"), Ground::Privacy)).contains("there is no part `counts`"));
    assert!(refused(book.redact((1, "operator"), Ground::Privacy)).contains("there is no part `operator`"));
    let act = book.act();
    assert!(refused(book.store().step("another", withdrawal(), act)).contains("this record is of `hakone-2026-1`"));
    book.step(withdrawal()).unwrap();
    assert!(refused(book.step(withdrawal())).contains("withdrawn already"));
    assert!(
        refused(book.store().step("hakone-2026-1", withdrawal(), Act { operator: "sato", at: at(0) }))
            .contains("correct it first"),
        "a clock that steps back"
    );
    assert_eq!(book.store().record.entries.len(), 3, "what was refused left nothing behind");
}

#[test]
fn a_notice_that_is_not_ready_tells_all_that_is_missing() {
    let mut book = Book::new();
    let mut draft = notice(1);
    draft.title.en = "TODO".to_owned();
    draft.to_do.clear();
    draft.next_update = None;
    draft.happened.ja = "カード番号 4111 1111 1111 1111".to_owned();
    let told = refused(book.publish(draft));
    for part in ["`title` is still to be written in `en`", "`to_do` is empty", "`next_update`", "`happened` holds"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(book.store().record.entries.is_empty());
}

#[test]
fn what_cannot_be_printed_is_not_published() {
    let mut book = Book::new();
    let mut draft = notice(1);
    draft.left.push(text("一行目\n二行目"));
    draft.happened.en = "a bell \u{7}".to_owned();
    let told = refused(book.publish(draft));
    assert!(
        told.contains("`left[2]` is one line") && told.contains("`happened` holds a control character in `en`"),
        "{told}"
    );
}

#[test]
fn the_public_name_of_an_incident_is_short_and_plain() {
    let book = Book::new();
    let publish = |name: &str| {
        let act = Act { operator: "sato", at: at(1) };
        book.store().publish(name, notice(1), (Basis::Stated, None), act)
    };
    for wrong in ["", "Hakone", "hakone/1", "箱根", &"a".repeat(65)] {
        assert!(refused(publish(wrong)).contains("is no public name"), "{wrong}");
    }
    publish(&"a".repeat(64)).unwrap();
}

#[test]
fn an_individual_number_is_not_published() {
    let mut book = Book::new();
    let mut draft = notice(1);
    draft.left.push(text("番号 1234-5678-9018"));
    assert!(refused(book.publish(draft)).contains("`left[2]` holds twelve digits"));
}

#[test]
fn a_card_number_enters_no_statement() {
    let mut book = Book::new();
    book.publish(notice(1)).unwrap();
    let reason = text("4111 1111 1111 1111");
    let told = refused(book.step(Step::Withdrawn { requester: text("当社"), reason }));
    assert!(told.contains("`reason` holds a full card number"), "{told}");
}

#[test]
fn services_have_a_state_and_a_history() {
    let mut book = Book::new();
    let status =
        |state, since| Step::Status {
            service: text("取引サイト"), state, text: text("調査しています。"), since
        };
    book.step(status(Service::Down, at(0))).unwrap();
    assert!(book.page("status/index.html").contains("取引サイト: 停止中"));
    book.step(status(Service::Operational, at(2))).unwrap();
    let page = book.page("status/index.html");
    assert!(page.contains("お知らせすべき障害はありません。") && page.contains("停止中"), "{page}");
}

#[test]
fn the_same_record_gives_the_same_bytes() {
    let mut book = Book::new();
    book.publish(notice(7)).unwrap();
    assert_eq!(book.files(), book.files());
}

#[test]
fn a_document_that_was_edited_in_the_record_is_not_published_again() {
    let mut book = Book::new();
    book.publish(notice(7)).unwrap();
    let path = book.dir().join(document(&book, 1));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"value\": 7", "\"value\": 1")).unwrap();
    let told = Store::open(&book.dir(), &book.directory.path().join("keys")).expect_err("refused").to_string();
    assert!(told.contains("was changed after it was published"), "{told}");
}

#[derive(Clone, Debug)]
enum Deed {
    Publish(u64),
    Update(u64),
    Withdraw,
    Redact(u64, usize),
    Embargo,
    Status,
}

fn act() -> impl Strategy<Value = Deed> {
    prop_oneof![
        (1u64..9).prop_map(Deed::Publish),
        (1u64..9).prop_map(Deed::Update),
        Just(Deed::Withdraw),
        (0u64..5, 0usize..12).prop_map(|(leaf, part)| Deed::Redact(leaf, part)),
        Just(Deed::Embargo),
        Just(Deed::Status),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// DIS-1: whatever is done, in whatever order: every hash that was published stays in the log, and every version in the
    /// site.
    #[test]
    fn dis_1_nothing_published_goes_away(acts in prop::collection::vec(act(), 1..12)) {
        let mut book = Book::new();
        let mut published: Vec<String> = Vec::new();
        for act in acts {
            let act_now = book.act();
            let mut store = book.store();
            let incident = "hakone-2026-1";
            let _refused_or_done = match act {
                Deed::Publish(persons) => store.publish(incident, notice(persons), (Basis::Stated, None), act_now),
                Deed::Update(persons) => {
                    store.publish(incident, notice(persons), (Basis::Stated, Some(text("更新"))), act_now)
                }
                Deed::Withdraw => store.step(incident, withdrawal(), act_now),
                Deed::Redact(leaf, part) => {
                    let part = crate::entry::REDACTABLE[part].to_owned();
                    store.redact(Target { leaf, part }, (Ground::Privacy, text("申出")), act_now)
                }
                Deed::Embargo => store.step(incident, Step::Embargo { reason: text("要請"), until: at(500) }, act_now),
                Deed::Status => {
                    let (service, state) = (text("サイト"), Service::Degraded);
                    store.step(incident, Step::Status { service, state, text: text("混雑"), since: act_now.at }, act_now)
                }
            };
            let hashes: Vec<String> = store.record.versions.iter().map(|version| version.document.clone()).collect();
            prop_assert!(hashes.starts_with(&published), "a version went away");
            published = hashes;
        }
        let Ok(files) = book.build() else {
            prop_assert!(published.is_empty(), "what is published can be shown");
            return Ok(());
        };
        let log: Vec<u8> = files.iter().filter(|(path, _)| path.starts_with("log/tile/entries")).flat_map(|(_, bytes)| bytes.clone()).collect();
        let log = String::from_utf8_lossy(&log).into_owned();
        for (number, hash) in (1..).zip(&published) {
            prop_assert!(log.contains(hash), "the log lost {hash}");
            let path = format!("v/{number}/index.html");
            let page = String::from_utf8_lossy(&files[&path]).into_owned();
            prop_assert!(page.contains(hash.as_str()), "the page of version {number} lost its hash");
        }
        prop_assert!(verified_after(&book, &|_| {}).ends_with("entries"), "whatever was done, it verifies");
    }
}
