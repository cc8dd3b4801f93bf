//! What is known of the call that is going on. There is one call at a time, so this is global.

const std = @import("std");
const wit = @import("wit");

/// Ends with the call, or without one when the instance does: nothing need be freed.
var arena: std.heap.ArenaAllocator = .init(std.heap.c_allocator);
/// Of what lives as long as the instance.
var lasting: std.heap.ArenaAllocator = .init(std.heap.c_allocator);
var time: u64 = 0;
/// Why the last `reject` or `fail` was.
var reason: []const u8 = "";

/// Memory until the call ends, for whatever an operator needs on its way.
pub fn allocator() std.mem.Allocator {
    return arena.allocator();
}

/// Memory as long as the instance lives.
pub fn lastingAllocator() std.mem.Allocator {
    return lasting.allocator();
}

/// The end of the batch's interval, in milliseconds since the Unix epoch: the only clock.
pub fn batchTime() u64 {
    if (@hasDecl(wit, "exports_weir_operator_aggregate_configure")) {
        @compileError("an aggregate has no clock: accumulators of several batches are merged");
    }
    return time;
}

pub fn begin(batch_time: u64) void {
    time = batch_time;
}

pub fn end() void {
    _ = arena.reset(.retain_capacity);
}

/// The error of a row that cannot be taken: `return weir.reject("{d} is no age", .{age})`. The pipeline says what
/// becomes of the row.
pub fn reject(comptime format: []const u8, args: anytype) error{Rejected} {
    reason = print(format, args);
    return error.Rejected;
}

/// The error of an operator that cannot go on with this config or these rows: the job stops and shows the text. A pure
/// function has nothing to retry.
pub fn fail(comptime format: []const u8, args: anytype) error{Failed} {
    reason = print(format, args);
    return error.Failed;
}

pub fn print(comptime format: []const u8, args: anytype) []const u8 {
    return std.fmt.allocPrint(allocator(), format, args) catch @panic("out of memory");
}

/// What to say of an error.
pub fn text(err: anyerror) []const u8 {
    return switch (err) {
        error.Rejected, error.Failed => reason,
        // The host says which limit that is, and which rows want so much.
        error.OutOfMemory => @panic("out of memory"),
        else => print("the operator failed with error.{s}", .{@errorName(err)}),
    };
}

/// Answers the host with an error.
pub fn failed(into: *wit.wit_string_t, err: anyerror) bool {
    into.* = handedOver(text(err));
    return false;
}

/// Text in memory that is handed to the host.
pub fn handedOver(bytes: []const u8) wit.wit_string_t {
    const copy = std.heap.c_allocator.dupe(u8, bytes) catch @panic("out of memory");
    return .{ .ptr = copy.ptr, .len = copy.len };
}
