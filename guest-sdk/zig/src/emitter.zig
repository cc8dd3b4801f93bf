//! A transform's answer as it grows: output rows, where each comes from, and the rows that are rejected.

const call = @import("call.zig");
const Builders = @import("builders.zig").Builders;
const Growing = @import("growing.zig").Growing;
const Rejects = @import("rejects.zig").Rejects;

/// Takes output rows, in the order of the input rows that they come from.
pub fn Emitter(comptime Record: type) type {
    return struct {
        const Self = @This();

        /// The row that `emit` emits from.
        row: u32 = 0,
        from: Growing(u32) = .{},
        rows: Builders(Record) = .{},
        rejects: Rejects = .{},

        /// Answers with a row that comes from the row at hand.
        pub inline fn emit(self: *Self, record: Record) void {
            self.emitFrom(self.row, record);
        }

        /// Answers with a row that comes from input row `from`.
        pub inline fn emitFrom(self: *Self, from: u32, record: Record) void {
            self.from.push(from);
            self.rows.push(record);
        }

        /// Says that input row `row` cannot be taken, and why. Such a row should have no output.
        pub fn reject(self: *Self, row: u32, comptime format: []const u8, args: anytype) void {
            self.rejects.push(row, call.print(format, args));
        }

        /// An error where a row comes from none of `input`, or from one before that of the row before.
        pub fn checkOrder(self: *const Self, input: u32) error{Failed}!void {
            var before: u32 = 0;
            for (self.from.items()) |from| {
                if (from < before) return call.fail(
                    "the operator emitted a row from input row {d} after one from {d}",
                    .{ from, before },
                );
                if (from >= input) return call.fail(
                    "the operator emitted a row from input row {d} of {d}",
                    .{ from, input },
                );
                before = from;
            }
        }

        /// Whether there is one output row for each input row.
        pub fn isSame(self: *const Self, input: u32) bool {
            if (self.from.len != input) return false;
            for (self.from.items(), 0..) |from, i| if (from != i) return false;
            return true;
        }
    };
}
