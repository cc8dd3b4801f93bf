//! The instances that a runner works with, one after the other.

use std::sync::Arc;

use super::super::aggregate::{Aggregate, AggregateTask};
use super::super::allowance::Account;
use super::super::compiled::Compiled;
use super::super::instance::{LogLevel, Metering, Usage};
use super::super::moment::Moment;
use super::super::state::{State, StateTask};
use super::super::transform::{Transform, TransformTask};
use super::super::verdict::CallError;
use super::{Meter, about_no_row};

/// An operator that has been configured, of any world.
pub(super) trait Operator {
    /// An instance of it.
    type Task: Task;

    fn compiled(&self) -> &Compiled;

    fn task(self: &Arc<Self>, metering: Metering, moment: Moment) -> Result<Self::Task, CallError>;
}

/// An instance at work.
pub(super) trait Task {
    fn used(&self) -> Usage;

    fn take_log(&mut self) -> Vec<(LogLevel, String)>;
}

macro_rules! world {
    ($operator:ty, $task:ty) => {
        impl Operator for $operator {
            type Task = $task;

            fn compiled(&self) -> &Compiled {
                Self::compiled(self)
            }

            fn task(self: &Arc<Self>, metering: Metering, moment: Moment) -> Result<$task, CallError> {
                Self::task(self, metering, moment)
            }
        }

        impl Task for $task {
            fn used(&self) -> Usage {
                Self::used(self)
            }

            fn take_log(&mut self) -> Vec<(LogLevel, String)> {
                Self::take_log(self)
            }
        }
    };
}

world!(Transform, TransformTask);
world!(Aggregate, AggregateTask);
world!(State, StateTask);

/// Instances of an operator for one partition of one batch.
pub(super) struct Instances<O: Operator> {
    operator: Arc<O>,
    moment: Moment,
    pub(super) metering: Metering,
    pub(super) account: Account,
    /// The one at hand, and whether it has been called.
    task: Option<(O::Task, bool)>,
    meter: Meter,
}

impl<O: Operator> Instances<O> {
    /// The first is made with the first call.
    pub(super) fn of(operator: Arc<O>, moment: Moment) -> Self {
        let (metering, account) = (Metering::Always, Account::default());
        Self { operator, moment, metering, account, task: None, meter: Meter::default() }
    }

    pub(super) fn operator(&self) -> &O {
        &self.operator
    }

    /// Calls the instance at hand; a fresh one on code that counts fuel, if on other code the call takes long.
    pub(super) fn call<A>(&mut self, call: impl Fn(&mut O::Task) -> Result<A, CallError>) -> Result<A, CallError> {
        let answer = self.task().and_then(&call);
        if !matches!(answer, Err(CallError::Long)) {
            return answer;
        }
        self.retire();
        self.metering = Metering::Always;
        let answer = self.task().and_then(call);
        if answer.is_ok() {
            // It was no run-away loop.
            self.operator.compiled().note_long_call();
        }
        answer
    }

    fn task(&mut self) -> Result<&mut O::Task, CallError> {
        let now = self.task.as_ref().map_or(0, |(task, _)| task.used().fuel);
        self.account.check(self.meter.used.fuel + now)?;
        let (task, called) = match &mut self.task {
            Some(task) => task,
            empty => empty.insert((self.operator.task(self.metering, self.moment).map_err(about_no_row)?, false)),
        };
        *called = true;
        Ok(task)
    }

    /// Whether the instance at hand has not been called yet.
    pub(super) fn is_fresh(&self) -> bool {
        !self.task.as_ref().is_some_and(|(_, called)| *called)
    }

    /// Drops the instance at hand.
    pub(super) fn retire(&mut self) {
        if let Some((mut task, _)) = self.task.take() {
            self.meter.add(task.used(), task.take_log());
        }
    }

    /// Drops the instance at hand, and answers with what all have used and logged since the last time.
    pub(super) fn take_meter(&mut self) -> Meter {
        self.retire();
        std::mem::take(&mut self.meter)
    }
}
