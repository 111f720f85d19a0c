//! The historical cases of `scenarios/`: what persons would have read. It stands in `expected/mails.txt`, read by people.
//! `SEKISHO_WRITE_EXPECTED=1 cargo test -p sekisho-notify scenarios` writes it anew.

use crate::config::Texts;
use crate::template::{Kind, Lang, Templates, Words};
use sekisho_model::FieldKind;
use sekisho_testkit::page;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// `mail.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    texts: BTreeMap<Lang, Texts>,
    notice: Vec<Told>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    way: Way,
    language: Lang,
    kind: Order,
    name: String,
    date: String,
    /// What the firm said of it then, where that was other than later.
    summary: Option<String>,
    left: Vec<String>,
    #[serde(default)]
    new: Vec<String>,
    not_left: Vec<String>,
    #[serde(default)]
    not_examined: Vec<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    Mail,
    Letter,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    First,
    Update,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(name)
}

fn check(name: &str) -> String {
    let path = folder(name).join("mail.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    let file: File = toml::from_str(&text).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    let templates = Templates::new(&Lang::ALL, &BTreeMap::new()).expect("the texts that come along");
    let mut out = String::new();
    for told in file.notice {
        let texts = &file.texts[&told.language];
        let texts = &Texts { summary: told.summary.unwrap_or_else(|| texts.summary.clone()), ..texts.clone() };
        let labels = |fields: &[String]| -> Vec<String> {
            let kind = |name: &String| FieldKind::ALL.into_iter().find(|kind| kind.name() == name).expect("a kind");
            fields.iter().map(|field| templates.label(told.language, kind(field))).collect()
        };
        let words = Words {
            name: told.name,
            case: name.to_owned(),
            date: told.date,
            left: labels(&told.left),
            new: labels(&told.new),
            not_left: labels(&told.not_left),
            not_examined: labels(&told.not_examined),
        };
        let kind = match told.kind {
            Order::First => Kind::First,
            Order::Update => Kind::Update,
        };
        let text = templates.notice(told.language, kind, &words, texts);
        let (head, foot) = match told.way {
            Way::Mail => ("==== mail", templates.mail_footer(told.language, name, texts)),
            Way::Letter => ("==== letter", templates.letter_footer(told.language, name, texts)),
        };
        out.push_str(&format!("{head}, {}\n{}\n\n{}\n\n{foot}\n\n", words.date, text.subject, text.body));
    }
    page::expect(&folder(name).join("expected/mails.txt"), &out);
    out
}

#[test]
fn yjfx_letters_and_the_update_for_a_field_found_later() {
    let told = check("yjfx");
    assert!(told.contains("今回新たに漏えいが確認された、お客さまご本人の情報\n・生年月日\n"), "{told}");
}

#[test]
fn money_square_who_is_in_both_sets_is_told_what_is_new() {
    let told = check("money-square");
    assert!(told.contains("今回新たに漏えいが確認された、お客さまご本人の情報\n・お客さま番号・口座番号\n"), "{told}");
    assert!(told.contains("Dear Emma Müller,"));
}

#[test]
fn fx_on_card_holders_hear_on_the_day_of_the_first_notice() {
    let told = check("fx-on");
    assert!(
        told.contains("・クレジットカード番号")
            && told.contains("Your information that was exposed\n- Payment card number")
    );
}

#[test]
fn outages_have_no_notices_to_persons() {
    for name in ["fx-prime", "seven-bank", "kabu-com"] {
        let deadlines = std::fs::read_to_string(folder(name).join("expected/deadlines.txt")).expect("read");
        assert!(
            !deadlines.contains("jp.appi.person") && !folder(name).join("mail.toml").exists(),
            "{name}: {deadlines}"
        );
    }
    let deadlines = std::fs::read_to_string(folder("fx-on").join("expected/deadlines.txt")).expect("read");
    assert!(deadlines.contains("jp.appi.person"), "a leak has: {deadlines}");
}
