//! A runner of which what it used and logged is passed on when it is let go: at the end of its work, and also when a call
//! goes wrong, so that the operator's own words stand before the error.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::rooms::{BatchRoom, ComponentCall};
use crate::operator::Runner;

/// A call's runner in a batch.
pub(super) struct Metered<R: Runner> {
    runner: R,
    operator: String,
    batch: Arc<BatchRoom>,
}

impl<R: Runner> Metered<R> {
    pub(super) fn new(runner: R, call: &ComponentCall, batch: Arc<BatchRoom>) -> Self {
        Self { runner, operator: call.operator.clone(), batch }
    }
}

impl<R: Runner> Deref for Metered<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.runner
    }
}

impl<R: Runner> DerefMut for Metered<R> {
    fn deref_mut(&mut self) -> &mut R {
        &mut self.runner
    }
}

impl<R: Runner> Drop for Metered<R> {
    fn drop(&mut self) {
        self.batch.meter(&self.operator, &self.runner.take_meter());
    }
}
