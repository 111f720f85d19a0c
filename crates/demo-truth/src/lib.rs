//! The demo's referee: whose data is in these captured bytes? Told from the raw capture and the firm's files alone.
//!
//! It shares no code with the product (`xtask tidy` forbids it any sibling) and is written to be plainly right rather
//! than fast: whole bodies, plain values in clear, one pass for each kind of value. Read in this order: [`run`],
//! `capture` (raw HTTP), `text` (bodies to characters), `register` (the firm's files), `judge` (who is in there).
//!
//! It knows only what the sample site sends: UTF-8 and Shift_JIS, HTML entities, JSON escapes, identity encoding.

mod capture;
mod judge;
mod register;
mod text;

use judge::Judge;
use register::Register;
use std::path::{Path, PathBuf};

/// How the referee is called.
pub const USAGE: &str = "usage: CAPTURE_DIR NAME=FILE.csv [NAME=FILE.csv …]
CAPTURE_DIR holds pairs `<n>.request` and `<n>.response`: raw bytes as sent and received on one connection each.";

/// Reads the capture and the registers, and returns one JSON object:
/// `{"exchanges": n, "registers": [{"name", "persons": {"the firm's number": ["field", …]}}]}`.
///
/// # Errors
/// A sentence that says what could not be read.
pub fn run(args: &[String]) -> Result<String, String> {
    let (capture, files) = args.split_first().ok_or(USAGE)?;
    if files.is_empty() {
        return Err(USAGE.to_owned());
    }
    let registers = files.iter().map(|arg| register(arg)).collect::<Result<Vec<_>, _>>()?;
    let exchanges = capture::read(Path::new(capture))?;
    let mut judge = Judge::new(&registers);
    for exchange in &exchanges {
        judge.exchange(&text::request(&exchange.request), &text::response(&exchange.response)?);
    }
    let registers: Vec<_> = registers.iter().enumerate().map(|(at, register)| judge.verdict(at, register)).collect();
    Ok(serde_json::json!({ "exchanges": exchanges.len(), "registers": registers }).to_string())
}

fn register(arg: &str) -> Result<Register, String> {
    let (name, file) = arg.split_once('=').ok_or(USAGE)?;
    let path = PathBuf::from(file);
    let bytes = std::fs::read(&path).map_err(|err| format!("cannot read `{}`: {err}", path.display()))?;
    Register::parse(name, &text::file(&bytes))
}
