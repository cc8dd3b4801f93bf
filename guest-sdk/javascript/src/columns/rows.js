// A batch's rows as objects.

import { Reject } from '../errors.js';
import { viewsOf } from './views.js';

/**
 * A function that gives a row as an object; it throws a `Reject` where a value is null that must not be.
 *
 * @param fields the batch's columns
 */
export function rowReader(fields, batch) {
  const views = viewsOf(fields, batch);
  const columns = fields.map(({ name, nullable }) => ({ name, nullable, view: views[name] }));
  return (index) => {
    const row = {};
    for (const { name, nullable, view } of columns) {
      const value = view.get(index);
      if (value === null && !nullable) throw new Reject(`column \`${name}\` is null`);
      row[name] = value;
    }
    return row;
  };
}
