//! A log-in that answers with its session's bearer token in a JSON object: the body is read along on its way, and the
//! session is bound before the byte that completes the object is scanned, let alone released.
//!
//! A body that comes encoded, is longer than [`BODY_BYTES_MAX`], is no JSON, or does not hold the token once, binds nobody and is
//! counted.

use super::Shared;
use super::binding::Owner;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use sekisho_model::{Contained, SessionKey, Target, Transaction};
use serde_json::Value;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Bytes of an answer to a log-in that are read for its token.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// An upstream's body, read along where it may hold a session's token.
pub struct Reading<B> {
    body: B,
    awaited: Option<Box<Awaited>>,
}

/// A token that is on its way.
pub(super) struct Awaited {
    pub(super) shared: Arc<Shared>,
    /// Whose its session will be.
    pub(super) owner: Owner,
    /// The session from before the log-in.
    pub(super) before: Option<SessionKey>,
    pub(super) transaction: Transaction,
    /// Where it stands; `a.b` is `b` inside `a`.
    pub(super) field: String,
    pub(super) start: Vec<u8>,
}

impl<B> Reading<B> {
    pub(super) fn new(body: B, awaited: Option<Box<Awaited>>) -> Reading<B> {
        Reading { body, awaited }
    }
}

impl<B> Reading<B> {
    fn read(&mut self, chunk: &[u8]) {
        let Some(awaited) = &mut self.awaited else { return };
        if awaited.start.len() + chunk.len() > BODY_BYTES_MAX {
            return self.give_up();
        }
        awaited.start.extend_from_slice(chunk);
        // Without its last bracket it is no object; with it, it may be whole.
        if awaited.start.trim_ascii_end().ends_with(b"}")
            && let Some(token) = awaited.token()
        {
            awaited.bind(&token);
            self.awaited = None;
        }
    }

    /// The body is over, or too long, and held no token.
    fn give_up(&mut self) {
        if let Some(awaited) = self.awaited.take() {
            awaited.shared.counters.logins_unbound.add(1);
        }
    }
}

impl Awaited {
    fn token(&self) -> Option<String> {
        let object: Value = serde_json::from_slice(&self.start).ok()?;
        let value = self.field.split('.').try_fold(&object, |value, name| value.get(name))?;
        value.as_str().filter(|token| !token.is_empty()).map(str::to_owned)
    }

    fn bind(&self, token: &str) {
        let shared = &self.shared;
        let now = shared.clock.now();
        let session = shared.key.session(token.as_bytes());
        // A session from before the log-in is nobody's: whoever planted it gains nothing (fixation).
        self.before.iter().for_each(|before| shared.unbind(*before, now));
        let kept_out = self.before.and_then(|before| shared.containment.entry(Target::Session(before), now));
        if let Some(known) = kept_out {
            shared.keep_out(Contained { at: now, target: Target::Session(session), ..known });
        }
        shared.count_login(session, &self.owner, &self.transaction);
        shared.bind(session, self.owner.clone(), now);
        shared.counters.logins_bound.add(1);
    }
}

impl<B> Body for Reading<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if self.awaited.is_some() {
            match &frame {
                Some(Ok(frame)) => frame.data_ref().into_iter().for_each(|data| self.read(data)),
                None | Some(Err(_)) => self.give_up(),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Reading<B> {
    /// A body may be dropped at its end without another look.
    fn drop(&mut self) {
        self.give_up();
    }
}
