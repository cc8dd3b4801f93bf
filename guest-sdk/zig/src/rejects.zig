//! Rows that are rejected, as they become known.

const std = @import("std");
const call = @import("call.zig");
const wit = @import("wit");
const Growing = @import("growing.zig").Growing;

const Reject = wit.weir_operator_rows_reject_t;

pub const Rejects = struct {
    list: Growing(Reject) = .{},

    pub fn push(self: *Rejects, row: u32, reason: []const u8) void {
        self.list.push(.{ .row = row, .reason = call.handedOver(reason) });
    }

    /// Hands them over, each row once and in order.
    pub fn take(self: *Rejects, comptime List: type) List {
        const all = self.list.items();
        std.mem.sort(Reject, all, {}, byRow);
        var kept: usize = 0;
        for (all) |*one| {
            if (kept > 0 and all[kept - 1].row == one.row) {
                wit.weir_operator_rows_reject_free(one);
            } else {
                all[kept] = one.*;
                kept += 1;
            }
        }
        self.list.len = kept;
        return self.list.take(List);
    }

    fn byRow(_: void, a: Reject, b: Reject) bool {
        return a.row < b.row;
    }
};
