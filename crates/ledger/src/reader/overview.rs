//! What a ledger tells of its gateways rather than of persons: how a run ended, and which routes there are.

use super::{Filter, Reader};
use crate::Error;
use crate::seal::part_path;
use crate::segment::{self, Part};
use sekisho_model::{Heartbeat, Record, SourceId};
use std::collections::BTreeSet;

impl Reader {
    /// A source's last heartbeat in the filter's period; of two at one time the one with which the writer ended.
    pub fn heartbeat_last(&self, source: SourceId, filter: &Filter) -> Result<Option<Heartbeat>, Error> {
        let snapshot = self.snapshot()?;
        let mut last: Option<Heartbeat> = None;
        snapshot.log_records(&mut |of, record| {
            if of == source {
                note(&mut last, filter, record);
            }
        })?;
        // Heartbeats are many: the last segments of the period have the last ones.
        let mut segments: Vec<_> = snapshot.segments(filter).filter(|segment| segment.source == source).collect();
        segments.sort_by_key(|segment| std::cmp::Reverse(segment.to));
        for segment in segments {
            if last.as_ref().is_some_and(|last| last.at > segment.to) {
                break;
            }
            let path = part_path(&self.dir, segment, Part::Events);
            segment::events(&*self.disk, &path, &|kind| kind == "heartbeat", &mut |_, _, record| {
                note(&mut last, filter, record);
            })?;
        }
        Ok(last)
    }

    /// The names of all routes that a request came by; at most `routes_max` of them.
    pub fn routes(&self, routes_max: usize) -> Result<BTreeSet<String>, Error> {
        let snapshot = self.snapshot()?;
        let mut routes = BTreeSet::new();
        let mut note = |route: &str| {
            if routes.len() < routes_max && !routes.contains(route) {
                routes.insert(route.to_owned());
            }
        };
        for segment in &snapshot.manifest.segments {
            segment::routes(&*self.disk, &part_path(&self.dir, segment, Part::Responses), &mut note)?;
        }
        snapshot.log_records(&mut |_, record| match record {
            Record::Opened(opened) => note(&opened.transaction.route),
            Record::Closed(closed) => closed.transaction.iter().for_each(|request| note(&request.route)),
            _ => {}
        })?;
        Ok(routes)
    }
}

fn note(last: &mut Option<Heartbeat>, filter: &Filter, record: Record) {
    let Record::Heartbeat(beat) = record else { return };
    let is_later = last.as_ref().is_none_or(|last| (last.at, last.is_last) < (beat.at, beat.is_last));
    if filter.covers(beat.at) && is_later {
        *last = Some(beat);
    }
}
