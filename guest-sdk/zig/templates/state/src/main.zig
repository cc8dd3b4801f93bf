//! A row whenever a sensor has moved away from what it last told.

const std = @import("std");
const weir = @import("weir");

/// The operator's `config` in the pipeline file.
pub const Config = struct {
    /// Smaller moves are not told.
    by: f64 = 0,
};

/// What is read of a row. Other columns do not cross into the sandbox; those of the key can be read as `Key`.
pub const Input = struct { value: f64 };

/// What is kept of a key from batch to batch: the value that was told last.
pub const State = struct { value: f64 };

/// Raised when the state's columns or their meaning change.
pub const version = 1;

/// The answer, before which the host puts the key: the value that was told before, null for the first, and the one now.
pub const Output = struct { before: ?f64, now: f64 };

pub fn update(
    config: Config,
    told: ?State,
    readings: *weir.Group(Input),
    turn: *weir.Turn(Output),
) !weir.Next(State) {
    // No reading for the pipeline's `timeout`: the last call.
    if (turn.cause == .idle) return .remove;

    var last: ?f64 = if (told) |known| known.value else null;
    var has_moved = false;
    while (readings.next()) |reading| {
        if (!std.math.isFinite(reading.value)) {
            readings.reject("{d} is no measurement", .{reading.value});
            continue;
        }
        if (last) |before| if (@abs(reading.value - before) <= config.by) continue;
        turn.emit(.{ .before = last, .now = reading.value });
        last = reading.value;
        has_moved = true;
    }
    // What does not change costs the host nothing.
    return if (has_moved) .{ .keep = .{ .value = last.? } } else .unchanged;
}
