//! `sql` operators: a query over streams and tables, planned by DataFusion, pure.
//!
//! A query runs in one partition over rows in canonical order, so that its result, order included, is the same in every
//! run; `now()` is the batch's time; functions that differ from call to call are refused.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use arrow::datatypes::Schema;
use chrono::{DateTime, Utc};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::sqlparser::parser::ParserError;

use crate::plan::{Hole, QUERY_ROWS, fill};
use crate::time::BatchTime;

/// A checked query.
#[derive(Debug, Clone)]
pub struct Query {
    state: SessionState,
    plan: LogicalPlan,
    reads: BTreeSet<String>,
}

impl Query {
    /// Checks a query over streams and tables with these columns.
    pub async fn new(sql: &str, relations: &[(String, Arc<Schema>)]) -> Result<Self> {
        let mut config = SessionConfig::new().with_target_partitions(1).with_batch_size(QUERY_ROWS);
        config.options_mut().sql_parser.map_string_types_to_utf8view = false;
        // A recursion that does not end would hold up the stream for ever.
        config.options_mut().execution.enable_recursive_ctes = false;
        let context = SessionContext::new_with_config(config);
        for (name, schema) in relations {
            context.register_table(name, Arc::new(Hole::new(name, schema)))?;
        }
        let state = context.state();
        let plan = state.create_logical_plan(sql).await.map_err(|e| match readable(&e) {
            text if text.starts_with("table '") && text.ends_with("not found") => {
                let known: Vec<_> = relations.iter().map(|(name, _)| format!("`{name}`")).collect();
                anyhow!("{text}: it can read its `inputs` and the pipeline's tables, here {}", known.join(", "))
            }
            text => anyhow!(text),
        })?;
        if matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_)) {
            bail!("the query explains or describes instead of answering with rows: only `select …` can be an operator");
        }
        SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false)
            .verify_plan(&plan)
            .map_err(|_| anyhow!("only a query (`select …`) can be an operator"))?;
        if let Some(function) = volatile(&plan)? {
            bail!(
                "the query calls `{function}`, whose result differs from call to call: operators are pure functions; \
                 take such a value from a source"
            );
        }
        // Types are not all checked before the query is planned to the end, and a stream must not find out.
        state.create_physical_plan(&plan).await.map_err(|e| anyhow!("{}", readable(&e)))?;
        let reads = scanned(&plan)?;
        Ok(Self { state, plan, reads })
    }

    /// The columns of the result.
    pub fn schema(&self) -> &Schema {
        self.plan.schema().as_arrow()
    }

    /// Whether it reads the stream or table of this name.
    pub fn reads(&self, relation: &str) -> bool {
        self.reads.contains(relation)
    }

    /// The plan for one batch, over the plans of streams and tables: one partition each, in canonical order, without
    /// segments.
    pub async fn plan(
        &self,
        batch: BatchTime,
        relations: &HashMap<String, Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut state = self.state.clone();
        let millis = i64::try_from(batch.as_millis()).unwrap_or(i64::MAX);
        let now: DateTime<Utc> = DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC);
        state.execution_props_mut().query_execution_start_time = Some(now);
        let physical = state.create_physical_plan(&self.plan).await.map_err(|e| anyhow!("{}", readable(&e)))?;
        Ok(fill(physical, relations)?)
    }
}

/// DataFusion's error without its own words for where it arose and where it looks for tables.
pub(crate) fn readable(error: &DataFusionError) -> String {
    if let DataFusionError::SQL(error, _) = error.find_root()
        && let ParserError::ParserError(text) | ParserError::TokenizerError(text) = error.as_ref()
    {
        return format!("this is not SQL: {text}");
    }
    let text = error.find_root().strip_backtrace();
    // A kind stands before its own text, and before each of those that the text lists.
    let text = text.replace("Error during planning: ", "").replace("Internal error: ", "");
    // It asks for a report to DataFusion's authors whenever a function does not take what it is given.
    let text = text.split(".\nThis issue was likely caused by").next().unwrap_or_default();
    text.strip_prefix("Schema error: ").unwrap_or(text).replace("datafusion.public.", "")
}

/// The streams and tables that a query reads.
fn scanned(plan: &LogicalPlan) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            names.insert(scan.table_name.table().to_owned());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(names)
}

/// The name of a function in the query that gives another result each time it is called.
fn volatile(plan: &LogicalPlan) -> Result<Option<String>> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            datafusion::common::tree_node::TreeNode::apply(expr, |expr: &Expr| {
                if let Expr::ScalarFunction(call) = expr
                    && call.func.signature().volatility == Volatility::Volatile
                {
                    found = Some(call.func.name().to_owned());
                    return Ok(TreeNodeRecursion::Stop);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

    use arrow::datatypes::{DataType, Field};

    use super::*;

    async fn refusal(sql: &str) -> String {
        let columns = vec![Field::new("u", DataType::Utf8, true), Field::new("n", DataType::Int64, true)];
        format!("{:#}", Query::new(sql, &[("s".to_owned(), Arc::new(Schema::new(columns)))]).await.unwrap_err())
    }

    #[tokio::test]
    async fn what_cannot_run_is_refused_before_anything_runs() {
        for (sql, why) in [
            ("select m from s", "No field named m."),
            ("select n from t", "it can read its `inputs` and the pipeline's tables, here `s`"),
            ("select sum(u) from s", "Function 'sum' failed to match any signature"),
            ("select u and n = 1 from s", "Cannot infer common argument type for logical boolean operation Utf8 AND"),
            ("select random() from s", "the query calls `random`"),
            ("explain select n from s", "explains or describes"),
            ("insert into s values ('a', 1)", "only a query (`select …`) can be an operator"),
        ] {
            let refusal = refusal(sql).await;
            assert!(
                refusal.contains(why) && !refusal.contains("planning") && !refusal.contains("bug"),
                "`{sql}`: {refusal}"
            );
        }
    }
}
