// The lowest and the highest value of a key.

import { aggregate, reject } from 'weir-guest';

export default aggregate({
  // What is read of a row. Other columns, the key's too, do not cross into the sandbox.
  reads: { value: 'float64' },
  // What rows are folded into; here also the answer, before which the host puts the key.
  accumulator: { lowest: 'float64', highest: 'float64' },
  // The operator's `config` in the pipeline file: values above the limit are rejected.
  config: { limit: 1e300 },

  create({ value }, { limit }) {
    if (value > limit) reject(`${value} is above ${limit}`);
    return { lowest: value, highest: value };
  },

  merge: (total, part) => ({
    lowest: Math.min(total.lowest, part.lowest),
    highest: Math.max(total.highest, part.highest),
  }),
});
