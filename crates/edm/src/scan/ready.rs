//! Findings that wait until nothing can come before them; each leaves once, by begin.

use super::{Finding, Found};

/// Findings for which room is made at the first: a page that has one mostly has more.
const FINDINGS_ROOM: usize = 32;

/// Findings that wait.
#[derive(Clone, Default)]
pub(super) struct Ready {
    findings: Vec<Finding>,
    is_sorted: bool,
}

impl Ready {
    pub(super) fn put(&mut self, finding: Finding) {
        if self.findings.capacity() == 0 {
            self.findings.reserve(FINDINGS_ROOM);
        }
        self.findings.push(finding);
        self.is_sorted = false;
    }

    /// What they take of memory.
    pub(super) fn capacity_bytes(&self) -> usize {
        self.findings.capacity() * size_of::<Finding>()
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.findings.clear();
    }

    /// Gives the findings that begin before this place, in order.
    pub(super) fn release(&mut self, before: u64, give: impl FnMut(Finding)) {
        if !self.is_sorted {
            // Stable, because that sort makes use of runs: values come in order, and names after them nearly so.
            self.findings.sort_by(|one, other| {
                one.span.start.cmp(&other.span.start).then_with(|| order(one).cmp(&order(other)))
            });
            self.findings.dedup_by(|one, other| one.span == other.span && order(one) == order(other));
            self.is_sorted = true;
        }
        let due = self.findings.partition_point(|finding| finding.span.start < before);
        self.findings.drain(..due).for_each(give);
    }
}

/// Findings by begin, then by the rest, so that equal ones stand together.
fn order(finding: &Finding) -> (u64, u64, u8, u64, u64, u64) {
    let (rank, whose, what) = match finding.found {
        Found::Subject { subject, fields, reflected } => {
            (0, u64::from(subject.register.0) << 32 | u64::from(subject.id.0), fields.union(reflected).0)
        }
        Found::Generic(generic) => (1, generic.kind as u64, generic.value.map_or(0, u64::from_le_bytes)),
    };
    (finding.span.start, finding.span.end, rank, whose, what, finding.gap.start)
}
