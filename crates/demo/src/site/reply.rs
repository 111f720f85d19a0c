//! From templates and refusals to responses.

use super::database::Account;
use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Redirect, Response};

/// What most handlers return.
pub(super) type Reply = Result<Response, Refusal>;

/// Why a request gets no page of its own.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The page is for customers who signed in.
    SignIn,
    /// The page is for the staff.
    Staff,
    /// There is no such page, seminar or account.
    NotFound,
    /// A form is not filled in as it should be; the text says how to mend it.
    Form(&'static str),
    /// The address has something in it that the page does not know.
    Address,
    /// A form is longer than any that is filled in by hand.
    TooLarge,
    /// The system gave no random bytes for a session.
    NoRandomness,
    /// The database failed on a sound statement.
    Database,
    /// A template failed.
    Template,
}

impl From<rusqlite::Error> for Refusal {
    fn from(_: rusqlite::Error) -> Refusal {
        Refusal::Database
    }
}

/// A page in the site's layout.
pub(super) fn page(template: &impl Template) -> Reply {
    page_with(StatusCode::OK, template)
}

/// A page with another status.
pub(super) fn page_with(status: StatusCode, template: &impl Template) -> Reply {
    let text = template.render().map_err(|_| Refusal::Template)?;
    Ok((status, [(CACHE_CONTROL, "no-store")], Html(text)).into_response())
}

/// JSON in ASCII: everything else as `\uXXXX`.
pub(super) fn json(value: &impl serde::Serialize) -> Response {
    // Only a map with keys that are not text fails, and there is none on this site.
    let text = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], ascii_json(&text)).into_response()
}

fn ascii_json(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            ascii.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            ascii.push_str(&format!("\\u{unit:04x}"));
        }
    }
    ascii
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage {
    visitor: Option<Account>,
    title: &'static str,
    text: &'static str,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, title, text) = match self {
            Refusal::SignIn => return Redirect::to("/login").into_response(),
            Refusal::Staff => (StatusCode::FORBIDDEN, "このページは表示できません", "社内の担当者専用のページです。"),
            Refusal::NotFound => (
                StatusCode::NOT_FOUND,
                "ページが見つかりません",
                "お探しのページは移動または削除された可能性があります。",
            ),
            Refusal::Form(text) => (StatusCode::BAD_REQUEST, "入力内容をご確認ください", text),
            Refusal::Address => (
                StatusCode::BAD_REQUEST,
                "ページを表示できません",
                "URLの指定が正しくありません。お手数ですが、ホームからお進みください。",
            ),
            Refusal::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "入力内容をご確認ください",
                "入力内容が長すぎるため、受け付けできませんでした。",
            ),
            Refusal::NoRandomness | Refusal::Database | Refusal::Template => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "ただいま処理できません",
                "しばらくしてから、もう一度お試しください。",
            ),
        };
        let plain = |_| (status, title).into_response();
        page_with(status, &RefusalPage { visitor: None, title, text }).unwrap_or_else(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_ascii_and_means_the_same() {
        let ascii = ascii_json(r#"{"name":"髙木 𠮷"}"#);
        assert_eq!(ascii, r#"{"name":"\u9ad9\u6728 \ud842\udfb7"}"#);
        let value: serde_json::Value = serde_json::from_str(&ascii).unwrap();
        assert_eq!(value["name"], "髙木 𠮷");
    }
}
