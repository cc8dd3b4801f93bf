//! Components: what user functions are made of, and how the host runs them.
//!
//! A component is registered once ([`Registry`]), compiled once ([`Components`]), configured for a config and an input
//! schema ([`Transform`], [`Aggregate`], [`State`], [`SinkOperator`]), and then run by tasks, each on a fresh instance with its own
//! limits ([`TransformRunner`], [`AggregateRunner`], [`StateRunner`], [`SinkTask`]). Nothing here knows of streams, clocks or sockets:
//! what a sink may send, and how, is behind [`Http`], and what WASI tells of the time follows from a [`Moment`]. Nothing that a guest answers is believed before `lift.rs` has checked it.

mod aggregate;
mod allowance;
mod columns;
mod compiled;
mod digest;
mod engine;
mod http;
mod identity;
mod inspect;
mod instance;
mod interrupt;
mod isolate;
mod lift;
mod moment;
mod reference;
mod registry;
mod runner;
#[cfg(test)]
pub(crate) mod sample;
mod sink;
mod state;
mod transform;
mod verdict;
mod version;
mod wasi;

pub use aggregate::Aggregate;
pub use allowance::Allowance;
pub use compiled::{Compiled, Components};
pub use digest::{Digest, DigestWriter, NotADigest};
pub use engine::Engine;
pub use http::{Http, HttpError, HttpRequest, HttpResponse};
pub use identity::{Identity, identity, with_identity};
pub use inspect::{Kind, NotAnOperator, World, componentize, inspect};
pub(crate) use instance::both_fuels;
pub use instance::{Limits, LogLevel, Metering, Usage};
pub use moment::Moment;
pub use reference::{ComponentName, NotAReference, Reference};
pub use registry::{Entry, Registry};
pub use runner::{
    AggregateRunner, Folded, Isolation, LogLine, Meter, Outcome, Retracted, Runner, StateRunner, TransformRunner,
    Updates,
};
pub use sink::{NotDelivered, Part, SinkOperator, SinkTask};
pub use state::{Cause, Fate, Migration, State, Touched};
pub use transform::{Reject, Transform};
pub use verdict::{CallError, Verdict};
pub use version::InterfaceVersion;
