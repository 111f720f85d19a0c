//! The WARC files: one a day (UTC), appended to, a gzip member a record.
//!
//! A record counts when the watch's log names it (crate `anchor`). What stands behind the last such record in a file
//! is what a crash left over; the next append writes over it.

use crate::Error;
use crate::entry::RecordRef;
use crate::fetch::Exchange;
use crate::http_message::Response;
use crate::warc::{self, Kind, Record};
use jiff::Timestamp;
use sekisho_anchor::{self as anchor, durable};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The archive of a state directory.
#[derive(Debug)]
pub(crate) struct Archive {
    dir: PathBuf,
    /// Where the acknowledged records of each file end.
    ends: BTreeMap<String, u64>,
}

impl Archive {
    pub(crate) fn new(dir: &Path) -> Archive {
        Archive { dir: dir.to_owned(), ends: BTreeMap::new() }
    }

    /// Takes note of a record that the log names.
    pub(crate) fn acknowledge(&mut self, record: &RecordRef) {
        let end = self.ends.entry(record.file.clone()).or_default();
        *end = (*end).max(record.offset.saturating_add(record.bytes));
    }

    /// Writes what was sent and received, and what was made of it; when this returns it is durable.
    pub(crate) fn write(
        &self,
        at: Timestamp,
        url: &str,
        exchanges: &[Exchange],
        metadata: Vec<u8>,
    ) -> Result<Vec<RecordRef>, Error> {
        let records = records(at, url, exchanges, metadata)?;
        let file = at.strftime("%Y-%m-%d.warc.gz").to_string();
        let begin = self.ends.get(&file).copied().unwrap_or(0);
        let mut head = Vec::new();
        if begin == 0 {
            head.push(warcinfo(at, &file)?);
        }
        let path = self.dir.join("archive").join(&file);
        let (mut bytes, mut written) = (Vec::new(), Vec::new());
        for record in head.iter().chain(&records) {
            let plain = record.bytes();
            let member = warc::compress(&plain).map_err(Error::disk("compress for", &path))?;
            written.push(RecordRef {
                kind: record.kind.name().to_owned(),
                file: file.clone(),
                offset: begin + bytes.len() as u64,
                bytes: member.len() as u64,
                sha256: hex::encode(Sha256::digest(&plain)),
            });
            bytes.extend_from_slice(&member);
        }
        let parent = self.dir.join("archive");
        if std::fs::metadata(&path).map_or(0, |file| file.len()) < begin {
            let reason = format!(
                "`{}` lost records that the log names; restore it from a copy, or watch in a new directory",
                path.display()
            );
            return Err(anchor::not_whole(&self.dir, &reason).into());
        }
        durable::create_directory(&parent).map_err(Error::disk("make", &parent))?;
        durable::append(&path, begin, &bytes).map_err(Error::disk("write", &path))?;
        Ok(written)
    }

    /// The bytes of a record, which must be those that the log names.
    pub(crate) fn read(&self, record: &RecordRef) -> Result<Vec<u8>, Error> {
        let path = self.dir.join("archive").join(&record.file);
        let refuse = |what: &str| {
            let reason = format!("the record at byte {} of `{}` {what}", record.offset, path.display());
            Error::from(anchor::not_whole(&self.dir, &reason))
        };
        let file = match File::open(&path) {
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Err(refuse("is missing, with its file")),
            other => other.map_err(Error::disk("read", &path))?,
        };
        let length = file.metadata().map_err(Error::disk("read", &path))?.len();
        if record.offset.checked_add(record.bytes).is_none_or(|end| end > length) {
            return Err(refuse("is missing"));
        }
        let mut member = vec![0; usize::try_from(record.bytes).map_err(|_| refuse("is too large"))?];
        file.read_exact_at(&mut member, record.offset).map_err(Error::disk("read", &path))?;
        let plain = warc::decompress(&member).map_err(|_| refuse("cannot be unpacked"))?;
        if hex::encode(Sha256::digest(&plain)) != record.sha256 {
            return Err(refuse("was changed after it was written"));
        }
        Ok(plain)
    }

    /// The response in a record.
    pub(crate) fn response(&self, record: &RecordRef) -> Result<Response, Error> {
        let plain = self.read(record)?;
        let block = warc::parse(&plain).filter(|(kind, _)| *kind == "response").map(|(_, block)| block);
        block.and_then(Response::parse).ok_or_else(|| {
            let reason = format!("the record at byte {} of `{}` holds no response", record.offset, record.file);
            anchor::not_whole(&self.dir, &reason).into()
        })
    }
}

fn records(at: Timestamp, url: &str, exchanges: &[Exchange], metadata: Vec<u8>) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    let mut last = None;
    for exchange in exchanges {
        let id = new_id()?;
        let record = |kind, id: String, concurrent_to, block: &[u8]| Record {
            kind,
            id,
            at,
            url: exchange.url.clone(),
            concurrent_to,
            truncated: exchange.truncated.filter(|_| kind == Kind::Response),
            block: block.to_vec(),
        };
        if !exchange.response.is_empty() {
            records.push(record(Kind::Response, id.clone(), None, &exchange.response));
            last = Some(id.clone());
        }
        if !exchange.request.is_empty() {
            let answered = (!exchange.response.is_empty()).then_some(id);
            records.push(record(Kind::Request, new_id()?, answered, &exchange.request));
        }
    }
    let (kind, id) = (Kind::Metadata, new_id()?);
    let url = url.to_owned();
    records.push(Record { kind, id, at, url, concurrent_to: last, truncated: None, block: metadata });
    Ok(records)
}

fn warcinfo(at: Timestamp, file: &str) -> Result<Record, Error> {
    let block = format!(
        "software: sekisho-watch/{}\r\nformat: WARC File Format 1.1\r\ndescription: notices of firms, {file}\r\nrobots: classic\r\n",
        env!("CARGO_PKG_VERSION")
    );
    let (kind, id, url) = (Kind::Warcinfo, new_id()?, String::new());
    Ok(Record { kind, id, at, url, concurrent_to: None, truncated: None, block: block.into_bytes() })
}

/// A random UUID (RFC 9562, version 4).
fn new_id() -> Result<String, Error> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| Error::Random)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    Ok(format!("urn:uuid:{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]))
}
