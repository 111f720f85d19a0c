//! What the site's scripts and its mobile app ask for. Answers are JSON in ASCII.

use super::Shared;
use super::book::Book;
use super::reply::{Refusal, Reply, json};
use super::seminars::Search;
use super::session::Customer;
use super::typed::{Path, Query};
use axum::extract::State;
use axum::response::{IntoResponse, Response};

/// Titles offered while somebody types.
const SUGGESTIONS_MAX: u32 = 8;

/// The record of a customer.
///
/// Hole 2: any customer gets any record, since nothing compares the number with the one who asks. It should be the
/// number of the session, or 404.
pub(super) async fn customer(
    State(shared): State<Shared>,
    Customer(_anybody): Customer,
    Path(id): Path<String>,
) -> Reply {
    let id = id.parse().map_err(|_| Refusal::NotFound)?;
    let account = shared.database.account(id)?.ok_or(Refusal::NotFound)?;
    Ok(json(&account))
}

/// The positions of the one who asks.
pub(super) async fn positions(Customer(account): Customer) -> Response {
    json(&Book::of(&account.account_id).positions)
}

/// Titles of seminars containing what was typed, soundly.
pub(super) async fn autocomplete(State(shared): State<Shared>, Query(Search { q }): Query<Search>) -> Reply {
    let titles = shared.database.titles_containing(&q, SUGGESTIONS_MAX)?;
    Ok(json(&titles).into_response())
}
