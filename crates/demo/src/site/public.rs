//! Pages for everybody: home, news, account opening, files, and the page that is not there.

use super::Shared;
use super::book::{PAIRS, Pair};
use super::database::{Account, Contact, Seminar};
use super::reply::{Refusal, Reply, page};
use super::session::Visitor;
use super::typed::Form;
use askama::Template;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

/// Seminars shown on the home page.
const HOME_SEMINARS: u32 = 3;
/// The longest value of a form field, in characters; a longer one is refused.
const FIELD_CHARACTERS_MAX: usize = 200;

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    visitor: Option<Account>,
    pairs: &'static [Pair],
    seminars: Vec<Seminar>,
}

pub(super) async fn home(State(shared): State<Shared>, Visitor(visitor): Visitor) -> Reply {
    let seminars = shared.database.next_seminars(HOME_SEMINARS)?;
    page(&HomePage { visitor, pairs: &PAIRS, seminars })
}

#[derive(Template)]
#[template(path = "news.html")]
struct NewsPage {
    visitor: Option<Account>,
}

pub(super) async fn news(Visitor(visitor): Visitor) -> Reply {
    page(&NewsPage { visitor })
}

#[derive(Template)]
#[template(path = "open.html")]
struct OpenPage {
    visitor: Option<Account>,
}

pub(super) async fn open_form(Visitor(visitor): Visitor) -> Reply {
    page(&OpenPage { visitor })
}

/// What a visitor types to open an account.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Opening {
    #[serde(flatten)]
    contact: ContactForm,
    birth_date: String,
}

/// The fields that all forms about a person share.
#[derive(Debug, serde::Deserialize)]
pub(super) struct ContactForm {
    name: String,
    kana: String,
    email: String,
    phone: String,
}

impl ContactForm {
    /// The fields without surrounding blanks, or what is wrong with them.
    pub(super) fn contact(&self) -> Result<Contact<'_>, Refusal> {
        let contact = Contact {
            name: field(&self.name)?,
            kana: field(&self.kana)?,
            email: field(&self.email)?,
            phone: field(&self.phone)?,
        };
        match contact.email.contains('@') {
            true => Ok(contact),
            false => Err(Refusal::Form("メールアドレスの形式をご確認ください。")),
        }
    }
}

fn field(value: &str) -> Result<&str, Refusal> {
    let value = value.trim();
    if value.is_empty() {
        return Err(Refusal::Form("すべての項目をご入力ください。"));
    }
    if value.chars().count() > FIELD_CHARACTERS_MAX {
        return Err(Refusal::Form("各項目は200文字以内でご入力ください。"));
    }
    Ok(value)
}

#[derive(Template)]
#[template(path = "opened.html")]
struct OpenedPage<'a> {
    visitor: Option<Account>,
    receipt: String,
    contact: Contact<'a>,
    birth_date: &'a str,
}

pub(super) async fn open(
    State(shared): State<Shared>,
    Visitor(visitor): Visitor,
    Form(opening): Form<Opening>,
) -> Reply {
    let contact = opening.contact.contact()?;
    let birth_date = field(&opening.birth_date)?;
    let receipt = format!("OP{:06}", shared.database.add_opening(&contact, birth_date)?);
    page(&OpenedPage { visitor, receipt, contact, birth_date })
}

pub(super) async fn style() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("../../templates/site.css"))
}

pub(super) async fn script() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("../../templates/search.js"))
}

pub(super) async fn not_found() -> Refusal {
    Refusal::NotFound
}
