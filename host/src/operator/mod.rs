//! Components: what user functions are made of, and how the host runs them.
//!
//! A component is registered once ([`Registry`]), compiled once ([`Components`]), configured for a config and an input
//! schema ([`Transform`], [`Aggregate`], [`State`]), and then run by tasks, each on a fresh instance with its own limits
//! ([`TransformRunner`], [`AggregateRunner`], [`StateRunner`]). Nothing here knows of streams, clocks or sinks; nothing that a guest
//! answers is believed before `lift.rs` has checked it.

mod aggregate;
mod columns;
mod compiled;
mod digest;
mod engine;
mod inspect;
mod instance;
mod isolate;
mod lift;
mod reference;
mod registry;
mod runner;
mod state;
mod transform;

pub use aggregate::Aggregate;
pub use compiled::{Compiled, Components};
pub use digest::{Digest, DigestWriter, NotADigest};
pub use engine::Engine;
pub use inspect::{Identity, NotAnOperator, World, componentize, identity, inspect};
pub use instance::{CallError, Limits, LogLevel, Usage, Verdict};
pub use reference::{ComponentName, NotAReference, Reference};
pub use registry::{Entry, Registry};
pub use runner::{
    AggregateRunner, Folded, Isolation, LogLine, Meter, Outcome, Retracted, StateRunner, TransformRunner, Updates,
};
pub use state::{Cause, Fate, State, Touched};
pub use transform::{Reject, Transform};
