//! Rows of an answer, as they grow.

const schema = @import("schema.zig");
const value = @import("value.zig");
const wit = @import("wit");
const Builder = @import("builder.zig").Builder;

/// A column for each of the record's fields.
pub fn Builders(comptime Record: type) type {
    return struct {
        const Self = @This();

        columns: value.Mapped(Record, Builder) = fresh(),

        fn fresh() value.Mapped(Record, Builder) {
            var columns: value.Mapped(Record, Builder) = undefined;
            inline for (comptime value.names(Record)) |name| @field(columns, name) = .{};
            return columns;
        }

        pub inline fn push(self: *Self, record: Record) void {
            inline for (comptime value.names(Record)) |name| @field(self.columns, name).push(@field(record, name));
        }

        /// A row that must be there, but that nobody reads.
        pub fn pushBlank(self: *Self) void {
            inline for (comptime value.names(Record)) |name| @field(self.columns, name).pushBlank();
        }

        pub inline fn pushOrBlank(self: *Self, record: ?Record) void {
            if (record) |known| self.push(known) else self.pushBlank();
        }

        /// Hands the columns over. Parts of columns are of those of `Input`.
        pub fn take(self: *Self, comptime List: type, comptime Input: type) List {
            var columns: [value.names(Record).len]wit.weir_operator_rows_column_t = undefined;
            inline for (comptime value.names(Record), &columns) |name, *column| {
                const of = comptime value.partOf(@FieldType(Record, name));
                const source = comptime if (of) |field| value.indexOf(Input, field) else 0;
                column.* = @field(self.columns, name).take(source);
            }
            return schema.handedOver(List, columns);
        }

        /// Hands the rows over, which are no parts of anything.
        pub fn takeBatch(self: *Self, rows: usize) wit.weir_operator_rows_batch_t {
            return .{
                .row_count = @intCast(rows),
                .columns = self.take(wit.weir_operator_rows_list_column_t, value.Nothing),
            };
        }
    };
}
