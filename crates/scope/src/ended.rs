//! Adds ended responses up: how many, how far they were inspected, and which numbers exist.

use crate::answer::Coverage;
use crate::gaps::Seen;
use crate::timeline::{Inspected, Timeline};
use sekisho_model::{Inspection, ResponseId, Timestamp};
use std::sync::Arc;

/// What has ended so far.
#[derive(Debug)]
pub(crate) struct Ended {
    timeline: Arc<Timeline>,
    pub(crate) coverage: Coverage,
    pub(crate) seen: Seen,
    pub(crate) inspected: Inspected,
}

impl Ended {
    pub(crate) fn new(timeline: Arc<Timeline>) -> Ended {
        let inspected = Inspected::default();
        Ended { timeline, coverage: Coverage::default(), seen: Seen::default(), inspected }
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
}
