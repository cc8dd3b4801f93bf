// Transforms that are given a chunk at a time, for work on whole columns.

import { columnOf } from '../columns/build.js';
import { Slices } from '../columns/slices.js';
import { viewsOf } from '../columns/views.js';
import { Failure } from '../errors.js';
import { origin, transform } from './shape.js';

/**
 * A chunk of columns to columns. The function answers with `{ from, columns, rejects }`: `from` is the input row of each
 * output row, never decreasing, and left out where each input row has one; `columns` has those of `adds` by their names, as
 * lists, typed arrays or `slices`; `rejects` has `{ row, reason }` for each row that cannot be taken.
 *
 * @param shape as of `flatMap`
 * @param {(columns: object, config: object, rowCount: number) => object} f
 */
export function batch(shape, f) {
  return transform(shape, ({ reads, adds }) => (chunk, config) => {
    const { rowCount } = chunk;
    const { from, columns = {}, rejects = [] } = f(viewsOf(reads, chunk), config, rowCount);
    const rows = from ? from.length : rowCount;
    const built = adds.map((field) => {
      const values = columns[field.name];
      if (values === undefined) throw new Failure(`the answer has no column \`${field.name}\``);
      const found = values instanceof Slices ? values.starts.length : values.length;
      // No fault of these rows: calls of fewer, in which the length may be right, would hide it.
      if (found !== rows) throw new Failure(`column \`${field.name}\` of the answer has ${found} values for ${rows} rows`);
      return columnOf(field, values);
    });
    return { origin: from ? origin(from, rowCount) : { tag: 'same' }, columns: built, rejects: inOrder(rejects) };
  });
}

/** Each row at most once, in order. */
function inOrder(rejects) {
  const first = new Map();
  for (const { row, reason } of rejects) if (!first.has(row)) first.set(row, { row, reason: String(reason) });
  return [...first.values()].sort((a, b) => a.row - b.row);
}
