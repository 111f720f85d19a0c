//! What a client connection is doing, and the deadline that follows from it.
//!
//! The deadlines of an HTTP/1 head and of HTTP/1 keep-alive are the [`HeadGate`](crate::head_gate::HeadGate)'s. Here
//! are the others: an HTTP/2 head that does not end (`open_head`), a client that does not read its response, an HTTP/2 client that reads some of its responses and
//! opens no window for others ([`Unread`]), and an HTTP/2 connection without a request. The
//! connection's I/O and its requests report to an [`Activity`]; [`drive`] polls the connection and ends it when a
//! deadline has passed. One timer a connection, re-armed lazily: no timer is touched per request.

mod open_head;

use crate::config::Deadlines;
use crate::stream::Stream;
use http::Version;
use open_head::OpenHead;
use sekisho_model::SessionKey;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep_until};

/// Which protocol a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// The state of one client connection. Atomics only because hyper's upgrades want `Send`; one thread uses it.
#[derive(Debug)]
pub(crate) struct Activity {
    protocol: Protocol,
    opened: Instant,
    requests: AtomicU32,
    /// When the last request ended.
    idle_since_ms: AtomicU64,
    /// When writing stopped because the client does not read, plus one; 0 while it flows.
    write_stalled_ms: AtomicU64,
    /// When an HTTP/2 head began that has not ended, plus one; 0 where none is open.
    head_begun_ms: AtomicU64,
    unread: Unread,
    upgraded: AtomicBool,
    /// Whether its last request was one of HTTP/1.0, where only the connection's end tells the body's.
    ends_bodies: AtomicBool,
    /// Whether such a body ended early.
    cut_short: AtomicBool,
    /// The last sessions that it carried.
    carried: Mutex<Vec<SessionKey>>,
}

/// Sessions of one connection that are remembered; beyond, the oldest is forgotten. A connection of so many users is a
/// proxy's, and not closed for one of them who is no more among the last.
const CARRIED_MAX: usize = 16;

impl Activity {
    /// A connection that was opened now and waits for its first request.
    pub(crate) fn new(protocol: Protocol) -> Arc<Activity> {
        Arc::new(Activity {
            protocol,
            opened: Instant::now(),
            requests: AtomicU32::new(0),
            idle_since_ms: AtomicU64::new(0),
            write_stalled_ms: AtomicU64::new(0),
            head_begun_ms: AtomicU64::new(0),
            unread: Unread::default(),
            upgraded: AtomicBool::new(false),
            ends_bodies: AtomicBool::new(false),
            cut_short: AtomicBool::new(false),
            carried: Mutex::default(),
        })
    }

    /// Counts a request until the guard is dropped, which is when its response has ended.
    pub(crate) fn begin_request(self: &Arc<Activity>, version: Version) -> ActiveRequest {
        if version == Version::HTTP_10 {
            self.ends_bodies.store(true, Ordering::Relaxed);
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        ActiveRequest { activity: Arc::clone(self), unread_since: None }
    }

    /// A request came with this session.
    pub(crate) fn carries(&self, session: Option<SessionKey>) {
        let Some(session) = session else { return };
        let mut carried = self.carried.lock().unwrap_or_else(PoisonError::into_inner);
        if carried.last() == Some(&session) || carried.contains(&session) {
            return;
        }
        if carried.len() == CARRIED_MAX {
            carried.remove(0);
        }
        carried.push(session);
    }

    /// Whether one of its sessions is such a one.
    pub(crate) fn carried_any(&self, is_such: impl Fn(SessionKey) -> bool) -> bool {
        let carried = self.carried.lock().unwrap_or_else(PoisonError::into_inner).clone();
        carried.into_iter().any(is_such)
    }

    /// The connection became another protocol, which has its own deadlines.
    pub(crate) fn upgraded(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn at(&self, ms: u64) -> Instant {
        self.opened + Duration::from_millis(ms)
    }

    /// Notes whether something lasts, and since when; the clock is read only where it begins.
    fn lasts(&self, since_ms: &AtomicU64, lasts: bool) {
        match (since_ms.load(Ordering::Relaxed), lasts) {
            (0, true) => since_ms.store(self.now_ms() + 1, Ordering::Relaxed),
            (0, false) | (_, true) => {}
            (_, false) => since_ms.store(0, Ordering::Relaxed),
        }
    }

    /// Whether a response waits too long for its client to take it.
    fn has_unread(&self, deadlines: &Deadlines) -> bool {
        let turn_ms = u64::try_from(deadlines.response_body_idle.as_millis()).unwrap_or(u64::MAX);
        self.protocol == Protocol::Http2 && self.unread.is_overdue(self.now_ms(), turn_ms)
    }

    /// When the connection is to be ended; `None` while other deadlines apply.
    fn deadline(&self, deadlines: &Deadlines) -> Option<Instant> {
        if self.upgraded.load(Ordering::Relaxed) {
            return None;
        }
        let head_begun_ms = self.head_begun_ms.load(Ordering::Relaxed);
        if head_begun_ms != 0 {
            return Some(self.at(head_begun_ms) + deadlines.request_head);
        }
        let stalled_ms = self.write_stalled_ms.load(Ordering::Relaxed);
        if stalled_ms != 0 {
            return Some(self.at(stalled_ms) + deadlines.response_body_idle);
        }
        let is_idle = self.protocol == Protocol::Http2 && self.requests.load(Ordering::Relaxed) == 0;
        is_idle.then(|| self.at(self.idle_since_ms.load(Ordering::Relaxed)) + deadlines.keep_alive_idle)
    }
}

/// A request in service.
#[derive(Debug)]
pub(crate) struct ActiveRequest {
    activity: Arc<Activity>,
    /// The turn in which the last part of its response was handed out; `None` while that is not the client's to take.
    unread_since: Option<Turn>,
}

impl ActiveRequest {
    /// A part of the response is the client's to take. HTTP/1 has one response at a time, and a stalled write says all.
    pub(crate) fn handed_out(&mut self) {
        if self.activity.protocol == Protocol::Http2 && self.unread_since.is_none() {
            self.unread_since = Some(self.activity.unread.enter());
        }
    }

    /// The response ends early. In HTTP/1.0 the connection is then reset: closed, it would end a whole body.
    pub(crate) fn broke_off(&self) {
        let ends_bodies = self.activity.ends_bodies.load(Ordering::Relaxed);
        self.activity.cut_short.store(ends_bodies, Ordering::Relaxed);
    }

    /// The client has room for the next part.
    pub(crate) fn asked(&mut self) {
        if let Some(turn) = self.unread_since.take() {
            self.activity.unread.leave(turn);
        }
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.asked();
        self.activity.requests.fetch_sub(1, Ordering::Relaxed);
        // How long an HTTP/1 connection is idle is the head gate's business.
        if self.activity.protocol == Protocol::Http2 {
            self.activity.idle_since_ms.store(self.activity.now_ms(), Ordering::Relaxed);
        }
    }
}

/// How many responses' parts wait for the client, by when they were handed out: in this turn or in the one before. A turn
/// lasts `response_body_idle`; whoever waits when the turn after its own ends has waited for one to two of them. So a part
/// costs two additions, and neither a clock nor a timer.
#[derive(Debug, Default)]
struct Unread {
    waiting: [AtomicU32; 2],
    turn: AtomicU32,
    /// When the turn began.
    begun_ms: AtomicU64,
}

/// One of the two turns that are counted.
type Turn = usize;

impl Unread {
    fn enter(&self) -> Turn {
        let turn = self.turn.load(Ordering::Relaxed) as Turn;
        self.waiting[turn].fetch_add(1, Ordering::Relaxed);
        turn
    }

    fn leave(&self, turn: Turn) {
        self.waiting[turn].fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether a part has waited too long. Looked at from time to time; ends a turn that is over.
    fn is_overdue(&self, now_ms: u64, turn_ms: u64) -> bool {
        if now_ms.saturating_sub(self.begun_ms.load(Ordering::Relaxed)) < turn_ms {
            return false;
        }
        let before = 1 - self.turn.load(Ordering::Relaxed);
        if self.waiting[before as Turn].load(Ordering::Relaxed) > 0 {
            return true;
        }
        self.turn.store(before, Ordering::Relaxed);
        self.begun_ms.store(now_ms, Ordering::Relaxed);
        false
    }
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The client or hyper ended it.
    Closed(Result<(), hyper::Error>),
    /// The deadline of its phase passed.
    Expired,
    /// The client did not take a response that was there for it.
    Unread,
    /// Whoever used it was cut off.
    CutOff,
}

/// A hyper connection that can be told to end after its open requests.
pub(crate) trait Graceful: Future<Output = Result<(), hyper::Error>> {
    /// Ends the connection after the requests in service.
    fn finish_requests(self: Pin<&mut Self>);
}

/// Polls the connection to its end, to its deadline, until it is cut off, or to the end of its open requests once `stop`
/// is true.
pub(crate) async fn drive(
    connection: impl Graceful,
    activity: &Activity,
    deadlines: &Deadlines,
    stop: watch::Receiver<bool>,
    cut_off: impl Future<Output = ()>,
) -> End {
    let mut connection = pin!(connection);
    let mut cut_off = pin!(cut_off);
    let look_every = deadlines.response_body_idle;
    let mut timer = pin!(sleep_until((Instant::now() + deadlines.keep_alive_idle.min(look_every)).into()));
    let told = stop.clone();
    let mut stopping = pin!(when_changed(stop, move || *told.borrow()));
    let mut stopped = false;
    // Once an HTTP/2 connection was sent a GOAWAY: when it is dropped all the same, and why.
    let mut goodbye = None;
    poll_fn(|cx| {
        if !stopped && stopping.as_mut().poll(cx).is_ready() {
            stopped = true;
            connection.as_mut().finish_requests();
        }
        if cut_off.as_mut().poll(cx).is_ready() {
            return Poll::Ready(End::CutOff);
        }
        loop {
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                return Poll::Ready(End::Closed(result));
            }
            let deadline = || goodbye.map_or_else(|| activity.deadline(deadlines), |(at, _)| Some(at));
            let has_unread = || goodbye.is_none() && activity.has_unread(deadlines);
            let passed = ready!(poll_deadline(timer.as_mut(), deadline, (&has_unread, look_every), cx));
            match goodbye {
                Some((_, Passed::Unread)) => return Poll::Ready(End::Unread),
                Some((_, Passed::Deadline)) => return Poll::Ready(End::Expired),
                None if activity.protocol == Protocol::Http1 => return Poll::Ready(End::Expired),
                None => goodbye = Some((Instant::now() + GOODBYE_MAX, passed)),
            }
            connection.as_mut().finish_requests();
        }
    })
    .await
}

/// Ends once `is_met`, which is asked at first and after each change of a value. Whoever waits here is polled for many other
/// reasons, so the wait itself is polled only when there was a change that it has not taken notice of: a change can be seen a
/// moment before its notice comes. All polls must come from one task.
pub(crate) async fn when_changed<T>(mut changed: watch::Receiver<T>, is_met: impl Fn() -> bool) {
    let mut seen = changed.clone();
    let is_due = Cell::new(true);
    let mut noticed = pin!(async {
        while !is_met() {
            is_due.set(false);
            if changed.changed().await.is_err() {
                // Nobody is left who could change it.
                std::future::pending::<()>().await;
            }
        }
    });
    poll_fn(|cx| {
        if matches!(seen.has_changed(), Ok(true)) {
            seen.mark_unchanged();
            is_due.set(true);
        }
        match is_due.get() {
            true => noticed.as_mut().poll(cx),
            false => Poll::Pending,
        }
    })
    .await;
}

/// How long an HTTP/2 connection has to take its GOAWAY and close.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// What has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    Deadline,
    /// The time that a client has to take what is there for it.
    Unread,
}

/// Ready when the connection's deadline has passed. The timer may be armed too early, never too late; whether something is
/// unread is looked at when it fires, which is at least every `look_every`.
fn poll_deadline(
    mut timer: Pin<&mut Sleep>,
    deadline: impl Fn() -> Option<Instant>,
    (has_unread, look_every): (&impl Fn() -> bool, Duration),
    cx: &mut Context<'_>,
) -> Poll<Passed> {
    loop {
        let deadline = deadline();
        if let Some(deadline) = deadline
            && deadline < timer.deadline().into_std()
        {
            timer.as_mut().reset(deadline.into());
        }
        ready!(timer.as_mut().poll(cx));
        let now = Instant::now();
        match deadline {
            Some(deadline) if deadline <= now => return Poll::Ready(Passed::Deadline),
            _ if has_unread() => return Poll::Ready(Passed::Unread),
            Some(deadline) => timer.as_mut().reset(deadline.min(now + look_every).into()),
            None => timer.as_mut().reset((now + UNWATCHED_MAX.min(look_every)).into()),
        }
    }
}

/// Where no deadline applies, one is looked for again after this long: streams end outside the connection's own task.
const UNWATCHED_MAX: Duration = Duration::from_secs(1);

/// A client's stream that reports stalled writes, and ends so that a cut body is seen to be one.
#[derive(Debug)]
pub(crate) struct Watched {
    stream: Stream,
    activity: Arc<Activity>,
    open_head: OpenHead,
}

impl Watched {
    pub(crate) fn new(stream: Stream, activity: Arc<Activity>) -> Watched {
        Watched { stream, activity, open_head: OpenHead::default() }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.activity.cut_short.load(Ordering::Relaxed) {
            self.stream.reset_on_close();
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if self.activity.protocol == Protocol::Http2 && buffer.filled().len() > before {
            let is_open = self.open_head.read(&buffer.filled()[before..]);
            self.activity.lasts(&self.activity.head_begun_ms, is_open);
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        noted(&self.activity, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        noted(&self.activity, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn noted<T>(activity: &Activity, polled: Poll<T>) -> Poll<T> {
    activity.lasts(&activity.write_stalled_ms, polled.is_pending());
    polled
}

#[cfg(test)]
mod tests;
