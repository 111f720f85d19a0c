//! The pages of the staff, guarded by a cookie that is the same for everybody and never changes.
//!
//! Hole 4: whoever guesses or once saw [`STAFF_COOKIE`] reads everything, and the export has no limit. There should be
//! an account for each member of the staff, a limit and a second pair of eyes.

use super::Shared;
use super::book::grouped;
use super::charset::{Charset, Download, csv_line};
use super::database::{Account, Database};
use super::reply::{Refusal, Reply, page};
use super::session::cookie;
use super::typed::Query;
use askama::Template;
use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::Frame;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The whole `Cookie` header of a member of the staff.
pub const STAFF_COOKIE: &str = "staff=hakone-staff";

/// Customers on a page.
const PAGE_CUSTOMERS: u32 = 50;
/// Customers in a chunk of the export: about 16 KiB.
const CHUNK_CUSTOMERS: u32 = 200;

/// Somebody with the staff's cookie.
pub(super) struct Staff;

impl FromRequestParts<Shared> for Staff {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _shared: &Shared) -> Result<Staff, Refusal> {
        let expected = STAFF_COOKIE.split_once('=').map(|(_, value)| value);
        if cookie(parts, "staff") == expected { Ok(Staff) } else { Err(Refusal::Staff) }
    }
}

/// `?page=`, from 1.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Paging {
    #[serde(default = "first_page")]
    page: u32,
}

fn first_page() -> u32 {
    1
}

#[derive(Template)]
#[template(path = "customers.html")]
struct CustomersPage {
    visitor: Option<Account>,
    customers: Vec<Account>,
    count: u32,
    number: u32,
    last: u32,
}

impl CustomersPage {
    fn count_grouped(&self) -> String {
        grouped(self.count.into())
    }
}

pub(super) async fn customers(State(shared): State<Shared>, _: Staff, Query(paging): Query<Paging>) -> Reply {
    let count = shared.database.account_count()?;
    let last = count.div_ceil(PAGE_CUSTOMERS).max(1);
    let number = paging.page.clamp(1, last);
    let after = i64::from(number - 1) * i64::from(PAGE_CUSTOMERS);
    let customers = shared.database.accounts_after(after, PAGE_CUSTOMERS)?;
    page(&CustomersPage { visitor: None, customers, count, number, last })
}

pub(super) async fn export(
    State(shared): State<Shared>,
    _: Staff,
    Query(Download { encoding }): Query<Download>,
) -> Response {
    let headers = [
        (CONTENT_TYPE, encoding.content_type()),
        (CONTENT_DISPOSITION, "attachment; filename=\"customers.csv\""),
        (CACHE_CONTROL, "no-store"),
    ];
    let export = Export { database: shared.database, encoding, after: None };
    (headers, Body::new(export)).into_response()
}

/// A body that reads the next customers when the connection has room for them.
struct Export {
    database: Arc<Database>,
    encoding: Charset,
    /// The last customer sent; before the head of the file there is none.
    after: Option<i64>,
}

impl http_body::Body for Export {
    type Data = Bytes;
    type Error = rusqlite::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, rusqlite::Error>>> {
        Poll::Ready(self.next_chunk().map(|chunk| chunk.map(Frame::data)))
    }
}

impl Export {
    fn next_chunk(&mut self) -> Option<Result<Bytes, rusqlite::Error>> {
        let Some(after) = self.after else {
            self.after = Some(0);
            return Some(Ok(self.encoded(csv_line(&["口座番号", "氏名", "フリガナ", "メールアドレス", "電話番号"]))));
        };
        let customers = match self.database.accounts_after(after, CHUNK_CUSTOMERS) {
            Ok(customers) => customers,
            Err(error) => return Some(Err(error)),
        };
        self.after = Some(customers.last()?.id);
        let lines = customers.iter().map(line).collect();
        Some(Ok(self.encoded(lines)))
    }

    fn encoded(&self, text: String) -> Bytes {
        Bytes::from(self.encoding.encode(text))
    }
}

fn line(customer: &Account) -> String {
    csv_line(&[&customer.account_id, &customer.name, &customer.kana, &customer.email, &customer.phone])
}
