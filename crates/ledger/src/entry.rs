//! The entries of the Merkle log: text that holds no personal data.
//!
//! One kind commits to a run of blocks of one source: since each block holds the hash of the one before, the last
//! block's hash commits to the run. The other says everything that the MANIFEST says of a sealed segment, so that the
//! MANIFEST can be compared with it, and made up for from it.

use crate::manifest::{Segment, SegmentFile};
use crate::wal::Head;
use sekisho_model::{SourceId, Timestamp};
use std::fmt::Write as _;
use std::path::PathBuf;

const BLOCKS_TAG: &str = "sekisho-ledger/v1 blocks";
const SEGMENT_TAG: &str = "sekisho-ledger/v1 segment";
/// Stands for a number that there is not.
const NONE: &str = "-";

/// What an entry says of a run of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlocksEntry {
    pub(crate) source: SourceId,
    /// The first block of the run.
    pub(crate) first: u64,
    /// The last block and the position after it.
    pub(crate) head: Head,
    pub(crate) at: Timestamp,
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Blocks(BlocksEntry),
    Segment(Segment),
}

impl Entry {
    /// Reads an entry; `None` when it is none of ours.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Entry> {
        let text = std::str::from_utf8(bytes).ok()?;
        let entry = match text.lines().next()? {
            BLOCKS_TAG => Entry::Blocks(parse_blocks(text)?),
            SEGMENT_TAG => Entry::Segment(parse_segment(text)?),
            _ => return None,
        };
        // One spelling only: what was signed is these bytes.
        (entry.text() == text).then_some(entry)
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Entry::Blocks(blocks) => blocks.text(),
            Entry::Segment(segment) => segment_text(segment),
        }
    }
}

impl BlocksEntry {
    pub(crate) fn text(&self) -> String {
        format!(
            "{BLOCKS_TAG}\nsource {}\nblocks {} {}\nposition {}\nat {}\nhead {}\n",
            self.source.0,
            self.first,
            self.head.number,
            self.head.position_next,
            self.at.0,
            hex::encode(self.head.hash)
        )
    }
}

/// The entry of a segment: everything the MANIFEST says of it.
pub(crate) fn segment_text(segment: &Segment) -> String {
    let mut text = format!(
        "{SEGMENT_TAG}\nsegment {}\nsource {}\nblocks {} {}\nposition {}\nrecords {}\nsequence {}\nnext {}\nfrom {}\nto {}\nhead {}\n",
        segment.number,
        segment.source.0,
        segment.block_first,
        segment.block_last,
        segment.position_next,
        segment.records,
        segment.sequence_highest,
        segment.sequence_next.map_or_else(|| NONE.to_owned(), |next| next.to_string()),
        segment.from.0,
        segment.to.0,
        segment.block_last_hash
    );
    for file in &segment.files {
        let _ = writeln!(text, "file {} {} {}", file.sha256, file.bytes, file.path.display());
    }
    text
}

fn parse_blocks(text: &str) -> Option<BlocksEntry> {
    let mut lines = text.lines().skip(1);
    let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
    let source = SourceId(value("source")?.parse().ok()?);
    let (first, last) = value("blocks")?.split_once(' ')?;
    let position_next = value("position")?.parse().ok()?;
    let at = Timestamp(value("at")?.parse().ok()?);
    let hash = hex::decode(value("head")?).ok()?.try_into().ok()?;
    let head = Head { number: last.parse().ok()?, hash, position_next };
    Some(BlocksEntry { source, first: first.parse().ok()?, head, at })
}

fn parse_segment(text: &str) -> Option<Segment> {
    let mut lines = text.lines().skip(1);
    let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
    let number = value("segment")?.parse().ok()?;
    let source = SourceId(value("source")?.parse().ok()?);
    let (first, last) = value("blocks")?.split_once(' ')?;
    let segment = Segment {
        number,
        source,
        block_first: first.parse().ok()?,
        block_last: last.parse().ok()?,
        position_next: value("position")?.parse().ok()?,
        records: value("records")?.parse().ok()?,
        sequence_highest: value("sequence")?.parse().ok()?,
        sequence_next: match value("next")? {
            NONE => None,
            next => Some(next.parse().ok()?),
        },
        from: Timestamp(value("from")?.parse().ok()?),
        to: Timestamp(value("to")?.parse().ok()?),
        block_last_hash: value("head")?.to_owned(),
        files: Vec::new(),
    };
    let files = lines.map(parse_file).collect::<Option<Vec<_>>>()?;
    Some(Segment { files, ..segment })
}

fn parse_file(line: &str) -> Option<SegmentFile> {
    let mut parts = line.strip_prefix("file ")?.splitn(3, ' ');
    let sha256 = parts.next()?.to_owned();
    let bytes = parts.next()?.parse().ok()?;
    Some(SegmentFile { path: PathBuf::from(parts.next()?), bytes, sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(sequence_next: Option<u64>) -> Segment {
        Segment {
            number: 3,
            source: SourceId(1),
            block_first: 4,
            block_last: 9,
            block_last_hash: "ab".repeat(32),
            position_next: 77,
            records: 60,
            sequence_highest: 21,
            sequence_next,
            from: Timestamp(-5),
            to: Timestamp(6),
            files: vec![SegmentFile { path: "segments/a b.parquet".into(), bytes: 5, sha256: "cd".repeat(32) }],
        }
    }

    #[test]
    fn an_entry_says_everything_of_a_segment_and_is_read_back() {
        for segment in [segment(None), segment(Some(22))] {
            let text = segment_text(&segment);
            assert_eq!(Entry::parse(text.as_bytes()), Some(Entry::Segment(segment)), "{text}");
        }
    }

    #[test]
    fn another_spelling_is_no_entry() {
        let text = segment_text(&segment(Some(22)));
        for changed in
            [text.replace("next 22", "next +22"), text.clone() + "\n", text.replace("segment 3", "segment 03")]
        {
            assert_eq!(Entry::parse(changed.as_bytes()), None, "{changed}");
        }
    }
}
