//! The other end of a [`Flow`]: takes pieces from the upstream, decodes and scans them, and counts what is held.

use super::super::BodyError;
use super::super::decode::Step;
use super::super::head::findings_in_trailers;
use super::super::journal::Journal;
use super::super::mask::{Masker, Syntax};
use super::super::media;
use super::readings::Readings;
use super::{Examination, FINDING_BYTES, Flow, Input, STEP_BYTES_MAX, TURN_BYTES_MAX};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;
use sekisho_edm::Reflected;
use sekisho_model::{Disposition, Uninspectable};
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

impl<B> Flow<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// One step of input: takes, decodes, scans.
    pub(super) fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        if self.turn_bytes >= TURN_BYTES_MAX {
            self.turn_bytes = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !self.incoming.is_empty() {
            let permit = ready!(self.poll_permit(cx));
            return Poll::Ready(permit.map(|()| self.scan_step()));
        }
        match self.decode_step() {
            Ok(Progress::Made) => return Poll::Ready(Ok(())),
            Ok(Progress::None) => {}
            Err(err) => return Poll::Ready(Err(err)),
        }
        match self.input {
            Input::Open => self.poll_upstream(cx),
            Input::Ended | Input::Finished => {
                self.finish();
                Poll::Ready(Ok(()))
            }
        }
    }

    fn poll_upstream(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        let Some(upstream) = &mut self.upstream else {
            self.input = Input::Ended;
            return Poll::Ready(Ok(()));
        };
        let frame = match Pin::new(&mut *upstream).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => return self.poll_idle(cx).map(Ok),
        };
        self.idle = None;
        match frame {
            None => self.end_input(),
            Some(Err(err)) => {
                return Poll::Ready(Err(self.fail(Disposition::UpstreamFailed, BodyError::Upstream(err.into()))));
            }
            Some(Ok(frame)) => {
                let is_last = upstream.is_end_stream();
                match frame.into_data() {
                    Ok(data) => self.take_data(data, is_last),
                    Err(frame) => self.take_trailers(frame.into_trailers().unwrap_or_default()),
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn take_data(&mut self, data: Bytes, is_last: bool) {
        let owed = self.owed.map(|owed| owed.saturating_sub(data.len() as u64));
        self.owed = owed;
        match &mut self.decoder {
            Some(decoder) => decoder.push(data),
            None => self.incoming = data,
        }
        if is_last || owed == Some(0) {
            self.end_input();
        }
    }

    fn take_trailers(&mut self, trailers: HeaderMap) {
        if let Some(reflected) = &self.reflected {
            // They follow the body's last byte.
            let found = findings_in_trailers(&self.journal.shared, &trailers, reflected, self.scanned);
            self.findings.extend(found);
        }
        self.trailers = Some(trailers);
        self.end_input();
    }

    fn end_input(&mut self) {
        self.input = Input::Ended;
        if let Some(decoder) = &mut self.decoder {
            decoder.end();
        }
    }

    /// An idle stream's held bytes are scanned as if they were the end, and released.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_sniffing = matches!(&self.examination, Examination::Sniffing { start, .. } if !start.is_empty());
        let Some(idle_flush) = self.idle_flush.filter(|_| is_sniffing || !self.held.is_empty()) else {
            return Poll::Pending;
        };
        if !self.findings.is_empty() {
            return Poll::Pending;
        }
        ready!(self.idle.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle_flush))).as_mut().poll(cx));
        self.idle = None;
        self.decide(Hurry::Now);
        if let Examination::Scanning { readings, .. } = &mut self.examination
            && self.safe_until < self.scanned
        {
            readings.flush_idle(&mut self.findings);
            self.safe_until = self.scanned;
            self.journal.not_inspectable(Uninspectable::IdleFlush);
        }
        Poll::Ready(())
    }

    /// Counts the piece against the semaphore. Waits only when nothing counted is held, and at most `held_wait`.
    fn poll_permit(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        if !matches!(self.examination, Examination::Scanning { .. }) {
            return Poll::Ready(Ok(()));
        }
        let held = &self.journal.shared.held;
        let bytes = held.permits_for(self.incoming.len().min(STEP_BYTES_MAX));
        if self.acquire.is_none() {
            if let Ok(permit) = Arc::clone(&held.semaphore).try_acquire_many_owned(bytes) {
                self.keep(permit);
                return Poll::Ready(Ok(()));
            }
            if self.permit.is_some() && !self.findings.is_empty() {
                // Pending with findings makes the caller record them, wait for the ledger and release.
                return Poll::Pending;
            }
            if self.waits_for_the_rest() && !self.held.is_empty() {
                // What was kept back goes first.
                self.holds_whole = false;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.permit = None;
            let acquire = Arc::clone(&held.semaphore).acquire_many_owned(bytes);
            self.acquire = Some(Box::pin(timeout(self.journal.bounds().held_wait, acquire)));
        }
        if let Some(acquire) = &mut self.acquire {
            let permit = ready!(acquire.as_mut().poll(cx));
            self.acquire = None;
            let Ok(permit) = permit else {
                self.journal.shared.counters.held_too_long.add(1);
                return Poll::Ready(Err(self.fail(Disposition::Refused, BodyError::Held)));
            };
            // The semaphore is never closed.
            permit.into_iter().for_each(|permit| self.keep(permit));
        }
        Poll::Ready(Ok(()))
    }

    fn keep(&mut self, permit: OwnedSemaphorePermit) {
        match &mut self.permit {
            Some(kept) => kept.merge(permit),
            None => self.permit = Some(permit),
        }
    }

    fn scan_step(&mut self) {
        if matches!(self.examination, Examination::Sniffing { .. }) {
            return self.decide(Hurry::Wait);
        }
        let piece = match &self.examination {
            Examination::Passing => std::mem::take(&mut self.incoming),
            _ => self.incoming.split_to(self.incoming.len().min(STEP_BYTES_MAX)),
        };
        self.scanned += piece.len() as u64;
        if let Examination::Scanning { readings, .. } = &mut self.examination {
            let findings_before = self.findings.len();
            let safe_until = readings.feed(&piece, &mut self.findings);
            self.safe_until = self.safe_until.max(safe_until);
            self.turn_bytes += piece.len() + (self.findings.len() - findings_before) * FINDING_BYTES;
            self.journal.shared.counters.bytes_scanned.add(piece.len() as u64);
        } else {
            self.safe_until = self.scanned;
        }
        self.held.push_back(piece);
        if self.incoming.is_empty() && self.input == Input::Ended && self.decoder.is_none() {
            self.finish();
        }
    }

    /// Takes the incoming bytes to the first ones, and decides when they are enough, or there will be no more.
    fn decide(&mut self, hurry: Hurry) {
        let Examination::Sniffing { media, start } = &mut self.examination else { return };
        let is_all = self.input != Input::Open && self.decoder.is_none() || hurry == Hurry::Now;
        if start.is_empty() && (is_all || self.incoming.len() >= media.sniff_bytes()) {
            // The usual case: the first piece is enough, and is not copied.
        } else {
            start.extend_from_slice(&std::mem::take(&mut self.incoming));
            if !is_all && start.len() < media.sniff_bytes() {
                return;
            }
            self.incoming = std::mem::take(start).freeze();
        }
        self.examination = match media.decide(&self.incoming) {
            Ok(reading) => {
                reading.doubt.into_iter().for_each(|doubt| self.journal.not_inspectable(doubt));
                scanning(&self.journal, reading, media.syntax(), self.reflected.clone().unwrap_or_default())
            }
            Err(reason) => {
                self.journal.not_inspectable(reason);
                Examination::Passing
            }
        };
    }

    fn decode_step(&mut self) -> Result<Progress, BodyError> {
        let Some(decoder) = &mut self.decoder else { return Ok(Progress::None) };
        let mut buffer = BytesMut::zeroed(STEP_BYTES_MAX);
        let bytes = match decoder.step(&mut buffer) {
            Ok(Step::Output(bytes)) => bytes,
            Ok(Step::Hungry) => return Ok(Progress::None),
            Ok(Step::End) => {
                self.decoder = None;
                // Whatever follows the encoded body is not passed on.
                self.input = Input::Ended;
                return Ok(Progress::Made);
            }
            Err(err) => {
                self.journal.not_inspectable(Uninspectable::DecodeFailed);
                return Err(self.fail(Disposition::UpstreamFailed, BodyError::Decode(err)));
            }
        };
        buffer.truncate(bytes);
        self.incoming = buffer.freeze();
        self.turn_bytes += bytes;
        self.count_decoded(bytes)?;
        Ok(Progress::Made)
    }

    /// Beyond the bound the body goes on decoded but not scanned; where the route's policy may withhold, it ends.
    fn count_decoded(&mut self, bytes: usize) -> Result<(), BodyError> {
        if let Some(left) = self.decoded_bytes_left.checked_sub(bytes as u64) {
            self.decoded_bytes_left = left;
            return Ok(());
        }
        self.decoded_bytes_left = 0;
        self.journal.not_inspectable(Uninspectable::DecodeLimit);
        if self.journal.withholds() {
            return Err(self.fail(Disposition::Blocked, BodyError::Withheld));
        }
        self.finish_scan();
        self.examination = Examination::Passing;
        Ok(())
    }

    /// The end: what is pending is found, and everything may go once that is durable.
    fn finish(&mut self) {
        self.decide(Hurry::Now);
        if !self.incoming.is_empty() {
            return;
        }
        self.finish_scan();
        self.input = Input::Finished;
        self.upstream = None;
    }

    /// No more is scanned: what is pending is found.
    fn finish_scan(&mut self) {
        if let Examination::Scanning { readings, .. } = &mut self.examination {
            readings.finish(&mut self.findings);
            if readings.is_malformed() {
                self.journal.not_inspectable(Uninspectable::Charset);
            }
        }
        self.safe_until = self.scanned;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hurry {
    Wait,
    Now,
}

enum Progress {
    Made,
    None,
}

fn scanning(journal: &Journal, reading: media::Reading, syntax: Syntax, reflected: Arc<Reflected>) -> Examination {
    let media::Reading { form, other, .. } = reading;
    let index = journal.shared.index.load_full();
    let masker = journal.withholds().then(|| Masker::new(form.charset, syntax));
    Examination::Scanning { readings: Readings::new(index, form, other, reflected), masker }
}
