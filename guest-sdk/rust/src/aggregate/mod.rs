//! Aggregates: the rows of a key to one row.
//!
//! The host groups rows by key and shuffles them; an aggregate folds what it is given, in several steps, so that rows
//! can be folded before they cross the network and windows can be put together from batches:
//!
//! ```text
//! rows --create--> accumulators --merge--> one accumulator --finish--> output
//!                                  retract: takes an old batch out of a window's accumulator again
//! ```

mod export;
pub mod fold;

pub use crate::bindings::aggregate::{Created, Shape};
pub use crate::group::Group;
pub use crate::reject::Reject;

use crate::record::Record;

/// How to fold the rows of a key: an implementation with [`#[aggregate]`](macro@crate::aggregate) on it is the crate's
/// component. The type itself is the operator's config, read by serde.
///
/// ```
/// use serde::Deserialize;
/// use weir_guest::aggregate::{Aggregate, Reject};
/// use weir_guest::{Record, testing};
///
/// #[derive(Deserialize)]
/// struct Longest;
///
/// #[derive(Record)]
/// struct Line<'a> {
///     line: &'a str,
/// }
///
/// #[derive(Record, Debug, PartialEq)]
/// struct Length {
///     longest: i64,
/// }
///
/// #[weir_guest::aggregate]
/// impl Aggregate for Longest {
///     type Input<'a> = Line<'a>;
///     type Accumulator = Length;
///     type Output = Length;
///
///     fn create(&self, row: Line<'_>) -> Result<Length, Reject> {
///         Ok(Length { longest: row.line.len() as i64 })
///     }
///
///     fn merge(&self, total: &mut Length, part: Length) {
///         total.longest = total.longest.max(part.longest);
///     }
///
///     fn finish(&self, total: Length) -> Length {
///         total
///     }
/// }
///
/// let groups = [vec![Line { line: "one" }, Line { line: "three" }], vec![Line { line: "four" }]];
/// let answer = testing::aggregate::<Longest>().run(groups)?;
/// assert_eq!(answer.rows::<Length>()?, [Length { longest: 5 }, Length { longest: 4 }]);
/// # Ok::<(), String>(())
/// ```
pub trait Aggregate: Sized {
    /// What it reads of a row. `()` reads nothing, so that nothing crosses.
    type Input<'a>: Record<'a>;
    /// What rows are folded into; crosses the network and is kept for windows.
    type Accumulator: for<'a> Record<'a>;
    /// The answer; the host puts the key's columns before it.
    type Output: for<'a> Record<'a>;

    /// Whether `retract` is implemented; `#[aggregate]` sees that by itself.
    #[doc(hidden)]
    const RETRACTS: bool = false;

    /// The accumulator of one row.
    ///
    /// # Errors
    /// Why the row cannot be taken.
    fn create(&self, row: Self::Input<'_>) -> Result<Self::Accumulator, Reject>;

    /// The accumulator of all rows of a group, or none if they are all rejected.
    ///
    /// The default creates one for each row and merges them; implement it where there is a faster way.
    fn create_group<'a>(&self, group: &mut Group<'a, Self::Input<'a>>) -> Option<Self::Accumulator> {
        let mut total = None;
        while let Some(row) = group.next() {
            match (self.create(row), &mut total) {
                (Ok(part), Some(total)) => self.merge(total, part),
                (Ok(part), None) => total = Some(part),
                (Err(reject), _) => group.reject(reject),
            }
        }
        total
    }

    /// Adds a part to a total. Must be associative: (a + b) + c = a + (b + c).
    fn merge(&self, total: &mut Self::Accumulator, part: Self::Accumulator);

    /// Takes a part out of a total that it had been merged into, and says whether anything remains.
    ///
    /// Implement it if there is an inverse: sliding windows then cost what changes, not what they span.
    fn retract(&self, total: &mut Self::Accumulator, part: Self::Accumulator) -> Remains {
        let _ = (total, part);
        Remains::Something
    }

    /// The answer for a total.
    fn finish(&self, total: Self::Accumulator) -> Self::Output;
}

/// What is left of a total after a part has been taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    /// There are rows in it still.
    Something,
    /// It is as if no row had ever been added: the host drops the key.
    Nothing,
}
