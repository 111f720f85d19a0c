//! A customer's own pages: signing in and out, the overview, the summary, the statement.

use super::book::Book;
use super::charset::{Download, csv_line};
use super::database::Account;
use super::reply::{Reply, page, page_with};
use super::session::{Customer, Visitor, cookie};
use super::typed::{Form, Query};
use super::{Shared, password};
use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, SET_COOKIE};
use axum::response::{IntoResponse, Redirect, Response};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    visitor: Option<Account>,
    failed: bool,
}

pub(super) async fn login_form(Visitor(visitor): Visitor) -> Reply {
    page(&LoginPage { visitor, failed: false })
}

/// What a customer types to sign in.
#[derive(serde::Deserialize)]
pub(super) struct Credentials {
    account_id: String,
    password: String,
}

pub(super) async fn login(State(shared): State<Shared>, Form(typed): Form<Credentials>) -> Reply {
    let account = shared.database.account_by_login(typed.account_id.trim())?;
    let Some(account) = account.filter(|account| typed.password == password(&account.account_id)) else {
        return page_with(StatusCode::UNAUTHORIZED, &LoginPage { visitor: None, failed: true });
    };
    let session = shared.sessions.begin(account.id)?;
    let cookie = format!("session={session}; Path=/; HttpOnly; SameSite=Lax");
    Ok(([(SET_COOKIE, cookie)], Redirect::to("/mypage")).into_response())
}

pub(super) async fn logout(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if let Some(session) = cookie(&parts, "session") {
        shared.sessions.end(session);
    }
    ([(SET_COOKIE, "session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0")], Redirect::to("/")).into_response()
}

#[derive(Template)]
#[template(path = "mypage.html")]
struct MyPage {
    visitor: Option<Account>,
    account: Account,
    book: Book,
}

pub(super) async fn mypage(Customer(account): Customer) -> Reply {
    let book = Book::of(&account.account_id);
    page(&MyPage { visitor: Some(account.clone()), account, book })
}

#[derive(Template)]
#[template(path = "summary.html")]
struct SummaryPage {
    visitor: Option<Account>,
    account: Account,
    book: Book,
}

/// Sound by itself; [`super::shared_cache`] is not.
pub(super) async fn summary(Customer(account): Customer) -> Reply {
    let book = Book::of(&account.account_id);
    page(&SummaryPage { visitor: Some(account.clone()), account, book })
}

pub(super) async fn statement(Customer(account): Customer, Query(Download { encoding }): Query<Download>) -> Response {
    let headers = [
        (CONTENT_TYPE, encoding.content_type()),
        (CONTENT_DISPOSITION, "attachment; filename=\"statement.csv\""),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, encoding.encode(statement_text(&account))).into_response()
}

fn statement_text(account: &Account) -> String {
    let mut text = csv_line(&["氏名", &account.name]) + &csv_line(&["口座番号", &account.account_id]) + "\r\n";
    text += &csv_line(&["約定日時", "通貨ペア", "売買", "数量", "約定価格", "損益（円）"]);
    for trade in Book::of(&account.account_id).trades {
        let (units, profit_yen) = (trade.units.to_string(), trade.profit_yen.to_string());
        text += &csv_line(&[&trade.traded_at, trade.pair, trade.side, &units, &trade.rate, &profit_yen]);
    }
    text
}
