//! One line a batch on a terminal; structured logs elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::driver::BatchStats;
use crate::plan::OperatorMeter;
use crate::time::millis;

/// Starts logging to standard error: plain lines on a terminal, JSON elsewhere. `RUST_LOG` chooses what is logged.
pub(super) fn log() {
    if stderr().is_terminal() {
        log_for_people();
    } else {
        let builder = tracing_subscriber::fmt().with_env_filter(filter()).with_writer(stderr);
        builder.json().flatten_event(true).init();
    }
}

/// The same in plain lines, wherever they go.
pub(super) fn log_for_people() {
    let builder = tracing_subscriber::fmt().with_env_filter(filter()).with_writer(stderr);
    builder.with_ansi(stderr().is_terminal()).with_target(false).without_time().init();
}

fn filter() -> EnvFilter {
    EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,weir=info"))
}

/// Tells of a committed batch.
pub(super) fn batch(stats: &BatchStats) {
    if stderr().is_terminal() {
        eprintln!("{}", line(stats));
        return;
    }
    tracing::info!(
        batch = %stats.batch,
        rows_in = stats.rows_in,
        rows_out = stats.rows_out,
        rejected = stats.rejected,
        processing_ms = millis(stats.processing),
        delay_ms = millis(stats.scheduling + stats.processing),
        queued = stats.queued,
        "batch committed"
    );
}

/// A batch as a line for people.
pub(super) fn line(stats: &BatchStats) -> String {
    let rejected = if stats.rejected > 0 { format!("  {} rejected", stats.rejected) } else { String::new() };
    let queued = if stats.queued > 0 { format!("  {} waiting", stats.queued) } else { String::new() };
    format!(
        "batch {}  {:>9} rows in  {:>9} out  processing {:>8}  delay {:>8}{rejected}{queued}",
        stats.batch,
        stats.rows_in,
        stats.rows_out,
        short(stats.processing),
        short(stats.scheduling + stats.processing),
    )
}

fn short(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        format!("{:.1} ms", millis(duration))
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// The fuel of an operator's calls, where it was counted.
pub(super) fn fuel(meter: &OperatorMeter) -> String {
    match meter.fuel {
        0 => String::new(),
        fuel => format!(", {fuel} fuel"),
    }
}
