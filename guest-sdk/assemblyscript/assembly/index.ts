// Write operators for the stream processor Weir in AssemblyScript.
//
// An operator is a class that says in `configure` which columns it reads and adds, and gets rows or whole chunks. README.md
// shows how.

export { Aggregate } from "./aggregate";
export { BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, SliceBuilder, Utf8Builder } from "./builders";
export { BinaryColumn, BooleanColumn, Float64Column, Int64Column, Utf8Column } from "./columns";
export { Config } from "./config";
export { debug, error, info, warn } from "./log";
export { AggregateShape } from "./shape/aggregate";
export { StateShape } from "./shape/state";
export { Shape } from "./shape/transform";
export { BooleanSlot, Float64Slot, Int64Slot, Utf8Slot } from "./slots";
export { Cause, State } from "./state";
export { Transform } from "./transform";
