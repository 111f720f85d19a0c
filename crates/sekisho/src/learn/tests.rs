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

fn refused(text: &str) -> String {
    let learnt = learn_text(text, Encoding::Utf8, Path::new("x.csv"), "x".into());
    learnt.err().map_or_else(|| "it was learnt".to_owned(), |err| err.to_string())
}

fn row_key(text: &str) -> String {
    let learnt = learnt(text);
    learnt.guesses[learnt.row_key].name.clone()
}

#[test]
fn prv_1_a_first_row_of_values_is_no_header() {
    for row in [
        "1001,山田 太郎,03-5550-0101",
        "x,03-5550-0101",
        "x,山田　太郎",
        "x,ヤマダ タロウ",
        "x,4111 1111 1111 1111",
        "x,1980-04-01",
        "x,5f4dcc3b5aa765d61d8327deb882cf99",
        "HK-0001002,x",
        "1001,x",
        "x,東京都千代田区一番町1-1",
    ] {
        let told = refused(&format!("{row}\n1,a\n"));
        assert!(told.contains("the first row holds a value in column"), "{row}: {told}");
        assert!(row.split(',').all(|value| value == "x" || !told.contains(value)), "no value is told: {told}");
    }
    for header in [
        "id,氏名 カナ,都道府県市区町村",
        "no,お客様 番号,2024",
        "ID,Full Name,address_1",
        "id,customer_address_line_number_one_1",
    ] {
        let cells = header.split(',').map(|_| "x").collect::<Vec<_>>().join(",");
        assert_ne!(learnt(&format!("{header}\n{cells}\n")).rows, 0, "{header}");
    }
}

#[test]
fn a_number_that_repeats_is_an_error_and_no_reason_to_take_another_column() {
    let told = refused("customer_id,mail\n1,a@example.jp\n2,b@example.jp\n1,c@example.jp\n");
    assert!(told.starts_with("lines 2 and 4 have the same value in column `customer_id`"), "{told}");
    let told = refused("customer_id,mail\r\n1,a@example.jp\r\n1,c@example.jp\r\n");
    assert!(told.starts_with("lines 2 and 3 have"), "{told}");
    assert!(refused("id,mail,mail\n1,a@example.jp,b@example.jp\n").contains("the column `mail` twice"));
    let told = refused("口座,mail\n1,a@example.jp\n,b@example.jp\n");
    assert!(told.starts_with("line 3 has no value in column `口座`"), "{told}");
    let told = refused("会員番号,mail\n1,a@example.jp\n1,b@example.jp\n");
    assert!(told.contains("in column `会員番号`"), "{told}");
    let told = refused("order_no,mail\n1,a@example.jp\n2,b@example.jp\n2,c@example.jp\n");
    assert!(told.contains("in column `order_no`"), "{told}");
}

#[test]
fn numbers_that_many_rows_share_number_nobody() {
    assert_eq!(row_key("支店コード,mail\n1,a@example.jp\n1,b@example.jp\n1,c@example.jp\n"), "mail");
    assert_eq!(row_key("customer_id,id\n7,1\n7,2\n"), "id");
    assert_eq!(row_key("電話番号,カード番号,郵便番号,ref\n1,1,1,x\n1,1,2,y\n1,1,3,z\n"), "ref");
}

#[test]
fn a_name_an_address_and_a_date_of_birth_are_no_row_key() {
    for file in [
        "name\n山田 太郎\n鈴木 花子\n",
        "customer\n山田 太郎\n鈴木 花子\n",
        "フリガナ\nヤマダ タロウ\nスズキ ハナコ\n",
        "romaji\nTaro Yamada\nHanako Suzuki\n",
        "住所\n東京都千代田区一番町1-1\n神奈川県足柄下郡箱根町湯本1\n",
        "生年月日\n1980-04-01\n1981-04-01\n",
    ] {
        assert!(refused(file).contains("no column has a value of its own"), "{file}: {}", refused(file));
    }
    assert_eq!(row_key("name,mail\n山田 太郎,a@example.jp\n鈴木 花子,b@example.jp\n"), "mail");
}

#[test]
fn a_file_without_rows_or_with_another_separator_is_refused() {
    assert!(refused("id,name\n").contains("no row below"));
    assert!(refused("id;name\n1;a\n").contains("a semicolon"));
    assert!(refused("id\tname\n1\ta\n").contains("a tab"));
}

#[test]
fn a_file_of_two_encodings_is_refused_with_the_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("customers.csv");
    let (row, _, _) = encoding_rs::SHIFT_JIS.encode("2,鈴木 花子\n");
    std::fs::write(&path, ["id,name\n1,佐藤 健\n".as_bytes(), &row].concat()).expect("a file");
    let told = super::learn(&path).err().map_or_else(String::new, |err| format!("{err:#}"));
    assert!(told.contains("line 3 reads as Shift_JIS, but the file is UTF-8 since line 2"), "{told}");
    std::fs::write(&path, b"\xFF\xFEi\0d\0\n\0").expect("a file");
    let told = super::learn(&path).err().map_or_else(String::new, |err| format!("{err:#}"));
    assert!(told.contains("line 1"), "{told}");
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
