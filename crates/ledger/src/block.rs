//! A block of the write-ahead log: a header, then records in postcard, committed with one sync.
//!
//! ```text
//! 0  magic "SKWB"          16 source           40 time of writing, µs
//! 4  version 1, u16        20 records          48 SHA-256 of the block before
//! 6  zero, u16             24 block number     80 payload
//! 8  payload bytes         32 first position
//! 12 CRC-32C of all but this field
//! ```
//! Integers are little-endian. The hash of a block covers its header and payload, so each block commits to all
//! before it. Blocks of a source are numbered from 1 through all its files.

use sekisho_model::{Record, SourceId, Timestamp};
use sha2::{Digest as _, Sha256};

/// Bytes before the payload.
pub const HEADER_BYTES: usize = 80;
/// A payload's most bytes: what is longer is no block.
pub const PAYLOAD_BYTES_MAX: usize = 4 * 1024 * 1024;

const MAGIC: [u8; 4] = *b"SKWB";
const VERSION: u16 = 1;

/// SHA-256.
pub type Sha256Hash = [u8; 32];

/// What a block says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Who wrote it.
    pub source: SourceId,
    /// Records in it.
    pub records: u32,
    /// Its number, from 1.
    pub number: u64,
    /// The position of its first record.
    pub position_first: u64,
    /// When it was written.
    pub at: Timestamp,
    /// The hash of block `number - 1`; zeros for the first.
    pub previous: Sha256Hash,
}

/// A block that has been checked, borrowed from its file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// Its header.
    pub header: Header,
    /// Its hash.
    pub hash: Sha256Hash,
    /// The records' bytes.
    pub payload: &'a [u8],
}

impl Header {
    /// The position after the block's last record.
    #[must_use]
    pub fn position_next(&self) -> u64 {
        self.position_first.saturating_add(u64::from(self.records))
    }
}

/// The bytes of a block. The payload must not be longer than [`PAYLOAD_BYTES_MAX`].
#[must_use]
pub fn encode(header: &Header, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() <= PAYLOAD_BYTES_MAX, "the queue cuts payloads before that");
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(u32::try_from(payload.len()).expect("bounded above").to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(header.source.0.to_le_bytes());
    bytes.extend(header.records.to_le_bytes());
    bytes.extend(header.number.to_le_bytes());
    bytes.extend(header.position_first.to_le_bytes());
    bytes.extend(header.at.0.to_le_bytes());
    bytes.extend(header.previous);
    bytes.extend(payload);
    let checksum = checksum(&bytes);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The block at the beginning of `bytes`; `None` when there is no whole, sound block.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Block<'_>> {
    let head: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
    if head[..4] != MAGIC || head[4..6] != VERSION.to_le_bytes() || head[6..8] != [0; 2] {
        return None;
    }
    let length = usize::try_from(u32_at(head, 8)).ok()?;
    if length > PAYLOAD_BYTES_MAX {
        return None;
    }
    let whole = bytes.get(..HEADER_BYTES + length)?;
    if checksum(whole) != u32_at(head, 12) {
        return None;
    }
    let header = Header {
        source: SourceId(u32_at(head, 16)),
        records: u32_at(head, 20),
        number: u64_at(head, 24),
        position_first: u64_at(head, 32),
        at: Timestamp(u64_at(head, 40).cast_signed()),
        previous: *head.last_chunk()?,
    };
    Some(Block { header, hash: Sha256::digest(whole).into(), payload: &whole[HEADER_BYTES..] })
}

impl Block<'_> {
    /// Bytes that the block takes in its file.
    #[must_use]
    pub fn bytes(&self) -> usize {
        HEADER_BYTES + self.payload.len()
    }

    /// About how many records there are, by the header and what the payload has room for: how much room is made for them.
    #[must_use]
    pub fn records_told(&self) -> usize {
        const RECORD_BYTES: usize = 16;
        (self.header.records as usize).min(self.payload.len() / RECORD_BYTES)
    }

    /// The block's records; `None` when the payload is not exactly as many records as the header says.
    #[must_use]
    pub fn records(&self) -> Option<Vec<Record>> {
        let mut rest = self.payload;
        let mut records = Vec::with_capacity(self.records_told());
        for _ in 0..self.header.records {
            let (record, after) = postcard::take_from_bytes(rest).ok()?;
            records.push(record);
            rest = after;
        }
        rest.is_empty().then_some(records)
    }
}

/// Parses arbitrary bytes: must not panic, and what parses must encode to the same bytes.
pub fn fuzz_block(data: &[u8]) {
    if let Some(block) = parse(data) {
        assert_eq!(encode(&block.header, block.payload), data[..block.bytes()]);
        let _ = block.records();
    }
}

fn checksum(block: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&block[..12]), &block[16..])
}

fn u32_at(head: &[u8; HEADER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(head: &[u8; HEADER_BYTES], at: usize) -> u64 {
    u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"))
}
