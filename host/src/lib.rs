//! Weir: a stream processor whose user functions are sandboxed WebAssembly components.
//!
//! A stream is cut into small batches; a batch is a DataFusion plan over immutable blocks; every function that a user
//! writes is called over partitions of it. `host/ARCHITECTURE.md` is the map of this crate. The major rooms are:
//!
//! - [`pipeline`]: the pipeline file as data: types, checking, graph.
//! - [`operator`]: components: registry, compilation, instances, columns, limits.
//! - [`source`], [`block`]: where rows come from, and received data by reference.
//! - [`state`]: what outlives a batch: keyed states, the rows of past batches, watermarks.
//! - [`checkpoint`]: what outlives a batch, written down for the next run.
//! - [`event_time`]: watermarks, and the windows that event time is cut into.
//! - [`storage`]: the disk, as logs see it.
//! - [`table`]: data at rest beside the stream, by digest.
//! - [`plan`]: the execution plan nodes that DataFusion does not have.
//! - [`sink`]: where results go, staged and committed.
//! - [`driver`]: the loop: clock, cut, plan, run, commit, swap.
//! - [`query`]: reading a running host from outside: SQL over what it keeps, states by key.
//! - [`project`]: operator projects, in their languages: written from a template, built to a component.
//! - [`control`], [`cli`]: a running host's HTTP API, and the `weir` command.

mod allocator;
pub mod block;
pub mod checkpoint;
pub mod cli;
pub mod control;
mod counted;
pub mod data_dir;
mod decode;
pub mod driver;
pub mod event_time;
mod fault;
pub mod fingerprint;
pub mod operator;
pub mod origin;
pub mod pipeline;
pub mod place;
pub mod plan;
pub mod project;
pub mod query;
pub mod rows;
pub mod sink;
pub mod source;
pub mod state;
pub mod storage;
pub mod table;
#[cfg(test)]
mod testing;
pub mod time;
pub mod units;
