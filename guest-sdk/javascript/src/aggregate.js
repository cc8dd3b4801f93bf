// Aggregates: the rows of a key to one row.
//
// The host groups and shuffles, and an aggregate folds what it is given in several steps, so that rows can be folded before
// they cross the network and windows can be put together from batches:
//
//     rows --create--> accumulators --merge--> one accumulator --finish--> output
//                                      retract: takes an old batch out of a window's accumulator again

import { bitmapOf } from './columns/bitmap.js';
import { Table } from './columns/build.js';
import { rowReader } from './columns/rows.js';
import { readConfig } from './config.js';
import { Group } from './group.js';
import { fieldsOf, resolve } from './schema.js';

/**
 * An aggregate.
 *
 * @param operator `reads`, `accumulator`, `output` (by default the accumulator) and `config`; `create(row, config)`,
 * `merge(total, part, config)` and, where there is an inverse, `retract(total, part, config)`, which answers with `null` where
 * nothing remains; `finish(total, config)`, by default the total itself
 */
export function aggregate(operator) {
  const { reads = {}, accumulator, output = accumulator, config: wanted } = operator;
  const { create, merge, retract, finish = (total) => total } = operator;
  const fields = { reads: fieldsOf(reads), accumulator: fieldsOf(accumulator), output: fieldsOf(output) };

  function fold(groups, each) {
    const out = new Table(fields.accumulator);
    for (let g = 0; g + 1 < groups.length; g++) {
      const total = each(groups[g], groups[g + 1]);
      if (total === undefined) out.pushBlank();
      else out.push(total);
    }
    return out.batch();
  }

  const calls = (config) => ({
    create(groups, input) {
      const rows = new Group(rowReader(fields.reads, input));
      const accumulators = fold(groups, (start, end) => {
        rows.begin(start, end);
        let total;
        for (const row of rows) {
          const part = rows.attempt(() => create(row, config));
          if (part !== undefined) total = total === undefined ? part : merge(total, part, config);
        }
        return total;
      });
      return { accumulators, rejects: rows.finish() };
    },

    merge(groups, accumulators) {
      const read = rowReader(fields.accumulator, accumulators);
      return fold(groups, (start, end) => {
        let total = start < end ? read(start) : undefined;
        for (let row = start + 1; row < end; row++) total = merge(total, read(row), config);
        return total;
      });
    },

    retract(totals, parts) {
      const [total, part] = [totals, parts].map((batch) => rowReader(fields.accumulator, batch));
      const out = new Table(fields.accumulator);
      const nothing = [];
      for (let row = 0; row < totals.rowCount; row++) {
        const remains = retract(total(row), part(row), config);
        nothing.push(remains === null);
        if (remains === null) out.pushBlank();
        else out.push(remains);
      }
      return [out.batch(), bitmapOf(nothing)];
    },

    finish(accumulators) {
      const read = rowReader(fields.accumulator, accumulators);
      const out = new Table(fields.output);
      for (let row = 0; row < accumulators.rowCount; row++) out.push(finish(read(row), config));
      return out.batch();
    },
  });

  return {
    world: 'aggregate',
    reads: fields.reads,
    configure(json, input) {
      const config = readConfig(json, wanted);
      const crossing = Uint32Array.from(resolve(fields.reads, input));
      const { accumulator, output } = fields;
      return { shape: { reads: crossing, accumulator, output, retracts: retract !== undefined }, ...calls(config) };
    },
  };
}
