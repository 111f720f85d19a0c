//! Puts a site in a directory: beside it first, then the two change places in one step (Linux: `renameat2`), so that a reader
//! and a crash find the old site or the new one.

use super::{FORMAT, Files, MANIFEST, Manifest, sha256};
use crate::Error;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What becomes of files in the old site that somebody else wrote or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edited {
    /// Nothing is written, and the first of them is named.
    Keep,
    /// They go away with the old site.
    Replace,
}

/// Puts a site in a directory: what was there is replaced whole.
pub fn write(files: &Files, dir: &Path, edited: Edited) -> Result<(), Error> {
    let beside = |suffix: &str| {
        let mut name = dir.file_name().unwrap_or_default().to_owned();
        name.push(suffix);
        dir.with_file_name(name)
    };
    let (next, before) = (beside(".next"), beside(".before"));
    // A crash between the two renames of a file system that cannot exchange left the old site beside its place.
    if !dir.exists() && before.exists() {
        std::fs::rename(&before, dir).map_err(Error::disk("restore", dir))?;
    }
    remove(&next)?;
    if edited == Edited::Keep {
        unedited(dir)?;
    }
    for (path, bytes) in files {
        put(&next.join(path), bytes)?;
    }
    open_directories(&next)?;
    remove(&before)?;
    if !dir.exists() {
        return std::fs::rename(&next, dir).map_err(Error::disk("put in place", dir));
    }
    match renameat_with(CWD, &next, CWD, dir, RenameFlags::EXCHANGE) {
        Ok(()) => remove(&next),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            std::fs::rename(dir, &before).map_err(Error::disk("replace", dir))?;
            std::fs::rename(&next, dir).map_err(Error::disk("put in place", dir))?;
            remove(&before)
        }
        Err(err) => Err(Error::disk("replace", dir)(err.into())),
    }
}

/// Every file of the old site is as it was built.
fn unedited(dir: &Path) -> Result<(), Error> {
    if !dir.exists() || dir.read_dir().is_ok_and(|mut entries| entries.next().is_none()) {
        return Ok(());
    }
    let refused = |why: String| Err(Error::Refused(why));
    let shown = dir.display();
    let manifest = std::fs::read(dir.join(MANIFEST)).ok();
    let manifest = manifest.and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok());
    let Some(manifest) = manifest.filter(|manifest| manifest.format == FORMAT) else {
        return refused(format!(
            "`{shown}` holds other things than a site: give an empty directory, or one that was built before"
        ));
    };
    let known: BTreeMap<String, String> = manifest.files.into_iter().map(|file| (file.path, file.sha256)).collect();
    for path in listed(dir)? {
        let bytes = std::fs::read(dir.join(&path)).map_err(Error::disk("read", dir.join(&path)))?;
        if path != MANIFEST && known.get(&path) != Some(&sha256(&bytes)) {
            return refused(format!(
                "`{path}` in `{shown}` was written or changed by another hand: keep it elsewhere, then give `--replace`"
            ));
        }
    }
    Ok(())
}

/// Every file below a directory, by its path from there.
pub(crate) fn listed(dir: &Path) -> Result<Vec<String>, Error> {
    let mut files = Vec::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).map_err(Error::disk("read", &folder))? {
            let path = entry.map_err(Error::disk("read", &folder))?.path();
            // A link to a directory is a file here: it is none of the site's.
            match path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
                true => waiting.push(path),
                false => files.extend(path.strip_prefix(dir).ok().map(|path| path.display().to_string())),
            }
        }
    }
    files.sort();
    Ok(files)
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let parent = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(Error::disk("make", parent))?;
    sekisho_anchor::durable::replace(path, bytes).map_err(Error::disk("write", path))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).map_err(Error::disk("publish", path))
}

/// A web server must be able to enter.
fn open_directories(dir: &Path) -> Result<(), Error> {
    let mut waiting: Vec<PathBuf> = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).map_err(Error::disk("publish", &dir))?;
        for entry in std::fs::read_dir(&dir).map_err(Error::disk("read", &dir))? {
            let path = entry.map_err(Error::disk("read", &dir))?.path();
            if path.is_dir() {
                waiting.push(path);
            }
        }
    }
    Ok(())
}

fn remove(dir: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(dir) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(Error::disk("remove", dir)(err)),
        _ => Ok(()),
    }
}
