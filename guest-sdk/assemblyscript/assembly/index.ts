// Write operators for the stream processor Weir in AssemblyScript.
//
// An operator is a class that says in `configure` which columns it reads and adds, and gets rows or whole chunks. README.md
// shows how.

export { BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, SliceBuilder, Utf8Builder } from "./builders";
export { BinaryColumn, BooleanColumn, Float64Column, Int64Column, Utf8Column } from "./columns";
export { Config } from "./config";
export { debug, error, info, warn } from "./log";
export { Shape } from "./shape";
export { Transform } from "./transform";
