// What operators of every kind can say of rows.

import { column, list, reject, writeString } from "./abi";
import { Column } from "./columns";
import { Buffer } from "./memory";

export abstract class Operator {
  /** Why the job must stop. */
  problem: string | null = null;
  private inputs: Column[] = [];
  private rejects: Buffer = new Buffer();
  private lastRejected: i32 = -1;

  /** Rejects a row that has a null where there must be none, and says whether it did not. */
  protected accept(row: i32): bool {
    const inputs = this.inputs;
    for (let i = 0; i < inputs.length; i++) {
      const input = inputs[i];
      if (!input.field.nullable && input.isNull(row)) {
        this.reject(row, `column \`${input.field.name}\` is null`);
        return false;
      }
    }
    return true;
  }

  /** Says that a row cannot be taken, and why. It should have no part in the answer. */
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

  /** Goes on with the rows whose columns lie there. */
  protected begin(inputs: Column[], at: usize): void {
    beginColumns(inputs, at);
    this.inputs = inputs;
    this.lastRejected = -1;
  }

  protected writeRejects(at: usize): void {
    const count = this.rejects.size / reject.size;
    list.write(at, this.rejects.take(), count);
  }
}

/** Goes on with the columns that lie there. */
export function beginColumns(columns: Column[], at: usize): void {
  for (let i = 0; i < columns.length; i++) columns[i].begin(at + <usize>i * column.size);
}
