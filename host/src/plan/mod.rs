//! The nodes of a batch's plan that DataFusion does not have, and what they share.
//!
//! A batch is a DataFusion plan: `execute(partition)` is `RDD.compute(split)`, and the plan is its own lineage. Our
//! nodes are [`Stage`]s under one [`StageExec`]. A stage names its data by reference (block, digest, sink name) and finds
//! stores in the task's [`Rooms`], so that it can be written down ([`Codec`]) and run by another process.
//!
//! Between our nodes every row carries its place in the canonical order: see [`segment`].

mod accumulators;
mod adopt;
mod assign;
mod bound;
mod codec;
mod deal;
mod event_fold;
mod event_time;
mod final_aggregate;
mod fingerprint;
mod gather;
mod group;
mod hold;
mod hole;
mod key_group;
mod merge;
mod metered;
pub mod migration;
mod node;
mod offload;
mod partial_aggregate;
mod persist;
mod recall;
mod rechunk;
mod report;
mod retry;
mod rooms;
mod sample;
mod scan;
mod scatter;
pub mod segment;
mod session_fold;
mod sessions;
mod shift;
mod slide;
mod snapshot;
mod state_update;
mod table_scan;
#[cfg(test)]
mod tests;
mod text_groups;
mod transform;
mod watermark;
mod with_past;
mod write;

pub use adopt::{Adopt, adopted_schema};
pub use assign::Assign;
pub use bound::Bound;
pub use codec::Codec;
pub use deal::Deal;
pub use event_fold::EventFold;
pub use event_time::EventTime;
pub use final_aggregate::{FinalAggregate, Step};
pub use fingerprint::Fingerprint;
pub use gather::Gather;
pub use hold::{Hold, held_key};
pub use hole::{Hole, fill};
pub use key_group::{KEY_GROUPS, locate};
pub use merge::{Merge, Order};
pub use node::{Stage, StageExec};
pub use offload::Pool;
pub use partial_aggregate::PartialAggregate;
pub use persist::{Persist, past};
pub use recall::Recall;
pub use rechunk::{QUERY_ROWS, Rechunk};
pub use report::{FirstReject, OperatorMeter, Rejected, Report, Stays, in_order, row_text};
pub use retry::{Retry, Windowed, records, texts};
pub use rooms::{BatchRoom, ComponentCall, Operators, Rooms};
pub use sample::Sample;
pub use scan::Scan;
pub use scatter::Scatter;
pub use session_fold::SessionFold;
pub use sessions::session_state;
pub use shift::Shift;
pub use slide::Slide;
pub use snapshot::Snapshot;
pub use state_update::StateUpdate;
pub use table_scan::TableScan;
pub use transform::Transform;
pub use with_past::WithPast;
pub use write::Write;
