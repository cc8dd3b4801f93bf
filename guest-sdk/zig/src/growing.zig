//! A list that grows in the memory that is handed to the host, which frees it with libc's `free`.

const std = @import("std");

pub fn Growing(comptime T: type) type {
    return struct {
        const Self = @This();

        ptr: [*]T = undefined,
        len: usize = 0,
        capacity: usize = 0,

        /// Room for a call of the usual size.
        const first = 4096;

        pub inline fn push(self: *Self, item: T) void {
            // There is room, and a length that fits memory does not overflow.
            @setRuntimeSafety(false);
            if (self.len == self.capacity) self.grow(1);
            self.ptr[self.len] = item;
            self.len += 1;
        }

        pub inline fn append(self: *Self, more: []const T) void {
            @setRuntimeSafety(false);
            if (self.capacity - self.len < more.len) self.grow(more.len);
            @memcpy(self.ptr[self.len..][0..more.len], more);
            self.len += more.len;
        }

        fn grow(self: *Self, by: usize) void {
            @branchHint(.cold);
            const capacity = @max(2 * self.capacity, self.len + by, first);
            const old: ?*anyopaque = if (self.capacity == 0) null else self.ptr;
            const new = std.c.realloc(old, capacity * @sizeOf(T)) orelse @panic("out of memory");
            self.ptr = @ptrCast(@alignCast(new));
            self.capacity = capacity;
        }

        pub fn items(self: *const Self) []T {
            return self.ptr[0..self.len];
        }

        /// Hands the memory over. Whoever frees it looks at the length, so where that is 0 there is none.
        pub fn take(self: *Self, comptime List: type) List {
            defer self.* = .{};
            if (self.len == 0) {
                self.free();
                return .{ .ptr = null, .len = 0 };
            }
            return .{ .ptr = self.ptr, .len = self.len };
        }

        pub fn free(self: *Self) void {
            if (self.capacity != 0) std.c.free(self.ptr);
            self.* = .{};
        }
    };
}
