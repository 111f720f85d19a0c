//! The sentence that a firm could publish at this moment, in Japanese and English: only what the scope bears.
//!
//! Three words are kept apart: exposed (確認しました), not observed in what was inspected (確認されていません), and not
//! examined (検査の対象に含まれていません).

use sekisho_scope::text::count;
use sekisho_scope::{Answer, FieldAnswer, FieldState, RegisterAnswer};

/// Names of columns in both languages; others stand as they are.
const FIELDS: [(&str, &str, &str); 11] = [
    ("account_id", "口座番号", "account number"),
    ("applicant_id", "申込番号", "application number"),
    ("name", "氏名", "name"),
    ("kana", "氏名のフリガナ", "name in kana"),
    ("romaji", "氏名のローマ字表記", "name in Latin letters"),
    ("email", "メールアドレス", "e-mail address"),
    ("phone", "電話番号", "telephone number"),
    ("card", "カード番号", "card number"),
    ("password_hash", "パスワード(ハッシュ値)", "password hash"),
    ("birth_date", "生年月日", "date of birth"),
    ("address", "住所", "postal address"),
];

/// Names of registers: who the persons are.
const REGISTERS: [(&str, &str, &str); 2] = [
    ("account_holders", "口座をお持ちのお客様", "account holders"),
    ("seminar_applicants", "セミナーにお申し込みのお客様", "seminar applicants"),
];

/// The Japanese text.
pub(super) fn japanese(answer: &Answer) -> String {
    let mut text = String::from(
        "当社ウェブサイトへの不正アクセスにより、次のお客様の情報が第三者に閲覧されたことを確認しました。\n",
    );
    for register in exposed(answer) {
        let fields = fields(answer, register, FieldState::Exposed);
        let list: Vec<String> =
            fields.iter().map(|field| format!("{} {}名", label(&field.field).0, count(field.persons))).collect();
        let who = registers(&register.name).0;
        text.push_str(&format!("・{who} {}名({})\n", count(register.persons), list.join("、")));
    }
    for register in &answer.registers {
        let who = registers(&register.name).0;
        let not_observed = joined(answer, register, FieldState::NotObserved, |field| label(field).0, "、");
        if !not_observed.is_empty() {
            text.push_str(&format!("{who}の{not_observed}は、検査した応答の範囲では、閲覧は確認されていません。\n"));
        }
        let not_examined = joined(answer, register, FieldState::NotExamined, |field| label(field).0, "、");
        if !not_examined.is_empty() {
            text.push_str(&format!("{who}の{not_examined}は、検査の対象に含まれていません。\n"));
        }
    }
    text
}

/// The English text.
pub(super) fn english(answer: &Answer) -> String {
    let mut text = String::from(
        "We have confirmed that, through unauthorised access to our web site, a third party has seen the data of:\n",
    );
    for register in exposed(answer) {
        let fields = fields(answer, register, FieldState::Exposed);
        let list: Vec<String> =
            fields.iter().map(|field| format!("{} of {}", label(&field.field).1, count(field.persons))).collect();
        let who = registers(&register.name).1;
        text.push_str(&format!("- {} {who} ({})\n", count(register.persons), list.join(", ")));
    }
    for register in &answer.registers {
        let who = registers(&register.name).1;
        let not_observed = joined(answer, register, FieldState::NotObserved, |field| label(field).1, ", ");
        if !not_observed.is_empty() {
            text.push_str(&format!("Of {who}, not observed in the responses inspected: {not_observed}.\n"));
        }
        let not_examined = joined(answer, register, FieldState::NotExamined, |field| label(field).1, ", ");
        if !not_examined.is_empty() {
            text.push_str(&format!("Of {who}, not examined: {not_examined}.\n"));
        }
    }
    text
}

fn exposed(answer: &Answer) -> impl Iterator<Item = &RegisterAnswer> {
    answer.registers.iter().filter(|register| register.persons > 0)
}

fn fields<'a>(answer: &'a Answer, register: &RegisterAnswer, state: FieldState) -> Vec<&'a FieldAnswer> {
    answer.fields.iter().filter(|field| field.register == register.name && field.state == state).collect()
}

fn joined<'a>(
    answer: &'a Answer,
    register: &RegisterAnswer,
    state: FieldState,
    label: impl Fn(&'a str) -> &'a str,
    separator: &str,
) -> String {
    let fields = fields(answer, register, state);
    fields.iter().map(|field| label(&field.field)).collect::<Vec<_>>().join(separator)
}

fn label(field: &str) -> (&str, &str) {
    FIELDS.iter().find(|(name, ..)| *name == field).map_or((field, field), |(_, ja, en)| (ja, en))
}

fn registers(register: &str) -> (&str, &str) {
    REGISTERS.iter().find(|(name, ..)| *name == register).map_or((register, register), |(_, ja, en)| (ja, en))
}
