//! The site's database: SQLite in memory, behind one lock.
//!
//! Queries bind their values, with one exception: [`Database::search_seminars`] is hole 1. Its callers hold the lock
//! only inside a method, never across an `await`.

use super::dates;
use super::titles::SEMINARS;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, Statement, params};
use sekisho_testkit::Person;
use sekisho_testkit::people::applicant_id;
use std::sync::{Mutex, MutexGuard, PoisonError};

const SCHEMA: &str = "
CREATE TABLE seminars (id INTEGER PRIMARY KEY, title TEXT, held_on TEXT, place TEXT, lecturer TEXT);
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY, account_id TEXT UNIQUE, name TEXT, kana TEXT, romaji TEXT, email TEXT, phone TEXT,
    card TEXT, password_hash TEXT, birth_date TEXT, address TEXT
);
CREATE TABLE applicants (
    id INTEGER PRIMARY KEY, applicant_id TEXT UNIQUE, seminar_id INTEGER, name TEXT, kana TEXT, email TEXT, phone TEXT
);
CREATE TABLE openings (id INTEGER PRIMARY KEY, name TEXT, kana TEXT, email TEXT, phone TEXT, birth_date TEXT);
";

/// A customer as the pages show them.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Account {
    pub(super) id: i64,
    pub(super) account_id: String,
    pub(super) name: String,
    pub(super) kana: String,
    pub(super) email: String,
    pub(super) phone: String,
}

/// A line of the seminar list; all text, because hole 1 puts anything into it.
#[derive(Debug)]
pub(super) struct Seminar {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) held_on: String,
    pub(super) place: String,
    pub(super) lecturer: String,
}

impl Seminar {
    /// The day as the pages show it.
    pub(super) fn day(&self) -> String {
        dates::japanese(&self.held_on)
    }
}

/// What a visitor types about themselves.
#[derive(Debug)]
pub(super) struct Contact<'a> {
    pub(super) name: &'a str,
    pub(super) kana: &'a str,
    pub(super) email: &'a str,
    pub(super) phone: &'a str,
}

pub(super) struct Database {
    connection: Mutex<Connection>,
}

impl Database {
    pub(super) fn filled(accounts: &[Person], applicants: &[Person]) -> rusqlite::Result<Database> {
        let mut connection = Connection::open_in_memory()?;
        connection.execute_batch(SCHEMA)?;
        let transaction = connection.transaction()?;
        fill_seminars(&transaction)?;
        fill_accounts(&transaction, accounts)?;
        fill_applicants(&transaction, applicants)?;
        transaction.commit()?;
        Ok(Database { connection: Mutex::new(connection) })
    }

    /// Seminars whose title contains what the visitor typed.
    ///
    /// Hole 1: the text becomes part of the statement, so a quote in it continues the statement, and the page shows
    /// SQLite's own words when that fails. The comparison belongs into a bound parameter.
    pub(super) fn search_seminars(&self, typed: &str) -> rusqlite::Result<Vec<Seminar>> {
        let sql = format!(
            "SELECT id, title, held_on, place, lecturer FROM seminars WHERE title LIKE '%{typed}%' ORDER BY held_on"
        );
        let connection = self.lock();
        let mut statement = connection.prepare(&sql)?;
        collect(&mut statement, [], seminar)
    }

    /// The next seminars, for the home page.
    pub(super) fn next_seminars(&self, count: u32) -> rusqlite::Result<Vec<Seminar>> {
        let connection = self.lock();
        let mut statement =
            connection.prepare("SELECT id, title, held_on, place, lecturer FROM seminars ORDER BY held_on LIMIT ?1")?;
        collect(&mut statement, [count], seminar)
    }

    pub(super) fn seminar(&self, id: i64) -> rusqlite::Result<Option<Seminar>> {
        self.lock()
            .query_row("SELECT id, title, held_on, place, lecturer FROM seminars WHERE id = ?1", [id], seminar)
            .optional()
    }

    /// Titles containing what the visitor typed, soundly.
    pub(super) fn titles_containing(&self, typed: &str, count: u32) -> rusqlite::Result<Vec<String>> {
        let connection = self.lock();
        let mut statement =
            connection.prepare("SELECT title FROM seminars WHERE instr(title, ?1) > 0 ORDER BY id LIMIT ?2")?;
        collect(&mut statement, params![typed, count], |row| row.get(0))
    }

    /// Stores a sign-up and returns the applicant's id.
    pub(super) fn add_applicant(&self, seminar_id: i64, contact: &Contact<'_>) -> rusqlite::Result<String> {
        let connection = self.lock();
        let count: u32 = connection.query_row("SELECT count(*) FROM applicants", [], |row| row.get(0))?;
        let id = applicant_id(count as usize);
        connection.execute(
            "INSERT INTO applicants (applicant_id, seminar_id, name, kana, email, phone) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![id, seminar_id, contact.name, contact.kana, contact.email, contact.phone],
        )?;
        Ok(id)
    }

    /// Stores a request for an account and returns its number.
    pub(super) fn add_opening(&self, contact: &Contact<'_>, birth_date: &str) -> rusqlite::Result<i64> {
        let connection = self.lock();
        connection.execute(
            "INSERT INTO openings (name, kana, email, phone, birth_date) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![contact.name, contact.kana, contact.email, contact.phone, birth_date],
        )?;
        Ok(connection.last_insert_rowid())
    }

    pub(super) fn account(&self, id: i64) -> rusqlite::Result<Option<Account>> {
        let sql = "SELECT id, account_id, name, kana, email, phone FROM accounts WHERE id = ?1";
        self.lock().query_row(sql, [id], account).optional()
    }

    pub(super) fn account_by_login(&self, account_id: &str) -> rusqlite::Result<Option<Account>> {
        let sql = "SELECT id, account_id, name, kana, email, phone FROM accounts WHERE account_id = ?1";
        self.lock().query_row(sql, [account_id], account).optional()
    }

    pub(super) fn account_count(&self) -> rusqlite::Result<u32> {
        self.lock().query_row("SELECT count(*) FROM accounts", [], |row| row.get(0))
    }

    /// Up to `count` accounts after the one numbered `after`, in order of their numbers.
    pub(super) fn accounts_after(&self, after: i64, count: u32) -> rusqlite::Result<Vec<Account>> {
        let connection = self.lock();
        let mut statement = connection.prepare(
            "SELECT id, account_id, name, kana, email, phone FROM accounts WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?;
        collect(&mut statement, params![after, count], account)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn collect<T>(
    statement: &mut Statement<'_>,
    values: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    statement.query_map(values, read)?.collect()
}

fn seminar(row: &Row<'_>) -> rusqlite::Result<Seminar> {
    Ok(Seminar {
        id: text(row, 0)?,
        title: text(row, 1)?,
        held_on: text(row, 2)?,
        place: text(row, 3)?,
        lecturer: text(row, 4)?,
    })
}

/// A cell of whatever type as text.
fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    })
}

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        id: row.get(0)?,
        account_id: row.get(1)?,
        name: row.get(2)?,
        kana: row.get(3)?,
        email: row.get(4)?,
        phone: row.get(5)?,
    })
}

fn fill_seminars(connection: &Connection) -> rusqlite::Result<()> {
    let mut insert =
        connection.prepare("INSERT INTO seminars (title, held_on, place, lecturer) VALUES (?1, ?2, ?3, ?4)")?;
    for seminar in &SEMINARS {
        insert.execute(params![seminar.title, seminar.held_on, seminar.place, seminar.lecturer])?;
    }
    Ok(())
}

fn fill_accounts(connection: &Connection, accounts: &[Person]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare(
        "INSERT INTO accounts (account_id, name, kana, romaji, email, phone, card, password_hash, birth_date, address)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for person in accounts {
        insert.execute(params![
            person.account_id,
            person.name(),
            person.kana(),
            person.romaji(),
            person.email,
            person.phone,
            person.card,
            person.password_hash,
            person.birth_date,
            person.address,
        ])?;
    }
    Ok(())
}

fn fill_applicants(connection: &Connection, applicants: &[Person]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare(
        "INSERT INTO applicants (applicant_id, seminar_id, name, kana, email, phone) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (position, person) in applicants.iter().enumerate() {
        insert.execute(params![
            applicant_id(position),
            (position % SEMINARS.len() + 1) as i64,
            person.name(),
            person.kana(),
            person.email,
            person.phone
        ])?;
    }
    Ok(())
}
