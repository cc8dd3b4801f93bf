//! The rows of a key, which are some of those of a call.

const call = @import("call.zig");
const wit = @import("wit");
const Rejects = @import("rejects.zig").Rejects;
const Rows = @import("rows.zig").Rows;

/// The rows of a key, one after the other.
pub fn Group(comptime Record: type) type {
    return struct {
        const Self = @This();

        /// Those of all keys of the call. The group's are from `first` up to `end`, which is not of it.
        rows: Rows(Record),
        first: u32 = 0,
        end: u32 = 0,
        /// The row after that which `next` gave.
        at: u32 = 0,
        rejects: Rejects = .{},
        /// How many rows there were in `rejects` before the group's.
        rejected_before: usize = 0,

        pub fn init(batch: wit.weir_operator_rows_batch_t) Self {
            return .{ .rows = .init(batch) };
        }

        pub fn start(self: *Self, first: u32, end: u32) void {
            self.first = first;
            self.end = end;
            self.at = first;
            self.rejected_before = self.rejects.list.len;
        }

        /// How many rows there are, whether or not `next` has given them.
        pub fn len(self: *const Self) u32 {
            return self.end - self.first;
        }

        /// The next row. One with a null in a field that is no optional is rejected, and left out.
        pub inline fn next(self: *Self) ?Record {
            while (self.at < self.end) {
                defer self.at += 1;
                return self.rows.get(self.at) orelse {
                    self.rejectRow(self.at, "column `{s}` is null", .{self.rows.nullIn(self.at)});
                    continue;
                };
            }
            return null;
        }

        /// Says that the row that `next` gave last cannot be taken, and why. What comes of the group must be as if it
        /// had not been there.
        pub fn reject(self: *Self, comptime format: []const u8, args: anytype) void {
            if (self.at == self.first) @panic("no row has been taken yet that could be rejected");
            self.rejectRow(self.at - 1, format, args);
        }

        /// Says the same of a row by its index in `rows`.
        pub fn rejectRow(self: *Self, row: u32, comptime format: []const u8, args: anytype) void {
            self.rejects.push(row, call.print(format, args));
        }

        /// Whether no row of the group is left.
        pub fn isRejected(self: *const Self) bool {
            return self.rejects.list.len - self.rejected_before >= self.len();
        }
    };
}
