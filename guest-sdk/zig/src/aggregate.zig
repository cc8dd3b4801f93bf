//! An aggregate as a component: what the host calls, in terms of what `src/main.zig` declares.
//!
//! Each answer has a row for each group, or for each row of what it is made of.

const call = @import("call.zig");
const declared = @import("declared.zig");
const schema = @import("schema.zig");
const value = @import("value.zig");
const wit = @import("wit");
const Bits = @import("builder.zig").Bits;
const Builders = @import("builders.zig").Builders;
const Group = @import("group.zig").Group;
const Rows = @import("rows.zig").Rows;

const Input = declared.Record("Input", value.Nothing);
const Accumulator = declared.Record("Accumulator", value.Nothing);
const Output = declared.Record("Output", value.Nothing);

const Batch = wit.exports_weir_operator_aggregate_batch_t;
const Failure = wit.exports_weir_operator_aggregate_failure_t;
const Fields = wit.exports_weir_operator_aggregate_list_field_t;

export fn exports_weir_operator_aggregate_configure(
    json: *wit.wit_string_t,
    input: *Fields,
    ret: *wit.exports_weir_operator_aggregate_shape_t,
    err: *Failure,
) bool {
    defer call.end();
    ret.* = shape(json.ptr[0..json.len], input.ptr[0..input.len]) catch |e| return call.failed(err, e);
    return true;
}

fn shape(
    json: []const u8,
    input: []const wit.weir_operator_rows_field_t,
) !wit.exports_weir_operator_aggregate_shape_t {
    try declared.configure(json);
    const reads = try schema.resolve(Input, "input", input);
    return .{
        .reads = .{ .is_some = true, .val = schema.handedOver(wit.wit_list_u32_t, reads) },
        .accumulator = schema.handedOver(Fields, schema.announced(Accumulator, value.Nothing)),
        .output = schema.handedOver(Fields, schema.announced(Output, value.Nothing)),
        .retracts = declared.has("retract"),
    };
}

export fn exports_weir_operator_aggregate_create(
    groups: *wit.wit_list_u32_t,
    input: *Batch,
    ret: *wit.exports_weir_operator_aggregate_created_t,
    err: *Failure,
) bool {
    defer call.end();
    defer wit.wit_list_u32_free(groups);
    defer wit.exports_weir_operator_aggregate_batch_free(input);
    var group: Group(Input) = .init(input.*);
    var out: Builders(Accumulator) = .{};
    const created = createAll(groups.ptr[0..groups.len], &group, &out);
    ret.* = .{
        .accumulators = out.takeBatch(groups.len -| 1),
        .rejects = group.rejects.take(wit.exports_weir_operator_aggregate_list_reject_t),
    };
    created catch |e| {
        wit.exports_weir_operator_aggregate_created_free(ret);
        return call.failed(err, e);
    };
    return true;
}

fn createAll(groups: []const u32, group: *Group(Input), out: *Builders(Accumulator)) !void {
    for (0..groups.len -| 1) |i| {
        group.start(groups[i], groups[i + 1]);
        const total = if (declared.has("createGroup")) try createGroup(group) else try createRows(group);
        // Nobody reads the accumulator of a group whose rows are all rejected, but there must be one.
        out.pushOrBlank(total);
    }
}

fn createGroup(group: *Group(Input)) !?Accumulator {
    const signature = "(rows: *weir.Group(Input)) !?Accumulator";
    const total = try declared.invoke("createGroup", signature, ?Accumulator, .{group});
    if (total == null and !group.isRejected()) {
        return call.fail("`createGroup` answered null for a group with rows that it did not reject", .{});
    }
    return total;
}

/// The accumulator of what is not rejected.
fn createRows(group: *Group(Input)) !?Accumulator {
    var total: ?Accumulator = null;
    while (group.next()) |row| {
        const part = declared.invoke("create", "(row: Input) !Accumulator", Accumulator, .{row}) catch |e| switch (e) {
            error.Rejected => {
                group.rejects.push(group.at - 1, call.text(e));
                continue;
            },
            else => return e,
        };
        total = if (total) |whole| try merge(whole, part) else part;
    }
    return total;
}

export fn exports_weir_operator_aggregate_merge(
    groups: *wit.wit_list_u32_t,
    accumulators: *Batch,
    ret: *Batch,
    err: *Failure,
) bool {
    defer call.end();
    defer wit.wit_list_u32_free(groups);
    defer wit.exports_weir_operator_aggregate_batch_free(accumulators);
    var parts: Group(Accumulator) = .init(accumulators.*);
    var out: Builders(Accumulator) = .{};
    const merged = mergeAll(groups.ptr[0..groups.len], &parts, &out);
    return answered(out.takeBatch(groups.len -| 1), merged, ret, err);
}

fn mergeAll(groups: []const u32, parts: *Group(Accumulator), out: *Builders(Accumulator)) !void {
    for (0..groups.len -| 1) |i| {
        parts.start(groups[i], groups[i + 1]);
        out.push(if (declared.has("mergeGroup")) try mergeGroup(parts) else try mergeParts(parts));
    }
    if (parts.rejects.list.len > 0) return call.fail("`mergeGroup` rejected an accumulator; only rows can be", .{});
}

fn mergeGroup(parts: *Group(Accumulator)) !Accumulator {
    return declared.invoke("mergeGroup", "(parts: *weir.Group(Accumulator)) !Accumulator", Accumulator, .{parts});
}

fn mergeParts(parts: *Group(Accumulator)) !Accumulator {
    var total = parts.next().?;
    while (parts.next()) |part| total = try merge(total, part);
    return total;
}

inline fn merge(total: Accumulator, part: Accumulator) !Accumulator {
    const signature = "(total: Accumulator, part: Accumulator) !Accumulator";
    return declared.invoke("merge", signature, Accumulator, .{ total, part });
}

export fn exports_weir_operator_aggregate_retract(
    total: *Batch,
    part: *Batch,
    ret: *wit.exports_weir_operator_aggregate_tuple2_batch_list_u8_t,
    err: *Failure,
) bool {
    defer call.end();
    defer wit.exports_weir_operator_aggregate_batch_free(total);
    defer wit.exports_weir_operator_aggregate_batch_free(part);
    const totals: Rows(Accumulator) = .init(total.*);
    var out: Builders(Accumulator) = .{};
    var nothing: Bits = .{};
    const retracted = retractAll(totals, .init(part.*), &out, &nothing);
    ret.* = .{ .f0 = out.takeBatch(totals.len), .f1 = nothing.bytes.take(wit.wit_list_u8_t) };
    retracted catch |e| {
        wit.exports_weir_operator_aggregate_tuple2_batch_list_u8_free(ret);
        return call.failed(err, e);
    };
    return true;
}

fn retractAll(
    totals: Rows(Accumulator),
    parts: Rows(Accumulator),
    out: *Builders(Accumulator),
    nothing: *Bits,
) !void {
    // The host has been told, and does not call.
    if (!declared.has("retract")) unreachable;
    for (0..totals.len) |i| {
        const pair = .{ totals.get(i).?, parts.get(i).? };
        const signature = "(total: Accumulator, part: Accumulator) !?Accumulator";
        const rest = try declared.invoke("retract", signature, ?Accumulator, pair);
        nothing.push(rest == null);
        out.pushOrBlank(rest);
    }
}

export fn exports_weir_operator_aggregate_finish(accumulators: *Batch, ret: *Batch, err: *Failure) bool {
    defer call.end();
    defer wit.exports_weir_operator_aggregate_batch_free(accumulators);
    const totals: Rows(Accumulator) = .init(accumulators.*);
    var out: Builders(Output) = .{};
    const finished = finishAll(totals, &out);
    return answered(out.takeBatch(totals.len), finished, ret, err);
}

fn finishAll(totals: Rows(Accumulator), out: *Builders(Output)) !void {
    for (0..totals.len) |i| {
        out.push(try declared.invoke("finish", "(total: Accumulator) !Output", Output, .{totals.get(i).?}));
    }
}

fn answered(batch: Batch, result: anyerror!void, ret: *Batch, err: *Failure) bool {
    ret.* = batch;
    result catch |e| {
        wit.exports_weir_operator_aggregate_batch_free(ret);
        return call.failed(err, e);
    };
    return true;
}
