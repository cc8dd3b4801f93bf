//! What a component does to the rows that it is given, in the nodes that do it.

use std::num::NonZeroUsize;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{Stream, shuffle};
use crate::plan::{ComponentCall, FinalAggregate, Operators, PartialAggregate, Stage, StateUpdate, Transform};
use crate::rows::Columns;

/// The work of an operator that is a component, from its input on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::driver) enum Work {
    /// Rows to rows.
    Transform {
        /// Indices of the key's columns; without any, rows stay in their partitions.
        key: Vec<usize>,
        /// The rest.
        transform: Transform,
    },
    /// Rows of a key to one.
    Fold {
        /// To accumulators.
        partial: PartialAggregate,
        /// To results.
        last: Box<FinalAggregate>,
    },
    /// Rows and states of keys to states and rows.
    Update(StateUpdate),
}

impl Work {
    /// The component.
    pub(in crate::driver) fn call(&self) -> &ComponentCall {
        match self {
            Self::Transform { transform, .. } => &transform.call,
            Self::Fold { partial, .. } => &partial.call,
            Self::Update(update) => &update.call,
        }
    }

    /// The same work with another component, and the columns that it answers with.
    pub(in crate::driver) fn with(mut self, call: &ComponentCall, operators: &Operators) -> Result<Self> {
        match &mut self {
            Self::Transform { transform, .. } => {
                transform.output = Columns::of(operators.transform(call)?.output())?;
                transform.call.clone_from(call);
            }
            Self::Fold { partial, last } => {
                let aggregate = operators.aggregate(call)?;
                partial.accumulator = Columns::of(aggregate.accumulator())?;
                last.accumulator.clone_from(&partial.accumulator);
                last.output = Columns::of(aggregate.output())?;
                partial.call.clone_from(call);
                last.call.clone_from(call);
            }
            Self::Update(update) => {
                let key = call.input.schema().project(&update.key)?;
                update.output = Columns::of(operators.state(call, &key)?.output())?;
                update.call.clone_from(call);
            }
        }
        Ok(self)
    }

    /// The nodes, over a stream.
    pub(in crate::driver) fn over(self, input: Stream, partitions: NonZeroUsize) -> Result<Stream> {
        match self {
            Self::Transform { key, transform } => {
                let input = if key.is_empty() { input } else { shuffle(input, key, partitions)? };
                Ok(Stream { plan: Stage::Transform(transform).over(vec![input.plan])?, segments: input.segments })
            }
            Self::Fold { partial, last } => {
                let partials = partials(partial, input, partitions)?;
                Ok(Stream {
                    plan: Stage::FinalAggregate(*last).over(vec![partials.plan])?,
                    segments: partials.segments,
                })
            }
            Self::Update(update) => {
                let input = shuffle(input, update.key.clone(), partitions)?;
                Ok(Stream { plan: Stage::StateUpdate(update).over(vec![input.plan])?, segments: input.segments })
            }
        }
    }
}

/// Rows folded by key, each key's accumulators in one partition.
pub(super) fn partials(partial: PartialAggregate, input: Stream, partitions: NonZeroUsize) -> Result<Stream> {
    let key = (0..partial.key.len()).collect();
    let plan = Stage::PartialAggregate(partial).over(vec![input.plan])?;
    shuffle(Stream { plan, segments: input.segments }, key, partitions)
}
