//! What an operator in Zig is written with.
//!
//! A transform's `src/main.zig` declares what it reads and adds as structs, whose fields are columns, and a function for
//! a row or for a whole batch:
//!
//!     pub const Config = struct { … };            // optional: the pipeline file's `config`
//!     pub const Input = struct { … };             // the columns that are read
//!     pub const Output = struct { … };            // the columns that are added
//!     pub const keep = [_][]const u8{ … };        // optional: columns that are carried over
//!     pub fn row(config: Config, input: Input, out: *weir.Emitter(Output)) !void
//!     // or: pub fn batch(config: Config, rows: weir.Rows(Input), out: *weir.Emitter(Output)) !void
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
