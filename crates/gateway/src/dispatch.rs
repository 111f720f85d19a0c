//! Sends a request to its upstream and waits for the response's head: the retry rule and the first-byte deadline.

use crate::refusal::Refusal;
use crate::server::Current;
use crate::upload::{RequestBody, Upload};
use crate::upstream::{Age, Connection, Pool};
use http::{Request, Response, request};
use hyper::body::Incoming;
use std::pin::pin;
use std::rc::Rc;
use tokio::time::Instant;

/// Sends the request, which is taken; at most once more, on a new connection, and only when that is safe: it was never sent,
/// or a connection that idled in the pool broke before any byte of an answer and the request is idempotent and has no body.
pub(crate) async fn send(
    current: &Current,
    pool: &Pool,
    request: &mut Option<Request<RequestBody>>,
    upload: &Rc<Upload>,
) -> Result<(Response<Incoming>, Connection), Refusal> {
    let connect_max = current.serving.deadlines().connect;
    let mut connection = pool.connection(connect_max).await?;
    let spare = request.as_ref().and_then(|request| spare(request, connection.age));
    match exchange(current, &mut connection, request, upload).await {
        Ok(response) => return Ok((response, connection)),
        Err(SendError::Late) => return Err(Refusal::FirstByteLate),
        Err(SendError::Unsent) if connection.age == Age::Reused => {}
        Err(SendError::Failed) if !connection.has_answered() => match spare {
            Some(head) => *request = Some(Request::from_parts(*head, RequestBody::empty(Rc::clone(upload)))),
            None => return Err(Refusal::UpstreamFailed),
        },
        Err(SendError::Unsent | SendError::Failed) => return Err(Refusal::UpstreamFailed),
    }
    current.metrics.upstream_retries.inc();
    let mut connection = pool.fresh(connect_max).await?;
    match exchange(current, &mut connection, request, upload).await {
        Ok(response) => Ok((response, connection)),
        Err(SendError::Late) => Err(Refusal::FirstByteLate),
        Err(SendError::Unsent | SendError::Failed) => Err(Refusal::UpstreamFailed),
    }
}

/// A copy of the head, where the request may be sent again.
fn spare(request: &Request<RequestBody>, age: Age) -> Option<Box<request::Parts>> {
    let may_repeat = age == Age::Reused && request.method().is_idempotent() && request.body().is_empty();
    may_repeat.then(|| {
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = request.method().clone();
        head.uri = request.uri().clone();
        head.headers = request.headers().clone();
        Box::new(head)
    })
}

enum SendError {
    /// The connection was closed before the request was taken; it is back in its place.
    Unsent,
    /// Somewhere on the way.
    Failed,
    /// No head within `first_byte` after the request's last part.
    Late,
}

async fn exchange(
    current: &Current,
    connection: &mut Connection,
    request: &mut Option<Request<RequestBody>>,
    upload: &Upload,
) -> Result<Response<Incoming>, SendError> {
    let first_byte_max = current.serving.deadlines().first_byte;
    connection.expect_answer();
    let begun = Instant::now();
    let sent = request.take().expect("a request is sent once, or given back");
    let Connection { sender, timer, .. } = connection;
    let mut answer = pin!(sender.try_send_request(sent));
    if timer.deadline() > begun + first_byte_max {
        timer.as_mut().reset(begun + first_byte_max);
    }
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return answer.map_err(|mut err| {
                *request = err.take_message();
                if request.is_some() {
                    return SendError::Unsent;
                }
                tracing::debug!(error = %err.error(), "request to an upstream failed");
                SendError::Failed
            }),
            () = timer.as_mut() => {
                let due = upload.last_progress().map_or(begun, |last| last.max(begun)) + first_byte_max;
                match due > Instant::now() {
                    true => timer.as_mut().reset(due),
                    false => return Err(SendError::Late),
                }
            }
        }
    }
}
