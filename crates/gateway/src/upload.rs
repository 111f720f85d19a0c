//! A request's body on its way to the upstream: counted, timed, and shown to the inspection.
//!
//! The upstream's connection reads it with its own backpressure; nothing is held here. Trailers of requests are
//! not forwarded.

use crate::inspect::Inspection;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::Sleep;

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
    idle_max: Duration,
    idle: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    /// The client's body; at most `bytes_max` of it.
    pub(crate) fn new(incoming: Incoming, upload: Rc<Upload>, bytes_max: u64, idle_max: Duration) -> RequestBody {
        match incoming.is_end_stream() {
            true => RequestBody::empty(upload),
            false => RequestBody { incoming: Some(incoming), upload, bytes_left: bytes_max, idle_max, idle: None },
        }
    }

    /// No body.
    pub(crate) fn empty(upload: Rc<Upload>) -> RequestBody {
        upload.is_complete.set(true);
        RequestBody { incoming: None, upload, bytes_left: 0, idle_max: Duration::ZERO, idle: None }
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

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let idle_max = self.idle_max;
        self.idle.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle_max))).as_mut().poll(cx)
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
            if polled.is_ready() {
                this.idle = None;
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
                Poll::Pending if this.poll_idle(cx).is_ready() => this.fail(UploadError::Idle),
                Poll::Pending => Poll::Pending,
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
