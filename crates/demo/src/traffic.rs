//! Who uses the sample site in a scenario: ordinary customers, and a thief.
//!
//! Both go through real sockets on the loopback interface. What they do is bounded by the scenario's numbers.

use crate::client::{Client, percent_encoded};
use crate::site::password;
use sekisho_testkit::Person;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

/// What ordinary customers look for.
const SEARCHES: [&str; 6] = ["スワップ", "初心者", "確定申告", "O'Brien", "USD/JPY", "セミナー"];

/// A customer signs in, looks at their own pages, searches seminars and leaves. Returns the requests made.
pub async fn visit(server: SocketAddr, address: Ipv4Addr, number: usize, person: &Person) -> io::Result<u32> {
    let mut client = Client::new(server, address);
    let search = SEARCHES[number % SEARCHES.len()];
    client.get("/").await?;
    client.post("/login", &[("account_id", &person.account_id), ("password", &password(&person.account_id))]).await?;
    client.get("/mypage").await?;
    client.get("/api/positions").await?;
    let encoding = if number.is_multiple_of(2) { "utf-8" } else { "shift_jis" };
    client.get(&format!("/statement.csv?encoding={encoding}")).await?;
    for typed in (1..=search.chars().count()).map(|length| search.chars().take(length).collect::<String>()) {
        client.get(&format!("/api/autocomplete?q={}", percent_encoded(&typed))).await?;
    }
    client.get(&format!("/seminars?q={}", percent_encoded(search))).await?;
    client.get("/logout").await?;
    Ok(7 + u32::try_from(search.chars().count()).unwrap_or(u32::MAX))
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

/// The thief: first the seminar search, then other people's records. `client` should capture.
pub async fn steal(client: &mut Client, loot: Loot, own_account_id: &str) -> io::Result<u32> {
    let mut requests = 0;
    for offset in (0..loot.applicants).step_by(loot.page_rows) {
        let rows = loot.page_rows.min(loot.applicants - offset);
        inject(client, "name, email, phone, applicant_id FROM applicants", rows, offset).await?;
        requests += 1;
    }
    for offset in (0..loot.accounts).step_by(loot.page_rows) {
        let rows = loot.page_rows.min(loot.accounts - offset);
        inject(client, "name, email, account_id, '' FROM accounts", rows, offset).await?;
        requests += 1;
    }
    client.post("/login", &[("account_id", own_account_id), ("password", &password(own_account_id))]).await?;
    for record in 1..=loot.records {
        client.get(&format!("/api/customers/{record}")).await?;
        requests += 1;
    }
    Ok(requests + 1)
}

/// Continues the search's statement with one of the thief's (hole 1).
async fn inject(client: &mut Client, selection: &str, rows: usize, offset: usize) -> io::Result<()> {
    let typed = format!("zzz%' UNION ALL SELECT 0, {selection} LIMIT {rows} OFFSET {offset} --");
    client.get(&format!("/seminars?q={}", percent_encoded(&typed))).await.map(drop)
}
