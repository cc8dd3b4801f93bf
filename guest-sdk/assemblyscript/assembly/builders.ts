// Output columns, as they grow: a value or a null for each row that is emitted.

import { SLICES, column, list } from "./abi";
import { VarLenColumn } from "./columns";
import { Buffer, allocate } from "./memory";
import { Field } from "./schema";

/**
 * Columns of so many rows, as a list of `rows.column`.
 *
 * @param what the rows are, for messages
 */
export function writeColumns(at: usize, builders: Builder[], rows: i32, what: string): void {
  const columns = allocate(<usize>builders.length * column.size);
  for (let i = 0; i < builders.length; i++) {
    const builder = builders[i];
    if (builder.length != rows) {
      throw new Error(`column \`${builder.field.name}\` has ${builder.length} values for ${rows} ${what}`);
    }
    builder.finish(columns + <usize>i * column.size);
  }
  list.write(at, columns, builders.length);
}

/** `rows.batch` */
export function writeBatch(at: usize, builders: Builder[], rows: i32, what: string): void {
  store<i32>(at, rows);
  writeColumns(at + 4, builders, rows, what);
}

/** One bit a row. */
export class Bits {
  length: i32 = 0;
  private bytes: Buffer = new Buffer();

  push(bit: bool): void {
    const place = this.length++ & 7;
    if (place == 0) this.bytes.push<u8>(0);
    const last = this.bytes.start + this.bytes.size - 1;
    store<u8>(last, load<u8>(last) | (<u8>bit << <u8>place));
  }

  finish(at: usize): void {
    const size = this.bytes.size;
    list.write(at, this.bytes.take(), size);
    this.length = 0;
  }
}

export abstract class Builder {
  /** How many values there are. */
  length: i32 = 0;
  private valid: Bits = new Bits();

  constructor(public field: Field) {}

  /** Says that the value which follows is none. */
  pushNull(): void {
    if (!this.field.nullable) throw new Error(`column ${this.field.toString()} is null, but not said to be nullable`);
    while (this.valid.length < this.length) this.valid.push(true);
    this.valid.push(false);
    this.pushBlank();
  }

  finish(at: usize): void {
    store<u8>(at, this.tag(), column.tag);
    this.finishValues(at + column.values);
    const hasNulls = this.valid.length > 0;
    store<u8>(at, hasNulls, column.validity);
    if (hasNulls) {
      while (this.valid.length < this.length) this.valid.push(true);
      this.valid.finish(at + column.bitmap);
    }
    this.length = 0;
  }

  protected tag(): u8 {
    return <u8>this.field.type;
  }

  /** A value that nobody will read. */
  abstract pushBlank(): void;
  protected abstract finishValues(at: usize): void;
}

export class BooleanBuilder extends Builder {
  private bits: Bits = new Bits();

  push(value: bool): void {
    this.bits.push(value);
    this.length++;
  }

  pushBlank(): void {
    this.push(false);
  }

  protected finishValues(at: usize): void {
    this.bits.finish(at);
  }
}

/** Integers, or timestamps in microseconds since the Unix epoch. */
export class Int64Builder extends Builder {
  private values: Buffer = new Buffer();

  // @ts-ignore: decorator
  @inline
  push(value: i64): void {
    this.values.push<i64>(value);
    this.length++;
  }

  pushBlank(): void {
    this.push(0);
  }

  protected finishValues(at: usize): void {
    list.write(at, this.values.take(), this.length);
  }
}

export class Float64Builder extends Builder {
  private values: Buffer = new Buffer();

  // @ts-ignore: decorator
  @inline
  push(value: f64): void {
    this.values.push<f64>(value);
    this.length++;
  }

  pushBlank(): void {
    this.push(0);
  }

  protected finishValues(at: usize): void {
    list.write(at, this.values.take(), this.length);
  }
}

/** Values of varying length. */
export abstract class VarLenBuilder extends Builder {
  private offsets: Buffer = new Buffer();
  private data: Buffer = new Buffer();

  /** A value from memory, as of an input column. */
  pushBytes(start: usize, length: i32): void {
    this.data.append(start, length);
    this.endValue();
  }

  protected room(length: usize): usize {
    this.data.reserve(length);
    const start = this.data.start + this.data.size;
    this.data.size += length;
    return start;
  }

  protected endValue(): void {
    if (this.length++ == 0) this.offsets.push<i32>(0);
    this.offsets.push<i32>(<i32>this.data.size);
  }

  pushBlank(): void {
    this.endValue();
  }

  protected finishValues(at: usize): void {
    if (this.length == 0) this.offsets.push<i32>(0);
    list.write(at, this.offsets.take(), this.length + 1);
    const size = this.data.size;
    list.write(at + list.size, this.data.take(), size);
  }
}

export class Utf8Builder extends VarLenBuilder {
  push(value: string): void {
    const length = String.UTF8.byteLength(value);
    String.UTF8.encodeUnsafe(changetype<usize>(value), value.length, this.room(length));
    this.endValue();
  }
}

export class BinaryBuilder extends VarLenBuilder {
  push(value: Uint8Array): void {
    this.pushBytes(value.dataStart, value.length);
  }
}

/** Values that are parts of an input column: nothing is copied, and the host gathers them. */
export class SliceBuilder extends Builder {
  private starts: Buffer = new Buffer();
  private lengths: Buffer = new Buffer();

  constructor(
    field: Field,
    private source: VarLenColumn,
  ) {
    super(field);
  }

  /** The bytes of the source's `data` from `start` to `end`. */
  // @ts-ignore: decorator
  @inline
  push(start: i32, end: i32): void {
    this.starts.push<i32>(start);
    this.lengths.push<i32>(end - start);
    this.length++;
  }

  pushBlank(): void {
    this.push(0, 0);
  }

  protected tag(): u8 {
    return SLICES;
  }

  protected finishValues(at: usize): void {
    store<i32>(at, this.source.index);
    list.write(at + 4, this.starts.take(), this.length);
    list.write(at + 12, this.lengths.take(), this.length);
  }
}
