import assert from 'node:assert/strict';
import { test } from 'node:test';

import { StateRun } from 'weir-guest/testing';

import moves from './index.js';

test('a move is told across batches, until the sensor is forgotten', () => {
  const roof = (...values: number[]) => values.map((value) => ({ sensor: 'roof', value }));
  const run = new StateRun(moves, { key: ['sensor'], config: { by: 1 }, timeout: 60_000 });

  const first = run.batch(1_000, roof(20, 20.5, NaN));
  assert.deepEqual(first.rows, [{ sensor: 'roof', before: null, now: 20 }]);
  assert.deepEqual(first.rejects, [{ row: 2, reason: 'NaN is no measurement' }]);

  const second = run.batch(2_000, roof(21.5));
  assert.deepEqual(second.rows, [{ sensor: 'roof', before: 20, now: 21.5 }]);
  assert.deepEqual(run.states, [{ sensor: 'roof', value: 21.5 }]);

  run.batch(62_000, []);
  assert.deepEqual(run.states, []);
});
