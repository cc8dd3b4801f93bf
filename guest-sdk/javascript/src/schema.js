// Columns as an operator writes them, `{ text: 'utf8', likes: 'int64?' }`, against those of an input.

import { Failure } from './errors.js';

const TYPES = ['boolean', 'int64', 'float64', 'timestamp', 'utf8', 'binary'];

/**
 * The fields of a schema literal; a `?` after a type lets values be null.
 *
 * @param {Record<string, string>} schema
 * @returns {{ name: string, dataType: string, nullable: boolean }[]}
 */
export function fieldsOf(schema) {
  return Object.entries(schema).map(([name, spec]) => {
    const nullable = spec.endsWith('?');
    const dataType = nullable ? spec.slice(0, -1) : spec;
    if (!TYPES.includes(dataType)) {
      throw new TypeError(`\`${spec}\` of column \`${name}\` is no type; there is ${TYPES.join(', ')}, and each with a ? for nulls`);
    }
    return { name, dataType, nullable };
  });
}

/**
 * Which columns of `columns` the fields are.
 *
 * @param place what the columns are of, for messages
 */
export function resolve(fields, columns, place = 'input') {
  return fields.map(({ name, dataType }) => {
    const index = find(name, columns);
    if (index < 0) {
      throw new Failure(
        `the ${place} has no column \`${name}\` (${dataType}), which the operator reads; it has ${list(columns)}`,
      );
    }
    if (columns[index].dataType !== dataType) {
      throw new Failure(
        `the operator reads column \`${name}\` as ${dataType}, but in the ${place} it is ${columns[index].dataType}; ` +
          `the ${place} has ${list(columns)}`,
      );
    }
    return index;
  });
}

export const find = (name, columns) => columns.findIndex((column) => column.name === name);

/** Columns and their types, for a message. */
export function list(columns) {
  return columns.map(({ name, dataType }) => `\`${name}\` (${dataType})`).join(', ') || 'no columns';
}
