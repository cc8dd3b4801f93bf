//! A transform as a component: what the host calls, in terms of what `src/main.zig` declares.

const operator = @import("operator");
const call = @import("call.zig");
const config = @import("config.zig");
const schema = @import("schema.zig");
const value = @import("value.zig");
const wit = @import("wit");
const Emitter = @import("emitter.zig").Emitter;
const Rows = @import("rows.zig").Rows;

const Config = if (@hasDecl(operator, "Config")) operator.Config else struct {};
const Input = operator.Input;
const Output = operator.Output;
const keep = if (@hasDecl(operator, "keep")) operator.keep else [0][]const u8{};

/// Since `configure`.
var configured: Config = undefined;

export fn exports_weir_operator_transform_configure(
    json: *wit.wit_string_t,
    input: *wit.exports_weir_operator_transform_list_field_t,
    ret: *wit.exports_weir_operator_transform_shape_t,
    err: *wit.exports_weir_operator_transform_failure_t,
) bool {
    defer call.end();
    ret.* = shape(json.ptr[0..json.len], input.ptr[0..input.len]) catch |e| {
        err.* = call.handedOver(call.text(e));
        return false;
    };
    return true;
}

fn shape(
    json: []const u8,
    input: []const wit.weir_operator_rows_field_t,
) !wit.exports_weir_operator_transform_shape_t {
    configured = try config.parse(Config, json);
    const reads = try schema.resolve(Input, input);
    const keeps = try schema.kept(keep, input);
    const adds = schema.announced(Output, Input);
    return .{
        .reads = .{ .is_some = true, .val = schema.handedOver(wit.wit_list_u32_t, reads) },
        .keeps = schema.handedOver(wit.wit_list_u32_t, keeps),
        .adds = schema.handedOver(wit.exports_weir_operator_transform_list_field_t, adds),
    };
}

export fn exports_weir_operator_transform_apply(
    batch_time: u64,
    input: *wit.exports_weir_operator_transform_batch_t,
    ret: *wit.exports_weir_operator_transform_emitted_t,
    err: *wit.exports_weir_operator_transform_failure_t,
) bool {
    call.begin(batch_time);
    defer call.end();
    defer wit.exports_weir_operator_transform_batch_free(input);
    const rows: Rows(Input) = .init(input.*);
    var out: Emitter(Output) = .{};
    inline for (comptime value.names(Output)) |name| {
        const of = comptime value.partOf(@FieldType(Output, name)) orelse continue;
        @field(out.builders, name).cut(@field(rows.columns, of).values.data);
    }
    var failure: ?[]const u8 = null;
    apply(rows, &out) catch |e| {
        failure = call.text(e);
    };
    failure = failure orelse out.disorder(rows.len);
    ret.* = emitted(&out, rows.len);
    const message = failure orelse return true;
    wit.exports_weir_operator_transform_emitted_free(ret);
    err.* = call.handedOver(message);
    return false;
}

fn apply(rows: Rows(Input), out: *Emitter(Output)) anyerror!void {
    if (@hasDecl(operator, "batch")) {
        return if (@hasDecl(operator, "Config")) operator.batch(configured, rows, out) else operator.batch(rows, out);
    }
    for (0..rows.len) |i| {
        out.row = @intCast(i);
        const row = rows.get(i) orelse {
            out.reject(out.row, "column `{s}` is null", .{rows.nullIn(i)});
            continue;
        };
        applyRow(row, out) catch |e| switch (e) {
            error.Rejected => out.rejectAs(out.row, call.text(e)),
            else => return e,
        };
    }
}

inline fn applyRow(row: Input, out: *Emitter(Output)) anyerror!void {
    return if (@hasDecl(operator, "Config")) operator.row(configured, row, out) else operator.row(row, out);
}

fn emitted(out: *Emitter(Output), input: u32) wit.exports_weir_operator_transform_emitted_t {
    const is_same = out.isSame(input);
    if (is_same) out.from.free();
    var columns: [value.names(Output).len]wit.weir_operator_rows_column_t = undefined;
    inline for (comptime value.names(Output), &columns) |name, *column| {
        const of = comptime value.partOf(@FieldType(Output, name));
        column.* = @field(out.builders, name).take(if (of) |source| comptime indexOf(source) else 0);
    }
    return .{
        .origin = if (is_same)
            .{ .tag = wit.EXPORTS_WEIR_OPERATOR_TRANSFORM_ORIGIN_SAME }
        else
            .{
                .tag = wit.EXPORTS_WEIR_OPERATOR_TRANSFORM_ORIGIN_FROM,
                .val = .{ .from = out.from.take(wit.wit_list_u32_t) },
            },
        .columns = schema.handedOver(wit.exports_weir_operator_transform_list_column_t, columns),
        .rejects = out.takeRejects(wit.exports_weir_operator_transform_list_reject_t),
    };
}

/// Columns are read in the order of the fields.
fn indexOf(comptime name: []const u8) u32 {
    for (value.names(Input), 0..) |field, i| if (@import("std").mem.eql(u8, field, name)) return i;
    unreachable;
}
