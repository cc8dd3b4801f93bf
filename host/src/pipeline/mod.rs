//! The pipeline file: what a user writes to say what runs. Data only; nothing here touches a socket or a component.
//!
//! [`Pipeline::load`] goes in steps, each blind to the next, and tells everything that is wrong at once, each problem
//! with its line:
//!
//! - `document`: TOML that remembers where everything was written.
//! - `read`: the document against the schema (`schema`, `shape`), with the environment filled in (`substitute`).
//! - `spec`: the types that come out, which are also what the schema is made from.
//! - `check`: what types cannot say: names, keys that exclude each other, loops.
//! - `graph`: the order in which operators run, and who reads what.

mod check;
mod document;
mod graph;
mod load;
mod problem;
mod read;
mod schema;
mod shape;
mod spec;
mod substitute;
mod suggest;
#[cfg(test)]
mod tests;

pub use graph::{Consumer, Graph, Loop};
pub use load::Loaded;
pub use problem::{LoadError, Problem, Problems};
pub use schema::json_schema;
pub use spec::*;
