//! State: what an operator remembers of each key from batch to batch.
//!
//! The host groups the rows of a batch by key and keeps the states. An operator is called with some keys at a time, and
//! says of each what becomes of its state, which rows it gives, and when it wants to be called again without rows:
//!
//! ```text
//! key, state, this batch's rows --update--> next state, output rows, timer
//! ```
//!
//! Nothing is remembered in the operator itself: the host makes a new one for every task.

mod export;
pub mod migrate;
mod next;
mod touched;
mod turn;
pub mod update;

pub use crate::bindings::state::{Cause, Shape, Updated};
pub use crate::group::Group;
pub use crate::reject::Reject;
pub use migrate::{Migrate, Migrates, Migration};
pub use next::Next;
pub use touched::Touched;
pub use turn::Turn;

use crate::record::Record;

/// What becomes of a key's state: an implementation with [`#[state]`](macro@crate::state) on it is the crate's
/// component. The type itself is the operator's config, read by serde.
///
/// ```
/// use std::time::Duration;
///
/// use serde::Deserialize;
/// use weir_guest::state::{Cause, Group, Next, State, Turn};
/// use weir_guest::{Record, Timestamp, testing};
///
/// /// What a visitor has bought, once nothing more is bought for the timeout.
/// #[derive(Deserialize)]
/// struct Visits;
///
/// #[derive(Record)]
/// struct Purchase {
///     price: i64,
/// }
///
/// #[derive(Record, Debug, Default, PartialEq)]
/// struct Visit {
///     purchases: i64,
///     spent: i64,
/// }
///
/// #[weir_guest::state]
/// impl State for Visits {
///     type Key<'a> = ();
///     type Input<'a> = Purchase;
///     type State = Visit;
///     type Output<'a> = Visit;
///
///     fn update<'a>(
///         &self,
///         (): (),
///         visit: Option<Visit>,
///         purchases: &mut Group<'a, Purchase>,
///         turn: &mut Turn<'a, Visit>,
///     ) -> Next<Visit> {
///         let mut visit = visit.unwrap_or_default();
///         if turn.cause() == Cause::Idle {
///             turn.emit(visit);
///             return Next::Remove;
///         }
///         while let Some(purchase) = purchases.next() {
///             if purchase.price < 0 {
///                 purchases.reject("a price below nothing");
///                 continue;
///             }
///             visit.purchases += 1;
///             visit.spent += purchase.price;
///         }
///         Next::Keep(visit)
///     }
/// }
///
/// #[derive(Record)]
/// struct Visitor<'a> {
///     name: &'a str,
/// }
///
/// let mut run = testing::state::<Visits>().timeout(Duration::from_secs(60));
/// let at = Timestamp::from_millis(10_000);
/// let bought = [5, -1, 7].map(|price| Purchase { price });
/// let answer = run.batch(at, [(Visitor { name: "ann" }, bought)])?;
/// assert_eq!(answer.rows::<Visit>()?, []);
/// assert_eq!(answer.rejects(), [(1, "a price below nothing".to_owned())]);
///
/// let answer = run.batch_without_rows(at + Duration::from_secs(60))?;
/// assert_eq!(answer.rows::<Visit>()?, [Visit { purchases: 2, spent: 12 }]);
/// assert_eq!(run.states()?.len(), 0);
/// # Ok::<(), String>(())
/// ```
pub trait State: Sized {
    /// What it reads of the key's columns, each by its name. `()` reads nothing.
    type Key<'a>: Record<'a>;
    /// What it reads of a row. `()` reads nothing, so that nothing crosses.
    type Input<'a>: Record<'a>;
    /// What is kept of a key between batches.
    type State: for<'a> Record<'a>;
    /// A row of the answer, before which the host puts the key's columns. Its text and bytes may be parts of the key or
    /// the rows, and are copied.
    type Output<'a>: Record<'a>;

    /// Raise it whenever the meaning or the columns of `State` change: the host takes up the states of this version, and
    /// those of an earlier one only if there is a [`Migrate`] for it.
    const VERSION: u32 = 1;

    /// What becomes of a key that has rows in this batch, or is due: see [`Turn::cause`].
    ///
    /// Rows that are rejected, and those that have a null in a field that is no `Option`, must leave the state as if they
    /// had not come. A key with a null in a field of `Key` that is no `Option` never gets here: its rows are rejected.
    fn update<'a>(
        &self,
        key: Self::Key<'a>,
        state: Option<Self::State>,
        rows: &mut Group<'a, Self::Input<'a>>,
        turn: &mut Turn<'a, Self::Output<'a>>,
    ) -> Next<Self::State>;
}
