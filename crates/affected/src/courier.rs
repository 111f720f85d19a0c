//! The other end of the page's socket: takes its messages, writes a mail for each, and sees to its sending.
//!
//! Whoever watches the socket learns nothing: `ok` is answered before anything is done, a message to nobody takes the
//! same place in the queue, and a mail is written and signed for it too, and dropped. Nothing goes to a disk, and no
//! address or code into a log: after a restart the person asks again. How a mail leaves is the [`Post`]'s.
//! Read in this order: [`serve`], `intake`, `work`; then `socket`, `text`.

mod socket;
mod text;

pub use socket::{Listening, listen};
pub use text::{Genuine, MailText};

use crate::code::CaseCode;
use crate::config::{Firm, STORES_MAX};
use crate::mail::{FORMAT, is_address};
use crate::words::Language;
use serde::Deserialize;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// Bytes of a message with its line end; a longer one is refused.
const MESSAGE_BYTES_MAX: u64 = 4_096;
/// How long a message may take to arrive; beyond, the connection is closed.
const MESSAGE_WAIT_MAX: Duration = Duration::from_secs(5);
/// Connections to the socket at once; others wait to be accepted.
const CONNECTIONS_MAX: usize = 32;
/// Codes of one message, one for each of the page's stores; a message with more is refused.
const CODES_MAX: usize = STORES_MAX;
/// Minutes that a code may work; a message that says fewer or more is refused.
const MINUTES: std::ops::RangeInclusive<u64> = 2..=24 * 60;
/// Messages whose mails are not gone yet, those to nobody included; beyond, a message is refused, whomever it is to.
const WAITING_MAX: usize = 1_024;
/// Mails that are handed to the relay at once; others wait.
const SENDING_MAX: usize = 4;
/// Tries of one mail; then it is dropped.
const TRIES_MAX: u32 = 6;
/// A mail whose code works no longer than this is not worth sending, and is dropped.
const LIFE_MIN: Duration = Duration::from_secs(60);
/// How long the mails under way may take when the courier is told to end; then they are dropped.
const ENDING_WAIT_MAX: Duration = Duration::from_secs(10);

/// How handing a mail to the relay ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The relay took it.
    Taken,
    /// Not taken: it is tried again. Why, without address or code.
    NotNow(String),
    /// It is dropped. Why, without address or code.
    Dropped(String),
}

/// What writes mails and hands them to a relay.
pub trait Post: Send + Sync + 'static {
    /// A mail that may go.
    type Mail: Send + Sync;

    /// Writes and signs a mail; `to` is nobody when it will be dropped. `id` is the same for every try. The error says
    /// why, without address or code.
    fn write(&self, to: Option<&str>, text: &MailText, id: &str) -> Result<Self::Mail, String>;

    /// Hands it over.
    fn send(&self, mail: &Self::Mail) -> impl Future<Output = Ended> + Send;

    /// The wait behind so many tries.
    fn delay(&self, tries: u32) -> Duration;
}

/// What all mails share.
#[derive(Debug)]
pub struct Office<P> {
    post: P,
    firm: Firm,
    genuine: Genuine,
    waiting: Arc<Semaphore>,
    sending: Semaphore,
}

/// A message as it is worked on. Not shown by `Debug`.
struct Order {
    to: Option<String>,
    language: Language,
    codes: Vec<String>,
    /// When the codes end.
    until: Instant,
}

/// What stands on the socket.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    format: String,
    to: Option<String>,
    lang: String,
    codes: Vec<String>,
    minutes: u64,
}

impl<P: Post> Office<P> {
    /// Writes a mail to nobody in each language first, so that a text that cannot go is told at the start.
    pub fn new(post: P, firm: Firm, genuine: Genuine) -> Result<Office<P>, String> {
        let (waiting, sending) = (Arc::new(Semaphore::new(WAITING_MAX)), Semaphore::new(SENDING_MAX));
        let office = Office { post, firm, genuine, waiting, sending };
        // Letters only: no code can look like a card number here.
        let codes = vec![CaseCode::from_hash(&[0x55; 16]).printed()];
        for language in Language::ALL {
            let text = text::write(language, &office.firm, &office.genuine, &codes, 30);
            office.post.write(None, &text, "0")?;
        }
        Ok(office)
    }
}

/// Takes messages until `ended` is done; then the mails under way get a little time, and the others are dropped.
pub async fn serve<P: Post>(office: Arc<Office<P>>, listening: Listening, ended: impl Future<Output = ()> + Send) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut under_way = JoinSet::new();
    let mut ended = std::pin::pin!(ended);
    loop {
        // The semaphore is never closed.
        let place = Arc::clone(&connections).acquire_owned().await.ok();
        let stream = tokio::select! {
            stream = listening.accept() => stream,
            () = &mut ended => break,
        };
        let Some(stream) = stream else { continue };
        let office = Arc::clone(&office);
        under_way.spawn(async move {
            let order = intake(&office, stream).await;
            drop(place);
            if let Some((order, _waits)) = order {
                work(&office, order).await;
            }
        });
        while under_way.try_join_next().is_some() {}
    }
    drop(listening);
    let all = async { while under_way.join_next().await.is_some() {} };
    if timeout(ENDING_WAIT_MAX, all).await.is_err() {
        // How many of them are to nobody is not known, and not told.
        tracing::warn!("{} messages were dropped at the end", under_way.len());
    }
}

/// Reads one message and answers it: `ok` whoever it is to, `no` when it is none or too many wait.
async fn intake<P>(office: &Office<P>, stream: UnixStream) -> Option<(Order, OwnedSemaphorePermit)> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    let read = timeout(MESSAGE_WAIT_MAX, (&mut stream).take(MESSAGE_BYTES_MAX).read_until(b'\n', &mut line)).await;
    let order = match read {
        Ok(Ok(_)) => Order::parse(&line, Instant::now()),
        Ok(Err(_)) => Err("its connection was lost"),
        Err(_) => Err("it took too long to arrive"),
    };
    let taken = order.and_then(|order| match Arc::clone(&office.waiting).try_acquire_owned() {
        Ok(place) => Ok((order, place)),
        Err(_) => Err("too many wait; is the relay in order?"),
    });
    let answer: &[u8] = if taken.is_ok() { b"ok\n" } else { b"no\n" };
    // Who no longer listens counts the message as not taken, and the person as having to ask again.
    let _ = timeout(MESSAGE_WAIT_MAX, stream.write_all(answer)).await;
    taken.inspect_err(|why| tracing::warn!("a message was refused: {why}")).ok()
}

impl Order {
    /// The error says what is wrong and nothing of what it holds.
    fn parse(line: &[u8], now: Instant) -> Result<Order, &'static str> {
        let line = line.strip_suffix(b"\n").ok_or("it has no line end, or is too long")?;
        let line: Line = serde_json::from_slice(line).map_err(|_| "it is not JSON with the fields of a message")?;
        if line.format != FORMAT {
            return Err("its format is of another version");
        }
        if line.to.as_deref().is_some_and(|to| !is_address(to)) {
            return Err("its recipient is no mail address");
        }
        if line.codes.is_empty() || line.codes.len() > CODES_MAX {
            return Err("it has no code, or too many");
        }
        let codes: Result<Vec<_>, _> = line.codes.iter().map(|code| CaseCode::parse(code)).collect();
        let codes = codes.map_err(|_| "one of its codes is none")?;
        let language = Language::ALL.into_iter().find(|language| language.words().lang == line.lang);
        let language = language.ok_or("its language is not known")?;
        if !MINUTES.contains(&line.minutes) {
            return Err("its codes work too long, or not at all");
        }
        let until = now + Duration::from_secs(line.minutes * 60);
        Ok(Order { to: line.to, language, codes: codes.iter().map(CaseCode::printed).collect(), until })
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Order(…)")
    }
}

/// One message, from its mail's writing to its end.
async fn work<P: Post>(office: &Office<P>, order: Order) {
    let mut id = [0; 16];
    if let Err(err) = getrandom::fill(&mut id) {
        return tracing::error!("the system gives no random bytes, and a mail was dropped: {err}");
    }
    let id = hex::encode(id);
    for tries in 1..=TRIES_MAX {
        let why = match once(office, &order, &id).await {
            Ended::Taken => return,
            Ended::Dropped(why) => return tracing::warn!("a mail was dropped: {why}"),
            Ended::NotNow(why) => why,
        };
        let delay = office.post.delay(tries);
        if tries == TRIES_MAX || Instant::now() + delay + LIFE_MIN > order.until {
            return tracing::warn!("a mail was dropped after {tries} tries: {why}");
        }
        sleep(delay).await;
    }
}

/// One try. The text is written anew: the code works for a shorter time than at the try before.
async fn once<P: Post>(office: &Office<P>, order: &Order, id: &str) -> Ended {
    // The semaphore is never closed.
    let _place = office.sending.acquire().await.ok();
    let left = order.until.saturating_duration_since(Instant::now());
    if left < LIFE_MIN {
        return Ended::Dropped("its code ended while others were sent".to_owned());
    }
    let minutes = (left.as_secs() + 30) / 60;
    let text = text::write(order.language, &office.firm, &office.genuine, &order.codes, minutes);
    let mail = match office.post.write(order.to.as_deref(), &text, id) {
        Ok(mail) => mail,
        Err(why) => return Ended::Dropped(why),
    };
    if order.to.is_none() {
        return Ended::Taken;
    }
    office.post.send(&mail).await
}

#[cfg(test)]
mod tests;
