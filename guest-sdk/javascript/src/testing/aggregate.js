// An aggregate on groups of rows.

import { batchOf, fieldsOfRows, rowsOf } from './table.js';

/**
 * Runs an aggregate on the rows of keys. Each row is folded in a call of its own and then merged, as rows of several batches
 * are.
 *
 * @param operator what the project exports by default
 * @param {object[][]} groups the rows of each key
 * @returns {{ rows: object[], rejects: { row: number, reason: string }[] }} a row for each key that has rows which are not
 * rejected
 */
export function runAggregate(operator, groups, { config = {} } = {}) {
  const rows = groups.flat();
  const input = fieldsOfRows(rows, operator.reads);
  const { shape, ...calls } = operator.configure(JSON.stringify(config), input);
  const crossing = Array.from(shape.reads, (index) => input[index]);
  const ones = Array.from({ length: rows.length + 1 }, (_, row) => row);
  const { accumulators, rejects } = calls.create(ones, batchOf(crossing, rows));
  const parts = rowsOf(shape.accumulator, accumulators);
  const rejected = new Set(rejects.map(({ row }) => row));

  let row = 0;
  const taken = groups.map((group) => group.flatMap(() => (rejected.has(row++) ? [] : [parts[row - 1]])));
  const full = taken.filter((group) => group.length);
  const ends = [0];
  for (const group of full) ends.push(ends.at(-1) + group.length);
  const totals = calls.merge(ends, batchOf(shape.accumulator, full.flat()));
  return { rows: rowsOf(shape.output, calls.finish(crossedAgain(shape.accumulator, totals))), rejects };
}

/** What the operator answered with, as it comes back to it. */
const crossedAgain = (fields, batch) => batchOf(fields, rowsOf(fields, batch));
