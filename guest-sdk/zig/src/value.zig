//! Types that a column's values have in Zig: `bool`, `i64`, `f64`, `[]const u8` for text, and those that are here. An
//! optional is a column that may have nulls.

const std = @import("std");
const wit = @import("wit");

/// Microseconds since the Unix epoch, UTC.
pub const Timestamp = struct { micros: i64 };

/// Bytes that need not be text.
pub const Binary = struct { bytes: []const u8 };

/// An output value that is a part of the input column `column`, whose type it has. The host takes it from there:
/// nothing is copied.
pub fn Part(comptime column: []const u8) type {
    return struct {
        bytes: []const u8,

        pub const part_of = column;

        /// The part, which must lie in that column's data.
        pub fn of(bytes: []const u8) @This() {
            return .{ .bytes = bytes };
        }
    };
}

/// What has no columns that there could be parts of.
pub const Nothing = struct {};

/// The type of a column, as the interface numbers it.
pub const DataType = enum(u8) {
    boolean = wit.WEIR_OPERATOR_ROWS_DATA_TYPE_BOOLEAN,
    int64 = wit.WEIR_OPERATOR_ROWS_DATA_TYPE_INT64,
    float64 = wit.WEIR_OPERATOR_ROWS_DATA_TYPE_FLOAT64,
    timestamp = wit.WEIR_OPERATOR_ROWS_DATA_TYPE_TIMESTAMP,
    utf8 = wit.WEIR_OPERATOR_ROWS_DATA_TYPE_UTF8,
    binary = wit.WEIR_OPERATOR_ROWS_DATA_TYPE_BINARY,
};

pub fn isNullable(comptime T: type) bool {
    return @typeInfo(T) == .optional;
}

/// The type without the `?`.
pub fn Bare(comptime T: type) type {
    return if (isNullable(T)) @typeInfo(T).optional.child else T;
}

/// The input column that values of this type are parts of.
pub fn partOf(comptime T: type) ?[]const u8 {
    const B = Bare(T);
    return if (@typeInfo(B) == .@"struct" and @hasDecl(B, "part_of")) B.part_of else null;
}

/// Whether there are columns of this type.
pub fn isColumn(comptime T: type) bool {
    return switch (Bare(T)) {
        bool, i64, f64, Timestamp, []const u8, Binary => true,
        else => false,
    };
}

/// The type of a column whose values are such.
pub fn dataType(comptime T: type) DataType {
    return switch (Bare(T)) {
        bool => .boolean,
        i64 => .int64,
        f64 => .float64,
        Timestamp => .timestamp,
        []const u8 => .utf8,
        Binary => .binary,
        else => unreachable,
    };
}

/// A struct with the names of `Record`'s fields, whose types are `Of` theirs.
pub fn Mapped(comptime Record: type, comptime Of: fn (type) type) type {
    const info = @typeInfo(Record).@"struct";
    var types: [info.field_types.len]type = undefined;
    for (info.field_types, &types) |T, *mapped| mapped.* = Of(T);
    return @Struct(.auto, null, info.field_names, &types, &@splat(.{}));
}

pub fn names(comptime Record: type) []const [:0]const u8 {
    return @typeInfo(Record).@"struct".field_names;
}

/// Which of the record's fields has this name.
pub fn indexOf(comptime Record: type, comptime name: []const u8) u32 {
    for (names(Record), 0..) |field, i| if (std.mem.eql(u8, field, name)) return i;
    unreachable;
}
