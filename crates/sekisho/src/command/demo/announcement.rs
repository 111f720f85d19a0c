//! The sentence that a firm could publish at this moment, in Japanese and English: only what the scope bears.
//!
//! Three words are kept apart (SCO-1): exposed (確認いたしました), not observed in what was inspected (確認されておりません), and
//! not examined (確認できておりません). What limits the statement stands in it: the responses that could not be inspected,
//! and requests that may have learnt more than their answers show.

use jiff::tz::{self, TimeZone};
use sekisho_model::Timestamp;
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
    ("password_hash", "パスワード（ハッシュ値）", "password hash"),
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
    let mut text = opening_japanese(answer);
    for register in exposed(answer) {
        let fields = fields(answer, register, FieldState::Exposed);
        let list: Vec<String> =
            fields.iter().map(|field| format!("{} {}名", label(&field.field).0, count(field.persons))).collect();
        let who = registers(&register.name).0;
        text.push_str(&format!("・{who} {}名（{}）\n", count(register.persons), list.join("、")));
    }
    if exposed(answer).count() > 1 {
        text.push_str("複数の区分に該当するお客様は、それぞれの区分に含めて数えております。\n");
    }
    for register in &answer.registers {
        let who = registers(&register.name).0;
        let not_observed = joined(answer, register, FieldState::NotObserved, |field| label(field).0, "、");
        if !not_observed.is_empty() {
            text.push_str(&format!(
                "{who}の{not_observed}については、検査した応答の範囲では、閲覧されたことは確認されておりません。\n"
            ));
        }
        let not_examined = joined(answer, register, FieldState::NotExamined, |field| label(field).0, "、");
        if !not_examined.is_empty() {
            text.push_str(&format!(
                "{who}の{not_examined}については、検査の対象外のため、閲覧の有無を確認できておりません。\n"
            ));
        }
    }
    let Limits { responses, inspected, without_body, not_inspected, not_boundable } = Limits::of(answer);
    text.push_str(&format!("対象の応答{responses}件のうち、本文を検査したものは{inspected}件、本文のないものは{without_body}件、検査できなかったものは{not_inspected}件です。\n"));
    if not_boundable > 0 {
        text.push_str(&format!(
            "このほか、応答の内容だけでは何が読み取られたかを判断できない形式のリクエストが、{}件以上ありました。\n",
            count(not_boundable)
        ));
    }
    text
}

/// The English text.
pub(super) fn english(answer: &Answer) -> String {
    let mut text = opening_english(answer);
    for register in exposed(answer) {
        let fields = fields(answer, register, FieldState::Exposed);
        let list: Vec<String> =
            fields.iter().map(|field| format!("{} of {}", label(&field.field).1, count(field.persons))).collect();
        let who = registers(&register.name).1;
        text.push_str(&format!("- {} {who} ({})\n", count(register.persons), list.join(", ")));
    }
    if exposed(answer).count() > 1 {
        text.push_str("Whoever is in more than one of these groups is counted in each.\n");
    }
    for register in &answer.registers {
        let who = registers(&register.name).1;
        let not_observed = joined(answer, register, FieldState::NotObserved, |field| label(field).1, ", ");
        if !not_observed.is_empty() {
            text.push_str(&format!("Of {who}, not observed in the responses inspected: {not_observed}.\n"));
        }
        let not_examined = joined(answer, register, FieldState::NotExamined, |field| label(field).1, ", ");
        if !not_examined.is_empty() {
            text.push_str(&format!("Of {who}, not examined, so we cannot say: {not_examined}.\n"));
        }
    }
    let Limits { responses, inspected, without_body, not_inspected, not_boundable } = Limits::of(answer);
    text.push_str(&format!(
        "Of {responses} responses in question, {inspected} were inspected, {without_body} had no body, {not_inspected} could not be inspected.\n"
    ));
    if not_boundable > 0 {
        let requests = count(not_boundable);
        text.push_str(&format!(
            "At least {requests} requests had a form of which the responses alone do not show what was learnt.\n"
        ));
    }
    text
}

/// Numbers that limit what is said, ready to be written.
struct Limits {
    responses: String,
    inspected: String,
    without_body: String,
    not_inspected: String,
    not_boundable: u64,
}

impl Limits {
    fn of(answer: &Answer) -> Limits {
        let coverage = &answer.coverage;
        let missing: u64 = coverage.gaps.iter().map(|gap| gap.last - gap.first + 1).sum();
        let not_inspected = coverage.not_inspectable.values().sum::<u64>() + coverage.opened_without_closed + missing;
        Limits {
            responses: count(coverage.responses + missing),
            inspected: count(coverage.inspected),
            without_body: count(coverage.without_body),
            not_inspected: count(not_inspected),
            not_boundable: answer.not_boundable.iter().map(|suspect| suspect.requests).sum(),
        }
    }
}

fn opening_japanese(answer: &Answer) -> String {
    let Some((first, last)) = period(answer) else {
        return "検査した応答の範囲では、お客様の情報が第三者に閲覧されたことは確認されておりません。\n".to_owned();
    };
    let day = |at: &jiff::Zoned| at.strftime("%-Y年%-m月%-d日").to_string();
    let last_day = if day(&first) == day(&last) { "同日".to_owned() } else { day(&last) };
    let (first_day, first_time, last_time) = (day(&first), time_japanese(&first), time_japanese(&last));
    let when = match last_day == "同日" && first_time == last_time {
        true => format!("{first_day}{first_time}ごろ"),
        false => format!("{first_day}{first_time}から{last_day}{last_time}までの間に"),
    };
    format!(
        "{when}、当社ウェブサイトへの不正アクセスにより、次のお客様の情報が第三者に閲覧されたことを確認いたしました。\n"
    )
}

/// `午前8時`, `午後5時2分`.
fn time_japanese(at: &jiff::Zoned) -> String {
    let half = if at.hour() < 12 { "午前" } else { "午後" };
    let minute = if at.minute() == 0 { String::new() } else { format!("{}分", at.minute()) };
    format!("{half}{}時{minute}", at.hour() % 12)
}

fn opening_english(answer: &Answer) -> String {
    let Some((first, last)) = period(answer) else {
        return "In the responses inspected, no customer's data was observed to have been seen by a third party.\n"
            .to_owned();
    };
    let minute = |at: &jiff::Zoned| at.strftime("%-d %B %-Y, %H:%M").to_string();
    let when = match minute(&first) == minute(&last) {
        true => format!("at about {} (Japan time)", minute(&first)),
        false => format!("between {} and {} (Japan time)", minute(&first), minute(&last)),
    };
    format!(
        "We have confirmed that {when}, through unauthorised access to our web site, a third party saw the data of:\n"
    )
}

/// The first and the last exposure, in Japan time.
fn period(answer: &Answer) -> Option<(jiff::Zoned, jiff::Zoned)> {
    let zoned = |at: Timestamp| {
        let at = jiff::Timestamp::from_microsecond(at.0).ok()?;
        Some(at.to_zoned(TimeZone::fixed(tz::offset(9))))
    };
    exposed(answer).next()?;
    Some((zoned(answer.first?)?, zoned(answer.last?)?))
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

#[cfg(test)]
mod tests;
