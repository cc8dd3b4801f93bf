//! A row for each hashtag of a text: a `#` and the letters, digits and underscores after it.
//!
//! Reads `text`, answers with `tag`, and carries nothing over. The tags are parts of the text: nothing is copied. The
//! texts of all rows lie one after the other, so that a `#` is looked for in all of them at once, 16 bytes at a time.

const std = @import("std");
const weir = @import("weir");

pub const Input = struct { text: ?[]const u8 };
pub const Output = struct { tag: weir.Part("text") };

pub fn batch(rows: weir.Rows(Input), out: *weir.Emitter(Output)) !void {
    const text = rows.columns.text;
    const data = text.values.data;
    var row: u32 = 0;
    var hashes: Hashes = .{ .data = data };
    while (hashes.next()) |start| {
        while (text.values.offsets[row + 1] <= start) row += 1;
        const end_of_row: usize = @intCast(text.values.offsets[row + 1]);
        var end = start + 1;
        while (end < end_of_row and isOfTag(data[end])) end += 1;
        if (end > start + 1 and !text.isNull(row)) out.emitFrom(row, .{ .tag = .of(data[start..end]) });
    }
}

/// Whatever is beyond ASCII is taken for a letter.
fn isOfTag(c: u8) bool {
    return std.ascii.isAlphanumeric(c) or c == '_' or c >= 0x80;
}

/// Where there is a `#`.
const Hashes = struct {
    data: []const u8,
    /// What is searched next.
    at: usize = 0,
    /// Those found in the 16 bytes before it.
    found: u16 = 0,

    const width = 16;

    fn next(self: *Hashes) ?usize {
        while (self.found == 0) {
            if (self.data.len - self.at < width) return self.nextInTail();
            const bytes: @Vector(width, u8) = self.data[self.at..][0..width].*;
            self.found = @bitCast(bytes == @as(@Vector(width, u8), @splat('#')));
            self.at += width;
        }
        defer self.found &= self.found - 1;
        return self.at - width + @ctz(self.found);
    }

    fn nextInTail(self: *Hashes) ?usize {
        const at = std.mem.findScalarPos(u8, self.data, self.at, '#') orelse return null;
        self.at = at + 1;
        return at;
    }
};
