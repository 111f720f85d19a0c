//! Files as firms have them, and what is guessed of them.

use super::{learn_text, mask::mask};
use sekisho_edm::Encoding;
use sekisho_model::FieldKind;
use std::path::Path;

const CUSTOMERS: &str = "\
id,会員番号,氏名,フリガナ,ローマ字,メール,電話番号,カード番号,生年月日,住所,password_hash,備考
1,HF-100001,山田 太郎,ﾔﾏﾀﾞ ﾀﾛｳ,Taro Yamada,taro@example.jp,090-0000-0001,4111 1111 1111 1111,1980-04-01,東京都千代田区一番町1-1,5f4dcc3b5aa765d61d8327deb882cf99,優待
2,HF-100002,髙橋 花子,タカハシ ハナコ,Hanako Takahashi,hanako@example.com,03-0000-0002,5555555555554444,1975/12/31,神奈川県足柄下郡箱根町湯本1,e10adc3949ba59abbe56e057f20f883e,
";

fn learnt(text: &str) -> super::Learnt {
    learn_text(text, Encoding::Utf8, Path::new("customers.csv"), "customers".into()).expect("a register")
}

#[test]
fn a_customer_file_is_understood() {
    let learnt = learnt(CUSTOMERS);
    insta::assert_snapshot!(learnt.to_table());
    insta::assert_snapshot!(learnt.to_toml());
}

#[test]
fn no_value_is_shown() {
    let table = learnt(CUSTOMERS).to_table();
    for value in CUSTOMERS.lines().skip(1).flat_map(|line| line.split(',')).filter(|value| value.len() > 2) {
        assert!(!table.contains(value), "`{value}` is shown");
    }
}

#[test]
fn masks_keep_the_form() {
    assert_eq!(mask("yamada@example.jp", FieldKind::Email), "y***@e***.jp");
    assert_eq!(mask("山田太郎", FieldKind::Name), "山●●●");
    assert_eq!(mask("090-0000-0012", FieldKind::Phone), "***-****-**12");
    assert_eq!(mask("", FieldKind::Name), "");
    assert_eq!(mask("林", FieldKind::Name), "●");
    assert_eq!(mask("7", FieldKind::AccountId), "*");
    assert_eq!(mask("a@example.jp", FieldKind::Email), "***@e***.jp");
}

#[test]
fn a_file_without_a_key_or_header_is_refused() {
    let refused =
        |text| learn_text(text, Encoding::Utf8, Path::new("x.csv"), "x".into()).err().map(|err| err.to_string());
    assert!(refused("name\nA\nA\n").is_some_and(|err| err.contains("a value of its own")));
    assert!(refused("").is_some_and(|err| err.contains("empty")));
    assert!(refused("a@example.jp,1\nb@example.jp,2\n").is_some_and(|err| err.contains("first row")));
}

#[test]
fn what_is_called_a_name_is_one_and_a_product_is_not() {
    let learnt = learnt("id,product,name\n1,湯本,山田太郎\n2,強羅,鈴木一郎\n");
    let kinds: Vec<FieldKind> = learnt.guesses.iter().map(|guess| guess.kind).collect();
    assert_eq!(kinds[1..], [FieldKind::Text, FieldKind::Name]);
}

#[test]
fn a_file_in_shift_jis_is_learnt_and_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("顧客.csv");
    let (bytes, _, _) = encoding_rs::SHIFT_JIS.encode(CUSTOMERS.trim_start());
    std::fs::write(&path, &bytes).expect("a file");
    let learnt = super::learn(&path).expect("a register");
    assert_eq!((learnt.encoding, learnt.name.as_str()), (Encoding::ShiftJis, "顧客"));
    assert!(learnt.to_toml().contains("encoding = \"shift_jis\""));
    assert_eq!(learnt.to_table(), self::learnt(CUSTOMERS).to_table());
}

#[test]
fn short_account_numbers_are_warned_of() {
    let learnt = learnt("account_no,name\n1024,山田太郎\n1025,鈴木花子\n");
    assert_eq!((learnt.guesses[0].kind, learnt.guesses[0].pattern.as_deref()), (FieldKind::AccountId, None));
    assert!(learnt.to_table().contains("years and prices would match"), "{}", learnt.to_table());
}
