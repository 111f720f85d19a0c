//! The record's rules, and that nothing of it goes away (DIS-1).

use crate::entry::{Ground, Service, Step};
use crate::notice::{Count, Measure, Notice, Period, State, Text};
use crate::site::{self, Files, Source};
use crate::{Error, Store, verify};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

const FIRM: &str = r#"
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

    fn publish(&mut self, notice: Notice) -> Result<(), Error> {
        let now = self.now();
        self.store().publish("hakone-2026-1", notice, None, now)
    }

    fn update(&mut self, notice: Notice) -> Result<(), Error> {
        let now = self.now();
        self.store().publish("hakone-2026-1", notice, Some(text("人数を訂正しました。")), now)
    }

    fn step(&mut self, step: Step) -> Result<(), Error> {
        let now = self.now();
        self.store().step("hakone-2026-1", step, now)
    }

    fn files(&self) -> Files {
        self.build().expect("built")
    }

    fn build(&self) -> Result<Files, Error> {
        let (store, dir) = (self.store(), self.dir());
        let source = Source {
            record: &store.record,
            firm: &store.firm,
            key: store.verifier(),
            log: &sekisho_anchor::tiles(&dir),
            document: &|document| store.document(document),
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
        exposed: Period { from: Some(at(-48)), to: None },
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
    assert!(trail.contains("<del>対象となるお客様: 185,626 名 (確認済み)</del>"), "{trail}");
    assert!(trail.contains("<ins>対象となるお客様: 185,637 名 (確認済み)</ins>"));
}

#[test]
fn a_redaction_hides_a_part_and_says_so_and_the_hash_stays() {
    let mut book = Book::new();
    book.publish(notice(3)).unwrap();
    let before = book.store().record.versions[0].clone();
    let now = book.now();
    let ground = (Ground::CourtOrder, text("東京地方裁判所 令和8年（ヨ）第1号"));
    book.store().redact(1, "happened", ground, now).unwrap();
    let version = book.store().record.versions[0].clone();
    assert_eq!(version.published, before.published);
    assert_ne!(version.shown, before.shown);
    let files = book.files();
    assert!(!files.contains_key(&format!("documents/{}.json", before.published.sha256)));
    for (path, bytes) in &files {
        let holds = bytes.windows("不正アクセス".len()).any(|window| window == "不正アクセス".as_bytes());
        assert!(!holds, "{path} still has the text");
    }
    let page = book.page("index.html");
    assert!(page.contains("裁判所の命令") && page.contains(&before.published.sha256));
    assert!(book.dir().join("kept-back").join(&before.published.sha256).exists(), "the firm keeps it");
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
    let now = book.now();
    let ground = || (Ground::Privacy, text("本人の申出"));
    assert!(refused(book.store().redact(2, "left", ground(), now)).contains("there is no version 2"));
    assert!(refused(book.store().redact(1, "date", ground(), now)).contains("there is no part `date`"));
    assert!(refused(book.store().step("another", withdrawal(), now)).contains("this record is of `hakone-2026-1`"));
    book.step(withdrawal()).unwrap();
    assert!(refused(book.step(withdrawal())).contains("withdrawn already"));
    assert!(
        refused(book.store().step("hakone-2026-1", withdrawal(), at(0))).contains("correct it first"),
        "a clock that steps back"
    );
    assert_eq!(book.store().record.entries.len(), 2, "what was refused left nothing behind");
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
fn a_card_number_enters_no_leaf() {
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
fn an_edited_a_missing_and_an_added_file_are_named() {
    let mut book = Book::new();
    book.publish(notice(7)).unwrap();
    let out = book.directory.path().join("site");
    let key = sekisho_tlog::VerifyingKey::parse(book.store().verifier()).unwrap();
    let check = |change: &dyn Fn(&Path), expected: &str| {
        site::write(&book.files(), &out).unwrap();
        change(&out);
        let told = match verify::site(&out, &key) {
            Ok(found) => format!("{} entries, {} documents", found.entries, found.documents),
            Err(err) => err.to_string(),
        };
        assert!(told.contains(expected), "{told}");
        std::fs::remove_dir_all(&out).unwrap();
    };
    check(&|_| {}, "1 entries, 1 documents");
    let edit = |path: &'static str| {
        move |site: &Path| {
            let path = site.join(path);
            let changed = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).replacen("7 名", "1 名", 1);
            std::fs::write(path, changed.replacen("\"value\": 7", "\"value\": 1", 1)).unwrap();
        }
    };
    check(&edit("index.html"), "`index.html` was changed");
    check(&|site| std::fs::remove_file(site.join("en/index.html")).unwrap(), "`en/index.html` is missing");
    check(&|site| std::fs::write(site.join("extra.html"), "x").unwrap(), "`extra.html` is none of the site's");
    check(&|site| std::fs::remove_file(site.join("log/checkpoint")).unwrap(), "`log/checkpoint` is missing");
}

#[test]
fn a_document_that_was_edited_in_the_record_is_not_published_again() {
    let mut book = Book::new();
    book.publish(notice(7)).unwrap();
    let document = book.store().record.versions[0].shown.sha256.clone();
    let path = book.dir().join("documents").join(document);
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replace('7', "1")).unwrap();
    let told = Store::open(&book.dir(), &book.directory.path().join("keys")).expect_err("refused").to_string();
    assert!(told.contains("was changed after it was published"), "{told}");
}

#[derive(Clone, Debug)]
enum Act {
    Publish(u64),
    Update(u64),
    Withdraw,
    Redact(u32, usize),
    Embargo,
    Status,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (1u64..9).prop_map(Act::Publish),
        (1u64..9).prop_map(Act::Update),
        Just(Act::Withdraw),
        (1u32..4, 0usize..8).prop_map(|(version, part)| Act::Redact(version, part)),
        Just(Act::Embargo),
        Just(Act::Status),
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
            let now = book.now();
            let mut store = book.store();
            let _refused_or_done = match act {
                Act::Publish(persons) => store.publish("hakone-2026-1", notice(persons), None, now),
                Act::Update(persons) => store.publish("hakone-2026-1", notice(persons), Some(text("更新")), now),
                Act::Withdraw => store.step("hakone-2026-1", withdrawal(), now),
                Act::Redact(version, part) => {
                    store.redact(version, crate::notice::PARTS[part], (Ground::Privacy, text("申出")), now)
                }
                Act::Embargo => store.step("hakone-2026-1", Step::Embargo { reason: text("要請"), until: at(500) }, now),
                Act::Status => {
                    let (service, state) = (text("サイト"), Service::Degraded);
                    store.step("hakone-2026-1", Step::Status { service, state, text: text("混雑"), since: now }, now)
                }
            };
            let hashes: Vec<String> = store.record.versions.iter().map(|version| version.published.sha256.clone()).collect();
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
    }
}
