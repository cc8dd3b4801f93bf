//! What an operator in Zig is written with.
//!
//! `src/main.zig` declares what the operator reads and answers with as structs, whose fields are columns, and functions
//! that the host's calls go to. A transform has one for a row or for a whole batch:
//!
//!     pub const Input = struct { … };             // the columns that are read
//!     pub const Output = struct { … };            // the columns that are added
//!     pub const keep = [_][]const u8{ … };        // optional: columns that are carried over
//!     pub fn row(input: Input, out: *weir.Emitter(Output)) !void
//!     // or: pub fn batch(rows: weir.Rows(Input), out: *weir.Emitter(Output)) !void
//!
//! `pub const Config = struct { … };` is the pipeline file's `config`. A function that takes one
//! argument more than these gets it, as the first.
//!
//! `std.log` is the task's log, and a panic is logged before it ends the instance.

const call = @import("call.zig");
const value = @import("value.zig");

pub const Binary = value.Binary;
pub const Column = @import("column.zig").Column;
pub const Emitter = @import("emitter.zig").Emitter;
pub const Part = value.Part;
pub const Rows = @import("rows.zig").Rows;
pub const Timestamp = value.Timestamp;

pub const allocator = call.allocator;
pub const batchTime = call.batchTime;
pub const fail = call.fail;
pub const reject = call.reject;

/// For the root of the component.
pub const log = @import("log.zig");
pub const transform = @import("transform.zig");
