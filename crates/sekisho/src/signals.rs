//! When a command that stays up is told to end. Nothing is left as it lies: who listens decides what is put away.

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, SIGTERM and the terminal's end, from the moment it is made on.
pub(crate) struct Ending {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Ctrl-C or SIGTERM.
    End,
    /// The terminal closed, or SIGHUP was sent.
    Hangup,
}

impl Ending {
    /// Inside a runtime only.
    pub(crate) fn listen() -> Result<Ending> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Ending {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn told(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::End,
            _ = self.terminate.recv() => Told::End,
            _ = self.hangup.recv() => Told::Hangup,
        }
    }
}
