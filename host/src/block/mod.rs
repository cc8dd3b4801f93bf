//! Received data, by reference. A block is an immutable run of whole records; a batch's input is a list of blocks.
//!
//! A source that can be re-read never copies its data here: its blocks are ranges, read when the batch runs. Received
//! data lies in the [`BlockStore`], put there by a [`BlockBuilder`] for each source, until its batch is forgotten; of a
//! live run it also lies in the block log, on disk, so that it outlives the host.

mod builder;
mod cut;
mod log;
mod requests;
mod store;

pub use builder::BlockBuilder;
pub use cut::{CutBlock, CutBlocks};
pub use requests::{RequestKey, TakenRequest, TakenRequests};
pub use store::{BlockStore, BlockStoreError, Reservation};

use std::num::NonZeroU64;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::operator::Digest;

/// Names a block in the [`BlockStore`] of one pipeline's live runs, or of one run over all input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlockId(pub u64);

/// An immutable run of whole records, by reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// How many records, malformed ones included; none where nobody has counted them, and who reads the block will.
    #[serde(with = "count")]
    pub rows: Option<NonZeroU64>,
    /// How many bytes the records take where they lie; for rows that are made when they are read, an estimate.
    pub bytes: u64,
    /// Where they lie.
    pub data: BlockData,
}

/// As a number, which is 0 where nobody has counted. A count is never 0: records that are counted make a block.
mod count {
    use super::{Deserialize, Deserializer, NonZeroU64, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(rows: &Option<NonZeroU64>, to: S) -> Result<S::Ok, S::Error> {
        rows.map_or(0, NonZeroU64::get).serialize(to)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Option<NonZeroU64>, D::Error> {
        u64::deserialize(from).map(NonZeroU64::new)
    }
}

/// Where a block's records lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlockData {
    /// In the block store, as the bytes that were received, each record ended by a newline.
    Stored(BlockId),
    /// Bytes `start .. end` of a file, without any header line.
    File {
        /// The file.
        path: PathBuf,
        /// Where the first record starts.
        start: u64,
        /// Just past the last record's end.
        end: u64,
    },
    /// Rows `from .. to` of a generator.
    Generated {
        /// The first row's number.
        from: u64,
        /// One past the last row's number.
        to: u64,
    },
    /// Records that were rejected and are read again: contents in the table store, a record a row.
    Letters(Digest),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_nobody_has_made_is_written_as_0_and_read_as_none() -> Result<(), serde_json::Error> {
        for (rows, written) in [(None, 0), (NonZeroU64::new(3), 3)] {
            let block = Block { rows, bytes: 9, data: BlockData::Stored(BlockId(0)) };
            let json = serde_json::to_value(&block)?;
            assert_eq!(json["rows"], written);
            assert_eq!(serde_json::from_value::<Block>(json)?, block);
        }
        Ok(())
    }
}
