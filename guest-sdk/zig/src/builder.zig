//! Output columns, as they grow.

const std = @import("std");
const value = @import("value.zig");
const wit = @import("wit");
const Growing = @import("growing.zig").Growing;

/// One bit a row.
pub const Bits = struct {
    bytes: Growing(u8) = .{},
    len: usize = 0,

    pub inline fn push(self: *Bits, bit: bool) void {
        if (self.len % 8 == 0) self.bytes.push(0);
        self.bytes.ptr[self.len / 8] |= @as(u8, @intFromBool(bit)) << @truncate(self.len % 8);
        self.len += 1;
    }
};

/// A column of values of type `T`.
pub fn Builder(comptime T: type) type {
    const B = value.Bare(T);
    const is_part = value.partOf(T) != null;
    return struct {
        const Self = @This();

        values: Values = .{},
        validity: if (value.isNullable(T)) Bits else void = if (value.isNullable(T)) .{} else {},

        const Values = if (is_part) Parts else switch (B) {
            bool => Bits,
            i64, value.Timestamp => Growing(i64),
            f64 => Growing(f64),
            else => Copies,
        };

        /// Where what is put as a part must lie.
        pub fn cut(self: *Self, source: []const u8) void {
            self.values.source = source;
        }

        pub inline fn push(self: *Self, item: T) void {
            if (comptime value.isNullable(T)) {
                self.validity.push(item != null);
                self.pushBare(item orelse blank);
            } else {
                self.pushBare(item);
            }
        }

        pub fn pushBlank(self: *Self) void {
            self.push(if (comptime value.isNullable(T)) null else blank);
        }

        /// What is there where a null is.
        const blank: B = if (is_part) .{ .bytes = "" } else switch (B) {
            bool => false,
            value.Timestamp => .{ .micros = 0 },
            []const u8 => "",
            value.Binary => .{ .bytes = "" },
            else => 0,
        };

        inline fn pushBare(self: *Self, item: B) void {
            if (is_part) return self.values.push(item.bytes);
            self.values.push(switch (B) {
                value.Timestamp => item.micros,
                value.Binary => item.bytes,
                else => item,
            });
        }

        /// Hands the column over. `source` is the index of the column that its values are parts of.
        pub fn take(self: *Self, source: u32) wit.weir_operator_rows_column_t {
            var column: wit.weir_operator_rows_column_t = .{};
            const val = &column.values.val;
            column.values.tag = if (is_part) wit.WEIR_OPERATOR_ROWS_VALUES_SLICES else @backingInt(value.dataType(T));
            if (is_part) {
                val.* = .{ .slices = self.values.take(source) };
            } else switch (B) {
                bool => val.* = .{ .boolean = self.values.bytes.take(wit.weir_operator_rows_bitmap_t) },
                i64, value.Timestamp => val.* = .{ .int64 = self.values.take(wit.wit_list_s64_t) },
                f64 => val.* = .{ .float64 = self.values.take(wit.wit_list_f64_t) },
                else => val.* = .{ .utf8 = self.values.take() },
            }
            if (comptime value.isNullable(T)) {
                const validity = self.validity.bytes.take(wit.weir_operator_rows_bitmap_t);
                column.validity = .{ .is_some = true, .val = validity };
            }
            return column;
        }
    };
}

/// Text that is copied.
const Copies = struct {
    offsets: Growing(i32) = .{},
    data: Growing(u8) = .{},

    inline fn push(self: *Copies, bytes: []const u8) void {
        if (self.offsets.len == 0) self.offsets.push(0);
        self.data.append(bytes);
        self.offsets.push(@intCast(self.data.len));
    }

    fn take(self: *Copies) wit.weir_operator_rows_var_len_t {
        if (self.offsets.len == 0) self.offsets.push(0);
        return .{ .offsets = self.offsets.take(wit.wit_list_s32_t), .data = self.data.take(wit.wit_list_u8_t) };
    }
};

/// Text that lies in an input column.
const Parts = struct {
    source: []const u8 = "",
    starts: Growing(u32) = .{},
    lengths: Growing(u32) = .{},

    inline fn push(self: *Parts, bytes: []const u8) void {
        // Below the source it wraps round, to beyond its end.
        const start = if (bytes.len == 0) 0 else @intFromPtr(bytes.ptr) -% @intFromPtr(self.source.ptr);
        if (start > self.source.len or bytes.len > self.source.len - start) {
            @panic("what is put as a part of a column is no part of it");
        }
        self.starts.push(@intCast(start));
        self.lengths.push(@intCast(bytes.len));
    }

    fn take(self: *Parts, source: u32) wit.weir_operator_rows_slices_t {
        return .{
            .column = source,
            .starts = self.starts.take(wit.wit_list_u32_t),
            .lengths = self.lengths.take(wit.wit_list_u32_t),
        };
    }
};
