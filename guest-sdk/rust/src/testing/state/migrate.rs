//! States of an earlier version, taken up by an instance.

use serde::de::DeserializeOwned;

use super::State;
use crate::chunk::Chunk;
use crate::log::native::capture;
use crate::record::{Record, fields};
use crate::schema::announce;
use crate::state::{Migrates, migrate, update};
use crate::testing::{Answer, Table, check, table};

impl<S: crate::State + DeserializeOwned> State<S> {
    /// Migrates states of version `from`: records with all columns that a state had then. The answer has a row of the
    /// operator's `State` for each, in order. What is kept in this run stays as it is.
    ///
    /// ```
    /// # use serde::Deserialize;
    /// # use weir_guest::state::{Group, Next, State, Turn};
    /// # use weir_guest::{Migrate, Record, testing};
    /// # #[derive(Deserialize)]
    /// # struct Seen;
    /// #[derive(Record)]
    /// struct Old {
    ///     count: i64,
    /// }
    ///
    /// #[derive(Record, Debug, PartialEq)]
    /// struct New {
    ///     times: i64,
    /// }
    /// # #[weir_guest::state(migrates = [1])]
    /// # impl State for Seen {
    /// #     type Key<'a> = ();
    /// #     type Input<'a> = ();
    /// #     type State = New;
    /// #     type Output<'a> = ();
    /// #     const VERSION: u32 = 2;
    /// #     fn update<'a>(&self, (): (), _: Option<New>, _: &mut Group<'a, ()>, _: &mut Turn<'a, ()>) -> Next<New> {
    /// #         Next::Unchanged
    /// #     }
    /// # }
    ///
    /// impl Migrate<1> for Seen {
    ///     type Old = Old;
    ///
    ///     fn migrate(&self, old: Old) -> Result<New, String> {
    ///         Ok(New { times: old.count })
    ///     }
    /// }
    ///
    /// let answer = testing::state::<Seen>().migrate(1, [3, 5].map(|count| Old { count }))?;
    /// assert_eq!(answer.rows::<New>()?, [3, 5].map(|times| New { times }));
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    /// What the operator fails with, or which of the host's rules its answer breaks.
    pub fn migrate<'r, R: Record<'r>>(&self, from: u32, states: impl IntoIterator<Item = R>) -> Result<Answer, String>
    where
        S: Migrates,
    {
        let states = Table::of(states)?;
        let cells = table::rows(&states.cells()?, states.len());
        let (result, log) = capture(|| {
            let (key, input) = (announce(fields::<S::Key<'_>>()), announce(fields::<S::Input<'_>>()));
            let (operator, shape) = update::configure::<S>(&self.config, &key, &input)?;
            check::names(&shape.state, "columns of a state")?;
            let mut migrated = Vec::new();
            for cells in cells.chunks(self.chunk) {
                let columns = table::columns(states.fields().len(), cells);
                let chunk = Chunk::new(table::batch(states.fields(), cells.len(), &columns)?)?;
                let answer = migrate::migrate(&operator, from, states.fields(), &chunk)?;
                migrated.extend(check::rows(&shape.state, &answer, cells.len())?);
            }
            let columns = table::columns(shape.state.len(), &migrated);
            Table::of_cells(shape.state, migrated.len(), &columns)
        });
        Ok(Answer { table: result?, rejects: Vec::new(), log })
    }
}
