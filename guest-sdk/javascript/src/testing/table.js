// Rows of a test as the host's batches, and answers as rows.

import { columnOf } from '../columns/build.js';
import { viewsOf } from '../columns/views.js';

/**
 * The columns of rows that a test writes: those that the operator reads have the types that it reads them as, and the types
 * of others are seen from their values.
 */
export function fieldsOfRows(rows, reads) {
  const names = new Set(rows.flatMap(Object.keys));
  return [...names].map((name) => {
    const known = reads.find((field) => field.name === name);
    const values = rows.map((row) => row[name]);
    return { name, dataType: known?.dataType ?? typeOf(values), nullable: true };
  });
}

function typeOf(values) {
  const value = values.find((value) => value !== null && value !== undefined);
  if (value instanceof Uint8Array) return 'binary';
  return { boolean: 'boolean', number: 'float64', bigint: 'int64' }[typeof value] ?? 'utf8';
}

/** Rows as a batch as it crosses: numbers come in plain arrays. */
export function batchOf(fields, rows) {
  const columns = fields.map((field) => {
    const { values, validity } = columnOf(field, rows.map((row) => row[field.name]));
    return { values: { tag: values.tag, val: crossed(values) }, validity };
  });
  return { rowCount: rows.length, columns };
}

function crossed({ tag, val }) {
  if (tag === 'int64' || tag === 'float64' || tag === 'timestamp') return Array.from(val, Number);
  return val.offsets ? { offsets: Array.from(val.offsets), data: val.data } : val;
}

/**
 * A batch as rows.
 *
 * @param input the batch that slices are parts of
 */
export function rowsOf(fields, batch, input) {
  const columns = batch.columns.map((column) => whole(column, input));
  const views = viewsOf(fields, { ...batch, columns });
  return Array.from({ length: batch.rowCount }, (_, row) =>
    Object.fromEntries(fields.map(({ name }) => [name, exact(views[name], row)])),
  );
}

/** A value; an integer that a number does not hold as a bigint. */
function exact(view, row) {
  const value = view.isNull(row) ? null : view.values?.[row];
  return typeof value === 'bigint' && !Number.isSafeInteger(Number(value)) ? value : view.get(row);
}

/** A column with its slices gathered. */
function whole({ values, validity }, input) {
  if (values.tag !== 'slices') return { values, validity };
  const { column, starts, lengths } = values.val;
  const { tag, val } = input.columns[column].values;
  const parts = Array.from(starts, (start, i) => val.data.subarray(start, start + lengths[i]));
  const { values: gathered } = columnOf({ dataType: 'binary' }, parts);
  return { values: { tag, val: gathered.val }, validity };
}
