//! The states of an operator as a table: the columns of key and state, then when the key last had rows.
//!
//! Keys are decoded as a query asks for them, and only where a column of theirs is wanted: counting decodes nothing.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::stream;

use super::catalog::own_column;
use super::state_rows::{Piece, StateRows};
use crate::rows::of_columns;
use crate::state::{Keyed, KeyedSpec};

/// An operator's states.
#[derive(Debug)]
pub(super) struct StateTable {
    schema: SchemaRef,
    keyed: Arc<Keyed>,
}

impl StateTable {
    pub(super) fn new(keyed: Arc<Keyed>) -> Self {
        Self { schema: Arc::new(Self::columns(keyed.spec())), keyed }
    }

    /// The columns of the table of such states.
    pub(super) fn columns(spec: &KeyedSpec) -> Schema {
        let columns: Vec<_> = spec.key.fields().iter().chain(spec.state.fields()).cloned().collect();
        let last = Arc::new(own_column("last_rows", &Schema::new(columns.clone())));
        Schema::new([columns, vec![last]].concat())
    }
}

#[async_trait]
impl TableProvider for StateTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&columns)?);
        let part = Part { schema: schema.clone(), columns, keyed: self.keyed.clone() };
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![Arc::new(part)], None, None, false, limit)?))
    }
}

#[derive(Debug, Clone)]
struct Part {
    schema: SchemaRef,
    /// Which of the table's columns.
    columns: Vec<usize>,
    keyed: Arc<Keyed>,
}

impl Part {
    fn keys(&self) -> usize {
        self.keyed.spec().key.fields().len()
    }

    fn states(&self) -> usize {
        self.keyed.spec().state.fields().len()
    }

    /// No columns of all keys, which are not looked at.
    fn counted(self) -> impl Iterator<Item = Result<RecordBatch>> + Send {
        let count = move |group: usize| self.keyed.groups().get(group).map(|group| group.len());
        let schema = self.schema.clone();
        let counts = (0..).map_while(count);
        counts.map(move |count| Ok(of_columns(schema.clone(), Vec::new(), count)?))
    }

    fn rows(&self) -> Result<StateRows> {
        let last = self.keys() + self.states();
        let key = self.columns.iter().any(|&column| column < self.keys());
        let state = self.columns.iter().any(|&column| (self.keys()..last).contains(&column));
        Ok(StateRows::new(&self.keyed, key, state)?)
    }

    fn batch(&self, piece: &Piece) -> Result<RecordBatch> {
        let columns = self.columns.iter().map(|&column| self.column(piece, column)).collect::<Option<Vec<_>>>();
        let missing = || DataFusionError::Internal("a column of a state was not decoded".to_owned());
        Ok(of_columns(self.schema.clone(), columns.ok_or_else(missing)?, piece.count)?)
    }

    fn column(&self, piece: &Piece, column: usize) -> Option<ArrayRef> {
        let (keys, states) = (self.keys(), self.states());
        if column < keys {
            return Some(piece.keys.as_ref()?.column(column).clone());
        }
        if column < keys + states {
            return Some(piece.states.as_ref()?.column(column - keys).clone());
        }
        Some(Arc::new(piece.last.clone()))
    }
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let part = self.clone();
        let rows: Box<dyn Iterator<Item = Result<RecordBatch>> + Send> = match self.rows() {
            _ if self.columns.is_empty() => Box::new(part.counted()),
            Ok(rows) => Box::new(rows.map(move |piece| part.batch(&piece?))),
            Err(error) => Box::new(std::iter::once(Err(error))),
        };
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream::iter(rows)))
    }
}
