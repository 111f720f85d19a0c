//! The public register: one static site across firms, from entries that somebody wrote and notices that were watched.
//!
//! Read in this order: `incident` (an entry's file), `figures` (what is computed from it and from the watch), `site` (the
//! pages, the feed and the data). Pure but for reading the entries and writing the site; the same input gives the same
//! bytes. A figure without a source is refused; what nobody knows says unknown.

mod figures;
mod incident;
#[cfg(test)]
mod scenarios;
mod site;
mod words;

pub use figures::{Figures, Kept, Span, Standing, Updates};
pub use incident::{Incident, Text, When};
pub use site::{Site, build};

use crate::Error;
use sekisho_anchor::durable;
use std::path::Path;

/// Entries of a register; more are refused.
const ENTRIES_MAX: usize = 10_000;
/// Bytes of an entry's file; a larger one is refused.
const ENTRY_BYTES_MAX: u64 = 1024 * 1024;

/// Reads all `*.toml` of a directory, newest incident first.
pub fn read(dir: &Path) -> Result<Vec<Incident>, Error> {
    let files = std::fs::read_dir(dir).map_err(Error::disk("read", dir))?;
    let mut incidents: Vec<Incident> = Vec::new();
    for file in files {
        let path = file.map_err(Error::disk("read", dir))?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let refuse = |reason: String| Error::Entry { path: path.clone(), reason };
        let bytes = std::fs::metadata(&path).map_err(Error::disk("read", &path))?.len();
        if bytes > ENTRY_BYTES_MAX || incidents.len() >= ENTRIES_MAX {
            return Err(refuse(format!("more than {ENTRY_BYTES_MAX} bytes, or more than {ENTRIES_MAX} entries")));
        }
        let text = std::fs::read_to_string(&path).map_err(Error::disk("read", &path))?;
        let incident = Incident::parse(&text).map_err(refuse)?;
        if path.file_stem().is_none_or(|stem| stem != incident.id.as_str()) {
            return Err(refuse(format!("its id is `{}`; the file must be named after it", incident.id)));
        }
        incidents.push(incident);
    }
    incidents.sort_by_key(|incident| (std::cmp::Reverse(incident.first_date()), incident.id.clone()));
    Ok(incidents)
}

/// Writes a site into a directory, file by file; files of earlier builds that are not part of it stay.
pub fn write(site: &Site, dir: &Path) -> Result<(), Error> {
    for (name, bytes) in &site.files {
        let path = dir.join(name);
        let parent = path.parent().unwrap_or(dir);
        std::fs::create_dir_all(parent).map_err(Error::disk("make", parent))?;
        durable::replace(&path, bytes).map_err(Error::disk("write", &path))?;
        publish(&path)?;
    }
    Ok(())
}

/// A site is for everybody to read.
fn publish(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).map_err(Error::disk("publish", path))
}

#[cfg(test)]
mod tests;
