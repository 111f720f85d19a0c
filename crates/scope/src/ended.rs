//! Adds ended responses up: how many, how far they were inspected, and which numbers exist.

use crate::answer::Coverage;
use crate::gaps::Seen;
use crate::timeline::{Inspected, Timeline};
use sekisho_model::{Inspection, ResponseId, Timestamp};
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

    /// A response that ended in the period or near it: its number exists. Give those of some time before and after the
    /// period too, so that a response that was long on its way does not look like a gap. `asked` when it matches the
    /// question.
    pub(crate) fn response(&mut self, response: ResponseId, in_period: bool, asked: Option<(Timestamp, Inspection)>) {
        self.seen.add(response, in_period);
        let Some((at, inspection)) = asked else { return };
        let coverage = &mut self.coverage;
        coverage.responses += 1;
        match inspection {
            Inspection::Inspected => {
                coverage.inspected += 1;
                self.timeline.count(&mut self.inspected, response.source, at);
            }
            Inspection::WithoutBody => coverage.without_body += 1,
            Inspection::NotInspectable(why) => *coverage.not_inspectable.entry(why).or_default() += 1,
        }
    }

    /// A response that matches the question held something.
    pub(crate) fn opened(&mut self, response: ResponseId) {
        self.opened.insert(response);
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
