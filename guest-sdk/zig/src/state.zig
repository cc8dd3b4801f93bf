//! A state as a component: what the host calls, in terms of what `src/main.zig` declares.

const operator = @import("operator");
const call = @import("call.zig");
const column = @import("column.zig");
const declared = @import("declared.zig");
const schema = @import("schema.zig");
const turns = @import("turn.zig");
const value = @import("value.zig");
const wit = @import("wit");
const Builders = @import("builders.zig").Builders;
const Group = @import("group.zig").Group;
const Growing = @import("growing.zig").Growing;
const Rows = @import("rows.zig").Rows;

/// What is read of the key, if anything is.
const Key = if (declared.has("Key")) declared.Record("Key", value.Nothing) else value.Nothing;
const Input = declared.Record("Input", value.Nothing);
const State = declared.Record("State", value.Nothing);
const Output = declared.Record("Output", value.Nothing);
const Next = turns.Next(State);
const Turn = turns.Turn(Output);
const version = if (declared.has("version")) operator.version else 1;

const Fields = wit.exports_weir_operator_state_list_field_t;
const Touched = wit.exports_weir_operator_state_touched_t;

/// The key's columns all cross: these are read. Since `configure`.
var of_key: [value.names(Key).len]u32 = undefined;

export fn exports_weir_operator_state_configure(
    json: *wit.wit_string_t,
    keys: *Fields,
    input: *Fields,
    ret: *wit.exports_weir_operator_state_shape_t,
    err: *wit.exports_weir_operator_state_failure_t,
) bool {
    defer call.end();
    ret.* = shape(json.ptr[0..json.len], keys.ptr[0..keys.len], input.ptr[0..input.len]) catch |e|
        return call.failed(err, e);
    return true;
}

fn shape(
    json: []const u8,
    keys: []const wit.weir_operator_rows_field_t,
    input: []const wit.weir_operator_rows_field_t,
) !wit.exports_weir_operator_state_shape_t {
    try declared.configure(json);
    of_key = try schema.resolve(Key, "key", keys);
    const reads = try schema.resolve(Input, "input", input);
    return .{
        .reads = .{ .is_some = true, .val = schema.handedOver(wit.wit_list_u32_t, reads) },
        .state = schema.handedOver(Fields, schema.announced(State, value.Nothing)),
        .version = version,
        .output = schema.handedOver(Fields, schema.announced(Output, value.Nothing)),
    };
}

/// The answer, as it grows.
const Answer = struct {
    next: Builders(State) = .{},
    fates: Growing(u8) = .{},
    timers: Growing(u64) = .{},
    turn: Turn = .{},

    fn push(self: *Answer, next: Next) void {
        // Nobody reads the next state of a key that is not kept, but there must be one.
        self.next.pushOrBlank(switch (next) {
            .keep => |state| state,
            else => null,
        });
        self.fates.push(@backingInt(next));
        self.timers.push(self.turn.timer);
    }
};

export fn exports_weir_operator_state_update(
    batch_time: u64,
    touched: *Touched,
    ret: *wit.exports_weir_operator_state_updated_t,
    err: *wit.exports_weir_operator_state_failure_t,
) bool {
    call.begin(batch_time);
    defer call.end();
    defer wit.exports_weir_operator_state_touched_free(touched);
    var group: Group(Input) = .init(touched.input);
    var answer: Answer = .{};
    const updated = updateAll(touched, &group, &answer);
    ret.* = .{
        .next = answer.next.takeBatch(touched.keys.row_count),
        .fates = answer.fates.take(wit.exports_weir_operator_state_list_fate_t),
        .timers = answer.timers.take(wit.wit_list_u64_t),
        .output = answer.turn.rows.takeBatch(answer.turn.from.len),
        .output_from = answer.turn.from.take(wit.wit_list_u32_t),
        .rejects = group.rejects.take(wit.exports_weir_operator_state_list_reject_t),
    };
    updated catch |e| {
        wit.exports_weir_operator_state_updated_free(ret);
        return call.failed(err, e);
    };
    return true;
}

fn updateAll(touched: *const Touched, group: *Group(Input), answer: *Answer) !void {
    const keys: Rows(Key) = .initFrom(touched.keys, of_key);
    const states: Rows(State) = .init(touched.previous);
    for (0..keys.len) |i| {
        group.start(touched.groups.ptr[i], touched.groups.ptr[i + 1]);
        answer.turn.start(@intCast(i), @fromBackingInt(@intCast(touched.causes.ptr[i])));
        const key = keys.get(i) orelse {
            for (group.first..group.end) |row| {
                group.rejectRow(@intCast(row), "the key's column `{s}` is null", .{keys.nullIn(i)});
            }
            answer.push(.unchanged);
            continue;
        };
        const state = if (column.bit(touched.present.ptr, i)) states.get(i).? else null;
        answer.push(try update(key, state, group, &answer.turn));
    }
}

inline fn update(key: Key, state: ?State, group: *Group(Input), turn: *Turn) !Next {
    const signature = "state: ?State, rows: *weir.Group(Input), turn: *weir.Turn(Output)) !weir.Next(State)";
    return if (declared.has("Key"))
        declared.invoke("update", "(key: Key, " ++ signature, Next, .{ key, state, group, turn })
    else
        declared.invoke("update", "(" ++ signature, Next, .{ state, group, turn });
}
