//! What outlives a batch: the states of keys, and the rows of past batches.
//!
//! A batch reads both as they were when the batch before it committed, and changes neither: its tasks stage what is to
//! change, and [`Store::commit`] makes all of it visible at once. So a batch that fails leaves nothing behind.
//!
//! - [`keyed`]: a state for each key of an operator, and when each is to be woken.
//! - [`history`]: the rows of a stream's past batches, which windows are made of.
//! - [`row_bytes`]: rows as bytes, the form in which keys and states are kept.

pub mod history;
pub mod keyed;
pub mod row_bytes;

pub use history::{History, Past};
pub use keyed::{Change, Changes, Delta, Due, Entry, Key, Keyed, KeyedSpec, Keyring};
pub use row_bytes::RowBytes;

use crate::time::BatchTime;

/// All that outlives a batch.
#[derive(Debug, Default)]
pub struct Store {
    /// The states of keys, by operator.
    pub keyed: Keyring,
    /// The rows of past batches, by stream.
    pub history: History,
}

/// What a batch changes.
#[derive(Debug, Default)]
pub struct Staged {
    /// The changes of keyed states; of each operator, no group twice.
    pub deltas: Vec<Delta>,
    /// The rows of streams that are kept.
    pub kept: Vec<Kept>,
}

/// The rows of a batch of a stream that is kept.
#[derive(Debug)]
pub struct Kept {
    /// The stream.
    pub stream: String,
    /// The rows.
    pub past: Past,
    /// Batches up to this one are needed no more.
    pub forget: Option<BatchTime>,
}

impl Store {
    /// Makes all changes of a batch visible. Uses the threads of the pool that it is called on.
    pub fn commit(&self, batch: BatchTime, staged: Staged) {
        self.keyed.apply(staged.deltas);
        for kept in staged.kept {
            self.history.keep(&kept.stream, batch, kept.past, kept.forget);
        }
    }
}
