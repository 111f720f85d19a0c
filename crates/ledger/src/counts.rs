//! What a heartbeat says: how many responses were inspected, or why not, since the one before (LED-4).

use sekisho_model::{Closed, Heartbeat, Inspection, Timestamp, Uninspectable};
use std::collections::BTreeMap;

/// Counts since the last heartbeat.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    inspected: u64,
    without_body: u64,
    not_inspectable: BTreeMap<Uninspectable, u64>,
    bytes_scanned: u64,
    pub(crate) records_lost: u64,
}

/// Which heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    OneOfMany,
    /// The writer ends with it.
    Last,
}

impl Counts {
    pub(crate) fn add(&mut self, closed: &Closed) {
        match closed.inspection {
            Inspection::Inspected => {
                self.inspected += 1;
                self.bytes_scanned = self.bytes_scanned.saturating_add(closed.body_bytes_released);
            }
            Inspection::WithoutBody => self.without_body += 1,
            Inspection::NotInspectable(reason) => *self.not_inspectable.entry(reason).or_default() += 1,
        }
    }

    /// The heartbeat, after which counting begins anew.
    pub(crate) fn take(&mut self, at: Timestamp, sequence_next: u64, beat: Beat) -> Heartbeat {
        let counts = std::mem::take(self);
        Heartbeat {
            at,
            sequence_next,
            inspected: counts.inspected,
            without_body: counts.without_body,
            not_inspectable: counts.not_inspectable.into_iter().collect(),
            bytes_scanned: counts.bytes_scanned,
            records_lost: counts.records_lost,
            is_last: beat == Beat::Last,
        }
    }
}
