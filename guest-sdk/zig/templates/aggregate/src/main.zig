//! The lowest and the highest value of a key.

const std = @import("std");
const weir = @import("weir");

/// The operator's `config` in the pipeline file.
pub const Config = struct {
    /// Values above it are rejected.
    limit: f64 = std.math.inf(f64),
};

/// What is read of a row. Other columns, the key's too, do not cross into the sandbox.
pub const Input = struct { value: f64 };

/// What rows are folded into.
pub const Accumulator = struct { lowest: f64, highest: f64 };

/// The answer, before which the host puts the key.
pub const Output = Accumulator;

/// The accumulator of a row.
pub fn create(config: Config, reading: Input) !Accumulator {
    if (reading.value > config.limit) return weir.reject("{d} is above {d}", .{ reading.value, config.limit });
    return .{ .lowest = reading.value, .highest = reading.value };
}

pub fn merge(total: Accumulator, part: Accumulator) Accumulator {
    return .{ .lowest = @min(total.lowest, part.lowest), .highest = @max(total.highest, part.highest) };
}

pub fn finish(total: Accumulator) Output {
    return total;
}
