//! The keys of a call, checked once so that reading them need not check again.

use super::Cause;
use crate::bindings::rows::Batch;
use crate::bindings::state;
use crate::bitmap::bit;
use crate::chunk::Chunk;

/// The keys of a call with their rows and states. All of it is sound.
#[derive(Debug)]
pub struct Touched {
    pub(super) keys: Chunk,
    pub(super) groups: Vec<u32>,
    pub(super) input: Chunk,
    pub(super) previous: Chunk,
    pub(super) causes: Vec<Cause>,
    present: Vec<u8>,
}

impl Touched {
    /// Takes keys from anywhere.
    ///
    /// # Errors
    /// What is unsound about them.
    pub fn new(touched: state::Touched) -> Result<Self, String> {
        Self::of(touched, Chunk::new)
    }

    /// Takes keys from the host, the values of which are not checked.
    ///
    /// # Safety
    /// The three batches must keep the rules of `weir:operator/rows`, as [`Chunk::new`] checks them.
    ///
    /// # Errors
    /// What does not have an entry for each key.
    pub unsafe fn new_unchecked(touched: state::Touched) -> Result<Self, String> {
        // SAFETY: the caller's promise.
        Self::of(touched, |batch| Ok(unsafe { Chunk::new_unchecked(batch) }))
    }

    fn of(touched: state::Touched, chunk: impl Fn(Batch) -> Result<Chunk, String>) -> Result<Self, String> {
        let state::Touched { keys, groups, input, previous, present, causes } = touched;
        let keys = chunk(keys).map_err(|e| format!("keys: {e}"))?;
        let input = chunk(input).map_err(|e| format!("rows: {e}"))?;
        let previous = chunk(previous).map_err(|e| format!("states: {e}"))?;
        let counted = |what: &str, found: usize, wanted: usize| {
            if found == wanted { Ok(()) } else { Err(format!("{found} {what} for {} keys", keys.rows())) }
        };
        counted("ends of groups", groups.len().saturating_sub(1), keys.rows())?;
        counted("states", previous.rows(), keys.rows())?;
        counted("bytes of `present`", present.len(), keys.rows().div_ceil(8))?;
        counted("causes", causes.len(), keys.rows())?;
        Ok(Self { keys, groups, input, previous, present, causes })
    }

    /// Whether a key has a state.
    pub(super) fn has_state(&self, key: usize) -> bool {
        bit(&self.present, key)
    }
}
