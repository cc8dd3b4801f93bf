// What a transform reads, keeps and adds, and the answers that it gives.

import { readConfig } from '../config.js';
import { Failure } from '../errors.js';
import { fieldsOf, find, list, resolve } from '../schema.js';

const ALL = 'all';

/**
 * A transform as the host's calls need it.
 *
 * @param shape `reads`, `keeps`, `adds` and `config`, as the operator has them
 * @param {(fields: { reads: object[], adds: object[] }) => (batch: object, config: object) => object} prepare makes the
 * function that is called with each chunk
 */
export function transform({ reads = {}, keeps = [], adds = {}, config: wanted }, prepare) {
  const fields = { reads: fieldsOf(reads), adds: fieldsOf(adds) };
  const apply = prepare(fields);
  return {
    world: 'transform',
    reads: fields.reads,
    configure(json, input) {
      const config = readConfig(json, wanted);
      const crossing = Uint32Array.from(resolve(fields.reads, input));
      const shape = { reads: crossing, keeps: kept(keeps, fields.adds, input), adds: fields.adds };
      return { shape, apply: (chunk) => apply(chunk, config) };
    },
  };
}

/** The input columns that go over to the output as they are; they do not cross into the sandbox. */
function kept(keeps, adds, input) {
  if (keeps === ALL) {
    const all = input.map((_, index) => index).filter((index) => find(input[index].name, adds) < 0);
    return Uint32Array.from(all);
  }
  return Uint32Array.from(keeps, (name) => {
    if (find(name, adds) >= 0) {
      throw new Failure(`the operator keeps column \`${name}\` and adds another one of the same name`);
    }
    const index = find(name, input);
    if (index < 0) {
      throw new Failure(`the input has no column \`${name}\`, which the operator keeps; it has ${list(input)}`);
    }
    return index;
  });
}

/**
 * Where output rows come from.
 *
 * @param {ArrayLike<number>} from the input row of each output row
 * @param {number} rowCount how many input rows there are
 */
export function origin(from, rowCount) {
  let same = from.length === rowCount;
  for (let i = 0; i < from.length; i++) {
    if (from[i] !== i) same = false;
    if (i > 0 && from[i] < from[i - 1]) {
      throw new Failure(`the operator emitted a row from input row ${from[i]} after one from ${from[i - 1]}`);
    }
    if (!(from[i] >= 0 && from[i] < rowCount)) {
      throw new Failure(`the operator emitted a row from input row ${from[i]} of ${rowCount} rows`);
    }
  }
  return same ? { tag: 'same' } : { tag: 'from', val: Uint32Array.from(from) };
}
