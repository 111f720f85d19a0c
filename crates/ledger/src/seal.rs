//! Sealing: finished WAL files become a segment; the MANIFEST names it; the files are removed.
//!
//! Order: the segment's files and their names durable, read again and hashed; the Merkle log's entry, signed; the MANIFEST;
//! and only then the WAL files go. So the MANIFEST never names a segment that is not signed. After a crash before the
//! signature the files are made anew; after it, the MANIFEST is made up for from the entry.

use crate::Error;
use crate::durable::{create_directories, place_file, read_file};
use crate::log::Log;
use crate::manifest::{Manifest, Segment, SegmentFile};
use crate::reader::OpenResponses;
use crate::recover::{check_head, highest_sequence, read_source, sealed_head, sequence_after};
use crate::segment::{Builder, Part};
use crate::shared::Shared;
use crate::wal::{Head, Placed, WalFile, chain, list_files};
use sekisho_model::{Record, Timestamp};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// Seals what is finished, when there is something.
pub(crate) fn seal(shared: &Shared, log: &mut Log) -> Result<(), Error> {
    let options = &shared.options;
    let (disk, dir) = (&*options.disk, options.dir.as_path());
    let mut manifest = Manifest::read(disk, dir)?;
    if log.complete(&mut manifest)? {
        manifest.write(disk, dir)?;
    }
    // Taken before the files are read: what is finished then stays finished.
    let active = shared.active().clone();
    let head = *shared.head();
    let dirs = manifest.wal_dirs(dir);
    if list_files(disk, &dirs)?.iter().all(|(source, _, path)| *source != options.source || active.contains(path)) {
        return Ok(());
    }
    let files = read_source(disk, &dirs, options.source)?;
    let sealed = sealed_head(&manifest, dir, options.source)?;
    let blocks = chain(&files, sealed)?;
    // What is sealed is what was committed, not what somebody made of the files since.
    check_head(&dir.join("wal"), &blocks, sealed, head)?;
    let is_finished = |placed: &&Placed<'_>| !active.contains(placed.file) && placed.block.header.number <= head.number;
    let run: Vec<Placed<'_>> = blocks.iter().take_while(is_finished).copied().collect();
    if !run.is_empty() {
        let segment = make_segment(shared, &manifest, &run)?;
        log.add_segment(segment.clone())?;
        log.sign()?;
        manifest.segments.push(segment);
        manifest.write(disk, dir)?;
    }
    remove_sealed(shared, &files, sealed_head(&manifest, dir, options.source)?, &active)
}

fn make_segment(shared: &Shared, manifest: &Manifest, run: &[Placed<'_>]) -> Result<Segment, Error> {
    let options = &shared.options;
    let (disk, dir) = (&*options.disk, options.dir.as_path());
    let before = manifest.segments.iter().rev().find(|segment| segment.source == options.source);
    let mut open = carried(shared, before)?;
    let records_told = run.iter().map(|placed| placed.block.records_told()).sum();
    let mut builder = Builder::new(options.source, &open, records_told);
    let (mut records, mut sequence_highest) = (0, before.map_or(0, |segment| segment.sequence_highest));
    let mut sequence_next = None;
    let (mut from, mut to) = (Timestamp(i64::MAX), Timestamp(i64::MIN));
    for placed in run {
        let found = placed.block.records().ok_or_else(|| Error::corrupt(placed.file, placed.offset, "no records"))?;
        for (position, record) in (placed.block.header.position_first..).zip(found) {
            sequence_highest = highest_sequence(&record).map_or(sequence_highest, |found| found.max(sequence_highest));
            sequence_next = sequence_after(&record);
            let at = time_of(&record);
            (from, to) = (from.min(at), to.max(at));
            builder.add(position, record, &mut open);
            records += 1;
        }
    }
    let number = manifest.segments.len() as u64 + 1;
    let folder = Path::new("segments").join(day(run[0].block.header.at));
    create_directories(disk, dir, &folder)?;
    let parts = builder
        .finish(&open)
        .map_err(|err| Error::Parquet { path: folder.join(part_name(number, Part::Findings)), err })?;
    let mut files = Vec::new();
    for (part, bytes) in Part::ALL.into_iter().zip(&parts) {
        let path = folder.join(part_name(number, part));
        place_file(disk, &dir.join(&path), bytes)?;
        let sha256 = hex::encode(Sha256::digest(bytes));
        let stored = hex::encode(Sha256::digest(read_file(disk, &dir.join(&path))?));
        if stored != sha256 {
            return Err(Error::corrupt(&dir.join(&path), 0, "what was written is read back differently"));
        }
        files.push(SegmentFile { path, bytes: bytes.len() as u64, sha256 });
    }
    disk.sync_dir(&dir.join(&folder)).map_err(Error::disk("sync", &dir.join(&folder)))?;
    let last = Head::of(&run[run.len() - 1].block);
    Ok(Segment {
        number,
        source: options.source,
        block_first: run[0].block.header.number,
        block_last: last.number,
        block_last_hash: hex::encode(last.hash),
        position_next: last.position_next,
        records,
        sequence_highest,
        sequence_next,
        from,
        to,
        files,
    })
}

/// The responses that were open at the end of the segment before.
fn carried(shared: &Shared, before: Option<&Segment>) -> Result<OpenResponses, Error> {
    let mut open = OpenResponses::default();
    if let Some(segment) = before {
        let path = part_path(&shared.options.dir, segment, Part::Events);
        open.follow_carried(&*shared.options.disk, &path, segment.source)?;
    }
    Ok(open)
}

/// Where a part of a segment lies.
pub(crate) fn part_path(dir: &Path, segment: &Segment, part: Part) -> PathBuf {
    let name = part_name(segment.number, part);
    let file = segment.files.iter().find(|file| file.path.file_name().is_some_and(|found| *found == *name));
    dir.join(file.map_or_else(|| PathBuf::from(&name), |file| file.path.clone()))
}

fn part_name(number: u64, part: Part) -> String {
    format!("{number:06}.{}", part.ending())
}

fn remove_sealed(
    shared: &Shared,
    files: &[WalFile],
    sealed: Head,
    active: &std::collections::BTreeSet<PathBuf>,
) -> Result<(), Error> {
    for file in files {
        let is_sealed = file.last_block().is_some_and(|last| last <= sealed.number);
        if is_sealed && !active.contains(&file.path) {
            shared.options.disk.remove(&file.path).map_err(Error::disk("remove", &file.path))?;
        }
    }
    Ok(())
}

/// When a record was made.
pub(crate) fn time_of(record: &Record) -> Timestamp {
    match record {
        Record::Started(started) => started.at,
        Record::Registers(registers) => registers.at,
        Record::Opened(opened) => opened.transaction.at,
        Record::Exposed(exposed) => exposed.at,
        Record::Closed(closed) => closed.at,
        Record::Heartbeat(heartbeat) => heartbeat.at,
        Record::Suspect(suspect) => suspect.at,
        Record::Query(query) => query.at,
        Record::Withheld(withheld) => withheld.at,
        Record::Bound(bound) => bound.at,
        Record::Alert(alert) => alert.at,
        Record::Contained(contained) => contained.at,
        Record::Released(released) => released.at,
    }
}

/// The day in UTC as `2026/11/23`: days to a civil date in the proleptic Gregorian calendar, counted in eras of
/// 400 years that begin on 1 March.
fn day(at: Timestamp) -> String {
    let days = at.0.div_euclid(86_400_000_000) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}/{month:02}/{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let check = |seconds: i64, expected: &str| assert_eq!(day(Timestamp(seconds * 1_000_000)), expected);
        check(0, "1970/01/01");
        check(951_782_400, "2000/02/29");
        check(1_709_164_800, "2024/02/29");
        check(1_735_689_599, "2024/12/31");
        check(-1, "1969/12/31");
    }
}
