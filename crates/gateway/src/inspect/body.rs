//! The body that core sends to the client: a [`Flow`] behind `http_body`'s trait, small to move.

use super::BodyError;
use super::flow::Flow;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A body that releases bytes only as the ledger allows (LED-1).
pub struct InspectedBody<B> {
    flow: Box<Flow<B>>,
}

impl<B> InspectedBody<B> {
    pub(super) fn new(flow: Box<Flow<B>>) -> InspectedBody<B> {
        InspectedBody { flow }
    }
}

impl<B> Body for InspectedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.get_mut().flow.poll_release(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.flow.is_finished()
    }

    fn size_hint(&self) -> SizeHint {
        self.flow.size_hint()
    }
}
