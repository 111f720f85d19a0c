//! How a body is read: in one character set, or in two at once.
//!
//! Whoever receives a body may read it otherwise than it says: ASCII that is declared as ISO-2022-JP or UTF-16 is read by any
//! program that looks for itself, and three bytes in a body switch the one set so that nothing behind them is ASCII any
//! more. Such a body is read a second time, and what either reading finds is found; nothing leaves that one of them is not
//! sure of.

use sekisho_edm::{Charset, Finding, Index, Reflected, Scanner, TextForm};
use std::sync::Arc;

/// The scanners of one body.
pub(super) struct Readings {
    scanner: Box<Scanner>,
    other: Option<Box<Other>>,
}

/// The second reading.
struct Other {
    scanner: Scanner,
    /// What it alone has found, of the findings that are not recorded yet.
    alone: Vec<Finding>,
}

impl Readings {
    pub(super) fn new(
        index: Arc<Index>,
        form: TextForm,
        other: Option<Charset>,
        reflected: Arc<Reflected>,
    ) -> Readings {
        let second = other.map(|charset| {
            let form = TextForm { charset, ..form };
            let scanner = Scanner::new(Arc::clone(&index), form, Arc::clone(&reflected));
            Box::new(Other { scanner, alone: Vec::new() })
        });
        Readings { scanner: Box::new(Scanner::new(index, form, reflected)), other: second }
    }

    /// Reads the next bytes; nothing found later begins before what is returned.
    pub(super) fn feed(&mut self, piece: &[u8], findings: &mut Vec<Finding>) -> u64 {
        self.step(findings, |scanner, findings| scanner.feed(piece, findings))
    }

    /// The body's end: all that was pending is found.
    pub(super) fn finish(&mut self, findings: &mut Vec<Finding>) {
        self.step(findings, |scanner, findings| {
            scanner.finish(findings);
            u64::MAX
        });
    }

    /// What can be said of the bytes so far, as if they were the end.
    pub(super) fn flush_idle(&mut self, findings: &mut Vec<Finding>) {
        self.step(findings, |scanner, findings| {
            scanner.flush_idle(findings);
            u64::MAX
        });
    }

    /// Whether the body is none of any set that it was read in: whoever guesses another one may see more.
    pub(super) fn is_malformed(&self) -> bool {
        self.scanner.is_malformed() && self.other.as_ref().is_none_or(|other| other.scanner.is_malformed())
    }

    /// Whether only the second reading holds this; a mask would be one of the first.
    pub(super) fn is_second(&self, finding: &Finding) -> bool {
        self.other.as_ref().is_some_and(|other| other.alone.contains(finding))
    }

    fn step(&mut self, findings: &mut Vec<Finding>, step: impl Fn(&mut Scanner, &mut Vec<Finding>) -> u64) -> u64 {
        let Some(other) = &mut self.other else { return step(&mut self.scanner, findings) };
        let (mut one, mut two) = (Vec::new(), Vec::new());
        let safe_until = step(&mut self.scanner, &mut one).min(step(&mut other.scanner, &mut two));
        other.merge(findings, one, two);
        safe_until
    }
}

impl Other {
    /// Adds what either reading found; the same of both once.
    fn merge(&mut self, findings: &mut Vec<Finding>, mut one: Vec<Finding>, mut two: Vec<Finding>) {
        if findings.is_empty() {
            self.alone.clear();
        }
        one.retain(|finding| {
            let is_known = has(findings, finding);
            if is_known {
                self.alone.retain(|other| other != finding);
            }
            !is_known
        });
        add(findings, one);
        two.retain(|finding| !has(findings, finding));
        self.alone.extend_from_slice(&two);
        add(findings, two);
    }
}

fn add(findings: &mut Vec<Finding>, mut more: Vec<Finding>) {
    findings.append(&mut more);
    findings.sort_by_key(|finding| finding.span.start);
}

/// Whether a finding is among these, which are sorted by their begin.
fn has(findings: &[Finding], finding: &Finding) -> bool {
    let start = finding.span.start;
    let begin = findings.partition_point(|other| other.span.start < start);
    findings[begin..].iter().take_while(|other| other.span.start == start).any(|other| other == finding)
}
