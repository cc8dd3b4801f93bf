//! Finding the units (rows, or groups of rows) on which an operator goes wrong.
//!
//! A unit is rejected only if a call with it alone, in a fresh instance, goes wrong. So the result does not depend on
//! how many units a call is given, nor on what the instance had done before.

use std::ops::Range;

use super::instance::{CallError, Verdict};

/// An operator at work that can be called on any range of units, and be given a fresh instance.
pub(super) trait Attempt {
    /// What a call gives.
    type Answer;

    /// Calls the operator on these units. After a verdict, the next call must be on a fresh instance.
    fn call(&mut self, units: Range<usize>) -> Result<Self::Answer, CallError>;

    /// Whether the instance at hand has not been called yet.
    fn is_fresh(&self) -> bool;

    /// Drops the instance at hand.
    fn refresh(&mut self);
}

/// Takes what became of some units.
pub(super) type Done<'a, Answer> = dyn FnMut(Range<usize>, Result<Answer, Verdict>) -> Result<(), CallError> + 'a;

/// Calls the operator on all `units`, in as few calls as go well, and hands each answer, or each single unit's verdict,
/// to `done` in order. Stops at the first error of `done`.
pub(super) fn isolate<A: Attempt>(
    operator: &mut A,
    units: Range<usize>,
    done: &mut Done<'_, A::Answer>,
) -> Result<(), CallError> {
    let fresh = operator.is_fresh();
    let mut answer = operator.call(units.clone());
    if matches!(answer, Err(CallError::Verdict(_))) {
        operator.refresh();
        if !fresh {
            // What earlier calls left behind in the instance must not count against these units.
            answer = operator.call(units.clone());
            if matches!(answer, Err(CallError::Verdict(_))) {
                operator.refresh();
            }
        }
    }
    match answer {
        Ok(answer) => done(units, Ok(answer)),
        Err(CallError::Verdict(verdict)) if units.len() <= 1 => done(units, Err(verdict)),
        Err(CallError::Verdict(_)) => {
            let middle = units.start + units.len() / 2;
            isolate(operator, units.start..middle, done)?;
            isolate(operator, middle..units.end, done)
        }
        Err(other) => Err(other),
    }
}
