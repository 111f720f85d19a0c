//! What is told to the operator on standard error: diagnostics with their places, and error chains, each once.

use crate::output::tell;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use sekisho_model::{Diagnostic, Severity};
use std::io::IsTerminal;

/// The file whose places diagnostics name; places in other files are told by name only.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
}

/// Prints diagnostics and a closing count to standard error.
pub(crate) fn print(told: &[Diagnostic], shown: Shown<'_>) {
    let renderer = if std::io::stderr().is_terminal() { Renderer::styled() } else { Renderer::plain() };
    for diagnostic in told {
        tell!("{}\n", render(diagnostic, shown, &renderer));
    }
    let errors = told.iter().filter(|told| told.severity == Severity::Error).count();
    let warnings = told.len() - errors;
    if errors > 0 {
        tell!("{}: {}", shown.file, counted(errors, warnings));
    }
}

fn counted(errors: usize, warnings: usize) -> String {
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    match warnings {
        0 => plural(errors, "error"),
        _ => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
    }
}

/// One diagnostic as rustc would print it.
pub(crate) fn render(diagnostic: &Diagnostic, shown: Shown<'_>, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    };
    let title = level.primary_title(diagnostic.title.clone()).id(diagnostic.code);
    let mut group = Group::with_title(title);
    for span in &diagnostic.spans {
        if span.file != shown.file || span.bytes.is_empty() {
            let origin = annotate_snippets::Origin::path(span.file.clone());
            group = group.element(match span.line.and_then(|line| usize::try_from(line).ok()) {
                Some(line) => origin.line(line),
                None => origin,
            });
            continue;
        }
        let bytes = clip(shown.text, span.bytes.clone());
        let annotation = AnnotationKind::Primary.span(bytes).label(span.label.clone());
        group = group.element(Snippet::source(shown.text).path(shown.file).annotation(annotation));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.clone()));
    }
    renderer.render(&[group])
}

/// A span inside the text, of one line, on character boundaries.
fn clip(text: &str, bytes: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let inside = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let start = inside(bytes.start);
    let line_end = text[start..].find('\n').map_or(text.len(), |end| start + end);
    start..inside(bytes.end).min(line_end).max(start)
}

/// An I/O error without the operating system's number.
pub(crate) fn io_text(err: &std::io::Error) -> String {
    let text = err.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
