//! From a checked document to the bytes of a PDF/A-2a and PDF/UA-1 file.
//!
//! The template is fixed, the document is a JSON file beside it, and the typesetter sees nothing else: no network, no
//! packages, no files of the machine, no clock. The same document and fonts give the same bytes.

use crate::document::{Document, Kind, Refusal};
use crate::fonts::{FAMILIES, Fonts};
use serde::Serialize;
use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration, Label, Smart};
use typst::introspection::Introspector;
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::{LazyHash, PicoStr};
use typst::{Library, LibraryExt, World};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards, Timestamp};

const TEMPLATE: &str = include_str!("template.typ");

/// Which pages of the PDF belong to which page entry of the input.
#[derive(Debug, Serialize)]
pub(crate) struct Index {
    format: &'static str,
    pages: usize,
    parts: Vec<Part>,
}

/// One notice or letter.
#[derive(Debug, Serialize)]
struct Part {
    /// Its place in the input's `pages`, from 0.
    page: usize,
    kind: Kind,
    /// Sheet sides of the PDF, from 1.
    first: usize,
    last: usize,
}

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("cannot typeset the document: {0}")]
    Typeset(String),
    #[error("cannot write the document as an archival PDF: {0}")]
    Export(String),
}

/// Typesets a document.
pub(crate) fn typeset(document: &Document, fonts: Fonts) -> Result<(Vec<u8>, Index), Error> {
    let json = serde_json::to_string(document).map_err(|err| Error::Typeset(err.to_string()))?;
    let options = options(document, &json)?;
    let world = Desk::new(json, fonts);
    let paged: PagedDocument =
        typst::compile(&world).output.map_err(|problems| refusal_or(&problems, Error::Typeset))?;
    let index = index(document, &paged)?;
    let pdf = typst_pdf::pdf(&paged, &options).map_err(|problems| refusal_or(&problems, Error::Export))?;
    Ok((pdf, index))
}

fn options(document: &Document, json: &str) -> Result<PdfOptions, Error> {
    let standards = PdfStandards::new(&[PdfStandard::A_2a, PdfStandard::Ua_1])
        .map_err(|err| Error::Export(err.message().to_string()))?;
    Ok(PdfOptions {
        ident: Smart::Custom(json.to_owned()),
        creator: Smart::Custom(Some(concat!("sekisho-pdf ", env!("CARGO_PKG_VERSION")).to_owned())),
        timestamp: Some(timestamp(document)?),
        standards,
        ..PdfOptions::default()
    })
}

fn timestamp(document: &Document) -> Result<Timestamp, Error> {
    let zoned = document.zoned()?;
    let part = |number: i8| u8::try_from(number).unwrap_or_default();
    let time = Datetime::from_ymd_hms(
        zoned.year().into(),
        part(zoned.month()),
        part(zoned.day()),
        part(zoned.hour()),
        part(zoned.minute()),
        part(zoned.second()),
    );
    let stamp = time.and_then(|time| Timestamp::new_local(time, zoned.offset().seconds() / 60));
    stamp.ok_or_else(|| Refusal::new("date", "a PDF cannot carry this date").into())
}

/// The template marks the begin and the end of each part with labels.
fn index(document: &Document, paged: &PagedDocument) -> Result<Index, Error> {
    let introspector = paged.introspector();
    let page_of = |name: String| {
        let label = Label::new(PicoStr::intern(&name))?;
        let location = introspector.query_label(label).ok()?.location()?;
        introspector.page(location).map(usize::from)
    };
    let mut parts = Vec::new();
    for (number, page) in document.pages.iter().enumerate() {
        match (page_of(format!("begin-{number}")), page_of(format!("end-{number}"))) {
            (Some(first), Some(last)) => parts.push(Part { page: number, kind: page.kind, first, last }),
            _ => return Err(Error::Typeset(format!("pages[{number}] is on no page"))),
        }
    }
    Ok(Index { format: "sekisho-pdf-index/1", pages: paged.pages().len(), parts })
}

/// What the template refuses (an address that does not fit) begins with a path; anything else is a fault of ours.
fn refusal_or(problems: &[SourceDiagnostic], other: fn(String) -> Error) -> Error {
    for problem in problems {
        let message = problem.message.trim_start_matches("panicked with: ").trim_matches('"');
        if let Some((path, problem)) = message.split_once(": ").filter(|(path, _)| path.starts_with("pages[")) {
            return Refusal::new(path, problem).into();
        }
    }
    let messages: Vec<_> = problems.iter().map(|problem| problem.message.to_string()).collect();
    other(messages.join("; "))
}

/// All that the typesetter may see.
struct Desk {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
    template: Source,
    document: (FileId, Bytes),
}

impl Desk {
    fn new(json: String, fonts: Fonts) -> Desk {
        let families: Vec<_> = FAMILIES.iter().map(|family| format!("{family:?}")).collect();
        let template = TEMPLATE.replace("\"FAMILIES\"", &families.join(", "));
        Desk {
            library: LazyHash::new(Library::default()),
            book: LazyHash::new(fonts.book),
            fonts: fonts.fonts,
            template: Source::new(file("template.typ"), template),
            document: (file("document.json"), Bytes::from_string(json)),
        }
    }
}

fn file(name: &str) -> FileId {
    let path = VirtualPath::new(name).expect("the names are literals of this file");
    RootedPath::new(VirtualRoot::Project, path).intern()
}

impl World for Desk {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.book
    }

    fn main(&self) -> FileId {
        self.template.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.template.id() { Ok(self.template.clone()) } else { Err(FileError::AccessDenied) }
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        if id == self.document.0 { Ok(self.document.1.clone()) } else { Err(FileError::AccessDenied) }
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.fonts.get(index).cloned()
    }

    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        None
    }
}
