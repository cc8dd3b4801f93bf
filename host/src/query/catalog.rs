//! What can be asked of a host, and by which names.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, MemTable, MemoryCatalogProvider, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::state_table::StateTable;
use super::stream_table::StreamTable;
use crate::driver::{Typed, TypedOperator};
use crate::rows::{ColumnType, Columns};
use crate::state::Snapshot;

/// The schema that the states of operators are in.
pub(super) const STATES: &str = "state";

/// The names of a pipeline that can be asked for. Weir's own streams (`x.partials` and such) are not among them.
#[derive(Debug, Default)]
pub struct Catalog {
    pub(super) streams: IndexMap<String, Stream>,
    pub(super) tables: IndexMap<String, SchemaRef>,
    pub(super) states: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) columns: SchemaRef,
    /// The stream's place in the pipeline file.
    pub(super) place: &'static str,
    pub(super) kept: bool,
}

/// Something that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Entry {
    /// The past of a stream.
    Stream {
        /// Its name.
        name: String,
        /// Its columns, the batch time in front.
        columns: Columns,
        /// How many batches are kept; none if the stream's past is not kept.
        batches: Option<u64>,
    },
    /// A table.
    Table {
        /// Its name.
        name: String,
        /// Its columns.
        columns: Columns,
    },
    /// The states of an operator.
    State {
        /// Its name, with the schema in front.
        name: String,
        /// The columns of key and state, then the batch time of the last rows.
        columns: Columns,
        /// How many keys there are.
        keys: u64,
    },
}

/// All that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The batch that was committed last.
    pub as_of: Option<crate::time::BatchTime>,
    /// Streams, tables, states.
    pub entries: Vec<Entry>,
}

impl Catalog {
    /// The names of this pipeline.
    pub fn of(typed: &Typed) -> Self {
        let sources = typed.sources.keys().map(|name| (name, "sources"));
        let operators = typed.operators.keys().map(|name| (name, "operators"));
        let streams = sources.chain(operators).filter_map(|(name, place)| {
            let columns = typed.streams.get(name)?.clone();
            Some((name.clone(), Stream { columns, place, kept: typed.windows.kept(name).is_some() }))
        });
        let states = typed.operators.iter().filter(|(_, operator)| matches!(operator, TypedOperator::State { .. }));
        Self {
            streams: streams.collect(),
            tables: typed.tables.iter().map(|(name, table)| (name.clone(), table.schema().clone())).collect(),
            states: states.map(|(name, _)| name.clone()).collect(),
        }
    }

    /// The operators that keep states.
    pub fn states(&self) -> Vec<&str> {
        self.states.iter().map(String::as_str).collect()
    }

    pub(super) fn has_state(&self, operator: &str) -> bool {
        self.states.iter().any(|name| name == operator)
    }

    /// All names, with what there is under each.
    pub(super) fn listing(&self, snapshot: &Snapshot) -> Listing {
        let streams = self.streams.iter().filter_map(|(name, stream)| {
            let there = snapshot.history.get(name).map_or(0, |batches| batches.len() as u64);
            let columns = Columns::of(&StreamTable::columns(&stream.columns)).ok()?;
            Some(Entry::Stream { name: name.clone(), columns, batches: stream.kept.then_some(there) })
        });
        let tables = self
            .tables
            .iter()
            .filter_map(|(name, schema)| Some(Entry::Table { name: name.clone(), columns: Columns::of(schema).ok()? }));
        let states = self.states.iter().filter_map(|name| {
            let keyed = snapshot.keyed.get(name)?;
            let columns = Columns::of(&StateTable::columns(keyed.spec())).ok()?;
            Some(Entry::State { name: format!("{STATES}.{name}"), columns, keys: keyed.keys() as u64 })
        });
        Listing { as_of: snapshot.batch, entries: streams.chain(tables).chain(states).collect() }
    }

    /// The names as DataFusion looks them up; tables are made for those only that a query names.
    pub(super) fn provider(self: &Arc<Self>, snapshot: &Arc<Snapshot>) -> DataFusionResult<Arc<dyn CatalogProvider>> {
        let catalog = MemoryCatalogProvider::new();
        let (names, snapshot) = (self.clone(), snapshot.clone());
        catalog.register_schema(STATES, Arc::new(States { catalog: names.clone(), snapshot: snapshot.clone() }))?;
        catalog.register_schema("public", Arc::new(Public { catalog: names, snapshot }))?;
        Ok(Arc::new(catalog))
    }
}

/// A column of Weir's own beside `columns`: under this name, or under `__` and it where a column has it already.
pub(super) fn own_column(name: &str, columns: &Schema) -> Field {
    let taken = columns.column_with_name(name).is_some();
    let name = if taken { format!("__{name}") } else { name.to_owned() };
    Field::new(name, ColumnType::Timestamp.arrow(), false)
}

/// Streams and tables.
#[derive(Debug)]
struct Public {
    catalog: Arc<Catalog>,
    snapshot: Arc<Snapshot>,
}

#[async_trait]
impl SchemaProvider for Public {
    fn table_names(&self) -> Vec<String> {
        let kept = self.catalog.streams.iter().filter(|(_, stream)| stream.kept).map(|(name, _)| name);
        kept.chain(self.catalog.tables.keys()).cloned().collect()
    }

    async fn table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        if let Some(schema) = self.catalog.tables.get(name) {
            // Before the first batch there are no rows.
            let rows = self.snapshot.tables.get(name).map(|contents| contents.rows().to_vec()).unwrap_or_default();
            return Ok(Some(Arc::new(MemTable::try_new(schema.clone(), vec![rows])?)));
        }
        let Some(Stream { columns, place, kept }) = self.catalog.streams.get(name) else { return Ok(None) };
        if !kept {
            return Err(DataFusionError::Plan(format!(
                "nothing is kept of stream `{name}`: set `remember = \"10m\"` on [{place}.{name}] or [batch]"
            )));
        }
        let batches = self.snapshot.history.get(name).cloned().unwrap_or_default();
        Ok(Some(Arc::new(StreamTable::new(columns, batches))))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.catalog.tables.contains_key(name) || self.catalog.streams.contains_key(name)
    }
}

/// The states of operators.
#[derive(Debug)]
struct States {
    catalog: Arc<Catalog>,
    snapshot: Arc<Snapshot>,
}

#[async_trait]
impl SchemaProvider for States {
    fn table_names(&self) -> Vec<String> {
        self.catalog.states.clone()
    }

    async fn table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        let keyed = self.snapshot.keyed.get(name).filter(|_| self.catalog.has_state(name));
        Ok(keyed.map(|keyed| Arc::new(StateTable::new(keyed.clone())) as _))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.catalog.has_state(name)
    }
}
