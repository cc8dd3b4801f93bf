//! The task's log, which is where `std.log` and panics go.

const std = @import("std");
const call = @import("call.zig");
const wit = @import("wit");

pub fn write(
    comptime level: std.log.Level,
    comptime scope: @EnumLiteral(),
    comptime format: []const u8,
    args: anytype,
) void {
    const prefix = if (scope == .default) "" else @tagName(scope) ++ ": ";
    append(switch (level) {
        .debug => wit.WEIR_OPERATOR_LOG_LEVEL_DEBUG,
        .info => wit.WEIR_OPERATOR_LOG_LEVEL_INFO,
        .warn => wit.WEIR_OPERATOR_LOG_LEVEL_WARN,
        .err => wit.WEIR_OPERATOR_LOG_LEVEL_ERROR,
    }, call.print(prefix ++ format, args));
}

/// Logs what a panic says, since the trap says nothing.
pub fn panic(message: []const u8, _: ?usize) noreturn {
    append(wit.WEIR_OPERATOR_LOG_LEVEL_ERROR, message);
    @trap();
}

/// What the bindings call where they would abort.
export fn weir_out_of_memory() noreturn {
    @panic("out of memory");
}

fn append(level: u8, message: []const u8) void {
    var text: wit.wit_string_t = .{ .ptr = @constCast(message.ptr), .len = message.len };
    wit.weir_operator_log_log(level, &text);
}
