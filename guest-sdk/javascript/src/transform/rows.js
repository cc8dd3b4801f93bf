// Transforms that are given a row at a time.

import { rowReader } from '../columns/rows.js';
import { Table } from '../columns/build.js';
import { Reject } from '../errors.js';
import { origin, transform } from './shape.js';

/**
 * A row to any number of rows.
 *
 * @param shape `reads` and `adds` say which columns a row has, `keeps` which input columns stay beside what is added
 * @param {(row: object, config: object) => Iterable<object>} f
 */
export function flatMap(shape, f) {
  return rowwise(shape, (row, config, emit) => {
    for (const answer of f(row, config)) emit(answer);
  });
}

/**
 * A row to at most one row: `null` and `undefined` leave it out. All input columns stay, unless `keeps` says which.
 *
 * @param {(row: object, config: object) => object | null | undefined} f
 */
export function map(shape, f) {
  return rowwise({ keeps: 'all', ...shape }, (row, config, emit) => {
    const answer = f(row, config);
    if (answer !== null && answer !== undefined) emit(answer);
  });
}

/**
 * Rows that stay, with all their columns.
 *
 * @param {(row: object, config: object) => boolean} f
 */
export function filter(shape, f) {
  return rowwise({ ...shape, keeps: 'all', adds: {} }, (row, config, emit) => {
    if (f(row, config)) emit({});
  });
}

function rowwise(shape, call) {
  return transform(shape, ({ reads, adds }) => (chunk, config) => {
    const { rowCount } = chunk;
    const read = rowReader(reads, chunk);
    const out = new Table(adds);
    const from = [];
    const rejects = [];
    let row = 0;
    const emit = (answer) => {
      out.push(answer);
      from.push(row);
    };
    for (; row < rowCount; row++) {
      const before = from.length;
      try {
        call(read(row), config, emit);
      } catch (error) {
        if (!(error instanceof Reject)) throw error;
        // What it gave before it was rejected does not count.
        out.truncate((from.length = before));
        rejects.push({ row, reason: error.message });
      }
    }
    return { origin: origin(from, rowCount), columns: out.finish(), rejects };
  });
}
