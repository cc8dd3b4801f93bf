//! A struct's fields against the input's columns, and what to say where they do not fit.

const std = @import("std");
const call = @import("call.zig");
const value = @import("value.zig");
const wit = @import("wit");

const Field = wit.weir_operator_rows_field_t;

/// The indices of the columns that a struct's fields are read from. `place` is what messages call the columns.
pub fn resolve(
    comptime Record: type,
    comptime place: []const u8,
    columns: []const Field,
) error{Failed}![value.names(Record).len]u32 {
    var indices: [value.names(Record).len]u32 = undefined;
    inline for (comptime value.names(Record), &indices) |name, *index| {
        const wanted = comptime value.dataType(@FieldType(Record, name));
        const at = find(name, columns) orelse return call.fail(
            "the " ++ place ++ " has no column `{s}` ({t}), which the operator reads; it has {s}",
            .{ name, wanted, list(columns) },
        );
        const found: value.DataType = @fromBackingInt(@intCast(columns[at].data_type));
        if (found != wanted) return call.fail(
            "the operator reads column `{s}` as {t}, but in the " ++ place ++ " it is {t}; the " ++ place ++ " has {s}",
            .{ name, wanted, found, list(columns) },
        );
        index.* = at;
    }
    return indices;
}

/// The indices of columns that are carried over.
pub fn kept(columns: anytype, input: []const Field) error{Failed}![columns.len]u32 {
    var indices: [columns.len]u32 = undefined;
    for (columns, &indices) |name, *index| {
        index.* = find(name, input) orelse return call.fail(
            "the input has no column `{s}`, which the operator keeps; it has {s}",
            .{ name, list(input) },
        );
    }
    return indices;
}

/// A struct's fields as the host wants to hear of them. Those that are parts of columns are of those of `Input`.
pub fn announced(comptime Record: type, comptime Input: type) [value.names(Record).len]Field {
    var fields: [value.names(Record).len]Field = undefined;
    inline for (comptime value.names(Record), &fields) |name, *field| {
        const T = @FieldType(Record, name);
        const data_type = comptime value.dataType(if (value.partOf(T)) |of| @FieldType(Input, of) else T);
        field.* = .{
            .name = call.handedOver(name),
            .data_type = @backingInt(data_type),
            .nullable = comptime value.isNullable(T),
        };
    }
    return fields;
}

/// Memory that is handed to the host, with these in it.
pub fn handedOver(comptime List: type, items: anytype) List {
    if (items.len == 0) return .{ .ptr = null, .len = 0 };
    const copy = std.heap.c_allocator.dupe(@TypeOf(items[0]), &items) catch @panic("out of memory");
    return .{ .ptr = copy.ptr, .len = copy.len };
}

fn find(name: []const u8, input: []const Field) ?u32 {
    for (input, 0..) |field, i| if (std.mem.eql(u8, field.name.ptr[0..field.name.len], name)) return @intCast(i);
    return null;
}

fn list(input: []const Field) []const u8 {
    if (input.len == 0) return "no columns";
    var text: std.ArrayList(u8) = .empty;
    for (input, 0..) |field, i| {
        const name = field.name.ptr[0..field.name.len];
        const data_type: value.DataType = @fromBackingInt(@intCast(field.data_type));
        const separator = if (i == 0) "" else ", ";
        text.print(call.allocator(), "{s}`{s}` ({t})", .{ separator, name, data_type }) catch @panic("out of memory");
    }
    return text.items;
}
