//! Errors for operators: a stable code, where, and how to mend it. Rendered by the executable only.

use std::ops::Range;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, but probably not as meant.
    Warning,
    /// Cannot be used.
    Error,
}

/// A place in a file that the operator wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The file as the operator named it.
    pub file: String,
    /// Bytes of the file.
    pub bytes: Range<usize>,
    /// The line, where the file itself is not shown; `bytes` is then empty.
    pub line: Option<u64>,
    /// A word at the place, where it adds something: "declared here".
    pub label: Option<String>,
}

/// One thing to tell the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code: `SK014`.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// What is wrong, in one line: lower case, no full stop, names in backticks.
    pub title: String,
    /// Where, most important first; may be empty.
    pub spans: Vec<Span>,
    /// How to mend it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error without a place.
    #[must_use]
    pub fn error(code: &'static str, title: impl Into<String>) -> Diagnostic {
        Diagnostic { code, severity: Severity::Error, title: title.into(), spans: Vec::new(), help: None }
    }

    /// A warning without a place.
    #[must_use]
    pub fn warning(code: &'static str, title: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, title) }
    }

    /// Adds a place.
    #[must_use]
    pub fn at(mut self, file: impl Into<String>, bytes: Range<usize>) -> Diagnostic {
        self.spans.push(Span { file: file.into(), bytes, line: None, label: None });
        self
    }

    /// Adds a line of a file that is not shown, for it holds personal data.
    #[must_use]
    pub fn at_line(mut self, file: impl Into<String>, line: u64) -> Diagnostic {
        self.spans.push(Span { file: file.into(), bytes: 0..0, line: Some(line), label: None });
        self
    }

    /// Adds the remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{word}[{}]: {}", self.code, self.title)
    }
}
