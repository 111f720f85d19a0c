//! The firm's own numbers: alphanumeric runs, one of them with at least four digits in a row.

use super::{at, fraction_after, fraction_before};

/// The longest id.
pub(crate) const CHARS_MAX: usize = 40;
const RUNS_MAX: usize = 6;
/// Digits in a row that one run has at least.
pub(crate) const DIGITS_MIN: usize = 4;

/// How many runs of a value stand before and after the first one with four digits in a row, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    before: u8,
    after: u8,
    len: u8,
}

/// What shapes occur in an index. Years, prices and numbers of a page are seldom as long as the firm's numbers, and
/// are not hashed in vain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shapes {
    /// Runs before and after.
    pub(crate) runs: u64,
    /// Lengths.
    pub(crate) lens: u64,
}

impl Shapes {
    pub(crate) fn insert(&mut self, shape: Shape) {
        self.runs |= 1 << (usize::from(shape.before) * RUNS_MAX + usize::from(shape.after));
        self.lens |= 1 << shape.len;
    }

    pub(crate) fn union(&mut self, other: Shapes) {
        self.runs |= other.runs;
        self.lens |= other.lens;
    }

    /// Whether so many digits, with no letter beside them, can be in a value: always, where values of several runs occur.
    pub(crate) fn may_be_digits(self, digits: usize) -> bool {
        const ONE_RUN: u64 = 1;
        self.runs != ONE_RUN || (digits <= CHARS_MAX && self.lens >> digits & 1 == 1)
    }

    /// The most runs before, of a set that is not empty.
    fn before_max(self) -> usize {
        self.runs.ilog2() as usize / RUNS_MAX
    }

    /// One more than the most runs after, where so many stand before; 0 when no shape has so many before.
    fn after_end(self, before: usize) -> usize {
        let after = self.runs >> (before * RUNS_MAX) & ((1 << RUNS_MAX) - 1);
        (u64::BITS - after.leading_zeros()) as usize
    }

    /// `len` is at most [`CHARS_MAX`].
    fn contains(self, before: usize, after: usize, len: usize) -> bool {
        self.runs & (1 << (before * RUNS_MAX + after)) != 0 && self.lens & (1 << len) != 0
    }
}

/// The number of a register's cell in lower case, and its shape.
pub(crate) fn register_value(cell: &[u8]) -> Option<(Vec<u8>, Shape)> {
    if cell.len() > CHARS_MAX {
        return None;
    }
    let runs: Vec<&[u8]> = cell.split(|byte| is_joint(*byte)).collect();
    let whole =
        runs.len() <= RUNS_MAX && runs.iter().all(|run| !run.is_empty() && run.iter().all(u8::is_ascii_alphanumeric));
    let first = runs.iter().position(|run| has_digits(run))?;
    let shape = Shape {
        before: u8::try_from(first).ok()?,
        after: u8::try_from(runs.len() - 1 - first).ok()?,
        len: u8::try_from(cell.len()).ok()?,
    };
    whole.then(|| (cell.to_ascii_lowercase(), shape))
}

/// Every span of these shapes around the alphanumeric run `begin..end`, if it has four digits in a row.
pub(crate) fn candidates(text: &[u8], begin: usize, end: usize, shapes: Shapes, mut give: impl FnMut(usize, usize)) {
    if shapes.runs == 0 || end - begin > CHARS_MAX || begin >= end {
        return;
    }
    let mut from = Some(begin);
    for runs_before in 0..=shapes.before_max() {
        let Some(first) = from else { return };
        let mut to = Some(end);
        for runs_after in 0..shapes.after_end(runs_before) {
            let Some(last) = to.filter(|last| last - first <= CHARS_MAX) else { break };
            if shapes.contains(runs_before, runs_after, last - first) && !is_decimal(text, first, last) {
                give(first, last);
            }
            if runs_after + 1 < shapes.after_end(runs_before) {
                to = run_after(text, last);
            }
        }
        if runs_before < shapes.before_max() {
            from = run_before(text, first);
        }
    }
}

/// The alphanumeric run around four digits at `digits`, unless it is too long or has four digits in a row before.
pub(crate) fn run_of(text: &[u8], digits: usize) -> Option<std::ops::Range<usize>> {
    let floor = digits.saturating_sub(CHARS_MAX);
    let begin = match text[floor..digits].iter().rposition(|byte| !byte.is_ascii_alphanumeric()) {
        Some(last) => floor + last + 1,
        None if floor == 0 => 0,
        None => return None,
    };
    let window = &text[..text.len().min(digits + CHARS_MAX + 1)];
    let end = super::run_end(window, digits, |byte| byte.is_ascii_alphanumeric());
    (end - begin <= CHARS_MAX && !has_digits(&text[begin..digits])).then_some(begin..end)
}

fn is_decimal(text: &[u8], begin: usize, end: usize) -> bool {
    (text[begin].is_ascii_digit() && fraction_before(text, begin))
        || (text[end - 1].is_ascii_digit() && fraction_after(text, end))
}

/// The begin of the run that a joint ties to the one at `begin`, unless it has four digits in a row.
fn run_before(text: &[u8], begin: usize) -> Option<usize> {
    let joint = begin.checked_sub(1).filter(|joint| is_joint(text[*joint]))?;
    let floor = joint.saturating_sub(CHARS_MAX);
    let outside = text[floor..joint].iter().rposition(|byte| !byte.is_ascii_alphanumeric());
    let run = match outside {
        Some(last) => floor + last + 1,
        None if floor == 0 => 0,
        None => return None,
    };
    (run < joint && !has_digits(&text[run..joint])).then_some(run)
}

/// The end of the run that a joint ties to the one that ends at `end`.
fn run_after(text: &[u8], end: usize) -> Option<usize> {
    let joint = at(text, end).filter(|byte| is_joint(*byte));
    joint?;
    let begin = end + 1;
    let window = &text[..text.len().min(begin + CHARS_MAX + 1)];
    let run = super::run_end(window, begin.min(window.len()), |byte| byte.is_ascii_alphanumeric());
    (run > begin && run - begin <= CHARS_MAX).then_some(run)
}

fn has_digits(run: &[u8]) -> bool {
    let mut digits = 0;
    run.iter().any(|byte| {
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        digits >= DIGITS_MIN
    })
}

fn is_joint(byte: u8) -> bool {
    matches!(byte, b'-' | b'_' | b'.')
}
