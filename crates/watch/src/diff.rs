//! What changed between two texts, sentence by sentence.
//!
//! Pure.

use serde::{Deserialize, Serialize};
use similar::{Algorithm, ChangeTag, TextDiff};

/// Changed lines that are kept of one difference; more are counted only.
pub const DIFF_LINES_MAX: usize = 200;
/// Bytes of these lines: a difference must fit into a log entry.
const DIFF_BYTES_MAX: usize = 24 * 1024;
/// Unchanged lines shown around a change.
const CONTEXT_LINES: usize = 1;

/// A line of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", content = "text", rename_all = "snake_case")]
pub enum Line {
    /// In both.
    Same(String),
    /// Only in the old text.
    Removed(String),
    /// Only in the new text.
    Added(String),
    /// Unchanged lines that are not shown.
    Gap(usize),
}

/// A difference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// Lines only in the old text.
    pub removed: usize,
    /// Lines only in the new text.
    pub added: usize,
    /// The lines, changes with what stands around them; at most [`DIFF_LINES_MAX`]. The archive has the rest.
    pub lines: Vec<Line>,
}

impl Diff {
    /// The difference of two texts.
    #[must_use]
    pub fn of(old: &[String], new: &[String]) -> Diff {
        let (old, new): (Vec<&str>, Vec<&str>) =
            (old.iter().map(String::as_str).collect(), new.iter().map(String::as_str).collect());
        let compared = TextDiff::configure().algorithm(Algorithm::Patience).diff_slices(&old, &new);
        let mut all = Diff::default();
        let mut shown_to = 0;
        for group in compared.grouped_ops(CONTEXT_LINES) {
            let begin = group.first().map_or(0, |op| op.old_range().start);
            if begin > shown_to {
                all.lines.push(Line::Gap(begin - shown_to));
            }
            for op in &group {
                shown_to = op.old_range().end;
                for change in compared.iter_changes(op) {
                    let text = change.value().to_owned();
                    all.lines.push(match change.tag() {
                        ChangeTag::Equal => Line::Same(text),
                        ChangeTag::Delete => Line::Removed(text),
                        ChangeTag::Insert => Line::Added(text),
                    });
                }
            }
        }
        all.removed = all.lines.iter().filter(|line| matches!(line, Line::Removed(_))).count();
        all.added = all.lines.iter().filter(|line| matches!(line, Line::Added(_))).count();
        all.lines.truncate(DIFF_LINES_MAX);
        let mut bytes = 0;
        let fits = all.lines.iter().take_while(|line| {
            // As JSON writes it: a quotation mark is two bytes there.
            bytes += serde_json::to_string(line.text()).map_or(0, |text| text.len()) + 32;
            bytes <= DIFF_BYTES_MAX
        });
        all.lines.truncate(fits.count());
        all
    }
}

impl Line {
    /// The line itself.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Line::Same(text) | Line::Removed(text) | Line::Added(text) => text,
            Line::Gap(_) => "",
        }
    }
}

impl std::fmt::Display for Diff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in &self.lines {
            match line {
                Line::Same(text) => writeln!(f, "  {text}")?,
                Line::Removed(text) => writeln!(f, "- {text}")?,
                Line::Added(text) => writeln!(f, "+ {text}")?,
                Line::Gap(lines) => writeln!(f, "  … {lines} unchanged")?,
            }
        }
        Ok(())
    }
}
