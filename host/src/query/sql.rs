//! A query: checked to be nothing but a query, planned over a snapshot, and run to its limit.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use arrow::array::Array;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::ReadError;
use super::answer::{Answer, AnswerFormat, text};
use super::catalog::Catalog;
use super::deadline::end_at;
use crate::driver::readable;
use crate::plan::QUERY_ROWS;
use crate::state::Snapshot;
use crate::time::BatchTime;
use crate::units::{Period, Size};

/// A query and its limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// In SQL.
    pub query: String,
    /// How the rows are to be written. Default: as JSON.
    #[serde(default)]
    pub format: AnswerFormat,
    /// The most rows of the answer. Default 10,000.
    #[serde(default = "Question::default_limit")]
    pub limit: NonZeroUsize,
    /// After how long the query is given up. Default "30s".
    #[serde(default = "Question::default_timeout")]
    pub timeout: Period,
}

impl Question {
    /// The most rows of an answer, where nothing else is said.
    pub fn default_limit() -> NonZeroUsize {
        NonZeroUsize::new(10_000).unwrap_or(NonZeroUsize::MIN)
    }

    /// The time of a query, where nothing else is said.
    pub fn default_timeout() -> Period {
        Period(Duration::from_secs(30))
    }
}

/// What all queries share: so much memory, no disk, no files.
pub(super) fn runtime(memory: Size) -> Result<Arc<RuntimeEnv>> {
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let bytes = usize::try_from(memory.0).unwrap_or(usize::MAX);
    let runtime = RuntimeEnvBuilder::new().with_memory_limit(bytes, 1.0).with_disk_manager_builder(disk).build_arc()?;
    runtime.deregister_object_store(ObjectStoreUrl::local_filesystem().as_ref())?;
    Ok(runtime)
}

/// Answers a question over a snapshot.
pub(super) async fn ask(
    question: &Question,
    catalog: &Arc<Catalog>,
    snapshot: Snapshot,
    runtime: Arc<RuntimeEnv>,
    memory: Size,
    until: Option<Instant>,
) -> Result<Answer, ReadError> {
    let as_of = snapshot.batch;
    let reservation = MemoryConsumer::new("the answer").register(&runtime.memory_pool);
    let answered = answer(question, catalog, snapshot, runtime, reservation, until).await;
    let (rows, more, text) = answered.map_err(|error| ReadError::Refused(told(&error, memory)))?;
    Ok(Answer { as_of, rows, more, text })
}

/// Plans a question. What the query does not name of the snapshot is let go.
async fn planned(
    question: &Question,
    catalog: &Arc<Catalog>,
    snapshot: Snapshot,
    runtime: Arc<RuntimeEnv>,
) -> Result<(Arc<dyn ExecutionPlan>, Arc<TaskContext>)> {
    let mut config = SessionConfig::new().with_target_partitions(1).with_batch_size(QUERY_ROWS);
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    config.options_mut().execution.time_zone = Some("UTC".to_owned());
    // A recursion is known to be endless only when it does not end.
    config.options_mut().execution.enable_recursive_ctes = false;
    let context = SessionContext::new_with_config_rt(config, runtime);
    let now = instant(snapshot.batch);
    context.register_catalog("datafusion", catalog.provider(&Arc::new(snapshot))?);
    let mut state = context.state();
    state.execution_props_mut().query_execution_start_time = Some(now);
    let dialect = state.config_options().sql_parser.dialect;
    if question.query.trim().is_empty() {
        anyhow::bail!("the query is empty: write one, as in \"select 1\", or none to see what can be asked");
    }
    let statement = state.sql_to_statement(&question.query, &dialect)?;
    only_asks(&statement)?;
    let plan = state.statement_to_plan(statement).await?;
    let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    read_only.verify_plan(&plan)?;
    let plan = match plan {
        LogicalPlan::Explain(_) => plan,
        // One more than is shown tells whether there are more.
        plan => LogicalPlanBuilder::from(plan).limit(0, Some(question.limit.get().saturating_add(1)))?.build()?,
    };
    Ok((state.create_physical_plan(&plan).await?, state.task_ctx()))
}

async fn answer(
    question: &Question,
    catalog: &Arc<Catalog>,
    snapshot: Snapshot,
    runtime: Arc<RuntimeEnv>,
    reservation: MemoryReservation,
    until: Option<Instant>,
) -> Result<(usize, bool, Vec<u8>)> {
    let (physical, context) = planned(question, catalog, snapshot, runtime).await?;
    let physical = match until {
        Some(until) => end_at(physical, until)?,
        None => physical,
    };
    let limit = question.limit.get();
    let schema = physical.schema();
    let mut stream = execute_stream(physical, context)?;
    let (mut rows, mut count, mut more) = (Vec::new(), 0, false);
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let left = limit - count;
        more = batch.num_rows() > left;
        let batch = batch.slice(0, batch.num_rows().min(left));
        reservation.try_grow(bytes(&batch)?)?;
        count += batch.num_rows();
        rows.push(batch);
        if more {
            break;
        }
    }
    let text = text(&schema, &rows, question.format)?;
    reservation.try_grow(text.len())?;
    Ok((count, more, text))
}

/// In a query, now is the last committed batch's time.
fn instant(batch: Option<BatchTime>) -> DateTime<Utc> {
    let millis = batch.map_or(0, |batch| i64::try_from(batch.as_millis()).unwrap_or(i64::MAX));
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Refuses what is no query.
fn only_asks(statement: &Statement) -> Result<()> {
    match statement {
        Statement::Statement(statement) => match statement.as_ref() {
            SqlStatement::Query(_) | SqlStatement::Explain { analyze: false, .. } => return Ok(()),
            SqlStatement::ShowTables { .. }
            | SqlStatement::ShowColumns { .. }
            | SqlStatement::ShowVariable { .. }
            | SqlStatement::ExplainTable { .. } => {
                anyhow::bail!("what can be asked, with its columns, is listed by `weir sql --tables`")
            }
            _ => {}
        },
        Statement::Explain(explain) if !explain.options.analyze => return only_asks(&explain.statement),
        _ => {}
    }
    anyhow::bail!("only a query (`select …`, or `explain select …`) can be asked: nothing is changed from here")
}

/// What a batch has of its own: a slice of a large one is no larger for it.
fn bytes(batch: &RecordBatch) -> Result<usize> {
    let sizes = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size());
    sizes.sum::<Result<usize, _>>().context("a row's size")
}

/// An error as people can use it.
fn told(error: &anyhow::Error, memory: Size) -> String {
    let Some(found) = error.downcast_ref::<DataFusionError>() else { return format!("{error:#}") };
    if let DataFusionError::ResourcesExhausted(_) = found.find_root() {
        return format!(
            "the query needs more memory than queries may use, {memory}: ask for less (fewer columns, a `where`, a `limit`), \
             or start the host with more, as in `weir run --query-memory \"1 GiB\"`"
        );
    }
    let text = readable(found).replace("datafusion.state.", "state.");
    match text.starts_with("table '") && text.ends_with("not found") {
        true => format!("{text}: what can be asked is listed by `weir sql --tables`"),
        false => text,
    }
}
