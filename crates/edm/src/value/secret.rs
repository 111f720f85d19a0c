//! Password hashes, tokens and other exact secrets, found by an alphanumeric run inside them.

use super::{at, before, is_alphanumeric};

/// The longest secret.
pub(crate) const CHARS_MAX: usize = 256;
/// The shortest alphanumeric run by which a secret is found.
pub(crate) const RUN_CHARS_MIN: usize = 12;

/// How a secret lies around its anchor run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shape {
    /// Characters before the run.
    pub(crate) before: u16,
    /// Characters in all.
    pub(crate) len: u16,
}

/// Where the anchor run of a register's cell is: the first one that is long enough.
pub(crate) fn register_value(cell: &[u8]) -> Option<(std::ops::Range<usize>, Shape)> {
    if cell.len() > CHARS_MAX || !cell.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let mut begin = 0;
    for run in cell.split(|byte| !byte.is_ascii_alphanumeric()) {
        if run.len() >= RUN_CHARS_MIN {
            let shape = Shape { before: u16::try_from(begin).ok()?, len: u16::try_from(cell.len()).ok()? };
            return Some((begin..begin + run.len(), shape));
        }
        begin += run.len() + 1;
    }
    None
}

/// Where a secret of this shape would stand around the run at `run`.
pub(crate) fn span(text: &[u8], run: usize, shape: Shape) -> Option<std::ops::Range<usize>> {
    let begin = run.checked_sub(usize::from(shape.before))?;
    let end = begin + usize::from(shape.len);
    let value = text.get(begin..end)?;
    let cut_before = is_alphanumeric(value.first().copied()) && is_alphanumeric(before(text, begin));
    let cut_after = is_alphanumeric(value.last().copied()) && is_alphanumeric(at(text, end));
    (!cut_before && !cut_after).then_some(begin..end)
}
