//! `[batch]`: intervals, sizes and the rate controller.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::Findings;
use crate::pipeline::{BackpressureSpec, BatchSpec};
use crate::units::{Period, Rate};

/// Below this a batch's own cost outweighs its rows.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
/// Beyond this it is a slip of the pen, and far beyond it batch times would overflow.
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// More partitions than this cost more than they give: a shuffled stream has 128 key groups.
pub(super) const MOST_PARTITIONS: usize = 1024;
/// A call's columns must fit into a guest's memory.
const MOST_CHUNK_ROWS: usize = 1_000_000;

/// Checks `[batch]`.
pub(super) fn check(batch: &BatchSpec, findings: &mut Findings<'_>) {
    interval(batch.interval, findings);
    block_interval(batch, findings);
    if batch.block_size.0 == 0 {
        findings.at_key(&["batch", "block_size"], "`block_size` in [batch] must be more than 0 B".to_owned());
    }
    if batch.block_memory < batch.block_size {
        let message = format!(
            "`block_memory` in [batch] is {}, too little for one block of {} (`block_size`)",
            batch.block_memory, batch.block_size
        );
        findings.at_key(&["batch", "block_memory"], message);
    }
    at_most("partitions", batch.partitions, MOST_PARTITIONS, findings);
    at_most("chunk_rows", Some(batch.chunk_rows), MOST_CHUNK_ROWS, findings);
    backpressure(&batch.backpressure, findings);
}

fn at_most(key: &str, number: Option<NonZeroUsize>, most: usize, findings: &mut Findings<'_>) {
    if let Some(number) = number.filter(|n| n.get() > most) {
        findings.at_key(&["batch", key], format!("`{key}` in [batch] is {number}; the most is {most}"));
    }
}

fn interval(interval: Period, findings: &mut Findings<'_>) {
    let path = ["batch", "interval"];
    if interval.0 < SHORTEST_INTERVAL {
        let message = format!("`interval` in [batch] is {interval}; the shortest is {}", Period(SHORTEST_INTERVAL));
        findings.at_key(&path, message);
    } else if interval.0 > LONGEST_INTERVAL {
        let message = format!("`interval` in [batch] is {interval}; the longest is {}", Period(LONGEST_INTERVAL));
        findings.at_key(&path, message);
    } else if !interval.0.subsec_nanos().is_multiple_of(1_000_000) {
        let message = format!("`interval` in [batch] is {interval}; it must be a whole number of milliseconds");
        findings.at_key(&path, message);
    }
}

fn block_interval(batch: &BatchSpec, findings: &mut Findings<'_>) {
    let path = ["batch", "block_interval"];
    if batch.block_interval.0.is_zero() {
        findings.at_key(&path, "`block_interval` in [batch] must be more than 0s".to_owned());
    } else if batch.block_interval > batch.interval {
        let message = format!(
            "`block_interval` in [batch] is {}, longer than the `interval` of {}: a batch is made of whole blocks",
            batch.block_interval, batch.interval
        );
        findings.at_key(&path, message);
    }
}

fn backpressure(backpressure: &BackpressureSpec, findings: &mut Findings<'_>) {
    let path = |key| ["batch", "backpressure", key];
    let weights = [
        ("proportional", backpressure.proportional),
        ("integral", backpressure.integral),
        ("derivative", backpressure.derivative),
    ];
    for (key, weight) in weights {
        if weight < 0.0 {
            findings.at_key(&path(key), format!("`{key}` in [batch.backpressure] must not be negative"));
        }
    }
    let rates = [("min_rate", Some(backpressure.min_rate)), ("initial_rate", backpressure.initial_rate)];
    for (key, rate) in rates {
        if rate.is_some_and(|Rate(rate)| rate <= 0.0) {
            findings.at_key(&path(key), format!("`{key}` in [batch.backpressure] must be more than 0/s"));
        }
    }
}
