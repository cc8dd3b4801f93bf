//! When a task is, and where its randomness begins: all that an instance is told of the world beside its rows.
//!
//! An operator that asks WASI for the time or for randomness gets what follows from the moment, so that a task that is run
//! again gives the same bytes.

use sha2::{Digest as _, Sha256};

use crate::fault;
use crate::time::BatchTime;

/// The moment of a task.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    batch: BatchTime,
    seed: [u8; 32],
}

impl Moment {
    /// Outside of any batch: an operator that is asked for its shape, or that takes over states.
    pub const NONE: Self = Self { batch: BatchTime::from_millis(0), seed: [0; 32] };

    /// The moment of a task of a batch. `task` tells it from all others of the batch.
    pub fn of(batch: BatchTime, task: &[&[u8]]) -> Self {
        let mut hash = Sha256::new_with_prefix(batch.as_millis().to_le_bytes());
        for part in task {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self { batch, seed: hash.finalize().into() }
    }

    /// The batch time that an operator is told.
    pub(super) fn batch_time(&self) -> BatchTime {
        fault::batch_time(self.batch)
    }

    /// A seed for one purpose.
    pub(super) fn seed(&self, purpose: &str) -> [u8; 32] {
        Sha256::new_with_prefix(self.seed).chain_update(purpose).finalize().into()
    }
}
