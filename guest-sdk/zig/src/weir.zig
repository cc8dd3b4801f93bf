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
//! An aggregate, the rows of a key to one. The host groups rows by key and moves them; the operator folds what it is
//! given, in several steps, so that rows can be folded before they cross the network, and windows be put together from
//! batches:
//!
//!     rows --create, merge--> accumulators --merge--> one accumulator --finish--> output
//!                                     retract: takes an old batch out of a window's accumulator again
//!
//!     pub const Input = struct { … };             // the columns that are read
//!     pub const Accumulator = struct { … };       // the columns that rows are folded into
//!     pub const Output = struct { … };            // the columns of the answer, before which the host puts the key
//!     pub fn create(row: Input) !Accumulator      // of one row
//!     pub fn merge(total: Accumulator, part: Accumulator) !Accumulator        // must be associative
//!     pub fn finish(total: Accumulator) !Output
//!     pub fn retract(total: Accumulator, part: Accumulator) !?Accumulator     // optional: the inverse of `merge`
//!     // where there is a faster way than one by one:
//!     pub fn createGroup(rows: *weir.Group(Input)) !?Accumulator              // in the place of `create`
//!     pub fn mergeGroup(parts: *weir.Group(Accumulator)) !Accumulator         // in the place of `merge`
//!
//! A state, from batch to batch, for each key:
//!
//!     pub const Key = struct { … };               // optional: the columns of the key that are read
//!     pub const Input = struct { … };             // the columns that are read
//!     pub const State = struct { … };             // the columns that are remembered
//!     pub const version = 1;                      // optional: raised when the columns or meaning of `State` change
//!     pub const Output = struct { … };            // the columns of an answer, before which the host puts the key
//!     pub fn update(key: Key, state: ?State, rows: *weir.Group(Input), turn: *weir.Turn(Output)) !weir.Next(State)
//!
//! In all of them, `pub const Config = struct { … };` is the pipeline file's `config`. A function that takes one
//! argument more than these gets it, as the first.
//!
//! `std.log` is the task's log, and a panic is logged before it ends the instance.

const call = @import("call.zig");
const turn = @import("turn.zig");
const value = @import("value.zig");
const wit = @import("wit");

pub const Binary = value.Binary;
pub const Cause = turn.Cause;
pub const Column = @import("column.zig").Column;
pub const Emitter = @import("emitter.zig").Emitter;
pub const Group = @import("group.zig").Group;
pub const Next = turn.Next;
pub const Part = value.Part;
pub const Rows = @import("rows.zig").Rows;
pub const Timestamp = value.Timestamp;
pub const Turn = turn.Turn;

pub const allocator = call.allocator;
pub const batchTime = call.batchTime;
pub const fail = call.fail;
pub const reject = call.reject;

/// For the root of the component.
pub const log = @import("log.zig");
/// What the world that the bindings are of exports.
pub const exports = if (@hasDecl(wit, "exports_weir_operator_aggregate_configure"))
    @import("aggregate.zig")
else if (@hasDecl(wit, "exports_weir_operator_state_configure"))
    @import("state.zig")
else
    @import("transform.zig");
