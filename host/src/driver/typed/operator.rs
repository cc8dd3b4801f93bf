//! What an operator is, once its columns are known.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};

use crate::driver::sql::Query;
use crate::plan::ComponentCall;
use crate::rows::Columns;
use crate::state::KeyedSpec;

/// An operator whose columns are known.
#[derive(Debug, Clone)]
pub enum TypedOperator {
    /// Rows in, rows out.
    Transform {
        /// The component, as it is now.
        call: ComponentCall,
        /// Indices of the key's columns; without any, rows stay in their partitions.
        key: Vec<usize>,
        /// Its output.
        output: Columns,
    },
    /// Rows of a key to one.
    Aggregate {
        /// The component, as it is now.
        call: ComponentCall,
        /// Indices of the key's columns; without any, all rows are one group.
        key: Vec<usize>,
        /// The key's columns.
        key_columns: Columns,
        /// The columns of an accumulator.
        accumulator: Columns,
        /// The columns of a result, without the key.
        output: Columns,
        /// Whether accumulators can be taken out of a total again.
        retracts: bool,
    },
    /// A state for each key.
    State {
        /// The component, as it is now.
        call: ComponentCall,
        /// Indices of the key's columns.
        key: Vec<usize>,
        /// What is kept for each key.
        keyed: KeyedSpec,
        /// The columns of an output row, without the key.
        output: Columns,
    },
    /// A query.
    Sql {
        /// The query, checked.
        query: Box<Query>,
        /// Its output.
        output: Columns,
    },
    /// All keys of a state.
    Snapshot {
        /// The operator that keeps it.
        of: String,
        /// The key's columns, then the state's.
        output: Columns,
    },
    /// The rows of the inputs, or some of them, as they are: a sample, a window, other partitions.
    Rows {
        /// Their columns.
        output: Columns,
    },
}

impl TypedOperator {
    /// The component, if it is one.
    pub fn call(&self) -> Option<&ComponentCall> {
        match self {
            Self::Transform { call, .. } | Self::Aggregate { call, .. } | Self::State { call, .. } => Some(call),
            Self::Sql { .. } | Self::Snapshot { .. } | Self::Rows { .. } => None,
        }
    }

    pub(super) fn call_mut(&mut self) -> Option<&mut ComponentCall> {
        match self {
            Self::Transform { call, .. } | Self::Aggregate { call, .. } | Self::State { call, .. } => Some(call),
            Self::Sql { .. } | Self::Snapshot { .. } | Self::Rows { .. } => None,
        }
    }

    /// The columns of its rows.
    pub(super) fn output(&self) -> SchemaRef {
        Arc::new(match self {
            Self::Transform { output, .. }
            | Self::Sql { output, .. }
            | Self::Snapshot { output, .. }
            | Self::Rows { output } => output.schema(),
            Self::Aggregate { key_columns, output, .. } => joined(&key_columns.schema(), &output.schema()),
            Self::State { keyed, output, .. } => joined(&keyed.key, &output.schema()),
        })
    }
}

/// The columns of one schema, then those of the other.
pub(super) fn joined(first: &Schema, second: &Schema) -> Schema {
    Schema::new(first.fields().iter().chain(second.fields()).cloned().collect::<Vec<_>>())
}
