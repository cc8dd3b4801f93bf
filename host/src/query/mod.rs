//! Reading a running host from outside: queries over what it keeps, and the states of single keys.
//!
//! What is read is a [`Snapshot`]: all of the last committed batch, nothing of the one at work. Reading never changes
//! anything and never holds up a batch: queries run on threads of their own, with memory, time and number limited. What
//! it costs the batches is that key groups which change while somebody still reads them are copied, each once: a query
//! holds the states that it names until it is done, a scan the groups that are still ahead of it.
//!
//! - [`Catalog`]: what can be asked: past batches of streams, tables, and the states of operators (schema `state`).
//! - [`Question`], [`Answer`]: a query in SQL, and its rows as text.
//! - [`GivenKey`], [`Found`]: a key as people write it, and the state found under it, by group and entry, not by scan.
//! - [`Scan`]: all keys of an operator, line by line.
//!
//! It knows states and the typed pipeline; neither knows it.

mod answer;
mod catalog;
mod deadline;
mod key;
mod scan;
mod seat;
mod sql;
mod state_rows;
mod state_table;
mod stream_table;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use datafusion::execution::runtime_env::RuntimeEnv;
use serde::{Deserialize, Serialize};

pub use answer::{Answer, AnswerFormat};
pub use catalog::{Catalog, Entry, Listing};
pub use key::GivenKey;
pub use scan::Scan;
pub use sql::Question;

use crate::plan::locate;
use crate::state::{Keyed, Snapshot, Store};
use crate::time::BatchTime;
use crate::units::{Period, Size};
use seat::Seats;
use state_rows::{StateRows, json_lines};

/// Queries and scans at work at once.
const AT_ONCE: usize = 4;

/// How long after its time a query may take to notice that its time is over.
const GRACE: Duration = Duration::from_secs(5);

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Enough others are at it.
    #[error("busy: {AT_ONCE} queries are at work, which is the most at once; try again in a moment")]
    Busy,
    /// What was asked for is not there.
    #[error("{0}")]
    NotThere(String),
    /// What was asked cannot be answered.
    #[error("{0}")]
    Refused(String),
    /// The time limit.
    #[error("the query took longer than {0} and was given up: ask for less, or allow more time with --timeout")]
    TookTooLong(Period),
    /// A bug.
    #[error("the query broke off: this is a bug in Weir, about which the host's standard error says more")]
    Broke,
}

/// The state of a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The key's columns.
    pub key: serde_json::Value,
    /// The state's columns.
    pub state: serde_json::Value,
    /// The batch in which the key last had rows.
    pub last: serde_json::Value,
    /// When it asked to be woken; null for never.
    pub timer: serde_json::Value,
    /// The batch that was committed last.
    #[serde(default)]
    pub as_of: Option<String>,
}

/// Reads what a host keeps.
#[derive(Debug)]
pub struct Reader {
    store: Arc<Store>,
    catalog: Arc<Catalog>,
    runtime: Arc<RuntimeEnv>,
    memory: Size,
    seats: Seats,
}

impl Reader {
    /// Reads this store; all queries together may use so much memory.
    pub fn new(store: Arc<Store>, catalog: Catalog, memory: Size) -> Result<Self> {
        let runtime = sql::runtime(memory)?;
        Ok(Self { store, catalog: Arc::new(catalog), runtime, memory, seats: Seats::new(AT_ONCE) })
    }

    /// What can be asked. Waits for a commit that is being made: not for a reactor's thread.
    pub fn tables(&self) -> Listing {
        self.catalog.listing(&self.store.snapshot())
    }

    /// Answers a query.
    pub async fn sql(&self, question: Question) -> Result<Answer, ReadError> {
        let (store, catalog) = (self.store.clone(), self.catalog.clone());
        let (runtime, memory, timeout) = (self.runtime.clone(), self.memory, question.timeout);
        let until = Instant::now().checked_add(timeout.0);
        let work = async move {
            let asked = sql::ask(&question, &catalog, store.snapshot(), runtime, memory, until);
            match tokio::time::timeout(timeout.0, asked).await {
                Ok(Err(_)) | Err(_) if until.is_some_and(|until| Instant::now() >= until) => {
                    Err(ReadError::TookTooLong(timeout))
                }
                Ok(answer) => answer,
                Err(_) => Err(ReadError::TookTooLong(timeout)),
            }
        };
        let answer = self.seats.run(work)?;
        let longest = timeout.0.saturating_add(GRACE);
        // A thread that does not notice keeps its seat until it does.
        tokio::time::timeout(longest, answer).await.map_err(|_| ReadError::TookTooLong(timeout))?
    }

    /// The state of one key. Waits for a commit that is being made: not for a reactor's thread.
    pub fn get(&self, operator: &str, key: &GivenKey) -> Result<Found, ReadError> {
        let snapshot = self.store.snapshot();
        let keyed = self.keyed(&snapshot, operator)?;
        let given = key.row(operator, &keyed.spec().key).map_err(ReadError::Refused)?;
        let internal = |e: &dyn std::fmt::Display| ReadError::Refused(format!("operator `{operator}`: {e}"));
        let place = locate(&given).map_err(|e| internal(&e))?;
        let entry = place.first().and_then(|(group, key)| Some((key, keyed.groups().get(*group as usize)?.get(key)?)));
        let Some((key, entry)) = entry else {
            return Err(ReadError::NotThere(format!(
                "operator `{operator}` has no state for the key {} {}",
                key::shown(&given),
                as_of(snapshot.batch)
            )));
        };
        let piece = StateRows::one(keyed, key, entry).map_err(|e| internal(&e))?;
        let line = json_lines(&piece).map_err(|e| internal(&e))?;
        let found: Found = serde_json::from_slice(&line).map_err(|e| internal(&e))?;
        Ok(Found { as_of: snapshot.batch.map(|batch| batch.to_string()), ..found })
    }

    /// All keys of an operator, or the first so many, in order of key group and key.
    pub async fn scan(&self, operator: &str, limit: Option<usize>) -> Result<Scan, ReadError> {
        let (store, of) = (self.store.clone(), operator.to_owned());
        let taken = tokio::task::spawn_blocking(move || {
            let snapshot = store.snapshot();
            (snapshot.batch, snapshot.keyed.get(&of).cloned())
        });
        let (batch, keyed) = taken.await.map_err(|_| ReadError::Broke)?;
        let keyed = keyed.filter(|_| self.catalog.has_state(operator)).ok_or_else(|| self.stateless(operator))?;
        scan::start(&self.seats, batch, keyed, limit)
    }

    fn keyed<'s>(&self, snapshot: &'s Snapshot, operator: &str) -> Result<&'s Arc<Keyed>, ReadError> {
        let keyed = snapshot.keyed.get(operator).filter(|_| self.catalog.has_state(operator));
        keyed.ok_or_else(|| self.stateless(operator))
    }

    fn stateless(&self, operator: &str) -> ReadError {
        let states = self.catalog.states();
        ReadError::NotThere(match states.is_empty() {
            true => format!("operator `{operator}` keeps no state: none of this pipeline does"),
            false => format!("there is no operator `{operator}` that keeps state; there is {}", states.join(", ")),
        })
    }
}

/// `as of batch …`, for people.
pub fn as_of(batch: Option<BatchTime>) -> String {
    batch
        .map_or_else(|| "as of the start: no batch is committed yet".to_owned(), |batch| format!("as of batch {batch}"))
}
