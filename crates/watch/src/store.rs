//! A watch's state directory: the archive and the log that anchors it.
//!
//! ```text
//! DIR/archive/2026-11-23.warc.gz   what was sent and received, a file a day
//! DIR/log/checkpoint, log/tile/…   the log: every entry names its records by place and hash
//! ```
//!
//! Everything else is computed from these two. The key lies elsewhere.

use crate::archive::Archive;
use crate::entry::{About, Check, Entry, Event, FORMAT};
use crate::fetch::Exchange;
use crate::normalise::Page;
use crate::verdict::{Known, Snapshot};
use crate::watched::{Kept, Watched, WatchedPage};
use crate::{Error, http_message::Response};
use jiff::Timestamp;
use sekisho_anchor::{self as anchor, Anchor};
use sekisho_tlog::VerifyingKey;
use std::path::Path;

/// The files of the log's key.
const KEY: &str = "watch";

/// The state directory as its only writer has it.
#[derive(Debug)]
pub struct Store {
    anchor: Anchor,
    state: State,
    is_time_given: bool,
}

/// A store whose directory is free for other commands. Between two rounds nothing is read again, unless one of them wrote:
/// a year of an hourly watch is a log of hundreds of megabytes.
#[derive(Debug)]
pub struct Resting {
    anchor: anchor::Resting,
    state: State,
    is_time_given: bool,
}

impl Resting {
    /// The store as it was, or as somebody else left it since.
    pub fn resume(self, dir: &Path, keys: &Path) -> Result<Store, Error> {
        let Resting { anchor, state, is_time_given } = self;
        match anchor.resume()? {
            Some(anchor) => Ok(Store { anchor, state, is_time_given }),
            None => Ok(Store { is_time_given, ..Store::open(dir, keys)? }),
        }
    }
}

/// The state directory as anybody may read it, also while it is written.
#[derive(Debug)]
pub struct State {
    archive: Archive,
    /// The pages and their history.
    pub watched: Watched,
}

impl Store {
    /// Opens a directory for writing, making it and the key in `keys` when there are none.
    pub fn open(dir: &Path, keys: &Path) -> Result<Store, Error> {
        let (anchor, entries) = Anchor::open(dir, keys, (KEY, "sekisho-watch"))?;
        Ok(Store { anchor, state: State::fold(dir, &entries)?, is_time_given: false })
    }

    /// Entries from now on say that their time was given by hand.
    #[must_use]
    pub fn with_given_time(self) -> Store {
        Store { is_time_given: true, ..self }
    }

    /// Leaves the directory to others for a while.
    #[must_use]
    pub fn rest(self) -> Resting {
        Resting { anchor: self.anchor.rest(), state: self.state, is_time_given: self.is_time_given }
    }

    /// What is known.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Watches pages from now on, or changes what is known of them; the addresses for which something changed.
    pub fn add(&mut self, at: Timestamp, mut pages: Vec<(String, About)>) -> Result<Vec<String>, Error> {
        let watched = &self.state.watched;
        pages.retain(|(url, about)| watched.get(url).is_none_or(|known| !known.is_watched || known.about != *about));
        let urls = pages.iter().map(|(url, _)| url.clone()).collect();
        let events = pages.into_iter().map(|(url, about)| (url, Event::Added(about)));
        self.append(at, events.collect())?;
        Ok(urls)
    }

    /// Stops watching a page. What was kept stays.
    pub fn drop_page(&mut self, at: Timestamp, url: &str) -> Result<(), Error> {
        if self.state.watched.get(url).is_none_or(|known| !known.is_watched) {
            return Err(Error::NotWatched { url: url.to_owned() });
        }
        self.append(at, vec![(url.to_owned(), Event::Dropped)])
    }

    /// Keeps a check and what went over the wire for it.
    pub(crate) fn keep(
        &mut self,
        at: Timestamp,
        url: &str,
        exchanges: &[Exchange],
        mut check: Check,
    ) -> Result<(), Error> {
        let metadata = serde_json::to_vec(&check).expect("a check is plain data");
        check.records = self.state.archive.write(at, url, exchanges, metadata)?;
        let event = Event::Checked(Box::new(check));
        self.append(at, vec![(url.to_owned(), event)])
    }

    /// One signature for all of them.
    fn append(&mut self, at: Timestamp, events: Vec<(String, Event)>) -> Result<(), Error> {
        let is_time_given = self.is_time_given;
        let entry = |(url, event)| Entry { format: FORMAT.to_owned(), at, is_time_given, url, event };
        let entries: Vec<Entry> = events.into_iter().map(entry).collect();
        if entries.is_empty() {
            return Ok(());
        }
        let bytes = entries.iter().map(|entry| serde_json::to_vec(entry).expect("an entry is plain data"));
        self.anchor.append(&bytes.collect::<Vec<_>>())?;
        entries.iter().for_each(|entry| self.state.apply(entry));
        Ok(())
    }
}

impl State {
    /// Reads a directory with the verifier's key in `keys`.
    pub fn read(dir: &Path, keys: &Path) -> Result<State, Error> {
        State::read_with(dir, &anchor::read_verifier(keys, KEY)?)
    }

    fn read_with(dir: &Path, key: &VerifyingKey) -> Result<State, Error> {
        let read = anchor::read(dir, key)?;
        let signed = read.ok_or_else(|| anchor::not_whole(dir, "it has no log; `sekisho watch add` makes one"))?;
        State::fold(dir, &signed.entries)
    }

    fn fold(dir: &Path, entries: &[Vec<u8>]) -> Result<State, Error> {
        let mut state = State { archive: Archive::new(dir), watched: Watched::default() };
        for (number, entry) in entries.iter().enumerate() {
            state.apply(&parse(dir, number, entry)?);
        }
        Ok(state)
    }

    fn apply(&mut self, entry: &Entry) {
        if let Event::Checked(check) = &entry.event {
            check.records.iter().for_each(|record| self.archive.acknowledge(record));
        }
        self.watched.apply(entry);
    }

    /// What a verdict compares with.
    pub(crate) fn known(&self, page: &WatchedPage) -> Result<Known, Error> {
        let snapshot = |kept: &Option<Kept>| kept.as_ref().map(|kept| self.snapshot(kept)).transpose();
        Ok(Known {
            notice: snapshot(&page.notice)?,
            instead: snapshot(&page.instead)?,
            standing: page.standing.clone(),
            since: page.since,
            unreachable_since: page.unreachable_since,
        })
    }

    /// The archived texts of a notice, oldest first.
    pub fn versions(&self, page: &WatchedPage) -> Result<Vec<Snapshot>, Error> {
        page.versions.iter().map(|kept| self.snapshot(kept)).collect()
    }

    /// What stands in the notice's place, when it is another page.
    pub fn instead(&self, page: &WatchedPage) -> Result<Option<Snapshot>, Error> {
        page.instead.as_ref().map(|kept| self.snapshot(kept)).transpose()
    }

    fn snapshot(&self, kept: &Kept) -> Result<Snapshot, Error> {
        let response = self.archive.response(&kept.record)?;
        Ok(Snapshot { page: page_of(&response), url: kept.url.clone(), at: kept.at })
    }
}

/// What a response tells.
pub(crate) fn page_of(response: &Response) -> Page {
    Page::read(&response.body, response.header("content-type").unwrap_or_default())
}

pub(crate) fn parse(dir: &Path, number: usize, entry: &[u8]) -> Result<Entry, Error> {
    let entry: Entry = serde_json::from_slice(entry)
        .map_err(|err| anchor::not_whole(dir, &format!("entry {number} of its log cannot be read: {err}")))?;
    if entry.format != FORMAT {
        let reason = format!("entry {number} of its log has the format `{}`: a newer version wrote it", entry.format);
        return Err(anchor::not_whole(dir, &reason).into());
    }
    Ok(entry)
}

#[cfg(test)]
mod tests;
