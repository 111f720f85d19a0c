//! What a visitor typed or asked for, as the handlers take it. What cannot be read gets a page of the site, in the site's
//! language, instead of the framework's words.

use super::reply::Refusal;
use axum::extract::{self, FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// A form's fields.
pub(super) struct Form<T>(pub(super) T);

/// The part of the address behind `?`.
pub(super) struct Query<T>(pub(super) T);

/// A part of the address between slashes.
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Form<T>, Refusal> {
        match extract::Form::from_request(request, state).await {
            Ok(extract::Form(typed)) => Ok(Form(typed)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Refusal::TooLarge),
            Err(_) => Err(Refusal::Form("すべての項目をご入力ください。")),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Query<T>, Refusal> {
        let read = extract::Query::from_request_parts(parts, state).await;
        read.map(|extract::Query(asked)| Query(asked)).map_err(|_| Refusal::Address)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, Refusal> {
        let read = extract::Path::from_request_parts(parts, state).await;
        read.map(|extract::Path(asked)| Path(asked)).map_err(|_| Refusal::Address)
    }
}
