//! Follows a connection from head to body to head: which bytes may pass. Synchronous; knows no I/O and no clock.

use super::chunked::Chunked;
use super::head::{Framing, Head, Progress};
use super::refusal::HeadRefusal;

/// Where the connection is.
#[derive(Debug)]
pub(super) struct Framer {
    state: State,
    head_bytes_max: usize,
    headers_max: usize,
}

#[derive(Debug)]
enum State {
    Head(Head),
    Length(u64),
    Chunked(Chunked),
}

/// What [`Framer::advance`] decided about the bytes it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Advance {
    /// That many of the first bytes may pass.
    pub(super) passed: usize,
    /// The bytes now end here; shorter than before when a line was taken out of a head.
    pub(super) len: usize,
    /// Why no further byte may pass, ever.
    pub(super) stop: Option<Stop>,
}

/// The connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// A bad head: hyper has not seen a byte of it.
    Head(HeadRefusal),
    /// A bad body: hyper has its head and all bytes before the fault.
    Body(HeadRefusal),
}

impl Framer {
    pub(super) fn new(head_bytes_max: usize, headers_max: usize) -> Framer {
        Framer { state: State::Head(Head::default()), head_bytes_max, headers_max }
    }

    /// Whether the next byte belongs to a head.
    pub(super) fn is_at_head(&self) -> bool {
        matches!(self.state, State::Head(_))
    }

    /// Decides on `bytes`. What does not pass and is not refused (part of a head) must be given again, with more.
    pub(super) fn advance(&mut self, bytes: &mut [u8]) -> Advance {
        let mut len = bytes.len();
        let mut passed = 0;
        loop {
            if passed == len {
                return Advance { passed, len, stop: None };
            }
            match self.step(&mut bytes[passed..len], &mut len) {
                Ok(0) => return Advance { passed, len, stop: None },
                Ok(taken) => passed += taken,
                Err((taken, stop)) => return Advance { passed: passed + taken, len, stop: Some(stop) },
            }
        }
    }

    /// Takes one head or one part of a body; zero bytes when the head needs more.
    fn step(&mut self, bytes: &mut [u8], len: &mut usize) -> Result<usize, (usize, Stop)> {
        match &mut self.state {
            State::Head(head) => {
                let mut removed = 0;
                let progress = head.feed(bytes, (self.head_bytes_max, self.headers_max), &mut removed);
                *len -= removed;
                match progress.map_err(|reason| (0, Stop::Head(reason)))? {
                    Progress::Partial => Ok(0),
                    Progress::Whole { len, framing } => {
                        self.state = State::after(framing);
                        Ok(len)
                    }
                }
            }
            State::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= taken as u64;
                if *left == 0 {
                    self.state = State::Head(Head::default());
                }
                Ok(taken)
            }
            State::Chunked(chunked) => {
                let taken = chunked.feed(bytes).map_err(|fault| (fault.at, Stop::Body(fault.reason)))?;
                if chunked.is_done() {
                    self.state = State::Head(Head::default());
                }
                Ok(taken)
            }
        }
    }
}

impl State {
    fn after(framing: Framing) -> State {
        match framing {
            Framing::Length(0) => State::Head(Head::default()),
            Framing::Length(bytes) => State::Length(bytes),
            Framing::Chunked => State::Chunked(Chunked::default()),
        }
    }
}
