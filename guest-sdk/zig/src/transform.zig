//! A transform as a component: what the host calls, in terms of what `src/main.zig` declares.

const operator = @import("operator");
const call = @import("call.zig");
const declared = @import("declared.zig");
const schema = @import("schema.zig");
const value = @import("value.zig");
const wit = @import("wit");
const Emitter = @import("emitter.zig").Emitter;
const Rows = @import("rows.zig").Rows;

const Input = declared.Record("Input", value.Nothing);
const Output = declared.Record("Output", Input);
const keep = if (declared.has("keep")) operator.keep else [0][]const u8{};

export fn exports_weir_operator_transform_configure(
    json: *wit.wit_string_t,
    input: *wit.exports_weir_operator_transform_list_field_t,
    ret: *wit.exports_weir_operator_transform_shape_t,
    err: *wit.exports_weir_operator_transform_failure_t,
) bool {
    defer call.end();
    ret.* = shape(json.ptr[0..json.len], input.ptr[0..input.len]) catch |e| return call.failed(err, e);
    return true;
}

fn shape(
    json: []const u8,
    input: []const wit.weir_operator_rows_field_t,
) !wit.exports_weir_operator_transform_shape_t {
    try declared.configure(json);
    const reads = try schema.resolve(Input, "input", input);
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
        @field(out.rows.columns, name).cut(@field(rows.columns, of).values.data);
    }
    const applied = apply(rows, &out);
    ret.* = emitted(&out, rows.len);
    applied catch |e| {
        wit.exports_weir_operator_transform_emitted_free(ret);
        return call.failed(err, e);
    };
    return true;
}

fn apply(rows: Rows(Input), out: *Emitter(Output)) anyerror!void {
    if (declared.has("batch")) {
        const signature = "(rows: weir.Rows(Input), out: *weir.Emitter(Output)) !void";
        try declared.invoke("batch", signature, void, .{ rows, out });
    } else {
        for (0..rows.len) |i| {
            out.row = @intCast(i);
            const row = rows.get(i) orelse {
                out.reject(out.row, "column `{s}` is null", .{rows.nullIn(i)});
                continue;
            };
            applyRow(row, out) catch |e| switch (e) {
                error.Rejected => out.rejects.push(out.row, call.text(e)),
                else => return e,
            };
        }
    }
    try out.checkOrder(rows.len);
}

inline fn applyRow(row: Input, out: *Emitter(Output)) !void {
    return declared.invoke("row", "(row: Input, out: *weir.Emitter(Output)) !void", void, .{ row, out });
}

fn emitted(out: *Emitter(Output), input: u32) wit.exports_weir_operator_transform_emitted_t {
    const is_same = out.isSame(input);
    if (is_same) out.from.free();
    return .{
        .origin = if (is_same)
            .{ .tag = wit.EXPORTS_WEIR_OPERATOR_TRANSFORM_ORIGIN_SAME }
        else
            .{
                .tag = wit.EXPORTS_WEIR_OPERATOR_TRANSFORM_ORIGIN_FROM,
                .val = .{ .from = out.from.take(wit.wit_list_u32_t) },
            },
        .columns = out.rows.take(wit.exports_weir_operator_transform_list_column_t, Input),
        .rejects = out.rejects.take(wit.exports_weir_operator_transform_list_reject_t),
    };
}
