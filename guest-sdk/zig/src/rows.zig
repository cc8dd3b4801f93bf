//! The rows of a call, as structs whose fields are columns.

const std = @import("std");
const value = @import("value.zig");
const wit = @import("wit");
const Column = @import("column.zig").Column;

/// The rows of a call.
pub fn Rows(comptime Record: type) type {
    return struct {
        const Self = @This();

        /// How many there are.
        len: u32,
        /// A struct with the record's fields, each of them a view of a column.
        columns: value.Mapped(Record, Column),

        /// Of a batch whose columns are the record's.
        pub fn init(batch: wit.weir_operator_rows_batch_t) Self {
            var indices: [value.names(Record).len]u32 = undefined;
            for (&indices, 0..) |*index, i| index.* = @intCast(i);
            return initFrom(batch, indices);
        }

        /// Of these columns of a batch.
        pub fn initFrom(batch: wit.weir_operator_rows_batch_t, indices: [value.names(Record).len]u32) Self {
            var self: Self = .{ .len = batch.row_count, .columns = undefined };
            inline for (comptime value.names(Record), indices) |name, index| {
                @field(self.columns, name) = .init(batch.columns.ptr[index]);
            }
            return self;
        }

        /// The row, or null if a field that is no optional is null in it.
        pub inline fn get(self: Self, row: usize) ?Record {
            var record: Record = undefined;
            inline for (comptime value.names(Record)) |name| {
                const found = @field(self.columns, name).get(row);
                const is_nullable = comptime value.isNullable(@FieldType(Record, name));
                @field(record, name) = if (is_nullable) found else found orelse return null;
            }
            return record;
        }

        /// The field that keeps a row from being had.
        pub fn nullIn(self: Self, row: usize) []const u8 {
            inline for (comptime value.names(Record)) |name| {
                const is_nullable = comptime value.isNullable(@FieldType(Record, name));
                if (!is_nullable and @field(self.columns, name).isNull(row)) return name;
            }
            return "";
        }
    };
}
