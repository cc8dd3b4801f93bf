//! Runs an operator as the host would, natively and without WebAssembly, for tests.
//!
//! The function under test can of course be called by itself. What is here runs the rest too: config, columns and their
//! types, nulls, rejects, columns that are kept, and text that is part of the input. It also holds the operator to the
//! host's rules, and fails where the host would refuse an answer.
//!
//! ```
//! use weir_guest::{Record, testing};
//!
//! #[derive(Record)]
//! struct Order<'a> {
//!     user: &'a str,
//!     amount: Option<i64>,
//! }
//!
//! #[derive(Record)]
//! struct Amount {
//!     amount: i64,
//! }
//!
//! #[weir_guest::filter]
//! fn large(order: Amount) -> bool {
//!     order.amount > 100
//! }
//!
//! let orders = [("ann", Some(50)), ("bob", None), ("cid", Some(150))];
//! let answer = testing::transform::<large>().run(orders.map(|(user, amount)| Order { user, amount }))?;
//! assert_eq!(answer.rows::<Order>()?.len(), 1);
//! assert_eq!(answer.rows::<Order>()?[0].user, "cid");
//! assert_eq!(answer.rejects(), [(1, "column `amount` is null".to_owned())]);
//! # Ok::<(), String>(())
//! ```

mod aggregate;
mod answer;
mod cell;
mod check;
mod sink;
mod state;
mod table;
mod transform;

pub use aggregate::{Aggregate, aggregate};
pub use answer::Answer;
pub use sink::{Delivered, Sink, sink};
pub use state::{State, state};
pub use table::Table;
pub use transform::{Transform, transform};
