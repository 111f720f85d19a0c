//! Adds ended responses up: how many, how far they were inspected, and which numbers exist.

use crate::answer::Coverage;
use crate::gaps::Seen;
use crate::timeline::{Inspected, Timeline};
use sekisho_ledger::{ResponseRow, Told};
use sekisho_model::{Inspection, ResponseId, SourceId, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What has ended so far.
#[derive(Debug)]
pub(crate) struct Ended {
    timeline: Arc<Timeline>,
    pub(crate) coverage: Coverage,
    pub(crate) seen: Seen,
    pub(crate) inspected: Inspected,
    /// Responses that the question is about and that held something; most of them were seen to end.
    opened: BTreeSet<ResponseId>,
}

impl Ended {
    pub(crate) fn new(timeline: Arc<Timeline>) -> Ended {
        let inspected = Inspected::default();
        Ended { timeline, coverage: Coverage::default(), seen: Seen::default(), inspected, opened: BTreeSet::new() }
    }

    /// A response that ended in the period or near it, or had not ended then. Give those of some time before and after the
    /// period too, so that a response that was long on its way does not look like a gap.
    pub(crate) fn response(&mut self, row: &ResponseRow) {
        match row.told {
            // Whether it ended is known only when all are told.
            Told::Open => _ = self.opened.insert(row.response),
            Told::Number => self.seen.add(row.response, row.in_period),
            Told::Ended { began, at, inspection } => {
                self.seen.add(row.response, row.in_period);
                self.count(row.response.source, (began, at), inspection);
            }
        }
    }

    fn count(&mut self, source: SourceId, times: (Timestamp, Timestamp), inspection: Inspection) {
        let coverage = &mut self.coverage;
        coverage.responses += 1;
        match inspection {
            Inspection::Inspected => {
                coverage.inspected += 1;
                self.timeline.count(&mut self.inspected, source, times);
            }
            Inspection::WithoutBody => coverage.without_body += 1,
            Inspection::NotInspectable(why) => *coverage.not_inspectable.entry(why).or_default() += 1,
        }
    }

    /// Counts the responses that held something and whose end is not recorded.
    pub(crate) fn find_open(&mut self) {
        for response in std::mem::take(&mut self.opened) {
            if !self.seen.has(response) {
                self.seen.add(response, true);
                self.coverage.responses += 1;
                self.coverage.opened_without_closed += 1;
            }
        }
    }
}
