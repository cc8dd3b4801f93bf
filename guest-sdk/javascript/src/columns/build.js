// Output columns, from lists of values.

import { bitmapOf } from './bitmap.js';
import { Slices } from './slices.js';
import { encode } from './text.js';

const BLANK = { boolean: false, int64: 0, float64: 0, timestamp: 0, utf8: '', binary: new Uint8Array() };

const isInteger = (value) => typeof value === 'bigint' || Number.isSafeInteger(value);

const IS = {
  boolean: (value) => typeof value === 'boolean',
  int64: isInteger,
  float64: (value) => typeof value === 'number',
  timestamp: isInteger,
  utf8: (value) => typeof value === 'string',
  binary: (value) => value instanceof Uint8Array,
};

const BUILD = {
  boolean: bitmapOf,
  int64: (values) => BigInt64Array.from(values, BigInt),
  float64: (values) => new Float64Array(values),
  timestamp: (values) => BigInt64Array.from(values, BigInt),
  utf8: encode,
  binary: joined,
};

function joined(values) {
  const offsets = new Int32Array(values.length + 1);
  values.forEach((value, i) => (offsets[i + 1] = offsets[i] + value.length));
  const data = new Uint8Array(offsets[values.length]);
  values.forEach((value, i) => data.set(value, offsets[i]));
  return { offsets, data };
}

/**
 * A column of values.
 *
 * @param field its name, type and whether values may be null
 * @param values a list of values with `null` or `undefined` for nulls, a typed array, or `slices`
 */
export function columnOf({ name, dataType, nullable }, values) {
  if (values instanceof Slices) return sliced(values);
  if (ArrayBuffer.isView(values)) values = Array.from(values);
  let nulls = false;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === null || value === undefined) nulls = true;
    else if (!IS[dataType](value)) throw wrong(name, dataType, value);
  }
  if (!nulls) return { values: { tag: dataType, val: BUILD[dataType](values) }, validity: null };
  if (!nullable) throw new TypeError(`column \`${name}\` is null in an output row, but its type is no \`${dataType}?\``);
  const filled = values.map((value) => value ?? BLANK[dataType]);
  const valid = bitmapOf(values.map((value) => value !== null && value !== undefined));
  return { values: { tag: dataType, val: BUILD[dataType](filled) }, validity: valid };
}

const sliced = ({ column, starts, lengths }) => ({
  values: { tag: 'slices', val: { column, starts: Uint32Array.from(starts), lengths: Uint32Array.from(lengths) } },
  validity: null,
});

function wrong(name, dataType, value) {
  const shown = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value));
  return new TypeError(`column \`${name}\` is ${dataType}, and cannot be ${shown}`);
}

/** Collects rows, each an object, and makes a batch of them. */
export class Table {
  rowCount = 0;

  constructor(fields) {
    this.fields = fields;
    this.columns = fields.map(() => []);
  }

  push(row) {
    for (let i = 0; i < this.fields.length; i++) this.columns[i].push(row[this.fields[i].name]);
    this.rowCount++;
  }

  /** Appends a row that nobody will read. */
  pushBlank() {
    this.fields.forEach(({ dataType }, i) => this.columns[i].push(BLANK[dataType]));
    this.rowCount++;
  }

  /** Forgets the rows from `rowCount` on. */
  truncate(rowCount) {
    this.columns.forEach((column) => (column.length = rowCount));
    this.rowCount = rowCount;
  }

  finish() {
    return this.fields.map((field, i) => columnOf(field, this.columns[i]));
  }

  batch() {
    return { rowCount: this.rowCount, columns: this.finish() };
  }
}
