// Input columns: the values of a chunk where the host has put them.

import { column } from "./abi";
import { Field } from "./schema";

// @ts-ignore: decorator
@inline
export function bit(bitmap: usize, row: i32): bool {
  return ((load<u8>(bitmap + (row >> 3)) >> (<u8>row & 7)) & 1) != 0;
}

export abstract class Column {
  /** Where the bitmap of what is not null lies; 0 where nothing is null. */
  validity: usize = 0;
  /** Which of the columns that cross it is. */
  index: i32 = 0;

  constructor(public field: Field) {}

  // @ts-ignore: decorator
  @inline
  isNull(row: i32): bool {
    return this.validity != 0 && !bit(this.validity, row);
  }

  /** Goes on with the chunk whose column lies there. */
  begin(at: usize): void {
    this.validity = load<u8>(at, column.validity) ? load<usize>(at, column.bitmap) : 0;
    this.load(at + column.values);
  }

  protected abstract load(at: usize): void;
}

export class BooleanColumn extends Column {
  /** Where the bits lie. */
  bits: usize = 0;

  protected load(at: usize): void {
    this.bits = load<usize>(at);
  }

  // @ts-ignore: decorator
  @inline
  get(row: i32): bool {
    return bit(this.bits, row);
  }
}

/** Integers, or timestamps in microseconds since the Unix epoch. */
export class Int64Column extends Column {
  /** Where the values lie. */
  values: usize = 0;

  protected load(at: usize): void {
    this.values = load<usize>(at);
  }

  // @ts-ignore: decorator
  @inline
  get(row: i32): i64 {
    return load<i64>(this.values + (<usize>row << 3));
  }
}

export class Float64Column extends Column {
  /** Where the values lie. */
  values: usize = 0;

  protected load(at: usize): void {
    this.values = load<usize>(at);
  }

  // @ts-ignore: decorator
  @inline
  get(row: i32): f64 {
    return load<f64>(this.values + (<usize>row << 3));
  }
}

/** Values of varying length, one after the other: row `r` is `data + start(r)` to `data + end(r)`. */
export abstract class VarLenColumn extends Column {
  /** Where the bytes of all values lie. */
  data: usize = 0;
  /** How many bytes there are. */
  size: i32 = 0;
  private offsets: usize = 0;

  protected load(at: usize): void {
    this.offsets = load<usize>(at);
    this.data = load<usize>(at, 8);
    this.size = load<i32>(at, 12);
  }

  // @ts-ignore: decorator
  @inline
  start(row: i32): i32 {
    return load<i32>(this.offsets + (<usize>row << 2));
  }

  // @ts-ignore: decorator
  @inline
  end(row: i32): i32 {
    return load<i32>(this.offsets + (<usize>row << 2), 4);
  }
}

export class Utf8Column extends VarLenColumn {
  get(row: i32): string {
    const start = this.start(row);
    return String.UTF8.decodeUnsafe(this.data + start, this.end(row) - start);
  }
}

export class BinaryColumn extends VarLenColumn {
  get(row: i32): Uint8Array {
    const start = this.start(row);
    const bytes = new Uint8Array(this.end(row) - start);
    memory.copy(bytes.dataStart, this.data + start, bytes.length);
    return bytes;
  }
}
