//! Marks rows as having been seen by version `b`: a swap from one version to the other shows in every row.

/// What rows are marked with.
pub const VERSION: &str = "b";

include!("../../stamp.rs");
