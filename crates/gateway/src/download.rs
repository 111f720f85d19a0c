//! A response's body on its way from the upstream: timed, and its connection given back at the end.

use crate::upload::Upload;
use crate::upstream::{Connection, Pool};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// Why an upstream's body ended early. The client's connection is then aborted: an early end never looks clean.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The connection or its framing broke.
    #[error("the upstream's body broke off")]
    Upstream(#[source] hyper::Error),
    /// No part within `response_body_idle`.
    #[error("the upstream's body stood still")]
    Idle,
}

/// The body of an upstream's response.
pub struct UpstreamBody {
    body: Incoming,
    lease: Option<Lease>,
    idle_max: Duration,
    idle: Option<Pin<Box<Sleep>>>,
}

/// A connection in use by one response.
struct Lease {
    connection: Connection,
    pool: Rc<Pool>,
    upload: Rc<Upload>,
}

impl UpstreamBody {
    pub(crate) fn new(
        body: Incoming,
        connection: Connection,
        pool: Rc<Pool>,
        upload: Rc<Upload>,
        idle_max: Duration,
    ) -> UpstreamBody {
        let lease = Some(Lease { connection, pool, upload });
        let mut body = UpstreamBody { body, lease, idle_max, idle: None };
        if body.body.is_end_stream() {
            body.give_back();
        }
        body
    }

    /// The empty body of a 101, whose connection is no longer one for requests.
    pub(crate) fn switched(body: Incoming) -> UpstreamBody {
        UpstreamBody { body, lease: None, idle_max: Duration::ZERO, idle: None }
    }

    /// A connection whose request is still being sent is not used again.
    fn give_back(&mut self) {
        if let Some(Lease { connection, pool, upload }) = self.lease.take()
            && upload.is_complete()
        {
            pool.give_back(connection);
        }
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let idle_max = self.idle_max;
        self.idle.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle_max))).as_mut().poll(cx)
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = DownloadError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, DownloadError>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        match polled {
            Poll::Pending => {
                if this.poll_idle(cx).is_ready() {
                    this.lease = None;
                    return Poll::Ready(Some(Err(DownloadError::Idle)));
                }
                return Poll::Pending;
            }
            Poll::Ready(Some(Err(err))) => {
                this.lease = None;
                return Poll::Ready(Some(Err(DownloadError::Upstream(err))));
            }
            Poll::Ready(_) => this.idle = None,
        }
        if this.body.is_end_stream() || matches!(polled, Poll::Ready(None)) {
            this.give_back();
        }
        polled.map_err(DownloadError::Upstream)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
