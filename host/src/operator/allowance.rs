//! How much fuel all tasks of an operator together may use in a batch, where that is bounded.
//!
//! A call is never cut short for it: each task looks before a call whether there is fuel left. So what is used goes beyond
//! the bound by a call of each task at most, and whether it does is the same in every run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::verdict::CallError;

/// The fuel that an operator has in a batch.
#[derive(Debug)]
pub struct Allowance {
    most: u64,
    used: AtomicU64,
}

impl Allowance {
    /// So much, of which none is used.
    pub fn of(most: u64) -> Self {
        Self { most, used: AtomicU64::new(0) }
    }

    /// How much it is.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// What calls that have ended have used, as far as their tasks have looked since.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether more was used than there is.
    pub fn is_overspent(&self) -> bool {
        self.used() > self.most
    }
}

/// What one task has taken of an allowance, if there is one.
#[derive(Debug, Default)]
pub(super) struct Account {
    allowance: Option<Arc<Allowance>>,
    taken: u64,
}

impl Account {
    pub(super) fn with(allowance: Option<Arc<Allowance>>) -> Self {
        Self { allowance, taken: 0 }
    }

    /// To be asked before each call, with all that the task has used so far.
    pub(super) fn check(&mut self, used: u64) -> Result<(), CallError> {
        let Some(allowance) = &self.allowance else { return Ok(()) };
        allowance.used.fetch_add(used.saturating_sub(self.taken), Ordering::Relaxed);
        self.taken = used;
        if allowance.is_overspent() { Err(CallError::Overspent(None)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_two_tasks_when_both_have_used_more_than_there_is_then_neither_calls_again() {
        let allowance = Arc::new(Allowance::of(10));
        let mut accounts = [(); 2].map(|()| Account::with(Some(allowance.clone())));
        assert_eq!(accounts[0].check(0), Ok(()));
        assert_eq!(accounts[0].check(6), Ok(()));
        assert_eq!(accounts[1].check(4), Ok(()), "all of it may be used");
        assert_eq!(accounts[0].check(7), Err(CallError::Overspent(None)));
        assert_eq!(accounts[1].check(4), Err(CallError::Overspent(None)));
        assert_eq!((allowance.used(), allowance.is_overspent()), (11, true));
        assert_eq!(Account::default().check(u64::MAX), Ok(()));
    }
}
