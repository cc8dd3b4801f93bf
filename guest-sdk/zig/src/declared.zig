//! What `src/main.zig` declares, and what it was configured with.

const operator = @import("operator");
const config = @import("config.zig");
const value = @import("value.zig");

const Config = if (has("Config")) operator.Config else struct {};

/// Since `configure`.
var configured: Config = undefined;

pub fn configure(json: []const u8) !void {
    configured = try config.parse(Config, json);
}

pub inline fn has(comptime name: []const u8) bool {
    return @hasDecl(operator, name);
}

/// A struct whose fields are columns. They can be parts of columns of `Of`, which is `value.Nothing` where none can.
pub fn Record(comptime name: []const u8, comptime Of: type) type {
    const wanted = "`pub const " ++ name ++ " = struct { … };`";
    if (!has(name)) @compileError("the operator must declare its columns: " ++ wanted);
    const T = @field(operator, name);
    if (@TypeOf(T) != type or @typeInfo(T) != .@"struct") @compileError("columns are declared as " ++ wanted);
    for (value.names(T)) |field| checkColumn(name ++ "." ++ field, @FieldType(T, field), Of);
    return T;
}

fn checkColumn(comptime field: []const u8, comptime T: type, comptime Of: type) void {
    if (value.partOf(T)) |of| {
        const parts = "`" ++ field ++ "` has parts of `" ++ of ++ "`";
        if (Of == value.Nothing) @compileError(parts ++ ", as only a column that a transform adds can");
        if (!@hasField(Of, of)) @compileError(parts ++ ", which `Input` does not have");
    } else if (!value.isColumn(T)) {
        @compileError("`" ++ field ++ "` cannot be a column of type " ++ @typeName(T) ++
            ": there are bool, i64, f64, []const u8, weir.Timestamp and weir.Binary, and optionals of them");
    }
}

/// Calls the operator's function of this name, whose signature is as one would write it. It can take the config before
/// these arguments, and can answer without an error union.
pub inline fn invoke(
    comptime name: []const u8,
    comptime signature: []const u8,
    comptime Answer: type,
    arguments: anytype,
) anyerror!Answer {
    const wanted = "`pub fn " ++ name ++ signature ++ "`, with `config: Config` before the rest or without";
    if (!has(name)) @compileError("the operator must declare " ++ wanted);
    const function = @field(operator, name);
    const answer = switch (@typeInfo(@TypeOf(function)).@"fn".param_types.len) {
        arguments.len => @call(.auto, function, arguments),
        arguments.len + 1 => @call(.auto, function, .{configured} ++ arguments),
        else => @compileError("`" ++ name ++ "` has other parameters than " ++ wanted),
    };
    const Given = switch (@typeInfo(@TypeOf(answer))) {
        .error_union => |given| given.payload,
        else => @TypeOf(answer),
    };
    if (Given != Answer and ?Given != Answer) {
        @compileError("`" ++ name ++ "` answers with " ++ @typeName(Given) ++ ", and not as " ++ wanted);
    }
    return if (Given == @TypeOf(answer)) answer else try answer;
}
