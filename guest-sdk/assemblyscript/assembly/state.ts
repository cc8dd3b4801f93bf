// State: what an operator remembers of each key from batch to batch.
//
// The host groups the rows of a batch by key and keeps the states. Nothing is remembered in the operator itself: the host makes a new
// one for every task.

import { column, list } from "./abi";
import { writeBatch } from "./builders";
import { bit } from "./columns";
import { Config } from "./config";
import { Buffer } from "./memory";
import { Operator, beginColumns } from "./operator";
import { StateShape } from "./shape/state";

/** Why a key is called, in the interface's order. */
export enum Cause {
  /** It has rows in this batch. */
  Rows,
  /** It had none for the pipeline's timeout; this is its last call. */
  Idle,
  /** The timer that it asked for is due. It may have rows, too. */
  Timer,
  /** The operator is called with every known key in every batch. */
  All,
}

/** What becomes of a key, in the interface's order. */
enum Fate {
  Keep,
  Remove,
  Unchanged,
}

/** Where the parts of a call lie: `state.touched` */
export class Touched {
  constructor(
    public count: i32,
    public keys: usize,
    public groups: usize,
    public input: usize,
    public previous: usize,
    public present: usize,
    public causes: usize,
  ) {}
}

/**
 * An operator with state. `update` may `emit` rows, and says at its end what becomes of the key: `keep` after one value was pushed to
 * each column of the state, `forget`, or neither, which leaves it as it is.
 */
export abstract class State extends Operator {
  /** The end of the batch's interval, in milliseconds since the Unix epoch: the only time there is. */
  batchTime: i64 = 0;
  private present: usize = 0;
  private current: i32 = 0;
  private fate: Fate = Fate.Unchanged;
  private timer: i64 = 0;
  private from: Buffer = new Buffer();

  /** Says what it reads, remembers and answers with, and takes its config. */
  abstract configure(shape: StateShape, config: Config): void;

  /** Called with a key, whose rows are those from `first` on, before `end`. */
  abstract update(key: i32, first: i32, end: i32, cause: Cause): void;

  /** Whether anything is remembered of a key; only then does its state have values. */
  protected isKnown(key: i32): bool {
    return bit(this.present, key);
  }

  /** What was pushed is the key's state from now on. */
  protected keep(): void {
    this.fate = Fate.Keep;
  }

  /** The key is forgotten, with its timer. */
  protected forget(): void {
    this.fate = Fate.Remove;
  }

  /** Answers with a row of this key, for which a value was pushed to each column of the answer. */
  protected emit(): void {
    this.from.push<i32>(this.current);
  }

  /**
   * Asks for a call in the first batch at or after a time, in milliseconds since the Unix epoch, even without rows. Only where the
   * key is kept; a later call that keeps it asks anew.
   */
  protected wakeAt(millis: i64): void {
    // 0 is no timer.
    this.timer = max<i64>(millis, 1);
  }

  /** `state.updated` */
  run(shape: StateShape, touched: Touched, at: usize): void {
    const count = touched.count;
    this.begin(shape.columns, touched.input);
    beginColumns(shape.states, touched.previous);
    this.present = touched.present;
    for (let i = 0; i < shape.keyColumns.length; i++) {
      const key = shape.keyColumns[i];
      key.begin(touched.keys + <usize>key.index * column.size);
    }
    const fates = new Buffer();
    const timers = new Buffer();
    for (let key = 0; key < count; key++) {
      const bounds = touched.groups + (<usize>key << 2);
      this.turn(shape, key, load<i32>(bounds), load<i32>(bounds, 4), load<u8>(touched.causes + key));
      fates.push<u8>(<u8>this.fate);
      timers.push<i64>(this.fate == Fate.Keep ? this.timer : 0);
    }
    writeBatch(at, shape.nexts, count, "keys");
    list.write(at + 12, fates.take(), count);
    list.write(at + 20, timers.take(), count);
    const emitted = <i32>(this.from.size >> 2);
    writeBatch(at + 28, shape.builders, emitted, "rows that are emitted");
    list.write(at + 40, this.from.take(), emitted);
    this.writeRejects(at + 48);
  }

  private turn(shape: StateShape, key: i32, first: i32, end: i32, cause: Cause): void {
    this.current = key;
    this.fate = Fate.Unchanged;
    this.timer = 0;
    const nullKey = this.nullKey(shape, key);
    if (nullKey.length == 0) this.update(key, first, end, cause);
    else for (let row = first; row < end; row++) this.reject(row, `the key's column \`${nullKey}\` is null`);
    if (this.fate == Fate.Keep) return;
    for (let i = 0; i < shape.nexts.length; i++) shape.nexts[i].pushBlank();
  }

  /** The name of the key's column that is null and must not be. */
  private nullKey(shape: StateShape, key: i32): string {
    for (let i = 0; i < shape.keyColumns.length; i++) {
      const column = shape.keyColumns[i];
      if (!column.field.nullable && column.isNull(key)) return column.field.name;
    }
    return "";
  }
}
