//! What becomes of a key.

use crate::answer::Answer;
use crate::bindings::rows::Batch;
use crate::bindings::state::Fate;
use crate::record::Record;

/// What becomes of a key's state. After [`Cause::Idle`](super::Cause::Idle) the key is forgotten, whatever is said here.
#[derive(Debug, Clone, PartialEq)]
pub enum Next<S> {
    /// This is the key's state from now on. The key is woken when the call asked for it with
    /// [`wake_at`](super::Turn::wake_at); a timer of an earlier call is gone.
    Keep(S),
    /// The key is forgotten, with its timer.
    Remove,
    /// State and timer stay as they are, which costs least; a key without a state stays without. A timer that is due has
    /// had its call.
    Unchanged,
}

/// What becomes of the keys of a call.
pub(super) struct Nexts<S: Record<'static>> {
    states: Answer<'static, S>,
    fates: Vec<Fate>,
    timers: Vec<u64>,
}

impl<S: Record<'static>> Nexts<S> {
    pub(super) fn new(keys: usize) -> Self {
        Self { states: Answer::new(keys), fates: Vec::with_capacity(keys), timers: Vec::with_capacity(keys) }
    }

    /// What becomes of the next key, with the timer it asked for.
    pub(super) fn push(&mut self, next: Next<S>, timer: u64) {
        let (fate, timer) = match next {
            Next::Keep(state) => {
                self.states.push(state);
                (Fate::Keep, timer)
            }
            Next::Remove => {
                self.states.push_blank();
                (Fate::Remove, 0)
            }
            Next::Unchanged => {
                self.states.push_blank();
                (Fate::Unchanged, 0)
            }
        };
        self.fates.push(fate);
        self.timers.push(timer);
    }

    pub(super) fn finish(self) -> Result<(Batch, Vec<Fate>, Vec<u64>), String> {
        Ok((self.states.finish()?, self.fates, self.timers))
    }
}
