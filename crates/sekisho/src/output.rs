//! What is told on standard output and standard error. Telling never panics and never ends the process: a terminal that
//! was closed, a reader that left and a full disk are no reason to stop a gateway.
//!
//! [`say!`] and [`say_text!`] give a command's answer: a reader who left (`| head`) is let go quietly, another error is
//! remembered, and [`finish`] reports it. [`show!`] tells what happens meanwhile, and [`tell!`] what the operator should
//! know, on standard error: whether anybody reads them is nobody's concern.

use std::fmt::Arguments;
use std::io::{Error, ErrorKind, Result, Write};
use std::sync::OnceLock;

/// The first error of an answer's writing.
static FAILED: OnceLock<Error> = OnceLock::new();

/// A line of a command's answer, as `println!` takes it.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::answer(format_args!("{}\n", format_args!($($text)*))) };
}

/// A part of a command's answer without a line's end, as `print!` takes it.
macro_rules! say_text {
    ($($text:tt)*) => { $crate::output::answer(format_args!($($text)*)) };
}

/// A line on standard output that nobody needs to read.
macro_rules! show {
    ($($text:tt)*) => { $crate::output::line(&mut std::io::stdout(), format_args!($($text)*)) };
}

/// A line on standard error, as `eprintln!` takes it.
macro_rules! tell {
    ($($text:tt)*) => { $crate::output::line(&mut std::io::stderr(), format_args!($($text)*)) };
}

pub(crate) use {say, say_text, show, tell};

/// Writes a part of a command's answer; nothing more once a part could not be written.
pub(crate) fn answer(text: Arguments<'_>) {
    if FAILED.get().is_none()
        && let Err(err) = std::io::stdout().write_fmt(text)
    {
        // Somebody else's error was first, and says as much.
        let _ = FAILED.set(err);
    }
}

/// Writes a line, or does not.
pub(crate) fn line(stream: &mut impl Write, text: Arguments<'_>) {
    let _ = stream.write_fmt(format_args!("{text}\n"));
}

/// Whether what was said so far could be written.
#[cfg(feature = "demo")]
pub(crate) fn is_heard() -> bool {
    FAILED.get().is_none()
}

/// Whether the answer was written as a whole, or its reader did not want the rest of it.
pub(crate) fn finish() -> Result<()> {
    if FAILED.get().is_none()
        && let Err(err) = std::io::stdout().flush()
    {
        let _ = FAILED.set(err);
    }
    match FAILED.get() {
        Some(err) if err.kind() != ErrorKind::BrokenPipe => Err(Error::new(err.kind(), err.to_string())),
        _ => Ok(()),
    }
}
