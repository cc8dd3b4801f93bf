// Input columns: `get(row)` gives a value or null, and beside it lies what is in memory, for functions over whole columns.

import { Reject } from '../errors.js';
import { bit } from './bitmap.js';
import { decoder } from './text.js';

class Column {
  /**
   * @param {{ name: string, index: number, length: number, validity: Uint8Array | null }} place `index` is that of the
   * column in the batch, which `slices` name it by
   */
  constructor({ name, index, length, validity }) {
    Object.assign(this, { name, index, length, validity: validity ?? null });
  }

  /** Whether a row's value is null. */
  isNull(row) {
    return this.validity !== null && !bit(this.validity, row);
  }

  /** A row's value, or null. */
  get(row) {
    return this.isNull(row) ? null : this.value(row);
  }

  /** All values in order. */
  *[Symbol.iterator]() {
    for (let row = 0; row < this.length; row++) yield this.get(row);
  }
}

class Booleans extends Column {
  constructor(place, bits) {
    super(place);
    this.bits = bits;
  }

  value(row) {
    return bit(this.bits, row) === 1;
  }
}

class Floats extends Column {
  constructor(place, values) {
    super(place);
    this.values = values;
  }

  value(row) {
    return this.values[row];
  }
}

/** 64-bit integers, which cross as numbers: one that a number does not hold must not pass for its neighbour. */
class Integers extends Floats {
  value(row) {
    const value = Number(this.values[row]);
    if (!Number.isSafeInteger(value)) {
      throw new Reject(`column \`${this.name}\` has an integer beyond 2^53, which a number does not hold exactly`);
    }
    return value;
  }
}

class Bytes extends Column {
  constructor(place, { offsets, data }) {
    super(place);
    Object.assign(this, { offsets, data });
  }

  value(row) {
    return this.data.subarray(this.offsets[row], this.offsets[row + 1]);
  }
}

class Text extends Bytes {
  value(row) {
    // Not before a value is asked for: who works on bytes pays for bytes.
    this.decode ??= decoder(this.data);
    return this.decode(this.offsets[row], this.offsets[row + 1]);
  }
}

const VIEWS = { boolean: Booleans, int64: Integers, float64: Floats, timestamp: Integers, utf8: Text, binary: Bytes };

/**
 * A view of each column of a batch, by its name.
 *
 * @param fields the columns' fields, in the batch's order
 */
export function viewsOf(fields, { rowCount, columns }) {
  const views = fields.map(({ name, dataType }, index) => {
    const { values, validity } = columns[index];
    return [name, new VIEWS[dataType]({ name, index, length: rowCount, validity }, values.val)];
  });
  return Object.fromEntries(views);
}
