// What an operator with state reads, remembers and answers with.

import { Builder } from "../builders";
import { BooleanColumn, Column, Int64Column, Utf8Column } from "../columns";
import { Field, Type } from "../schema";
import { BooleanSlot, Float64Slot, Int64Slot, Utf8Slot } from "../slots";
import { Columns, writeFields, writeIndices } from "./columns";

/**
 * Takes what an operator with state says in `configure`: what it reads of the key and of a row, what it remembers of a key, and the
 * columns of the answer, before which the host puts the key's.
 */
export class StateShape extends Columns {
  /** Raised whenever the meaning or the columns of the state change. */
  version: u32 = 1;
  keyColumns: Column[] = [];
  states: Column[] = [];
  nexts: Builder[] = [];

  constructor(
    private key: Field[],
    input: Field[],
  ) {
    super(input);
  }

  keyBoolean(name: string, nullable: bool = false): BooleanColumn {
    return this.readKey(new BooleanColumn(new Field(name, Type.Boolean, nullable)));
  }

  keyInt64(name: string, nullable: bool = false): Int64Column {
    return this.readKey(new Int64Column(new Field(name, Type.Int64, nullable)));
  }

  /** Microseconds since the Unix epoch. */
  keyTimestamp(name: string, nullable: bool = false): Int64Column {
    return this.readKey(new Int64Column(new Field(name, Type.Timestamp, nullable)));
  }

  keyUtf8(name: string, nullable: bool = false): Utf8Column {
    return this.readKey(new Utf8Column(new Field(name, Type.Utf8, nullable)));
  }

  rememberBoolean(name: string, nullable: bool = false): BooleanSlot {
    const it = new BooleanSlot(new Field(name, Type.Boolean, nullable));
    this.remember(it, it.builder);
    return it;
  }

  rememberInt64(name: string, nullable: bool = false): Int64Slot {
    const it = new Int64Slot(new Field(name, Type.Int64, nullable));
    this.remember(it, it.builder);
    return it;
  }

  rememberFloat64(name: string, nullable: bool = false): Float64Slot {
    const it = new Float64Slot(new Field(name, Type.Float64, nullable));
    this.remember(it, it.builder);
    return it;
  }

  /** Microseconds since the Unix epoch. */
  rememberTimestamp(name: string, nullable: bool = false): Int64Slot {
    const it = new Int64Slot(new Field(name, Type.Timestamp, nullable));
    this.remember(it, it.builder);
    return it;
  }

  rememberUtf8(name: string, nullable: bool = false): Utf8Slot {
    const it = new Utf8Slot(new Field(name, Type.Utf8, nullable));
    this.remember(it, it.builder);
    return it;
  }

  private readKey<C extends Column>(column: C): C {
    column.index = this.resolve(column.field, this.key, "key");
    this.keyColumns.push(column);
    return column;
  }

  private remember(state: Column, next: Builder): void {
    this.states.push(state);
    this.nexts.push(next);
  }

  /** `state.shape` */
  write(at: usize): void {
    store<u8>(at, 1);
    writeIndices(at + 4, this.reads);
    writeFields(at + 12, this.nexts);
    store<u32>(at, this.version, 20);
    writeFields(at + 24, this.builders);
  }
}
