// A row whenever a sensor has moved away from what it last told.

import { state } from 'weir-guest';

export default state({
  // What is read of a row. Other columns do not cross into the sandbox; those of the key can be read as `keys`.
  reads: { value: 'float64' },
  // What is kept of a key from batch to batch: the value that was told last. Raise `version` when it changes.
  state: { value: 'float64' },
  version: 1,
  // The answer, before which the host puts the key: the value that was told before, null for the first, and the one now.
  output: { before: 'float64?', now: 'float64' },
  // The operator's `config` in the pipeline file: smaller moves are not told.
  config: { by: 0 },

  update({ state: told, rows, cause, emit }, { by }) {
    // No reading for the pipeline's `timeout`: the last call.
    if (cause === 'idle') return null;
    const before = told?.value ?? null;
    let last = before;
    for (const { value } of rows) {
      if (!Number.isFinite(value)) {
        rows.reject(`${value} is no measurement`);
      } else if (last === null || Math.abs(value - last) > by) {
        emit({ before: last, now: value });
        last = value;
      }
    }
    // What does not change costs the host nothing.
    return last === null || last === before ? undefined : { value: last };
  },
});
