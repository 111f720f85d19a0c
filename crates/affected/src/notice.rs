//! What a case's page says beside the person's own fields: the file that the firm writes and counsel reads.
//!
//! Not the notice itself; only its version, so that the person can tell which one the page follows.

use crate::Error;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Fields that a notice names; beyond, it is refused. A set of fields is kept as one bit each.
pub const FIELDS_MAX: usize = 64;
/// Paragraphs of advice; beyond, the notice is refused.
const ADVICE_MAX: usize = 20;
/// Bytes of one text; beyond, the notice is refused.
const TEXT_BYTES_MAX: usize = 2_000;

/// The same in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Both {
    /// In Japanese.
    pub ja: String,
    /// In English.
    pub en: String,
}

/// What the page says about one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// The case's id.
    pub case: String,
    /// Which version of the notice the page follows.
    pub version: u32,
    /// From this instant on, its codes get the answer that unknown ones get.
    pub expires: Timestamp,
    /// What happened, in a line.
    pub title: Both,
    /// When the data lay open or left.
    pub period: Both,
    /// What the person should do now, a paragraph each.
    #[serde(default)]
    pub advice: Vec<Both>,
    /// Every field that the firm holds of a person, in the order in which the page names them.
    #[serde(rename = "field")]
    pub fields: Vec<Field>,
}

/// One field of a person's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// As the rows name it: `email`.
    pub name: String,
    /// For people, in Japanese.
    pub ja: String,
    /// For people, in English.
    pub en: String,
    /// Whether it was looked for in what left. Only of such a field the page says that it was not found.
    pub examined: bool,
}

/// The fields of one person that left: bit i is the notice's field i.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Left(pub u64);

/// How it stands with a field of one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was found in what left.
    Left,
    /// It was looked for and not found.
    NotFound,
    /// It was not looked for.
    NotExamined,
}

impl Notice {
    /// Reads and checks the file.
    pub fn parse(text: &str) -> Result<Notice, Error> {
        let notice: Notice = toml::from_str(text).map_err(|err| Error::Notice(err.to_string()))?;
        notice.check()?;
        Ok(notice)
    }

    /// What everything here relies on; also asked of a notice that comes from a store.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |problem: String| Err(Error::Notice(problem));
        if self.case.is_empty() || self.case.len() > 64 {
            return wrong("`case` has 1 to 64 bytes".to_owned());
        }
        if self.fields.is_empty() || self.fields.len() > FIELDS_MAX {
            return wrong(format!("it names {} fields; 1 to {FIELDS_MAX} are allowed", self.fields.len()));
        }
        if self.advice.len() > ADVICE_MAX {
            return wrong(format!("it has {} paragraphs of advice; {ADVICE_MAX} are allowed", self.advice.len()));
        }
        for (place, field) in self.fields.iter().enumerate() {
            if self.fields[..place].iter().any(|earlier| earlier.name == field.name) {
                return wrong(format!("it names the field `{}` twice", field.name));
            }
        }
        let both = [&self.title, &self.period].into_iter().chain(&self.advice).map(|both| (&both.ja, &both.en));
        let texts = both.chain(self.fields.iter().map(|field| (&field.ja, &field.en)));
        for text in texts.flat_map(|(ja, en)| [ja, en]) {
            if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX {
                return wrong(format!("a text is empty or has more than {TEXT_BYTES_MAX} bytes: `{text:.40}`"));
            }
        }
        Ok(())
    }

    /// The set of fields that the rows name, separated by spaces.
    pub(crate) fn left(&self, names: &str) -> Result<Left, Error> {
        let mut left = Left(0);
        for name in names.split_whitespace() {
            let Some(place) = self.fields.iter().position(|field| field.name == name) else {
                return Err(Error::Rows(format!("the field `{name}` is not in the notice; add it as a [[field]]")));
            };
            if !self.fields[place].examined {
                return Err(Error::Rows(format!(
                    "the field `{name}` was found, but the notice says it was not examined"
                )));
            }
            left.0 |= 1 << place;
        }
        Ok(left)
    }

    /// The fields in one standing, in the notice's order.
    pub fn fields_in(&self, left: Left, standing: Standing) -> impl Iterator<Item = &Field> {
        self.fields.iter().enumerate().filter_map(move |(place, field)| {
            let has = match (left.0 >> place & 1, field.examined) {
                (1, _) => Standing::Left,
                (_, true) => Standing::NotFound,
                (_, false) => Standing::NotExamined,
            };
            (has == standing).then_some(field)
        })
    }
}

#[cfg(test)]
pub(crate) const EXAMPLE: &str = r#"
case = "hakone-2026-1"
version = 2
expires = "2027-12-01T00:00:00+09:00"
title = { ja = "会員様情報への不正アクセス", en = "Unauthorised access to members' data" }
period = { ja = "2026年11月20日から同月23日まで", en = "20 to 23 November 2026" }
[[field]]
name = "name"
ja = "お名前"
en = "Name"
examined = true
[[field]]
name = "email"
ja = "メールアドレス"
en = "E-mail address"
examined = true
[[field]]
name = "address"
ja = "ご住所"
en = "Postal address"
examined = false
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn notice() -> Notice {
        Notice::parse(EXAMPLE).expect("a notice")
    }

    fn check(names: &str, standing: Standing, expected: &[&str]) {
        let (notice, names) = (notice(), notice().left(names).expect("known fields"));
        let fields: Vec<_> = notice.fields_in(names, standing).map(|field| field.name.as_str()).collect();
        assert_eq!(fields, expected);
    }

    #[test]
    fn not_found_is_said_only_of_what_was_looked_for() {
        check("email", Standing::Left, &["email"]);
        check("email", Standing::NotFound, &["name"]);
        check("email", Standing::NotExamined, &["address"]);
        check("email name", Standing::Left, &["name", "email"]);
    }

    #[test]
    fn rows_and_notice_must_agree() {
        for (names, expected) in [("phone", "is not in the notice"), ("address", "says it was not examined")] {
            let problem = notice().left(names).expect_err("refused").to_string();
            assert!(problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn a_notice_is_refused_with_its_fault() {
        for (from, to, expected) in [
            ("version = 2", "version = 2\nmore = 1", "unknown field"),
            ("name = \"email\"", "name = \"name\"", "twice"),
            ("ja = \"ご住所\"", "ja = \" \"", "a text is empty"),
            ("2027-12-01T00:00:00+09:00", "soon", "expires"),
        ] {
            let problem = Notice::parse(&EXAMPLE.replace(from, to)).expect_err("refused").to_string();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
