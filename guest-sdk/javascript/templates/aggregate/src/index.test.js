import assert from 'node:assert/strict';
import { test } from 'node:test';

import { runAggregate } from 'weir-guest/testing';

import extremes from './index.js';

test('a key has its extremes, and what is above the limit is rejected', () => {
  const readings = [20.5, 19, 900].map((value) => ({ value }));
  const answer = runAggregate(extremes, [readings], { config: { limit: 100 } });
  assert.deepEqual(answer.rows, [{ lowest: 19, highest: 20.5 }]);
  assert.deepEqual(answer.rejects, [{ row: 2, reason: '900 is above 100' }]);
});
