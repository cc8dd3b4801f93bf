//! A row for each `@mention` in a text, beside the user who wrote it.

const std = @import("std");
const weir = @import("weir");

/// The operator's `config` in the pipeline file.
pub const Config = struct {
    /// Shorter names are passed over.
    shortest: u32 = 1,
};

/// What is read of a row. Other columns do not cross into the sandbox.
pub const Input = struct { text: []const u8 };

/// The columns that are added to those kept. A part of a text is not copied.
pub const Output = struct { mention: weir.Part("text") };

pub const keep = [_][]const u8{"user"};

/// The mentions of a post, in order.
pub fn row(config: Config, post: Input, out: *weir.Emitter(Output)) !void {
    const shortest = @max(config.shortest, 1);
    var at: usize = 0;
    while (at < post.text.len) {
        const start = at;
        while (at < post.text.len and isOfWord(post.text[at])) at += 1;
        const word = post.text[start..at];
        if (word.len > shortest and word[0] == '@') out.emit(.{ .mention = .of(word[1..]) });
        if (word.len == 0) at += 1;
    }
}

fn isOfWord(c: u8) bool {
    return std.ascii.isAlphanumeric(c) or c == '_' or c == '@' or c >= 0x80;
}
