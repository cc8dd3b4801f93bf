//! The operator's `config` of the pipeline file, as a struct.

const std = @import("std");
const call = @import("call.zig");
const value = @import("value.zig");

/// Reads a config. A key that the struct does not have is an error: a key without effect must not go unnoticed.
pub fn parse(comptime Config: type, json: []const u8) !Config {
    // Without a JSON parser, which would be most of a small operator.
    if (comptime value.names(Config).len == 0) {
        try refuse(json);
        return .{};
    }
    const allocator = call.lastingAllocator();
    const text = if (json.len == 0) "{}" else json;
    const root = std.json.parseFromSliceLeaky(std.json.Value, allocator, text, .{}) catch |err|
        return call.fail("the operator's config is no JSON: {t}", .{err});
    const table = if (root == .object) root.object else return call.fail("the operator's config must be a table", .{});
    for (table.keys()) |key| {
        if (!isKnown(Config, key)) return unknown(Config, key);
    }
    var config: Config = undefined;
    const info = @typeInfo(Config).@"struct";
    inline for (info.field_names, info.field_types, info.field_attrs) |name, T, attributes| {
        if (table.get(name)) |found| {
            @field(config, name) = std.json.parseFromValueLeaky(T, allocator, found, .{}) catch return call.fail(
                "the operator's config is not valid: `{s}` must be {s}, but is {s}",
                .{ name, @typeName(T), std.json.Stringify.valueAlloc(allocator, found, .{}) catch "another" },
            );
        } else {
            @field(config, name) = attributes.defaultValue(T) orelse
                return call.fail("the operator's config is not valid: `{s}` is missing", .{name});
        }
    }
    if (@hasDecl(Config, "validate")) try config.validate();
    return config;
}

fn refuse(json: []const u8) error{Failed}!void {
    for (json) |c| {
        if (!std.ascii.isWhitespace(c) and c != '{' and c != '}') {
            return call.fail("the operator takes no config, but is given {s}", .{json});
        }
    }
}

fn isKnown(comptime Config: type, key: []const u8) bool {
    inline for (comptime value.names(Config)) |name| if (std.mem.eql(u8, key, name)) return true;
    return false;
}

fn unknown(comptime Config: type, key: []const u8) error{Failed} {
    const names = comptime value.names(Config);
    comptime var list: []const u8 = "`" ++ names[0] ++ "`";
    inline for (names[1..]) |name| list = list ++ ", `" ++ name ++ "`";
    return call.fail("the operator's config has a key `{s}`, which it does not know; it knows " ++ list, .{key});
}
