//! A request's body on its way to the upstream: counted, timed ([`Patience`]), and shown to the inspection.
//!
//! The upstream's connection reads it with its own backpressure; nothing is held here. Trailers of requests are
//! not forwarded.

use crate::config::Limits;
use crate::inspect::Inspection;
use crate::serving::Serving;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// What the request's service and its body share.
pub(crate) struct Upload {
    /// Taken by the service once the response head is there; later parts are then not noted.
    inspection: RefCell<Option<Inspection>>,
    failure: Cell<Option<UploadError>>,
    is_complete: Cell<bool>,
    last_progress: Cell<Option<Instant>>,
}

/// Why a request's body ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UploadError {
    /// More bytes than `request_body_bytes_max`.
    #[error("the request body passed its limit")]
    TooLarge,
    /// No part within `request_body_idle`.
    #[error("the request body stood still")]
    Idle,
    /// Fewer bytes a second than `request_body_bytes_per_second_min`.
    #[error("the request body came too slowly")]
    Slow,
    /// The client's connection or framing broke.
    #[error("the client's body ended early")]
    Client,
}

impl Upload {
    /// An upload that was not begun.
    pub(crate) fn new(inspection: Inspection) -> Rc<Upload> {
        Rc::new(Upload {
            inspection: RefCell::new(Some(inspection)),
            failure: Cell::new(None),
            is_complete: Cell::new(false),
            last_progress: Cell::new(None),
        })
    }

    /// The inspection, for the response that it is about. Called once, when that response is there.
    pub(crate) fn finish_inspection(&self) -> Inspection {
        self.inspection.take().expect("a request has one response")
    }

    /// Why the body ended early, if it did.
    pub(crate) fn failure(&self) -> Option<UploadError> {
        self.failure.get()
    }

    /// Whether the upstream has the whole body.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete.get()
    }

    /// When the upstream last took a part of the body; `None` when it took none.
    pub(crate) fn last_progress(&self) -> Option<Instant> {
        self.last_progress.get()
    }

    fn complete(&self) {
        if !self.is_complete.get() {
            self.is_complete.set(true);
            self.last_progress.set(Some(Instant::now()));
        }
    }
}

/// The body that the upstream's connection reads.
pub(crate) struct RequestBody {
    /// `None` where the request has no body.
    incoming: Option<Incoming>,
    upload: Rc<Upload>,
    bytes_left: u64,
    patience: Patience,
}

/// How long a body is waited for. Only the waiting counts, not the time that the upstream takes for what is there; a body that
/// comes with its head costs no look at the clock.
#[derive(Debug)]
struct Patience {
    idle_max: Duration,
    /// What the body must bring for each second of waiting, beyond the first `idle_max`.
    bytes_per_second_min: u64,
    bytes: u64,
    waited: Duration,
    /// The wait now, and since when.
    wait: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Patience {
    fn new(idle_max: Duration, bytes_per_second_min: u64) -> Patience {
        Patience { idle_max, bytes_per_second_min, bytes: 0, waited: Duration::ZERO, wait: None }
    }

    /// What is left of the time that so many bytes are worth.
    fn left(&self) -> Duration {
        let earned_ms = self.bytes.saturating_mul(1000) / self.bytes_per_second_min.max(1);
        (self.idle_max + Duration::from_millis(earned_ms)).saturating_sub(self.waited)
    }

    /// Nothing came. Ready when that is the end.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<UploadError> {
        let left = self.left();
        let (idle_max, is_slow) = (self.idle_max, left < self.idle_max);
        let (_, wait) =
            self.wait.get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(idle_max.min(left)))));
        ready!(wait.as_mut().poll(cx));
        Poll::Ready(if is_slow { UploadError::Slow } else { UploadError::Idle })
    }

    /// Something came.
    fn goes_on(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if let Some((since, _)) = self.wait.take() {
            self.waited += since.elapsed();
        }
    }
}

impl RequestBody {
    /// The client's body, within the limits.
    pub(crate) fn new(incoming: Incoming, upload: Rc<Upload>, serving: &Serving) -> RequestBody {
        let Limits { request_body_bytes_max: bytes_left, request_body_bytes_per_second_min, .. } = *serving.limits();
        let patience = Patience::new(serving.deadlines().request_body_idle, request_body_bytes_per_second_min);
        match incoming.is_end_stream() {
            true => RequestBody::empty(upload),
            false => RequestBody { incoming: Some(incoming), upload, bytes_left, patience },
        }
    }

    /// No body.
    pub(crate) fn empty(upload: Rc<Upload>) -> RequestBody {
        upload.is_complete.set(true);
        RequestBody { incoming: None, upload, bytes_left: 0, patience: Patience::new(Duration::ZERO, 1) }
    }

    /// Whether there is nothing to send.
    pub(crate) fn is_empty(&self) -> bool {
        self.incoming.is_none()
    }

    fn fail(&self, error: UploadError) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        self.upload.failure.set(Some(error));
        Poll::Ready(Some(Err(error)))
    }

    fn take(&mut self, data: Bytes) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let Some(left) = self.bytes_left.checked_sub(data.len() as u64) else {
            return self.fail(UploadError::TooLarge);
        };
        self.bytes_left = left;
        self.upload.last_progress.set(Some(Instant::now()));
        if let Some(inspection) = self.upload.inspection.borrow_mut().as_mut() {
            inspection.request_body(&data);
        }
        if self.incoming.as_ref().is_some_and(Body::is_end_stream) {
            self.upload.complete();
        }
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let this = self.get_mut();
        loop {
            let Some(incoming) = this.incoming.as_mut() else { return Poll::Ready(None) };
            let polled = Pin::new(incoming).poll_frame(cx);
            if let Poll::Ready(frame) = &polled {
                let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
                this.patience.goes_on(data.map_or(0, Bytes::len));
            }
            return match polled {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => this.take(data),
                    Err(_trailers) => continue,
                },
                Poll::Ready(Some(Err(_))) => this.fail(UploadError::Client),
                Poll::Ready(None) => {
                    this.upload.complete();
                    Poll::Ready(None)
                }
                Poll::Pending => {
                    let failure = ready!(this.patience.poll_wait(cx));
                    this.fail(failure)
                }
            };
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

#[cfg(test)]
mod tests;
