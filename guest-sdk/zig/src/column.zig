//! Views of input columns, in Arrow's layout.

const value = @import("value.zig");
const wit = @import("wit");

/// A column of values of type `T`, one for each row of the call.
pub fn Column(comptime T: type) type {
    const B = value.Bare(T);
    return struct {
        const Self = @This();

        /// Where the values are: a slice of numbers, or `Text`, or bits.
        values: Values,
        /// One bit a row, set where there is a value; none where no value is null.
        validity: ?[*]const u8,

        const Values = switch (B) {
            i64, value.Timestamp => [*]const i64,
            f64 => [*]const f64,
            bool => [*]const u8,
            else => Text,
        };

        pub fn init(column: wit.weir_operator_rows_column_t) Self {
            const val = column.values.val;
            return .{
                .values = switch (B) {
                    i64, value.Timestamp => val.int64.ptr,
                    f64 => val.float64.ptr,
                    bool => val.boolean.ptr,
                    else => .{ .offsets = val.utf8.offsets.ptr, .data = val.utf8.data.ptr[0..val.utf8.data.len] },
                },
                .validity = if (column.validity.is_some) column.validity.val.ptr else null,
            };
        }

        pub inline fn isNull(self: Self, row: usize) bool {
            const validity = self.validity orelse return false;
            return !bit(validity, row);
        }

        /// The row's value, whether or not it is null: then it is anything.
        pub inline fn raw(self: Self, row: usize) B {
            return switch (B) {
                bool => bit(self.values, row),
                value.Timestamp => .{ .micros = self.values[row] },
                []const u8 => self.values.cut(row),
                value.Binary => .{ .bytes = self.values.cut(row) },
                else => self.values[row],
            };
        }

        /// The row's value, or null.
        pub inline fn get(self: Self, row: usize) ?B {
            return if (self.isNull(row)) null else self.raw(row);
        }
    };
}

/// The bytes of all rows, one after the other.
pub const Text = struct {
    /// One more than there are rows: row i is `data[offsets[i]..offsets[i + 1]]`.
    offsets: [*]const i32,
    data: []const u8,

    inline fn cut(self: Text, row: usize) []const u8 {
        // The host keeps the rules of its own interface.
        @setRuntimeSafety(false);
        return self.data[@intCast(self.offsets[row])..@intCast(self.offsets[row + 1])];
    }
};

pub inline fn bit(bits: [*]const u8, row: usize) bool {
    return bits[row / 8] >> @truncate(row % 8) & 1 == 1;
}
