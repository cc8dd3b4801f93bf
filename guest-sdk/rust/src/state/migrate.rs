//! States of earlier versions, made into those of this one.
//!
//! An operator says of each earlier version what becomes of one of its states. The host has all of them migrated before
//! the component's first batch, so that [`State::update`] never sees an old one:
//!
//! ```text
//! from, rows of State of that version --migrate--> as many rows of State, in the same order
//! ```

use std::fmt;

use super::State;
use super::update::Operator;
use crate::answer::Answer;
use crate::bindings::rows::{Batch, Field};
use crate::chunk::Chunk;
use crate::record::{Reader, Record, fields};
use crate::schema::resolve_state;

/// What becomes of a state of the earlier version `FROM`: one implementation for each version that
/// [`#[state(migrates = […])]`](macro@crate::state) lists.
///
/// It is all or nothing: if one state cannot be migrated, none is, and the component does not run.
///
/// ```
/// use serde::Deserialize;
/// use weir_guest::state::{Group, Next, State, Turn};
/// use weir_guest::{Migrate, Record, testing};
///
/// #[derive(Deserialize)]
/// struct Spendings;
///
/// #[derive(Record)]
/// struct Purchase {
///     cents: i64,
/// }
///
/// #[derive(Record, Debug, Default, Clone, PartialEq)]
/// struct Spent {
///     cents: i64,
///     largest: Option<i64>,
/// }
///
/// #[weir_guest::state(migrates = [1, 2])]
/// impl State for Spendings {
///     type Key<'a> = ();
///     type Input<'a> = Purchase;
///     type State = Spent;
///     type Output<'a> = Spent;
///
///     const VERSION: u32 = 3;
///
///     fn update<'a>(
///         &self,
///         (): (),
///         spent: Option<Spent>,
///         purchases: &mut Group<'a, Purchase>,
///         turn: &mut Turn<'a, Spent>,
///     ) -> Next<Spent> {
///         let mut spent = spent.unwrap_or_default();
///         for Purchase { cents } in purchases {
///             spent.cents += cents;
///             spent.largest = spent.largest.max(Some(cents));
///         }
///         turn.emit(spent.clone());
///         Next::Keep(spent)
///     }
/// }
///
/// /// Version 2, which did not know the largest purchase.
/// #[derive(Record)]
/// struct Cents {
///     cents: i64,
/// }
///
/// impl Migrate<2> for Spendings {
///     type Old = Cents;
///
///     fn migrate(&self, old: Cents) -> Result<Spent, String> {
///         Ok(Spent { cents: old.cents, largest: None })
///     }
/// }
///
/// /// Version 1, which counted in euros.
/// #[derive(Record)]
/// struct Euros {
///     euros: i64,
/// }
///
/// impl Migrate<1> for Spendings {
///     type Old = Euros;
///
///     fn migrate(&self, old: Euros) -> Result<Spent, String> {
///         let cents = old.euros.checked_mul(100).ok_or("more euros than cents can be counted")?;
///         Migrate::<2>::migrate(self, Cents { cents })
///     }
/// }
///
/// let run = testing::state::<Spendings>();
/// let answer = run.migrate(1, [Euros { euros: 5 }])?;
/// assert_eq!(answer.rows::<Spent>()?, [Spent { cents: 500, largest: None }]);
/// assert_eq!(
///     run.migrate(1, [Euros { euros: i64::MAX }]).unwrap_err(),
///     "a state of version 1 cannot be migrated: more euros than cents can be counted"
/// );
/// assert_eq!(
///     run.migrate(7, [Euros { euros: 5 }]).unwrap_err(),
///     "states of version 7 cannot be migrated: this component knows versions 1 and 2"
/// );
/// # Ok::<(), String>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no migration from version {FROM}",
    note = "write an `impl Migrate<{FROM}> for {Self}`"
)]
pub trait Migrate<const FROM: u32>: Migrates {
    /// What it reads of a state of that version, each column by its name: mostly what `State` was then.
    type Old: for<'a> Record<'a>;

    /// The state that takes the old one's place. The key's timer stays as it is.
    ///
    /// A state that has a null in a field of `Old` that is no `Option` cannot be migrated.
    ///
    /// # Errors
    /// Why there is none, for the person who wants the component to run.
    fn migrate(&self, old: Self::Old) -> Result<Self::State, String>;
}

/// An operator that can take up states of earlier versions: [`#[state(migrates = […])]`](macro@crate::state) makes it one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` migrates no states",
    note = "say which versions' states it can take up: `#[weir_guest::state(migrates = [1])]`"
)]
pub trait Migrates: State + 'static {
    /// A migration for each earlier version that it knows.
    const MIGRATIONS: &'static [Migration<Self>];
}

/// The migration from one earlier version.
#[derive(Clone, Copy)]
pub struct Migration<S> {
    from: u32,
    migrate: fn(&S, &[Field], &Chunk) -> Result<Batch, String>,
}

impl<S> Migration<S> {
    /// The one from version `FROM`.
    pub const fn of<const FROM: u32>() -> Self
    where
        S: Migrate<FROM>,
    {
        Self { from: FROM, migrate: each::<S, FROM> }
    }
}

impl<S> fmt::Debug for Migration<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migration").field("from", &self.from).finish_non_exhaustive()
    }
}

/// Migrates states of version `from`, whose columns are `schema`.
///
/// # Errors
/// That the version is not known, which of its columns is not there or of another type, or why a state cannot be migrated.
pub fn migrate<S: Migrates>(
    operator: &Operator<S>,
    from: u32,
    schema: &[Field],
    states: &Chunk,
) -> Result<Batch, String> {
    let migration = S::MIGRATIONS.iter().find(|migration| migration.from == from).ok_or_else(|| {
        let known = versions(S::MIGRATIONS.iter().map(|migration| migration.from));
        format!("states of version {from} cannot be migrated: this component knows {known}")
    })?;
    (migration.migrate)(&operator.state, schema, states)
}

/// Migrates state by state.
fn each<S: Migrate<FROM>, const FROM: u32>(operator: &S, schema: &[Field], states: &Chunk) -> Result<Batch, String> {
    let failed = |why: &dyn fmt::Display| format!("a state of version {FROM} cannot be migrated: {why}");
    let order = resolve_state(fields::<S::Old>(), FROM, schema)?;
    let columns = S::Old::columns(&mut Reader::selecting(states, order))?;
    let mut migrated = Answer::<S::State>::new(states.rows());
    for row in 0..states.rows() {
        let old = S::Old::get(&columns, row).map_err(|null| failed(&null))?;
        migrated.push(operator.migrate(old).map_err(|why| failed(&why))?);
    }
    migrated.finish()
}

/// Versions, for a message.
fn versions(versions: impl Iterator<Item = u32>) -> String {
    let versions: Vec<String> = versions.map(|version| version.to_string()).collect();
    match versions.as_slice() {
        [] => "no earlier version".to_owned(),
        [one] => format!("version {one}"),
        [most @ .., last] => format!("versions {} and {last}", most.join(", ")),
    }
}
