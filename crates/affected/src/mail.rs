//! The second door: who shows that a mail address is theirs gets a code that works once.
//!
//! The person types the address; if it belongs to somebody in a store, a mail with a code goes to it. The page's
//! answer is the same in either case, and so is the work: a code is made, and the courier gets a message, which for a
//! stranger's address names nobody. The address is held for that moment only; nothing here writes it to a disk.

use crate::code::CaseCode;
use crate::keys::CodeHash;
use crate::limits::Bucket;
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long a mailed code works. The page's words say it too.
pub const CODE_LASTS: Duration = Duration::from_secs(30 * 60);
/// Mailed codes that wait for use; beyond, no more are sent until some end.
pub const WAITING_MAX: usize = 20_000;
/// Messages that wait for the courier; beyond, they are dropped, and the log says so.
const QUEUE_MAX: usize = 256;
/// Bytes of an address; beyond, it is none (RFC 5321, 4.5.3.1.3).
pub(crate) const ADDRESS_BYTES_MAX: usize = 254;
/// Mails to one address at once, and how long until one more.
const ADDRESS_BURST: u32 = 3;
const ADDRESS_PAUSE: Duration = Duration::from_secs(20 * 60);
/// Mails to everybody at once, and in a second after that.
const ALL_BURST: u32 = 120;
const ALL_PER_SECOND: f64 = 2.0;
/// How long the courier may take with one message.
const COURIER_WAIT_MAX: Duration = Duration::from_secs(10);

/// What a message says it is.
pub(crate) const FORMAT: &str = "sekisho-affected-mail/1";

/// What the courier gets: a line of JSON. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    format: &'static str,
    /// Nobody, when the address that was typed is in no store: then nothing is to be sent.
    pub to: Option<String>,
    /// `ja` or `en`: the language of the page on which the address was typed.
    pub lang: &'static str,
    /// As printed; one for each case.
    pub codes: Vec<String>,
    /// How long they work.
    pub minutes: u64,
}

impl Message {
    pub(crate) fn new(to: Option<String>, lang: &'static str, codes: Vec<String>) -> Message {
        Message { format: FORMAT, to, lang, codes, minutes: CODE_LASTS.as_secs() / 60 }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message(…)")
    }
}

/// Whoever sends the mails.
pub trait Courier: Send + Sync + fmt::Debug {
    /// Takes a message and returns at once. What cannot be sent is dropped: the person asks again.
    fn hand(&self, message: Message);
}

/// Hands each message to a program that listens on a Unix socket: one connection, one line of JSON; it answers `ok`.
#[derive(Debug)]
pub struct SocketCourier {
    queue: mpsc::Sender<Message>,
}

impl SocketCourier {
    /// Starts handing over; within a tokio runtime.
    #[must_use]
    pub fn start(socket: PathBuf) -> SocketCourier {
        let (queue, mut waiting) = mpsc::channel::<Message>(QUEUE_MAX);
        tokio::spawn(async move {
            while let Some(message) = waiting.recv().await {
                let handed = timeout(COURIER_WAIT_MAX, deliver(&socket, &message)).await;
                match handed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                    Ok(()) => {}
                    Err(err) => tracing::warn!("the courier at `{}` did not take a message: {err}", socket.display()),
                }
            }
        });
        SocketCourier { queue }
    }
}

impl Courier for SocketCourier {
    fn hand(&self, message: Message) {
        if self.queue.try_send(message).is_err() {
            tracing::warn!("more than {QUEUE_MAX} messages wait for the courier; one was dropped");
        }
    }
}

async fn deliver(socket: &Path, message: &Message) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(&line).await?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await?;
    if &answer == b"ok" { Ok(()) } else { Err(io::Error::other("it did not answer `ok`")) }
}

/// What was typed, as the address that a mail goes to: full-width letters, which a Japanese keyboard gives, are narrow in it.
/// None when it could be no address.
pub(crate) fn typed_address(typed: &str) -> Option<String> {
    let narrow: String = typed.trim().chars().map(crate::code::narrow).collect();
    is_address(&narrow).then_some(narrow)
}

/// Whether what was typed could be an address at all. It says nothing about anybody.
#[must_use]
pub fn is_address(typed: &str) -> bool {
    let typed = typed.trim();
    let parts = typed.rsplit_once('@').filter(|(name, domain)| !name.is_empty() && domain.contains('.'));
    let odd = |character: char| character.is_whitespace() || character.is_control() || ",;<>\"".contains(character);
    parts.is_some() && typed.len() <= ADDRESS_BYTES_MAX && !typed.contains(odd)
}

/// Codes that were mailed and not used yet, and who was mailed how often. In memory only: a restart ends them.
#[derive(Debug)]
pub(crate) struct Mailed {
    /// The page that a code leads to, and until when.
    waiting: HashMap<CodeHash, (u32, Duration)>,
    /// Known addresses that were mailed to, so no more than the stores have.
    addresses: HashMap<CodeHash, Bucket>,
    all: Bucket,
}

impl Mailed {
    pub(crate) fn new() -> Mailed {
        Mailed { waiting: HashMap::new(), addresses: HashMap::new(), all: Bucket::full(ALL_BURST) }
    }

    /// Whether one more mail may go to a known address.
    pub(crate) fn may_mail(&mut self, address: CodeHash, now: Duration) -> bool {
        self.waiting.retain(|_, &mut (_, until)| now < until);
        if self.waiting.len() >= WAITING_MAX || !self.all.take(ALL_BURST, ALL_PER_SECOND, now) {
            tracing::warn!("too many codes are asked for by mail; one was not sent");
            return false;
        }
        let bucket = self.addresses.entry(address).or_insert_with(|| Bucket::full(ADDRESS_BURST));
        bucket.take(ADDRESS_BURST, 1.0 / ADDRESS_PAUSE.as_secs_f64(), now)
    }

    pub(crate) fn expect(&mut self, code: CodeHash, page: u32, now: Duration) {
        self.waiting.insert(code, (page, now + CODE_LASTS));
    }

    /// The page of a mailed code, once.
    pub(crate) fn take(&mut self, code: &CodeHash, now: Duration) -> Option<u32> {
        let (page, until) = self.waiting.remove(code)?;
        (now < until).then_some(page)
    }
}

/// One code for each page, and one for nobody when there is none.
pub(crate) fn fresh_codes(pages: usize) -> Result<Vec<CaseCode>, getrandom::Error> {
    (0..pages.max(1)).map(|_| CaseCode::random()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_an_address_is_one() {
        for good in ["taro@example.jp", " Taro.Yamada+fx@mail.example.com ", "太郎@例え.jp"] {
            assert!(is_address(good), "{good}");
        }
        for wrong in [
            "",
            "taro",
            "@example.jp",
            "taro@example",
            "ta ro@example.jp",
            "a@b.jp,c@d.jp",
            "<a@b.jp>",
            &format!("{}@b.jp", "a".repeat(250)),
        ] {
            assert!(!is_address(wrong), "{wrong}");
        }
    }

    #[test]
    fn an_address_is_mailed_to_as_the_firm_knows_it() {
        let key = crate::keys::LookupKey::parse(&"11".repeat(16)).expect("a key");
        // Full-width letters are what a Japanese keyboard gives.
        assert_eq!(typed_address(" ｔaro@example.jp\n").as_deref(), Some("taro@example.jp"));
        assert_eq!(typed_address("ｔａｒｏ＠ｅｘａｍｐｌｅ．ｊｐ").as_deref(), Some("taro@example.jp"));
        assert_eq!(typed_address("taro"), None);
        assert_eq!(key.hash_mail("ＴARO@example.jp"), key.hash_mail("taro@example.jp"));
        // The Kelvin sign becomes a k where it is made small, and another mailbox where it is mailed to.
        assert_ne!(key.hash_mail("tarok@example.jp"), key.hash_mail("taro\u{212a}@example.jp"));
    }

    #[test]
    fn a_mailed_code_works_once_and_for_half_an_hour() {
        let mut mailed = Mailed::new();
        let at = Duration::from_secs;
        mailed.expect([1; 16], 7, at(0));
        mailed.expect([2; 16], 8, at(0));
        assert_eq!([mailed.take(&[1; 16], at(1799)), mailed.take(&[1; 16], at(1799))], [Some(7), None]);
        assert_eq!(mailed.take(&[2; 16], at(1800)), None);
    }

    #[test]
    fn an_address_gets_a_few_mails_and_then_one_in_twenty_minutes() {
        let mut mailed = Mailed::new();
        let mut may = |seconds| mailed.may_mail([1; 16], Duration::from_secs(seconds));
        assert_eq!([0, 0, 0, 0, 1199, 1200, 1200].map(&mut may), [true, true, true, false, false, true, false]);
        assert!(mailed.may_mail([2; 16], Duration::from_secs(1200)));
    }
}
