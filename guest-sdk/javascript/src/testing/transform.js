// A transform on rows.

import { setBatchTime } from '../time.js';
import { batchOf, fieldsOfRows, rowsOf } from './table.js';

/**
 * Runs a transform on rows.
 *
 * @param operator what the project exports by default
 * @param {object[]} rows
 * @param {{ config?: object, at?: number, chunk?: number }} options `at` is the batch time in milliseconds, `chunk` how many
 * rows a call has, by default all
 * @returns {{ columns: string[], rows: object[], rejects: { row: number, reason: string }[] }}
 */
export function runTransform(operator, rows, { config = {}, at = 0, chunk = Math.max(rows.length, 1) } = {}) {
  const input = fieldsOfRows(rows, operator.reads);
  const { shape, apply } = operator.configure(JSON.stringify(config), input);
  const crossing = Array.from(shape.reads, (index) => input[index]);
  const kept = Array.from(shape.keeps, (index) => input[index].name);
  const answer = { columns: [...kept, ...shape.adds.map(({ name }) => name)], rows: [], rejects: [] };
  setBatchTime(at);
  for (let start = 0; start < rows.length; start += chunk) {
    const given = rows.slice(start, start + chunk);
    const batch = batchOf(crossing, given);
    const { origin, columns, rejects } = apply(batch);
    const from = origin.tag === 'same' ? given.keys() : origin.val;
    const origins = Array.from(from, (row) => given[row]);
    const added = rowsOf(shape.adds, { rowCount: origins.length, columns }, batch);
    origins.forEach((row, i) => {
      const stays = kept.map((name) => [name, row[name] ?? null]);
      answer.rows.push({ ...Object.fromEntries(stays), ...added[i] });
    });
    answer.rejects.push(...rejects.map(({ row, reason }) => ({ row: start + row, reason })));
  }
  return answer;
}
