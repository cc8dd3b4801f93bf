//! Ends a query whose joins compare rows for longer than it has.
//!
//! A time limit is noticed when a plan lets go of its thread, which it does between batches of what it reads. A join of
//! two large inputs may compare rows for hours on one batch, and show none. So joins are made to let go between batches of
//! what they answer, and conditions of joins, which are evaluated on a few thousand pairs at a time, look at the clock.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, SortMergeJoinExec,
};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};

/// The same plan, whose joins end with an error some time after `until`.
pub(super) fn end_at(plan: Arc<dyn ExecutionPlan>, until: Instant) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
            let filter = join.filter().map(|filter| watched(filter, until));
            let (left, right) = (join.left().clone(), join.right().clone());
            let join = NestedLoopJoinExecBuilder::new(left, right, *join.join_type())
                .with_filter(filter)
                .with_projection_ref(join.projection().clone())
                .build()?;
            return Ok(Transformed::yes(Arc::new(CooperativeExec::new(Arc::new(join))) as _));
        }
        if let Some(join) = node.downcast_ref::<HashJoinExec>() {
            let filter = join.filter().map(|filter| watched(filter, until));
            let join = join.builder().with_filter(filter).build()?;
            return Ok(Transformed::yes(Arc::new(CooperativeExec::new(Arc::new(join))) as _));
        }
        if node.is::<CrossJoinExec>() || node.is::<SortMergeJoinExec>() {
            return Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as _));
        }
        Ok(Transformed::no(node))
    })
    .data()
}

fn watched(filter: &JoinFilter, until: Instant) -> JoinFilter {
    let condition = Arc::new(Deadline { condition: filter.expression().clone(), until });
    JoinFilter::new(condition, filter.column_indices().to_vec(), filter.schema().clone())
}

/// A condition, until its time is over.
#[derive(Debug, Eq)]
struct Deadline {
    condition: Arc<dyn PhysicalExpr>,
    until: Instant,
}

impl PartialEq for Deadline {
    fn eq(&self, other: &Self) -> bool {
        self.condition.eq(&other.condition) && self.until == other.until
    }
}

impl Hash for Deadline {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
        self.until.hash(state);
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.condition, f)
    }
}

impl PhysicalExpr for Deadline {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.condition.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.condition.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if Instant::now() >= self.until {
            return Err(DataFusionError::Execution("the query's time is over".to_owned()));
        }
        self.condition.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.condition]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let condition = children.pop().unwrap_or_else(|| self.condition.clone());
        Ok(Arc::new(Self { condition, until: self.until }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt_sql(f)
    }
}
