//! Who is signed in: random session ids in memory, and the extractors that pages use.

use super::Shared;
use super::database::Account;
use super::reply::Refusal;
use axum::extract::FromRequestParts;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sessions at a time; signing in beyond it ends the oldest one.
const SESSIONS_MAX: usize = 10_000;

/// The sessions of the site.
#[derive(Default)]
pub(super) struct Sessions {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    account_of: HashMap<String, i64>,
    oldest_first: VecDeque<String>,
}

impl Sessions {
    /// Starts a session of the account and returns the cookie's value.
    pub(super) fn begin(&self, account: i64) -> Result<String, Refusal> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| Refusal::NoRandomness)?;
        let id = hex::encode(random);
        let mut table = self.lock();
        if table.oldest_first.len() >= SESSIONS_MAX
            && let Some(oldest) = table.oldest_first.pop_front()
        {
            table.account_of.remove(&oldest);
        }
        table.account_of.insert(id.clone(), account);
        table.oldest_first.push_back(id.clone());
        Ok(id)
    }

    /// Ends a session, if it is one.
    pub(super) fn end(&self, id: &str) {
        let mut table = self.lock();
        table.account_of.remove(id);
        table.oldest_first.retain(|other| other != id);
    }

    fn account(&self, id: &str) -> Option<i64> {
        self.lock().account_of.get(id).copied()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Anybody; signed in or not.
pub(super) struct Visitor(pub(super) Option<Account>);

/// Somebody signed in; others are sent to the sign-in page.
pub(super) struct Customer(pub(super) Account);

impl FromRequestParts<Shared> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Visitor, Refusal> {
        let account = cookie(parts, "session").and_then(|id| shared.sessions.account(id));
        Ok(Visitor(account.map(|account| shared.database.account(account)).transpose()?.flatten()))
    }
}

impl FromRequestParts<Shared> for Customer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Customer, Refusal> {
        let Visitor(account) = Visitor::from_request_parts(parts, shared).await?;
        account.map(Customer).ok_or(Refusal::SignIn)
    }
}

/// The value of a cookie of the request.
pub(super) fn cookie<'p>(parts: &'p Parts, name: &str) -> Option<&'p str> {
    let cookies = parts.headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    cookies
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}
