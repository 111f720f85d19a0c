//! How a body's bytes flow from the upstream to the client: the state machine under `body` (LED-1).
//!
//! One loop: take a piece from the upstream (decoded where it came encoded), scan it, record what was found, wait until
//! that is durable, release. While findings wait, nothing is released and, up to [`PART_BYTES_MAX`], what the upstream
//! has ready joins the same part, so that one sync serves all of it. A body without findings never waits and is never
//! copied.
//!
//! Memory: beside its window (at most `sekisho_edm`'s) a body holds one piece. Pieces are counted against one
//! process-wide semaphore; a body that must wait for it has first released what it held, so that nobody waits for
//! bytes while holding counted bytes, and no two bodies can wait for each other.

mod input;
mod readings;

use super::BodyError;
use super::decode::Decoder;
use super::journal::{Batch, Journal, Stake};
use super::mask::Masker;
use super::media::Media;
use super::policy::{Action, Forbidden};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use readings::Readings;
use sekisho_edm::{Finding, Reflected};
use sekisho_ledger::NotDurable;
use sekisho_model::{ByteRange, Disposition, Uninspectable, WithheldOutcome};
use std::collections::{HashSet, VecDeque};
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::{AcquireError, OwnedSemaphorePermit};
use tokio::time::Sleep;
use tokio::time::error::Elapsed;

/// Bytes with findings that are gathered before they are recorded together; beyond, the part is recorded and waits.
const PART_BYTES_MAX: u64 = 64 * 1024;

/// Bytes that are scanned or decoded in one step.
const STEP_BYTES_MAX: usize = 32 * 1024;

/// As many bytes a finding counts in its body's turn: about a search for a person's names takes the time of scanning these.
const FINDING_BYTES: usize = 2 * 1024;

/// Bytes after which a body lets its worker's other tasks run.
const TURN_BYTES_MAX: usize = 256 * 1024;

/// Waits for room, as long as `held_wait`.
type Acquire = Pin<Box<dyn Future<Output = Result<Result<OwnedSemaphorePermit, AcquireError>, Elapsed>> + Send>>;

/// A body under inspection.
pub(super) struct Flow<B> {
    /// `None` when the body is the gateway's own, or over.
    upstream: Option<B>,
    journal: Box<Journal>,
    examination: Examination,
    /// The request's values; `None` where nothing is inspected.
    reflected: Option<Arc<Reflected>>,
    /// A frame that was made ready before the head was sent.
    first: Option<Frame<Bytes>>,
    /// Encoded bytes are taken off by this.
    decoder: Option<Decoder>,
    decoded_bytes_left: u64,
    /// Bytes of the upstream that were not scanned yet.
    incoming: Bytes,
    /// Scanned bytes that were not released yet.
    held: VecDeque<Bytes>,
    released: u64,
    scanned: u64,
    /// Nothing found later begins before this.
    safe_until: u64,
    findings: Vec<Finding>,
    batch: Option<Batch>,
    trailers: Option<HeaderMap>,
    input: Input,
    /// Nothing is released before all is scanned, up to [`PART_BYTES_MAX`] or the first finding.
    holds_whole: bool,
    /// Bytes that the upstream still owes, where it said how many.
    owed: Option<u64>,
    permit: Option<OwnedSemaphorePermit>,
    acquire: Option<Acquire>,
    idle: Option<Pin<Box<Sleep>>>,
    /// `None`: held bytes wait for as long as the upstream takes.
    idle_flush: Option<Duration>,
    turn_bytes: usize,
}

/// What is done with the bytes.
enum Examination {
    /// The first bytes will tell.
    Sniffing { media: Media, start: BytesMut },
    /// They are scanned.
    Scanning {
        readings: Readings,
        /// Where the route's policy may change the body.
        masker: Option<Masker>,
    },
    /// They pass.
    Passing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// More may come.
    Open,
    /// The upstream has ended; what it sent is not scanned to its end yet.
    Ended,
    /// All is scanned.
    Finished,
}

/// How a body is to be treated; from the response's head.
pub(super) struct Treatment {
    /// `None`: the body passes.
    pub(super) media: Option<Media>,
    /// The request's values; `None` where nothing is inspected.
    pub(super) reflected: Option<Arc<Reflected>>,
    pub(super) decoder: Option<Decoder>,
    pub(super) decoded_bytes_max: u64,
    pub(super) idle_flush: Duration,
}

impl<B> Flow<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    pub(super) fn new(upstream: B, journal: Box<Journal>, treatment: Treatment) -> Flow<B> {
        let owed = upstream.size_hint().exact();
        let may_flush = owed.is_none() || treatment.media.as_ref().is_some_and(Media::is_stream);
        // Half of a value that the policy forbids is not let go because the other half is late.
        let flushes = may_flush && !journal.withholds();
        let input = match upstream.is_end_stream() {
            true => Input::Finished,
            false => Input::Open,
        };
        let examination = match treatment.media {
            Some(media) => Examination::Sniffing { media, start: BytesMut::new() },
            None => Examination::Passing,
        };
        Flow {
            upstream: Some(upstream),
            journal,
            examination,
            reflected: treatment.reflected,
            first: None,
            decoder: treatment.decoder,
            decoded_bytes_left: treatment.decoded_bytes_max,
            incoming: Bytes::new(),
            held: VecDeque::new(),
            released: 0,
            scanned: 0,
            safe_until: 0,
            findings: Vec::new(),
            batch: None,
            trailers: None,
            input,
            holds_whole: false,
            owed,
            permit: None,
            acquire: None,
            idle: None,
            idle_flush: flushes.then_some(treatment.idle_flush),
            turn_bytes: 0,
        }
    }

    /// A body of the gateway's own, in place of the upstream's; the journal ends with it.
    pub(super) fn own(text: &'static str, journal: Box<Journal>) -> Flow<B> {
        Flow {
            upstream: None,
            journal,
            examination: Examination::Passing,
            reflected: None,
            first: (!text.is_empty()).then(|| Frame::data(Bytes::from_static(text.as_bytes()))),
            decoder: None,
            decoded_bytes_left: 0,
            incoming: Bytes::new(),
            held: VecDeque::new(),
            released: 0,
            scanned: 0,
            safe_until: 0,
            findings: Vec::new(),
            batch: None,
            trailers: None,
            input: Input::Finished,
            holds_whole: false,
            owed: None,
            permit: None,
            acquire: None,
            idle: None,
            idle_flush: None,
            turn_bytes: 0,
        }
    }

    /// The next frame for the client, counted as released. What ends the body closes the journal.
    pub(super) fn poll_release(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match self.first.take() {
            Some(frame) => Some(Ok(frame)),
            None => ready!(self.poll_part(cx)),
        };
        if let Some(Ok(frame)) = &frame {
            self.journal.released(frame.data_ref().map_or(0, Bytes::len));
        }
        if self.is_finished() || !matches!(frame, Some(Ok(_))) {
            self.journal.close();
        }
        Poll::Ready(frame)
    }

    /// What is still to come, where that is known.
    pub(super) fn size_hint(&self) -> SizeHint {
        let own = self.first.as_ref().and_then(Frame::data_ref).map_or(0, |data| data.len() as u64);
        let held: u64 = self.held.iter().map(|piece| piece.len() as u64).sum::<u64>() + own;
        let sniffed = match &self.examination {
            Examination::Sniffing { start, .. } => start.len() as u64,
            _ => 0,
        };
        let ready = held + self.incoming.len() as u64 + sniffed;
        match (&self.decoder, self.input, self.owed) {
            (None, Input::Finished | Input::Ended, _) => SizeHint::with_exact(ready),
            (None, Input::Open, Some(owed)) => SizeHint::with_exact(ready + owed),
            _ => SizeHint::default(),
        }
    }

    /// Keeps the first frame back until the whole body is scanned, where that is short.
    pub(super) fn hold_whole(&mut self) {
        self.holds_whole = true;
    }

    /// Whether the whole body was inspected already, and holds nothing.
    pub(super) fn is_clean(&self) -> bool {
        self.input == Input::Finished
            && self.findings.is_empty()
            && self.journal.is_inspected()
            && !self.journal.has_findings()
    }

    /// Makes the first frame ready before the head is sent, so that a refusal can still be a status. The head waits
    /// for the ledger always, for the upstream only where `wait_for_upstream`.
    pub(super) fn poll_first(&mut self, cx: &mut Context<'_>, wait: WaitForUpstream) -> Poll<Result<(), BodyError>> {
        match self.poll_part(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.first = Some(frame);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Some(Err(err))) => Poll::Ready(Err(err)),
            Poll::Ready(None) => Poll::Ready(Ok(())),
            Poll::Pending if self.batch.is_some() || self.acquire.is_some() || wait == WaitForUpstream::Yes => {
                Poll::Pending
            }
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    pub(super) fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    pub(super) fn into_journal(self) -> Box<Journal> {
        self.journal
    }

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.upstream.is_some() && self.journal.was_contained() {
            return Poll::Ready(Some(Err(self.fail(Disposition::Blocked, BodyError::Withheld))));
        }
        loop {
            if self.batch.is_some() {
                let durable = ready!(self.poll_batch(cx));
                if let Err(err) = durable {
                    return Poll::Ready(Some(Err(err)));
                }
            }
            if self.findings.is_empty() {
                if !self.waits_for_the_rest()
                    && let Some(bytes) = self.take_releasable()
                {
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                if self.input == Input::Finished {
                    return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
                }
            }
            let is_full = self.scanned - self.released >= PART_BYTES_MAX || self.input == Input::Finished;
            if !self.findings.is_empty() && is_full {
                if let Err(err) = self.record() {
                    return Poll::Ready(Some(Err(err)));
                }
                continue;
            }
            match self.poll_input(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(err)) => return Poll::Ready(Some(Err(err))),
                Poll::Pending if !self.findings.is_empty() => {
                    // What is known need not wait for what may come.
                    if let Err(err) = self.record() {
                        return Poll::Ready(Some(Err(err)));
                    }
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn waits_for_the_rest(&self) -> bool {
        self.holds_whole && self.input != Input::Finished && self.scanned - self.released < PART_BYTES_MAX
    }

    /// Records the part's findings, where the route's policy lets them leave; else the body ends before the part.
    fn record(&mut self) -> Result<(), BodyError> {
        self.holds_whole = false;
        if let Some(forbidden) = self.journal.judge(&self.findings)
            && let Err(forbidden) = self.mask(forbidden)
        {
            self.journal.withheld(forbidden, WithheldOutcome::Ended);
            return Err(self.fail(Disposition::Blocked, BodyError::Withheld));
        }
        let recorded = self.journal.expose(&self.findings);
        self.findings.clear();
        match recorded {
            Ok(Batch { wait: None, .. }) => Ok(()),
            Ok(batch) => {
                self.batch = Some(batch);
                Ok(())
            }
            Err((stake, err)) => self.not_durable(stake, err),
        }
    }

    /// Replaces what the policy forbids in the held bytes, where it says so and that can be done; else gives it back.
    fn mask(&mut self, forbidden: Forbidden) -> Result<(), Forbidden> {
        let Examination::Scanning { masker: Some(masker), readings } = &self.examination else { return Err(forbidden) };
        let told = forbidden.findings.iter().map(|at| &self.findings[*at]);
        // What stands in a trailer has no place in the body.
        if forbidden.action != Action::Mask
            || told.clone().any(|finding| finding.span.is_empty() || readings.is_second(finding))
        {
            return Err(forbidden);
        }
        let places: Vec<ByteRange> = told.flat_map(Finding::places).collect();
        let mut bytes = BytesMut::new();
        self.held.iter().for_each(|piece| bytes.extend_from_slice(piece));
        if masker.mask(&mut bytes, self.released, &places).is_err() {
            return Err(forbidden);
        }
        self.held = VecDeque::from([bytes.freeze()]);
        let masked: HashSet<usize> = forbidden.findings.iter().copied().collect();
        let findings = std::mem::take(&mut self.findings).into_iter().enumerate();
        self.findings = findings.filter(|(at, _)| !masked.contains(at)).map(|(_, finding)| finding).collect();
        self.journal.withheld(forbidden, WithheldOutcome::Masked);
        self.journal.dispose(Disposition::Masked);
        Ok(())
    }

    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        let Some(batch) = &mut self.batch else { return Poll::Ready(Ok(())) };
        let outcome = match &mut batch.wait {
            Some(wait) => ready!(wait.as_mut().poll(cx)),
            None => Ok(()),
        };
        let stake = batch.stake;
        let batch = self.batch.take();
        Poll::Ready(match outcome {
            Ok(()) => {
                batch.iter().for_each(|batch| self.journal.durable(batch));
                Ok(())
            }
            Err(err) => self.not_durable(stake, err),
        })
    }

    /// GW-1: what cannot be recorded passes on a `continuity` route, or where no subject is in it; else it ends here.
    fn not_durable(&mut self, stake: Stake, err: NotDurable) -> Result<(), BodyError> {
        match self.journal.may_pass(stake) {
            true => {
                self.journal.not_inspectable(Uninspectable::LedgerUnavailable);
                Ok(())
            }
            false => Err(self.fail(Disposition::Refused, BodyError::Ledger(err))),
        }
    }

    /// Ends the body: nothing more is read or released.
    fn fail(&mut self, disposition: Disposition, err: BodyError) -> BodyError {
        self.journal.dispose(disposition);
        self.upstream = None;
        self.held.clear();
        self.findings.clear();
        self.trailers = None;
        self.permit = None;
        self.input = Input::Finished;
        self.released = self.scanned;
        err
    }

    fn take_releasable(&mut self) -> Option<Bytes> {
        let bytes_max = usize::try_from(self.safe_until.saturating_sub(self.released)).unwrap_or(usize::MAX);
        let front = self.held.front_mut()?;
        let bytes = match front.len() <= bytes_max {
            true => self.held.pop_front()?,
            false if bytes_max == 0 => return self.shrink(),
            false => front.split_to(bytes_max),
        };
        self.released += bytes.len() as u64;
        if let Examination::Scanning { masker: Some(masker), .. } = &mut self.examination {
            masker.pass(&bytes);
        }
        if self.held.is_empty() {
            self.permit = None;
        }
        Some(bytes)
    }

    /// Only the window is held now: it is not counted, and does not keep a whole piece alive.
    fn shrink(&mut self) -> Option<Bytes> {
        if self.permit.take().is_some()
            && let [front] = self.held.make_contiguous()
        {
            *front = Bytes::copy_from_slice(front);
        }
        None
    }

    pub(super) fn is_finished(&self) -> bool {
        self.first.is_none()
            && self.input == Input::Finished
            && self.held.is_empty()
            && self.findings.is_empty()
            && self.batch.is_none()
            && self.trailers.is_none()
    }
}

/// Whether the head waits for the upstream's first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitForUpstream {
    Yes,
    No,
}
