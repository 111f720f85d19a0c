//! Planted customers: believable rows that are nobody's, in the form of the firm's own file.
//!
//! Pure: takes the file's text and a seed, reads and writes nothing. Read in this order: [`plant`], `value` (one cell by
//! its column's kind), `form` (how the firm writes it), `names` (the word list).
//!
//! What is planted must harm nobody: mails lie at a domain of the firm's own, telephone numbers in blocks of zeros that
//! are not assigned, cards stay empty, and a column that is called a My Number stays empty too.

mod form;
mod names;
mod random;
#[cfg(test)]
mod tests;

use anyhow::{Result, bail};
use form::{DateForm, IdWidth, NameForm};
use names::{FAMILY, GIVEN, Name};
use random::Random;
use sekisho_model::FieldKind;
use std::collections::HashSet;

/// Rows at most: incidents need few, and every one stands in the firm's own statistics.
pub(crate) const CANARIES_MAX: usize = 1_000;
/// Tries for one row until its values are not in the firm's file.
const TRIES_MAX: usize = 10_000;
/// Of these, tries with an id between the firm's own; then any digits.
const TRIES_SEEN_MAX: usize = 100;

/// Domains where anybody can have a mailbox, and so somebody real would get mail.
const FREE_MAIL: [&str; 24] = [
    "gmail.com",
    "googlemail.com",
    "yahoo.co.jp",
    "yahoo.com",
    "ymail.ne.jp",
    "outlook.com",
    "outlook.jp",
    "hotmail.com",
    "hotmail.co.jp",
    "live.jp",
    "live.com",
    "msn.com",
    "icloud.com",
    "me.com",
    "mac.com",
    "docomo.ne.jp",
    "ezweb.ne.jp",
    "au.com",
    "softbank.ne.jp",
    "i.softbank.jp",
    "nifty.com",
    "aol.com",
    "proton.me",
    "gmx.com",
];

/// A column as it was learnt.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: FieldKind,
    pub(crate) is_row_key: bool,
}

/// The planted rows, each a value a column.
pub(crate) type Rows = Vec<Vec<String>>;

/// Whether mails to the domain can only reach the firm; otherwise why not.
pub(crate) fn check_mail_domain(domain: &str) -> Result<()> {
    let domain = domain.to_ascii_lowercase();
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !domain.contains('.') || domain.len() > 200 || !domain.split('.').all(label) {
        bail!("`{domain}` is not a domain: write it as in firm.example.jp");
    }
    if FREE_MAIL.iter().any(|free| domain == *free || domain.ends_with(&format!(".{free}"))) {
        bail!(
            "at `{domain}` anybody can have a mailbox: give a domain of the firm's own, so that nobody real gets mail"
        );
    }
    Ok(())
}

/// `count` rows like the firm's, with values that none of its rows has.
pub(crate) fn plant(columns: &[Column], firm: &[Vec<String>], count: usize, domain: &str, seed: u64) -> Result<Rows> {
    let mut random = Random::new(seed);
    let firm_columns: Vec<Vec<&str>> = (0..columns.len())
        .map(|at| {
            firm.iter().filter_map(|row| row.get(at)).map(|cell| cell.trim()).filter(|it| !it.is_empty()).collect()
        })
        .collect();
    let forms: Vec<Form<'_>> = columns.iter().zip(&firm_columns).map(|(column, cells)| form(column, cells)).collect();
    let mut taken: Vec<HashSet<String>> =
        firm_columns.iter().map(|cells| cells.iter().map(|cell| (*cell).to_owned()).collect()).collect();
    let mut rows = Rows::new();
    for number in 0..count {
        let row = (0..TRIES_MAX).find_map(|tried| {
            let width = if tried < TRIES_SEEN_MAX { IdWidth::Seen } else { IdWidth::AnyDigit };
            let person = Person::new(&mut random, number, domain);
            let row: Vec<String> = forms.iter().map(|form| form.value(&person, width, &mut random)).collect();
            let is_new = columns
                .iter()
                .zip(&row)
                .zip(&taken)
                .all(|((column, cell), taken)| !must_be_unique(column) || cell.is_empty() || !taken.contains(cell));
            is_new.then_some(row)
        });
        let Some(row) = row else {
            bail!("no values are left that the file does not have: its ids use up their form");
        };
        for ((cell, taken), _) in row.iter().zip(&mut taken).zip(columns).filter(|(_, column)| must_be_unique(column)) {
            taken.insert(cell.clone());
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Whether two persons never share the column's value; names and dates they do.
fn must_be_unique(column: &Column) -> bool {
    let identifies = matches!(
        column.kind,
        FieldKind::Email | FieldKind::AccountId | FieldKind::Phone | FieldKind::Pan | FieldKind::Secret
    );
    // A full name that a customer has would make that customer look planted in a staff search.
    let is_name = matches!(column.kind, FieldKind::Name);
    identifies || is_name || column.is_row_key
}

/// An invented person, before the firm's forms.
struct Person {
    family: Name,
    given: Name,
    mail: String,
    date: (i32, u32, u32),
    address: String,
    phone: u32,
}

impl Person {
    fn new(random: &mut Random, number: usize, domain: &str) -> Person {
        let family = FAMILY[random.below(FAMILY.len())];
        let given = GIVEN[random.below(GIVEN.len())];
        let digits = random.below(900) + 100;
        let local = format!("{}.{}{digits}{number}", given.2.to_lowercase(), family.2.to_lowercase());
        const TOWNS: [&str; 6] = [
            "東京都港区見本町",
            "東京都世田谷区例示台",
            "神奈川県横浜市架空区本町",
            "大阪府大阪市見本区中央",
            "愛知県名古屋市例示区栄町",
            "福岡県福岡市架空区浜町",
        ];
        let town = TOWNS[random.below(TOWNS.len())];
        let address = format!("{town}{}-{}-{}", random.below(8) + 1, random.below(28) + 1, random.below(20) + 1);
        let date = (1950 + random.below(50) as i32, 1 + random.below(12) as u32, 1 + random.below(28) as u32);
        Person {
            family,
            given,
            mail: format!("{local}@{domain}"),
            date,
            address,
            phone: random.below(1_000_000) as u32,
        }
    }
}

/// How the firm writes one column.
enum Form<'a> {
    Id(&'a [&'a str]),
    Mail,
    Name(NameForm),
    Kana(NameForm, bool),
    Romaji(NameForm),
    Phone(&'a [&'a str]),
    Date(DateForm),
    Address,
    Secret(&'a str),
    /// A value that several of the firm's rows have: a branch, a rank.
    Common(Vec<&'a str>),
    Empty,
}

fn form<'a>(column: &Column, cells: &'a [&'a str]) -> Form<'a> {
    if form::is_my_number(&column.name, cells) {
        return Form::Empty;
    }
    match column.kind {
        FieldKind::Pan => Form::Empty,
        FieldKind::Email => Form::Mail,
        FieldKind::AccountId => Form::Id(cells),
        FieldKind::Phone => Form::Phone(cells),
        FieldKind::Name if cells.first().is_some_and(|cell| cell.is_ascii()) => Form::Romaji(NameForm::of(cells)),
        FieldKind::Name => Form::Name(NameForm::of(cells)),
        FieldKind::Kana => Form::Kana(NameForm::of(cells), form::is_hiragana(cells)),
        FieldKind::Romaji => Form::Romaji(NameForm::of(cells)),
        FieldKind::BirthDate => Form::Date(DateForm::of(cells)),
        FieldKind::Address => Form::Address,
        FieldKind::Secret => cells.first().map_or(Form::Empty, |cell| Form::Secret(cell)),
        FieldKind::Text if column.is_row_key => Form::Id(cells),
        FieldKind::Text => match form::common(cells) {
            common if common.is_empty() => Form::Empty,
            common => Form::Common(common),
        },
    }
}

impl Form<'_> {
    fn value(&self, person: &Person, width: IdWidth, random: &mut Random) -> String {
        let (family, given) = (person.family, person.given);
        match self {
            Form::Id(cells) => form::id_like(cells, width, random),
            Form::Mail => person.mail.clone(),
            Form::Name(form) => form.joined(family.0, given.0),
            Form::Kana(form, false) => form.joined(family.1, given.1),
            Form::Kana(form, true) => form.joined(&form::hiragana(family.1), &form::hiragana(given.1)),
            // Taro Yamada, as the firm's rows are taken to be.
            Form::Romaji(form) => form.cased(given.2, family.2),
            Form::Phone(cells) => form::phone_like(cells, person.phone, random),
            Form::Date(form) => form.write(person.date),
            Form::Address => person.address.clone(),
            Form::Secret(like) => form::secret_like(like, random),
            Form::Common(values) => values[random.below(values.len())].to_owned(),
            Form::Empty => String::new(),
        }
    }
}
