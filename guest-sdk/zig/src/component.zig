//! The module's root: the exports of the operator's world, with `std.log` and panics going to the task's log.

const std = @import("std");
const weir = @import("weir");

comptime {
    _ = weir.exports;
}

pub const std_options: std.Options = .{ .log_level = .debug, .logFn = weir.log.write };
pub const panic = std.debug.FullPanic(weir.log.panic);
