//! Whether an archive is what its log says, offline.

use crate::archive::Archive;
use crate::entry::{Event, RecordRef};
use crate::{Error, store};
use sekisho_anchor::{self as anchor, Signed};
use sekisho_tlog::{Checkpoint, VerifyingKey, proof, tree};
use std::collections::BTreeMap;
use std::path::Path;

/// What was found whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Entries under the signed root.
    pub entries: u64,
    /// Archived records, each compared with its hash in the log.
    pub records: u64,
    /// Files of the archive.
    pub files: usize,
    /// Bytes behind the last acknowledged record of the files: a crash's, or a running writer's.
    pub unacknowledged_bytes: u64,
}

/// Recomputes the log from its entries, compares it with the signed checkpoint, and each record with its hash. `since` is
/// a checkpoint of this log that was kept elsewhere: the log must have grown out of it.
pub fn verify(dir: &Path, key: &Path, since: Option<&[u8]>) -> Result<Verified, Error> {
    let key = anchor::verifier(key)?;
    let failed = |err| Error::from(anchor::unusable(dir, err));
    let Some(Signed { checkpoint, entries }) = anchor::read(dir, &key)? else {
        return Err(anchor::not_whole(dir, "it has no signed log").into());
    };
    let (root, tiles) = tree::tiles_of(entries.iter().map(Vec::as_slice)).map_err(failed)?;
    if root != checkpoint.root {
        return Err(anchor::not_whole(dir, "its entries do not give the root that was signed").into());
    }
    for (path, bytes) in &tiles {
        if anchor::tiles(dir)(path).ok().as_ref() != Some(bytes) {
            return Err(anchor::not_whole(dir, &format!("the tile `log/{path}` is missing or was changed")).into());
        }
    }
    if let Some(note) = since {
        continues(dir, note, &key, &checkpoint)?;
    }
    let (records, ends) = compare_records(dir, &entries)?;
    let mut unacknowledged_bytes = 0;
    for (file, end) in &ends {
        let path = dir.join("archive").join(file);
        let length = std::fs::metadata(&path).map_err(Error::disk("read", &path))?.len();
        unacknowledged_bytes += length.saturating_sub(*end);
    }
    Ok(Verified { entries: checkpoint.size, records, files: ends.len(), unacknowledged_bytes })
}

fn continues(dir: &Path, note: &[u8], key: &VerifyingKey, now: &Checkpoint) -> Result<(), Error> {
    let failed = |err| Error::from(anchor::unusable(dir, err));
    let before = Checkpoint::open(note, key).map_err(failed)?;
    if before.size > now.size {
        let reason = format!("its log had {} entries, and has {}: it was set back", before.size, now.size);
        return Err(anchor::not_whole(dir, &reason).into());
    }
    let proof = proof::prove_consistency(before.size, now.size, &anchor::tiles(dir)).map_err(failed)?;
    proof::verify_consistency(&proof, now.size, now.root, before.size, before.root)
        .map_err(|_| anchor::not_whole(dir, "its log does not begin with the one of the older checkpoint").into())
}

/// Compares every record that the log names; gives their number, and where they end in each file.
fn compare_records(dir: &Path, entries: &[Vec<u8>]) -> Result<(u64, BTreeMap<String, u64>), Error> {
    let archive = Archive::new(dir);
    let mut count = 0;
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    for (number, entry) in entries.iter().enumerate() {
        let Event::Checked(check) = store::parse(dir, number, entry)?.event else { continue };
        for record in &check.records {
            let RecordRef { file, offset, bytes, .. } = record;
            let end = ends.entry(file.clone()).or_default();
            if *offset != *end {
                let reason = format!("`archive/{file}` has something at byte {end} that the log does not name");
                return Err(anchor::not_whole(dir, &reason).into());
            }
            archive.read(record)?;
            *end = offset.saturating_add(*bytes);
            count += 1;
        }
    }
    Ok((count, ends))
}
