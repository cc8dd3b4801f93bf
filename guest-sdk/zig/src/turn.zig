//! What a call with a key knows and gives beside its state and its rows.

const wit = @import("wit");
const Builders = @import("builders.zig").Builders;
const Growing = @import("growing.zig").Growing;

/// Why a key is in a call.
pub const Cause = enum(u8) {
    /// It has rows in this batch.
    rows = wit.EXPORTS_WEIR_OPERATOR_STATE_CAUSE_ROWS,
    /// It had none for the idle timeout; this is its last call: whatever the answer, the key is forgotten.
    idle = wit.EXPORTS_WEIR_OPERATOR_STATE_CAUSE_IDLE,
    /// The timer that it asked for is due. It may have rows, too.
    timer = wit.EXPORTS_WEIR_OPERATOR_STATE_CAUSE_TIMER,
    /// The operator is called with every known key in every batch.
    all = wit.EXPORTS_WEIR_OPERATOR_STATE_CAUSE_ALL,
};

const Fate = enum(u8) {
    keep = wit.EXPORTS_WEIR_OPERATOR_STATE_FATE_KEEP,
    remove = wit.EXPORTS_WEIR_OPERATOR_STATE_FATE_REMOVE,
    unchanged = wit.EXPORTS_WEIR_OPERATOR_STATE_FATE_UNCHANGED,
};

/// What becomes of a key after the call.
pub fn Next(comptime State: type) type {
    return union(Fate) {
        /// This is its state.
        keep: State,
        /// It is forgotten.
        remove,
        /// State and timer stay as they are, which costs the host nothing; a key without a state stays without.
        unchanged,
    };
}

/// The turn of a key.
pub fn Turn(comptime Output: type) type {
    return struct {
        const Self = @This();

        /// Why the key is called.
        cause: Cause = .rows,
        key: u32 = 0,
        timer: u64 = 0,
        from: Growing(u32) = .{},
        rows: Builders(Output) = .{},

        pub fn start(self: *Self, key: u32, cause: Cause) void {
            self.key = key;
            self.cause = cause;
            self.timer = 0;
        }

        /// Answers with a row of this key, before which the host puts it.
        pub inline fn emit(self: *Self, row: Output) void {
            self.from.push(self.key);
            self.rows.push(row);
        }

        /// Asks for a call in the first batch at or after this time, in milliseconds since the Unix epoch, even without
        /// rows. Only with `.keep`; a later call that keeps the key asks anew, or there is no timer any more.
        pub fn wakeAt(self: *Self, time: u64) void {
            // 0 is no timer.
            self.timer = @max(time, 1);
        }
    };
}
