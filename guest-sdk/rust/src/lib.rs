//! Write operators for the stream processor Weir as plain Rust functions.
//!
//! An operator is a pure function over rows. Put its columns in structs, write the function, add an attribute, and build
//! the crate for `wasm32-unknown-unknown` as a `cdylib`: that is a component which Weir can run, sandboxed, on any host.
//! The function stays an ordinary one, which tests call natively:
//!
//! ```
//! use weir_guest::Record;
//!
//! #[derive(Record)]
//! struct Post<'a> {
//!     text: &'a str,
//! }
//!
//! #[derive(Record, Debug, PartialEq)]
//! struct Hashtag<'a> {
//!     tag: &'a str,
//! }
//!
//! #[weir_guest::flat_map(keep = ["user"])]
//! fn hashtags<'a>(post: Post<'a>) -> impl Iterator<Item = Hashtag<'a>> {
//!     post.text.split(' ').filter(|word| word.starts_with('#')).map(|tag| Hashtag { tag })
//! }
//!
//! let tags: Vec<_> = hashtags(Post { text: "so #fast and #safe" }).collect();
//! assert_eq!(tags, [Hashtag { tag: "#fast" }, Hashtag { tag: "#safe" }]);
//! ```
//!
//! # What there is
//!
//! | to | write | with |
//! |---|---|---|
//! | change rows, drop some | `fn(row) -> row` | [`#[map]`](macro@map) |
//! | choose rows | `fn(row) -> bool` | [`#[filter]`](macro@filter) |
//! | make several rows of one | `fn(row) -> iterator` | [`#[flat_map]`](macro@flat_map) |
//! | work on whole columns | `fn(rows, out)` | [`#[batch]`](macro@batch) |
//! | fold the rows of a key | `impl Aggregate for …` | [`#[aggregate]`](macro@aggregate) |
//! | remember something of each key | `impl State for …` | [`#[state]`](macro@state) |
//! | take up what an earlier version remembers | `impl Migrate<1> for …` | [`#[state(migrates = [1])]`](macro@state) |
//! | deliver rows to the outside | `impl Sink for …` | [`#[sink]`](macro@sink) |
//!
//! [`testing`] runs operators as the host does, with their config, nulls and rejects. [`log`] is the only thing an
//! operator can call and [`batch_time`] the only time it knows: there are no files, no network, no clock and no
//! randomness (on a target with WASI, only what follows from the batch), so that a batch can be computed again with the same result. Only a sink has [`http`], to the origins that
//! its pipeline grants.
//!
//! # What goes wrong
//!
//! | what | where | then |
//! |---|---|---|
//! | a column that is not there or of another type, a config that is not valid | `weir check`, and when a job starts | the pipeline is refused |
//! | `Err` for a row, a null in a field that is no `Option` | the row | rejected, with the reason; the pipeline says what for |
//! | a null of the key, in a field that is no `Option` | the key | its rows are rejected |
//! | a panic | the smallest set of rows that panics | rejected, with the panic's message |
//! | `Err` of a [`#[batch]`](macro@batch) function | the call | the job stops |
//! | `Err` or a panic in a [`Migrate`], a null in a field of the old state that is no `Option` | all states | none is migrated |
//! | `Failure::Retry` of a sink | the call | it is made again, later, as long as it takes |
//! | `Failure::Fatal` or a panic of a sink | the call | the job stops |
//!
//! # What it costs
//!
//! Columns come in as they are in the host's memory and go out so: a record is put together from them on the stack, with
//! no allocation. Only the columns that a record names cross. Text that an operator answers with is not copied if it is
//! part of the input. For a search in text use [`memchr`], which is several times as fast in a sandbox as `str::contains`.

extern crate self as weir_guest;

pub mod aggregate;
mod answer;
mod attributes;
pub mod bindings;
mod bitmap;
mod builder;
mod chunk;
pub mod column;
mod config;
mod emitter;
mod group;
pub mod http;
pub mod json;
pub mod log;
mod panic;
mod plugin;
mod record;
mod reject;
mod rows;
mod schema;
pub mod sink;
pub mod state;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod time;
pub mod transform;
mod value;

pub use aggregate::Aggregate;
pub use attributes::*;
pub use chunk::Chunk;
pub use emitter::Emitter;
pub use memchr;
#[doc(hidden)]
pub use panic::log_panics;
#[doc(hidden)]
pub use plugin::NOT_CONFIGURED;
pub use record::{Null, Record};
pub use rows::Rows;
pub use schema::FieldSpec;
pub use sink::Sink;
pub use state::{Migrate, State};
pub use time::{Timestamp, batch_time, set_batch_time};
pub use value::Value;

/// What the macros' code uses, and nobody else.
#[doc(hidden)]
pub mod macros {
    pub use crate::builder::{Builder, Plan};
    pub use crate::config::{parse, refuse};
    pub use crate::record::{Finished, Reader};
}
