// Where the fields of the interface's records lie, as the component model's canonical ABI has them for 32 bits.

import { allocate } from "./memory";

/** A list, a string: where it starts, and how many there are. */
export namespace list {
  export const size: usize = 8;

  export function write(at: usize, start: usize, length: usize): void {
    store<usize>(at, start);
    store<usize>(at, length, 4);
  }
}

/** `rows.field` */
export namespace field {
  export const size: usize = 12;
  export const dataType: usize = 8;
  export const nullable: usize = 9;
}

/** `rows.column` */
export namespace column {
  export const size: usize = 36;
  /** The case of `rows.values`; what is in it follows. */
  export const tag: usize = 0;
  export const values: usize = 4;
  /** Whether there is one; it follows. */
  export const validity: usize = 24;
  export const bitmap: usize = 28;
}

/** The case of `rows.values` for parts of an input column. */
export const SLICES: u8 = 6;

/** `rows.reject` */
export namespace reject {
  export const size: usize = 12;
}

export function readString(at: usize): string {
  return String.UTF8.decodeUnsafe(load<usize>(at), load<usize>(at, 4));
}

export function writeString(at: usize, text: string): void {
  const length = String.UTF8.byteLength(text);
  const start = allocate(length);
  String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, start);
  list.write(at, start, length);
}

/** `result<…, failure>` that is one: where it lies. */
export function failure(reason: string): usize {
  const at = allocate(12);
  store<u8>(at, 1);
  writeString(at + 4, reason);
  return at;
}

/** Room for a `result<…, failure>` that is none, whose value of so many bytes begins at 4. */
export function success(size: usize): usize {
  const at = allocate(4 + size);
  memory.fill(at, 0, 4 + size);
  return at;
}
