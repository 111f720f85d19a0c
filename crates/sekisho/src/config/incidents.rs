//! `[incidents]`: where cases are kept that the gateway's events begin.

use super::section::Section;
use jiff::tz::TimeZone;
use std::path::{Path, PathBuf};

/// Where cases begin by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incidents {
    /// The directory of `sekisho case`.
    pub(crate) directory: PathBuf,
    /// The firm's zone, an IANA name.
    pub(crate) zone: String,
}

pub(super) fn read(root: &Section<'_>, directory: &Path) -> Option<Incidents> {
    let section = root.table("incidents", "[incidents]")?;
    let cases = section.string("directory").map_or_else(|| "cases".to_owned(), |path| path.value);
    let known = |text: &str| TimeZone::get(text).ok().map(|_| text.to_owned());
    let zone = section.parsed("time_zone", "SK070", "an IANA name, such as \"Asia/Tokyo\"", known);
    section.refuse_unknown();
    let zone = zone.map_or_else(|| "Asia/Tokyo".to_owned(), |zone| zone.value);
    Some(Incidents { directory: directory.join(cases), zone })
}
