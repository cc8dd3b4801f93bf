// Sinks: rows to the outside, over HTTP, to the origins that the pipeline grants.
//
// Rows come when their batch is committed, in calls that name them: a batch that runs again, because the receiver was down or the
// host had died, comes in the same calls.

import { rowReader } from './columns/rows.js';
import { readConfig } from './config.js';
import { Group } from './group.js';
import { fieldsOf, resolve } from './schema.js';

/**
 * A sink.
 *
 * @param operator `reads` and `config`; `write({ part, rows }, config)` delivers rows: it throws a `Retry` to be called again with
 * the same, and a `Failure` to stop the job
 */
export function sink({ reads = {}, config: wanted, write }) {
  const fields = fieldsOf(reads);
  return {
    world: 'sink',
    reads: fields,
    configure(json, input) {
      const config = readConfig(json, wanted);
      return {
        shape: { reads: Uint32Array.from(resolve(fields, input)) },
        write(part, batch) {
          const rows = new Group(rowReader(fields, batch));
          rows.begin(0, batch.rowCount);
          write({ part: new Part(part), rows }, config);
          return rows.finish();
        },
      };
    },
  };
}

/** Names the rows of a call; as text it is a key for receivers that know what they have. */
class Part {
  constructor(part) {
    Object.assign(this, part);
  }

  toString() {
    const { pipeline, sink, batchTime, partition, firstRow, lastRow } = this;
    return `${pipeline}/${sink}/${batchTime}/${partition}/${firstRow}-${lastRow}`;
  }
}
