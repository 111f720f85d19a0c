//! A site on a free port and a plain HTTP/1.1 client for it: one connection a request.

use sekisho_demo::site::{Site, SiteOptions, password};
use sekisho_testkit::people::{Person, people};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Customers and applicants of the tests' site; more customers than two chunks of the export hold.
pub(crate) const CUSTOMERS: usize = 450;
pub(crate) const APPLICANTS: usize = 40;

/// A running site and who is in it.
pub(crate) struct Broker {
    pub(crate) site: Site,
    pub(crate) accounts: Vec<Person>,
    pub(crate) applicants: Vec<Person>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Broker {
    pub(crate) async fn start() -> Broker {
        let mut persons = people(1);
        let accounts: Vec<Person> = persons.by_ref().take(CUSTOMERS).collect();
        let applicants: Vec<Person> = persons.take(APPLICANTS).collect();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = SiteOptions { address, accounts: accounts.clone(), applicants: applicants.clone() };
        Broker { site: Site::start(options).await.unwrap(), accounts, applicants }
    }

    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: hakone.example\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        ))
        .await
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let form: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let form = form.join("&");
        self.ask(&format!(
            "POST {path} HTTP/1.1\r\nHost: hakone.example\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{form}",
            form.len()
        ))
        .await
    }

    /// Signs the customer in and returns the cookie to send.
    pub(crate) async fn sign_in(&self, customer: usize) -> String {
        let account_id = &self.accounts[customer].account_id;
        let answer = self.post("/login", &[("account_id", account_id), ("password", &password(account_id))]).await;
        assert_eq!(answer.status, 303);
        let cookie = answer.header("set-cookie").unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn ask(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.site.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        Answer::parsed(&bytes)
    }
}

impl Answer {
    fn parsed(bytes: &[u8]) -> Answer {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head[9..12].parse().unwrap();
        let mut answer = Answer { status, head, body: bytes[end + 4..].to_vec() };
        if answer.header("transfer-encoding").is_some() {
            answer.body = without_chunks(&answer.body);
        }
        answer
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// The body inside chunked transfer coding; panics unless the last chunk is there.
fn without_chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[line + 2..line + 2 + length]);
        rest = &rest[line + 2 + length + 2..];
    }
}

/// Percent-encodes every byte.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
