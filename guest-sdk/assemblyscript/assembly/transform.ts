// Transforms: rows in, rows out.

import { list } from "./abi";
import { writeColumns } from "./builders";
import { Config } from "./config";
import { Buffer } from "./memory";
import { Operator } from "./operator";
import { Shape } from "./shape/transform";

/**
 * An operator: say in `configure` what it reads and adds, and override `row` or `chunk`. For each output row push a value to each
 * column that is added, then `emit` it.
 */
export abstract class Transform extends Operator {
  /** The end of the batch's interval, in milliseconds since the Unix epoch: the only time there is. */
  batchTime: i64 = 0;
  private from: Buffer = new Buffer();

  /** Says what the operator reads, keeps and adds, and takes its config. */
  abstract configure(shape: Shape, config: Config): void;

  /** Called with each row that has no null where there must be none. */
  row(row: i32): void {
    throw new Error("the operator overrides neither `row` nor `chunk`");
  }

  /** Called with each chunk of rows; calls `row` with each, unless it is overridden. */
  chunk(rows: i32): void {
    for (let row = 0; row < rows; row++) {
      if (this.accept(row)) this.row(row);
    }
  }

  /** Answers with a row that comes from input row `from`; input rows must come in order. */
  // @ts-ignore: decorator
  @inline
  protected emit(from: i32): void {
    this.from.push<i32>(from);
  }

  /** Runs a chunk, whose columns lie there. */
  run(shape: Shape, rows: i32, columns: usize): void {
    this.begin(shape.columns, columns);
    this.chunk(rows);
  }

  /** `transform.emitted` */
  write(shape: Shape, at: usize): void {
    const emitted = <i32>(this.from.size >> 2);
    // Each row that is emitted says where it comes from.
    store<u8>(at, 1);
    list.write(at + 4, this.from.take(), emitted);
    writeColumns(at + 12, shape.builders, emitted, "rows that are emitted");
    this.writeRejects(at + 20);
  }
}
