//! Marks rows as having been seen by version `a`: a swap from one version to the other shows in every row.

/// What rows are marked with.
pub const VERSION: &str = "a";

include!("../../stamp.rs");
