//! The answer to a call as it grows: output rows, where each comes from, and the rows that are rejected.

const std = @import("std");
const call = @import("call.zig");
const value = @import("value.zig");
const wit = @import("wit");
const Builder = @import("builder.zig").Builder;
const Growing = @import("growing.zig").Growing;

/// Takes output rows, in the order of the input rows that they come from.
pub fn Emitter(comptime Record: type) type {
    return struct {
        const Self = @This();

        /// The row that `emit` emits from.
        row: u32 = 0,
        from: Growing(u32) = .{},
        builders: value.Mapped(Record, Builder) = fresh(),
        rejects: Growing(wit.weir_operator_rows_reject_t) = .{},

        fn fresh() value.Mapped(Record, Builder) {
            var builders: value.Mapped(Record, Builder) = undefined;
            inline for (comptime value.names(Record)) |name| @field(builders, name) = .{};
            return builders;
        }

        /// Answers with a row that comes from the row at hand.
        pub inline fn emit(self: *Self, record: Record) void {
            self.emitFrom(self.row, record);
        }

        /// Answers with a row that comes from input row `from`.
        pub inline fn emitFrom(self: *Self, from: u32, record: Record) void {
            self.from.push(from);
            inline for (comptime value.names(Record)) |name| @field(self.builders, name).push(@field(record, name));
        }

        /// Says that input row `row` cannot be taken, and why. Such a row should have no output.
        pub fn reject(self: *Self, row: u32, comptime format: []const u8, args: anytype) void {
            self.rejectAs(row, call.print(format, args));
        }

        pub fn rejectAs(self: *Self, row: u32, reason: []const u8) void {
            self.rejects.push(.{ .row = row, .reason = call.handedOver(reason) });
        }

        /// What is wrong with where rows come from.
        pub fn disorder(self: *const Self, input: u32) ?[]const u8 {
            var before: u32 = 0;
            for (self.from.items()) |from| {
                if (from < before) return call.print(
                    "the operator emitted a row from input row {d} after one from {d}",
                    .{ from, before },
                );
                if (from >= input) return call.print(
                    "the operator emitted a row from input row {d} of {d}",
                    .{ from, input },
                );
                before = from;
            }
            return null;
        }

        /// Whether there is one output row for each input row.
        pub fn isSame(self: *const Self, input: u32) bool {
            if (self.from.len != input) return false;
            for (self.from.items(), 0..) |from, i| if (from != i) return false;
            return true;
        }

        /// Hands the rejects over, each row once and in order.
        pub fn takeRejects(self: *Self, comptime List: type) List {
            const all = self.rejects.items();
            std.mem.sort(wit.weir_operator_rows_reject_t, all, {}, byRow);
            var kept: usize = 0;
            for (all) |*one| {
                if (kept > 0 and all[kept - 1].row == one.row) {
                    wit.weir_operator_rows_reject_free(one);
                } else {
                    all[kept] = one.*;
                    kept += 1;
                }
            }
            self.rejects.len = kept;
            return self.rejects.take(List);
        }

        fn byRow(_: void, a: wit.weir_operator_rows_reject_t, b: wit.weir_operator_rows_reject_t) bool {
            return a.row < b.row;
        }
    };
}
