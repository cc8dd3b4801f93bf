//! A segment's bytes, written and read: pure functions.
//!
//! ```text
//! segment  WEIRBLK1, first block id u64, salt u64, CRC-32 u32, then groups
//! group    a magic number u32, body's length u32, CRC-32 u32, then the body: records
//! record   head's length u32, bytes' length u32, CRC-32 of the bytes u32, CRC-32 u32, then head (bincode) and bytes
//! ```
//!
//! All numbers are little endian. A checksum covers what stands before it, and a record's also its head; that of a group
//! begins with the segment's salt, so that nobody can send rows that look like a group.
//!
//! A group is what was written at once and synced at once. So damage can be told from a crash in mid-write: behind a
//! group that was only half written there is nothing, as the next is begun when the one before is durable.

use std::ops::Range;

use memchr::memmem;
use serde::{Deserialize, Serialize};

use crate::block::{BlockId, TakenRequest};
use crate::decode::decode;

pub(super) const MAGIC: &[u8; 8] = b"WEIRBLK1";
const GROUP_MAGIC: [u8; 4] = [0xB1, b'g', b'r', 0xF0];
const GROUP_HEADER: usize = 12;
const RECORD_HEADER: usize = 16;

/// How long a segment's header is.
pub(super) const SEGMENT_HEADER: usize = 28;

/// What a segment begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// No block of the segment has a lower id; all ids from here on, up to the next segment's, are in this one.
    pub(super) first: BlockId,
    /// Makes the segment's groups unlike all others.
    pub(super) salt: u64,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Head {
    /// A block, whose bytes follow.
    Block {
        id: BlockId,
        source: String,
        rows: u64,
        /// The requests whose rows these are, where they have keys.
        requests: Vec<TakenRequest>,
    },
    /// What was taken before this segment was begun, carried over: the segments in which it was written may be gone.
    Requests { source: String, requests: Vec<TakenRequest> },
}

/// A record, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) head: Head,
    /// Where its bytes lie in the segment.
    pub(super) bytes: Range<usize>,
    /// Their checksum.
    pub(super) crc: u32,
}

/// What a segment holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// All that can be read.
    pub(super) entries: Vec<Entry>,
    /// What was written whole ends here; behind it there is what a crash has left.
    pub(super) end: usize,
    /// Where there are bytes that no crash explains, and what is wrong there.
    pub(super) damage: Vec<(usize, &'static str)>,
}

impl SegmentHeader {
    pub(super) fn encode(self) -> [u8; SEGMENT_HEADER] {
        let mut bytes = [0; SEGMENT_HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..16].copy_from_slice(&self.first.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.salt.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..24]);
        bytes[24..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(segment: &[u8]) -> Result<Self, &'static str> {
        if !segment.starts_with(MAGIC) {
            return Err("it does not begin as a segment of this version does");
        }
        match (long(segment, 8), long(segment, 16), word(segment, 24)) {
            (Some(first), Some(salt), Some(crc)) if crc == crc32fast::hash(&segment[..24]) => {
                Ok(Self { first: BlockId(first), salt })
            }
            _ => Err("its header does not match its checksum"),
        }
    }
}

/// A group in the making.
#[derive(Debug)]
pub(super) struct Group {
    bytes: Vec<u8>,
}

impl Group {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; GROUP_HEADER] }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.len() == GROUP_HEADER
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a record: where its bytes lie within the group, and their checksum; nothing when it is too long to be read
    /// back.
    pub(super) fn push(&mut self, head: &Head, bytes: &[u8]) -> Option<(Range<usize>, u32)> {
        self.push_encoded(&bincode::serde::encode_to_vec(head, bincode::config::standard()).ok()?, bytes)
    }

    /// The same, of a head that is bytes already.
    pub(super) fn push_encoded(&mut self, head: &[u8], bytes: &[u8]) -> Option<(Range<usize>, u32)> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).ok();
        let total = self.bytes.len().checked_add(RECORD_HEADER + head.len())?.checked_add(bytes.len())?;
        u32::try_from(total).ok()?;
        let mut prefix = [0; RECORD_HEADER];
        prefix[..4].copy_from_slice(&length(head)?.to_le_bytes());
        prefix[4..8].copy_from_slice(&length(bytes)?.to_le_bytes());
        let bytes_crc = crc32fast::hash(bytes);
        prefix[8..12].copy_from_slice(&bytes_crc.to_le_bytes());
        let crc = record_crc(&prefix[..12], head);
        prefix[12..].copy_from_slice(&crc.to_le_bytes());
        self.bytes.extend_from_slice(&prefix);
        self.bytes.extend_from_slice(head);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        Some((start..self.bytes.len(), bytes_crc))
    }

    /// The group as it is written.
    pub(super) fn finish(&mut self, salt: u64) -> &[u8] {
        // `push` keeps the whole below 4 GiB.
        let body = u32::try_from(self.bytes.len() - GROUP_HEADER).unwrap_or(u32::MAX);
        self.bytes[..4].copy_from_slice(&GROUP_MAGIC);
        self.bytes[4..8].copy_from_slice(&body.to_le_bytes());
        let crc = group_crc(salt, &self.bytes[..8]);
        self.bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        &self.bytes
    }
}

/// Reads a segment behind its header.
pub(super) fn read(segment: &[u8], salt: u64) -> Contents {
    let mut contents = Contents { end: SEGMENT_HEADER.min(segment.len()), ..Contents::default() };
    let mut at = contents.end;
    while at < segment.len() {
        let Some(body) = group_body(segment, at, salt) else {
            match next_group(segment, at + 1, salt) {
                Some(next) => {
                    contents.damage.push((at, "there is no group of records where one must be"));
                    at = next;
                    continue;
                }
                None => return contents,
            }
        };
        let (entries, wrong) = records(segment, body.clone());
        match wrong {
            // The group's header is whole, so its length can be believed.
            Some(_) if body.end >= segment.len() => return contents,
            Some(wrong) => contents.damage.push(wrong),
            None => {}
        }
        contents.entries.extend(entries);
        (at, contents.end) = (body.end, body.end);
    }
    contents
}

/// Where the body of the group at `at` lies; it may reach over the end of the segment.
fn group_body(segment: &[u8], at: usize, salt: u64) -> Option<Range<usize>> {
    let header = segment.get(at..at + GROUP_HEADER)?;
    if header[..4] != GROUP_MAGIC || word(header, 8)? != group_crc(salt, &header[..8]) {
        return None;
    }
    let start = at + GROUP_HEADER;
    Some(start..start.saturating_add(word(header, 4)? as usize))
}

fn next_group(segment: &[u8], from: usize, salt: u64) -> Option<usize> {
    let rest = segment.get(from..)?;
    memmem::find_iter(rest, &GROUP_MAGIC).map(|at| from + at).find(|at| group_body(segment, *at, salt).is_some())
}

/// The records of a group that can be read, and where the first is that cannot.
fn records(segment: &[u8], body: Range<usize>) -> (Vec<Entry>, Option<(usize, &'static str)>) {
    let (mut entries, mut wrong) = (Vec::new(), None);
    let mut at = body.start;
    while at < body.end {
        match record(segment, at, body.end) {
            Ok(entry) => {
                at = entry.bytes.end;
                entries.push(entry);
            }
            Err(Unreadable { what, end }) => {
                wrong.get_or_insert((at, what));
                let Some(end) = end else { break };
                at = end;
            }
        }
    }
    (entries, wrong)
}

/// Why a record cannot be read, and where the next one begins, if that is known.
struct Unreadable {
    what: &'static str,
    end: Option<usize>,
}

fn record(segment: &[u8], at: usize, limit: usize) -> Result<Entry, Unreadable> {
    let no_head = || Unreadable { what: "a record's head does not match its checksum", end: None };
    let prefix = segment.get(at..at + RECORD_HEADER).ok_or_else(no_head)?;
    let number = |at| word(prefix, at).ok_or_else(no_head);
    let (head, bytes, bytes_crc, crc) = (number(0)?, number(4)?, number(8)?, number(12)?);
    let start = at + RECORD_HEADER;
    let middle = start.saturating_add(head as usize);
    let end = middle.saturating_add(bytes as usize);
    let whole = |head: &&[u8]| record_crc(&prefix[..12], head) == crc && end <= limit;
    let head = segment.get(start..middle).filter(whole).ok_or_else(no_head)?;
    let end_known = |what| Unreadable { what, end: Some(end) };
    let head = decode(head).map_err(|_| end_known("a record's head cannot be read"))?;
    match segment.get(middle..end) {
        Some(bytes) if crc32fast::hash(bytes) == bytes_crc => Ok(Entry { head, bytes: middle..end, crc: bytes_crc }),
        _ => Err(end_known("a block's bytes do not match their checksum")),
    }
}

fn group_crc(salt: u64, header: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(header);
    hasher.finalize()
}

fn record_crc(prefix: &[u8], head: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(prefix);
    hasher.update(head);
    hasher.finalize()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at.checked_add(8)?)?.try_into().ok().map(u64::from_le_bytes)
}
