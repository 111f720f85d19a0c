//! `sekisho-pdf`: one JSON document on standard input, one archival PDF on standard output.
//!
//! Read `document` for what it accepts, `fonts` for what can be printed, `typeset` for how, and `template.typ` for what
//! it looks like. Exit codes: 0 done, 1 the document is refused, 2 usage, 3 the environment failed.

mod document;
mod fonts;
#[cfg(test)]
mod tests;
mod typeset;

use clap::Parser;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Typesets the notices and letters of a case: JSON on standard input, PDF/A-2a and PDF/UA-1 on standard output.
#[derive(Parser)]
#[command(
    version,
    max_term_width = 80,
    after_help = "Example:\n  sekisho-pdf --index pages.json <letters.json >letters.pdf"
)]
struct Arguments {
    /// Writes there, as JSON, which pages of the PDF belong to which letter.
    #[arg(long, value_name = "FILE")]
    index: Option<PathBuf>,
    /// Looks for the fonts here instead of in Debian's folders; may be given more than once.
    #[arg(long, value_name = "FOLDER")]
    font_dir: Vec<PathBuf>,
}

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the document is refused at {0}")]
    Document(#[from] document::Refusal),
    #[error(transparent)]
    Fonts(#[from] fonts::Error),
    #[error(transparent)]
    Typeset(#[from] typeset::Error),
    #[error("cannot read standard input: {0}")]
    Read(std::io::Error),
    #[error("cannot write the PDF to standard output: {0}")]
    Write(std::io::Error),
    #[error("cannot write the index `{}`: {source}", path.display())]
    Index { path: PathBuf, source: std::io::Error },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("error: {err}");
            ExitCode::from(err.code())
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    let mut json = Vec::new();
    // One byte more than allowed is enough to know that it is too much.
    let limit = document::INPUT_BYTES_MAX as u64 + 1;
    std::io::stdin().lock().take(limit).read_to_end(&mut json).map_err(Error::Read)?;
    let document = document::parse(&json)?;
    let folders = match arguments.font_dir.as_slice() {
        [] => fonts::FOLDERS.iter().map(PathBuf::from).collect(),
        given => given.to_vec(),
    };
    let fonts = fonts::Fonts::read(&folders)?;
    fonts.check(&document)?;
    let (pdf, index) = typeset::typeset(&document, fonts)?;
    if let Some(path) = &arguments.index {
        let failed = |source| Error::Index { path: path.clone(), source };
        let mut text = serde_json::to_vec(&index).map_err(|err| failed(err.into()))?;
        text.push(b'\n');
        std::fs::write(path, text).map_err(failed)?;
    }
    let mut output = std::io::stdout().lock();
    output.write_all(&pdf).and_then(|()| output.flush()).map_err(Error::Write)
}

impl Error {
    fn code(&self) -> u8 {
        match self {
            Error::Document(_)
            | Error::Fonts(fonts::Error::Characters(_))
            | Error::Typeset(typeset::Error::Refused(_)) => 1,
            _ => 3,
        }
    }
}
