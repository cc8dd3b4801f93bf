// What an aggregate reads, folds into and answers with.

import { BooleanSlot, Float64Slot, Int64Slot, Utf8Slot } from "../slots";
import { Builder } from "../builders";
import { Column } from "../columns";
import { Field, Type } from "../schema";
import { Columns, writeFields, writeIndices } from "./columns";

/**
 * Takes what an aggregate says in `configure`: what it reads of a row, the columns of an accumulator, and those of the answer, before
 * which the host puts the key's.
 */
export class AggregateShape extends Columns {
  /** Whether `retract` is the inverse of `merge`. */
  retracts: bool = false;
  totals: Column[] = [];
  parts: Column[] = [];
  accumulators: Builder[] = [];

  foldBoolean(name: string, nullable: bool = false): BooleanSlot {
    const it = new BooleanSlot(new Field(name, Type.Boolean, nullable));
    this.fold(it, it.part, it.builder);
    return it;
  }

  foldInt64(name: string, nullable: bool = false): Int64Slot {
    const it = new Int64Slot(new Field(name, Type.Int64, nullable));
    this.fold(it, it.part, it.builder);
    return it;
  }

  foldFloat64(name: string, nullable: bool = false): Float64Slot {
    const it = new Float64Slot(new Field(name, Type.Float64, nullable));
    this.fold(it, it.part, it.builder);
    return it;
  }

  /** Microseconds since the Unix epoch. */
  foldTimestamp(name: string, nullable: bool = false): Int64Slot {
    const it = new Int64Slot(new Field(name, Type.Timestamp, nullable));
    this.fold(it, it.part, it.builder);
    return it;
  }

  foldUtf8(name: string, nullable: bool = false): Utf8Slot {
    const it = new Utf8Slot(new Field(name, Type.Utf8, nullable));
    this.fold(it, it.part, it.builder);
    return it;
  }

  private fold(total: Column, part: Column, builder: Builder): void {
    this.totals.push(total);
    this.parts.push(part);
    this.accumulators.push(builder);
  }

  /** `aggregate.shape` */
  write(at: usize): void {
    store<u8>(at, 1);
    writeIndices(at + 4, this.reads);
    writeFields(at + 12, this.accumulators);
    writeFields(at + 20, this.builders);
    store<u8>(at, this.retracts, 28);
  }
}
