//! The historical cases of `scenarios/`, from their facts to the pages of a public record: what comes out stands in `expected/`,
//! read by people. `SEKISHO_WRITE_EXPECTED=1 cargo test -p sekisho-disclosure scenarios` writes it anew.

use crate::entry::{Basis, Service, Step};
use crate::notice::Text;
use crate::site::{self, Files, Source};
use crate::tests::FIRM;
use crate::{Act, Notice, Store, draft};
use jiff::Timestamp;
use sekisho_incident::{Case, Event};
use sekisho_testkit::page;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// `record.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// What sets of the case are called in public.
    #[serde(default)]
    sets: BTreeMap<String, Text>,
    step: Vec<Dated>,
}

#[derive(Deserialize)]
struct Dated {
    at: Timestamp,
    #[serde(flatten)]
    what: What,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum What {
    Publish(Box<Words>),
    Update {
        changed: Text,
        #[serde(flatten)]
        words: Box<Words>,
    },
    Withdraw {
        requester: Text,
        reason: Text,
    },
    Status {
        service: Text,
        state: Service,
        text: Text,
        since: Timestamp,
    },
}

/// What only a person can write of a notice.
#[derive(Deserialize)]
struct Words {
    title: Text,
    happened: Text,
    #[serde(default)]
    left: Vec<Text>,
    #[serde(default)]
    not_left: Vec<Text>,
    #[serde(default)]
    not_examined: Vec<Text>,
    to_do: Vec<Text>,
    measures: Vec<Text>,
    next_update: Option<Timestamp>,
    next_note: Text,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(name)
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    toml::from_str(&text).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

/// The case as it stood at a moment.
fn case(name: &str, at: Timestamp) -> Case {
    #[derive(Deserialize)]
    struct Events {
        event: Vec<toml::Table>,
    }
    let event = |mut table: toml::Table| -> Event {
        table.insert("case".to_owned(), name.into());
        table.insert("operator".to_owned(), "scenario".into());
        table.try_into().unwrap_or_else(|err| panic!("{name}: {err}"))
    };
    let events: Events = read(&folder(name).join("events.toml"));
    let events = events.event.into_iter().map(event).filter(|event| event.recorded_at <= at);
    Case::fold(&events.collect::<Vec<_>>()).expect("a case")
}

/// The notice of a case as it stood, with the words that a person wrote.
fn notice(name: &str, at: Timestamp, words: &Words, sets: &BTreeMap<String, Text>) -> Notice {
    let mut notice = draft::notice(&case(name, at), None, &draft::Labels::default());
    for set in notice.counts.iter_mut().filter_map(|count| count.set.as_mut()) {
        *set = sets.get(&set.en).unwrap_or_else(|| panic!("{name}: what is `{}` called in public?", set.en)).clone();
    }
    let trimmed = |text: &Text| Text::new(text.ja.trim(), text.en.trim());
    Notice {
        title: words.title.clone(),
        happened: trimmed(&words.happened),
        left: words.left.clone(),
        not_left: words.not_left.clone(),
        not_examined: words.not_examined.clone(),
        to_do: words.to_do.clone(),
        measures: words.measures.clone(),
        next_update: words.next_update,
        next_note: words.next_note.clone(),
        ..notice
    }
}

/// Replays the record of a case; its pages.
fn replay(name: &str) -> Files {
    let directory = tempfile::tempdir().expect("a directory");
    let dir = directory.path().join("disclosure");
    std::fs::create_dir(&dir).expect("made");
    std::fs::write(dir.join("firm.toml"), FIRM).expect("written");
    let mut store = Store::open(&dir, &directory.path().join("keys")).expect("a store");
    let file: File = read(&folder(name).join("record.toml"));
    for Dated { at, what } in file.step {
        let act = Act { operator: "scenario", at };
        let done = match what {
            What::Publish(words) => {
                store.publish(name, notice(name, at, &words, &file.sets), (Basis::Stated, None), act)
            }
            What::Update { changed, words } => {
                store.publish(name, notice(name, at, &words, &file.sets), (Basis::Stated, Some(changed)), act)
            }
            What::Withdraw { requester, reason } => store.step(name, Step::Withdrawn { requester, reason }, act),
            What::Status { service, state, text, since } => {
                store.step(name, Step::Status { service, state, text, since }, act)
            }
        };
        done.unwrap_or_else(|err| panic!("{name}: {at}: {err}"));
    }
    for version in &store.record.versions {
        assert_eq!(version.notice.warnings(), Vec::<String>::new(), "{name}");
    }
    let (record, log) = (&store.record, sekisho_anchor::tiles(&dir));
    site::build(&Source { record, key: store.verifier(), log: &log, paper: &Files::new() }).expect("a site")
}

fn check(name: &str, pages: &[&str]) -> Files {
    let files = replay(name);
    for (folder_of_language, language) in [("", "ja"), ("en/", "en")] {
        let text = pages.iter().map(|path| {
            let html = String::from_utf8_lossy(&files[&format!("{folder_of_language}{path}index.html")]).into_owned();
            format!("==== /{folder_of_language}{path}\n{}\n", page::text(&html))
        });
        let text: String = text.collect();
        page::expect(&folder(name).join(format!("expected/record-{language}.txt")), &text);
    }
    files
}

fn text_of(files: &Files, path: &str) -> String {
    page::text(&String::from_utf8_lossy(&files[path]))
}

#[test]
fn yjfx_the_correction_and_both_figures_stand_on_the_page() {
    let files = check("yjfx", &["", "v/1/", "trail/"]);
    assert!(text_of(&files, "index.html").contains("185,637 レコード | 確認済み | 185,626 レコード"));
}

#[test]
fn money_square_the_older_set_joins_and_the_first_one_stays() {
    let files = check("money-square", &["", "v/1/", "trail/"]);
    let page = text_of(&files, "index.html");
    for figure in ["114,819 名", "112,364 名", "2,455 名"] {
        assert!(page.contains(figure), "{figure}: {page}");
    }
}

#[test]
fn fx_on_the_withdrawal_is_a_tombstone_and_what_was_said_stays() {
    let files = check("fx-on", &["", "v/1/", "trail/"]);
    let trail = text_of(&files, "trail/index.html");
    assert!(trail.contains("このお知らせは撤回されました") && trail.contains("カード決済メンテナンス"), "{trail}");
    assert!(text_of(&files, "v/1/index.html").contains("決済代行会社からのご連絡"));
}

#[test]
fn outages_have_a_status_with_its_history_and_no_counts() {
    for name in ["fx-prime", "seven-bank", "kabu-com"] {
        let files = check(name, &["", "status/", "trail/"]);
        let page = text_of(&files, "index.html");
        assert!(!page.contains(" 名") && !page.contains("外部に出た情報\n-"), "nobody's data left: {page}");
        assert!(text_of(&files, "status/index.html").contains("お知らせすべき障害はありません。"));
    }
}
