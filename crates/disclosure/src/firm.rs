//! Who publishes: what stands on every page. A file of the firm's, `firm.toml` beside the record.

use crate::Error;
use crate::notice::Text;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The publisher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Firm {
    /// Its name.
    pub name: Text,
    /// Where the site will stand, with a slash at the end.
    pub base_url: String,
    /// Its zone, an IANA name.
    #[serde(default = "tokyo")]
    pub zone: String,
    /// Where people ask.
    pub desk: Desk,
    /// How genuine mails look.
    #[serde(default)]
    pub mail: Option<Mail>,
}

/// Where people ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Desk {
    /// What it is called.
    pub name: Text,
    /// Its number.
    pub telephone: String,
    /// Its address.
    pub mail: String,
    /// When it answers.
    pub hours: Text,
}

/// How genuine mails look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// The domain they come from.
    pub domain: String,
    /// The selector of their DKIM signature.
    pub dkim_selector: String,
    /// Their subjects, in either language.
    pub subjects: Vec<String>,
}

fn tokyo() -> String {
    "Asia/Tokyo".to_owned()
}

impl Firm {
    /// Reads and checks the file.
    pub fn read(path: &Path) -> Result<Firm, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::disk("read", path))?;
        let malformed = |reason: String| Error::Malformed { path: path.to_owned(), reason };
        let firm: Firm = toml::from_str(&text).map_err(|err| malformed(err.to_string()))?;
        if jiff::tz::TimeZone::get(&firm.zone).is_err() {
            return Err(malformed(format!("`zone` is no time zone: `{}`; write \"Asia/Tokyo\"", firm.zone)));
        }
        if !firm.base_url.starts_with("https://") || !firm.base_url.ends_with('/') {
            return Err(malformed(format!(
                "`base_url` begins with https:// and ends with a slash: `{}`",
                firm.base_url
            )));
        }
        Ok(firm)
    }

    /// The zone, which was checked.
    pub(crate) fn time_zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::get(&self.zone).unwrap_or(jiff::tz::TimeZone::UTC)
    }

    /// The base address's host: what the log is called.
    #[must_use]
    pub fn host(&self) -> &str {
        let rest = self.base_url.trim_start_matches("https://");
        rest.split(['/', ':']).next().unwrap_or(rest)
    }
}
