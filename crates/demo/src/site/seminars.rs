//! The seminar list with its search (hole 1), and the sign-up.

use super::Shared;
use super::database::{Account, Contact, Seminar};
use super::public::ContactForm;
use super::reply::{Refusal, Reply, page, page_with};
use super::session::Visitor;
use super::typed::{Form, Path, Query};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;

/// What the visitor looks for; everything unless given.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    pub(super) q: String,
}

#[derive(Template)]
#[template(path = "seminars.html")]
struct SeminarsPage {
    visitor: Option<Account>,
    typed: String,
    seminars: Vec<Seminar>,
    /// Hole 1: SQLite's words, which also carry values out.
    error: Option<String>,
}

pub(super) async fn search(
    State(shared): State<Shared>,
    Visitor(visitor): Visitor,
    Query(Search { q: typed }): Query<Search>,
) -> Reply {
    match shared.database.search_seminars(&typed) {
        Ok(seminars) => page(&SeminarsPage { visitor, typed, seminars, error: None }),
        Err(error) => {
            let error = Some(error.to_string());
            let failed = SeminarsPage { visitor, typed, seminars: Vec::new(), error };
            page_with(StatusCode::INTERNAL_SERVER_ERROR, &failed)
        }
    }
}

#[derive(Template)]
#[template(path = "apply.html")]
struct ApplyPage {
    visitor: Option<Account>,
    seminar: Seminar,
}

pub(super) async fn apply_form(
    State(shared): State<Shared>,
    Visitor(visitor): Visitor,
    Path(id): Path<String>,
) -> Reply {
    let seminar = seminar(&shared, &id)?;
    page(&ApplyPage { visitor, seminar })
}

#[derive(Template)]
#[template(path = "applied.html")]
struct AppliedPage<'a> {
    visitor: Option<Account>,
    seminar: Seminar,
    applicant_id: String,
    contact: Contact<'a>,
}

pub(super) async fn apply(
    State(shared): State<Shared>,
    Visitor(visitor): Visitor,
    Path(id): Path<String>,
    Form(form): Form<ContactForm>,
) -> Reply {
    let seminar = seminar(&shared, &id)?;
    let contact = form.contact()?;
    let seminar_id = seminar.id.parse().map_err(|_| Refusal::NotFound)?;
    let applicant_id = shared.database.add_applicant(seminar_id, &contact)?;
    page(&AppliedPage { visitor, seminar, applicant_id, contact })
}

fn seminar(shared: &Shared, id: &str) -> Result<Seminar, Refusal> {
    let id = id.parse().map_err(|_| Refusal::NotFound)?;
    shared.database.seminar(id)?.ok_or(Refusal::NotFound)
}
