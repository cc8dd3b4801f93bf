// Transforms: rows in, rows out.

export { batch } from './batch.js';
export { filter, flatMap, map } from './rows.js';
