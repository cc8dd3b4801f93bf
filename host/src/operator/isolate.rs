//! Finding the units (rows, or groups of rows) on which an operator goes wrong.
//!
//! A unit is rejected only if a call with it alone, in a fresh instance, goes wrong. So the result does not depend on
//! how many units a call is given, nor on what the instance had done before.

use std::ops::Range;

use super::verdict::{CallError, Verdict};

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
    if let Err(CallError::Verdict(verdict)) = &answer {
        operator.refresh();
        if !fresh {
            // What earlier calls left behind in the instance must not count against these units.
            answer = operator.call(units.clone()).map_err(|error| error.after(verdict));
            if matches!(answer, Err(CallError::Verdict(_))) {
                operator.refresh();
            }
        }
    }
    match answer {
        Ok(answer) => done(units, Ok(answer)),
        Err(CallError::Verdict(verdict)) if units.len() <= 1 => done(units, Err(verdict)),
        Err(CallError::Verdict(verdict)) => {
            let middle = units.start + units.len() / 2;
            let halves =
                isolate(operator, units.start..middle, done).and_then(|()| isolate(operator, middle..units.end, done));
            halves.map_err(|error| error.after(&verdict))
        }
        Err(other) => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goes wrong on every unit, and may call so many times.
    struct Wrong(u32);

    impl Attempt for Wrong {
        type Answer = ();

        fn call(&mut self, units: Range<usize>) -> Result<(), CallError> {
            self.0 = self.0.checked_sub(1).ok_or(CallError::Overspent(None))?;
            Err(Verdict::Trap { trap: format!("on {units:?}"), message: None }.into())
        }

        fn is_fresh(&self) -> bool {
            false
        }

        fn refresh(&mut self) {}
    }

    #[test]
    fn given_an_operator_that_may_not_call_again_when_units_are_looked_for_then_the_last_call_is_told() {
        // Each range is called twice, as the instance is never fresh.
        for (calls, told) in [(1, "0..8"), (2, "0..8"), (3, "0..4"), (5, "0..2"), (7, "0..1"), (8, "0..2")] {
            let mut looked = Vec::new();
            let end = isolate(&mut Wrong(calls), 0..8, &mut |units, _| {
                looked.push(units.start);
                Ok(())
            });
            let trap = Verdict::Trap { trap: format!("on {told}"), message: None };
            assert_eq!(end, Err(CallError::Overspent(Some(trap))), "{calls} calls");
            assert_eq!(looked, if calls == 8 { vec![0] } else { vec![] }, "{calls} calls");
        }
    }
}
