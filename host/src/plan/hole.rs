//! The place of a stream or table in a query's plan.
//!
//! A query is planned over holes, which are filled with the plans of the batch afterwards: DataFusion's optimizer may move
//! and drop what it finds below a query, and a stream's plan is not its to change.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
};

use super::merge::{Merge, Order};
use super::node::Stage;

/// A stream or table as a table that is not there yet.
#[derive(Debug)]
pub struct Hole {
    stream: String,
    schema: SchemaRef,
}

impl Hole {
    /// The place of a stream or table with these columns.
    pub fn new(stream: &str, schema: &Schema) -> Self {
        Self { stream: stream.to_owned(), schema: Arc::new(schema.clone()) }
    }
}

#[async_trait]
impl TableProvider for Hole {
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
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::new(self.schema.project(&columns)?)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Arc::new(HoleExec { stream: self.stream.clone(), columns, properties: Arc::new(properties) }))
    }
}

#[derive(Debug)]
struct HoleExec {
    stream: String,
    columns: Vec<usize>,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for HoleExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HoleExec: {}", self.stream)
    }
}

impl ExecutionPlan for HoleExec {
    fn name(&self) -> &str {
        "Hole"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        Err(DataFusionError::Internal(format!("the place of stream `{}` in a query was not filled", self.stream)))
    }
}

/// Puts the streams' plans (one partition each, in canonical order, without segments) into a query's plan, and makes
/// the order of its output independent of which partition comes first.
pub fn fill(
    query: Arc<dyn ExecutionPlan>,
    streams: &HashMap<String, Arc<dyn ExecutionPlan>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    query
        .transform_up(|node| {
            if let Some(hole) = node.downcast_ref::<HoleExec>() {
                let plan = streams.get(&hole.stream).ok_or_else(|| {
                    DataFusionError::Internal(format!("a query reads stream `{}`, which has no plan", hole.stream))
                })?;
                return Ok(Transformed::yes(project(plan, &hole.columns)?));
            }
            if let Some(any_order) = node.downcast_ref::<CoalescePartitionsExec>() {
                let merge = Stage::Merge(Merge { order: Order::Partitions });
                return Ok(Transformed::yes(merge.over(vec![any_order.input().clone()])?));
            }
            Ok(Transformed::no(node))
        })
        .data()
}

fn project(plan: &Arc<dyn ExecutionPlan>, columns: &[usize]) -> Result<Arc<dyn ExecutionPlan>> {
    use datafusion::physical_expr::expressions::Column;
    let schema = plan.schema();
    let expressions = columns.iter().map(|&i| {
        let name = schema.field(i).name();
        (Arc::new(Column::new(name, i)) as Arc<dyn PhysicalExpr>, name.clone())
    });
    Ok(Arc::new(ProjectionExec::try_new(expressions.collect::<Vec<_>>(), plan.clone())?))
}
