// Transforms: rows in, rows out.

import { column, list, reject, writeString } from "./abi";
import { Config } from "./config";
import { allocate, Buffer } from "./memory";
import { Shape } from "./shape";

/**
 * An operator: say in `configure` what it reads and adds, and override `row` or `chunk`. For each output row push a value to each
 * column that is added, then `emit` it.
 */
export abstract class Transform {
  /** The end of the batch's interval, in milliseconds since the Unix epoch: the only time there is. */
  batchTime: i64 = 0;
  /** Why the job must stop. */
  problem: string | null = null;
  private shape: Shape | null = null;
  private from: Buffer = new Buffer();
  private rejects: Buffer = new Buffer();
  private lastRejected: i32 = -1;

  /** Says what the operator reads, keeps and adds, and takes its config. */
  abstract configure(shape: Shape, config: Config): void;

  /** Called with each row that has no null where there must be none. */
  row(row: i32): void {}

  /** Called with each chunk of rows; calls `row` with each, unless it is overridden. */
  chunk(rows: i32): void {
    for (let row = 0; row < rows; row++) {
      if (this.accept(row)) this.row(row);
    }
  }

  /** Rejects a row that has a null where there must be none. */
  protected accept(row: i32): bool {
    const columns = this.shape!.columns;
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i];
      if (!column.field.nullable && column.isNull(row)) {
        this.reject(row, `column \`${column.field.name}\` is null`);
        return false;
      }
    }
    return true;
  }

  /** Answers with a row that comes from input row `from`; input rows must come in order. */
  // @ts-ignore: decorator
  @inline
  protected emit(from: i32): void {
    this.from.push<i32>(from);
  }

  /** Says that a row cannot be taken, and why. It should have no output. */
  protected reject(row: i32, reason: string): void {
    if (row <= this.lastRejected) return;
    this.lastRejected = row;
    this.rejects.push<i32>(row);
    this.rejects.reserve(list.size);
    writeString(this.rejects.start + this.rejects.size, reason);
    this.rejects.size += list.size;
  }

  /** The operator cannot go on: the job stops and shows the reason. */
  protected fail(reason: string): void {
    if (!this.problem) this.problem = reason;
  }

  begin(shape: Shape): void {
    this.shape = shape;
  }

  /** Runs a chunk, whose columns lie there. */
  run(rows: i32, columns: usize): void {
    const inputs = this.shape!.columns;
    for (let i = 0; i < inputs.length; i++) inputs[i].begin(columns + <usize>i * column.size);
    this.lastRejected = -1;
    this.chunk(rows);
  }

  /** `transform.emitted` */
  write(at: usize): void {
    const builders = this.shape!.builders;
    const emitted = <i32>(this.from.size >> 2);
    for (let i = 0; i < builders.length; i++) {
      const builder = builders[i];
      if (builder.length != emitted) {
        throw new Error(`column \`${builder.field.name}\` has ${builder.length} values for ${emitted} rows that are emitted`);
      }
    }
    // Each row that is emitted says where it comes from.
    store<u8>(at, 1);
    list.write(at + 4, this.from.take(), emitted);
    const columns = allocate(<usize>builders.length * column.size);
    for (let i = 0; i < builders.length; i++) builders[i].finish(columns + <usize>i * column.size);
    list.write(at + 12, columns, builders.length);
    const rejected = this.rejects.size / reject.size;
    list.write(at + 20, this.rejects.take(), rejected);
  }
}
