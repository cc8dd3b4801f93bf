//! Acceptance tests: what users run, the built `weir` command and components, and nothing of the host's code.
//!
//! - [`folder`]: a user's folder with pipelines, rows and a data folder, and commands run in it to their end.
//! - [`live`]: a host that runs, followed through its log.
//! - [`output`]: what a sink wrote, and dead letters.
//! - [`guests`]: components, built once.
//! - [`postgres`], [`receiver`]: servers for sinks to write to; [`bucket`], one for checkpoints.
//! - [`http`]: rows posted to a host.
//! - [`tally`]: a host whose operator is swapped.
//! - [`dice`]: random numbers that follow from a seed.
//! - [`oracle`]: the second, naive implementation that results are held to.
//!
//! The command is `WEIR_BIN`, else the `weir` beside the test executables: build it first (`cargo build --release -p weir`).
//! Components are built from source, unless `WEIR_GUESTS` names a folder with built ones.
//!
//! Nothing here sleeps for a result: a test waits for an event, and fails when it does not come within [`PATIENCE`].

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

pub mod bucket;
pub mod dice;
pub mod folder;
pub mod guests;
pub mod http;
pub mod live;
pub mod oracle;
pub mod output;
pub mod postgres;
pub mod receiver;
pub mod tally;

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

pub use folder::{Finished, Folder};
pub use live::{Event, Live};
pub use postgres::Postgres;
pub use receiver::Receiver;

/// How long anything may take before it is taken to hang.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// Checks every case, and fails at the end with those that failed.
pub fn each<T: Debug + Clone>(cases: impl IntoIterator<Item = T>, check: impl Fn(T)) {
    let fails = |case: &T| catch_unwind(AssertUnwindSafe(|| check(case.clone()))).is_err();
    let failed: Vec<T> = cases.into_iter().filter(|case| fails(case)).collect();
    assert!(failed.is_empty(), "these cases failed, as told above: {failed:?}");
}
