//! What one operator may use in a batch, and on how many rows it may go wrong, where somebody has set a bound.

use std::sync::Arc;

use super::report::Report;
use super::rooms::ComponentCall;
use crate::counted::counted;
use crate::operator::Allowance;
use crate::time::BatchTime;

/// A batch in which the operator goes beyond it fails.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The operator.
    pub operator: String,
    /// The fuel of all its tasks; none: as much as they like.
    pub fuel: Option<Arc<Allowance>>,
    /// Most rows on which it may go wrong.
    pub traps: u64,
    /// Rows of batches before on which it went wrong already.
    pub trapped: u64,
}

impl Bound {
    /// What is wrong where the operator of a call has gone wrong on more rows than it may.
    pub(super) fn broken(&self, call: &ComponentCall, batch: BatchTime, report: &Report) -> Option<String> {
        let trapped = report.meters.get(&call.operator).map_or(0, |meter| meter.trapped);
        if call.operator != self.operator || trapped + self.trapped <= self.traps {
            return None;
        }
        let before = match self.trapped {
            0 => String::new(),
            trapped => format!(", after {trapped} of the batches before"),
        };
        let first = report.first_traps.get(&call.operator);
        let first = first.map(|first| format!(": {}\n  the row: {}", first.reason, first.row));
        Some(format!(
            "{call} goes wrong on {} of batch {batch}{before}, more than the {} on which it may{}",
            counted(trapped, "row"),
            self.traps,
            first.unwrap_or_default()
        ))
    }
}
