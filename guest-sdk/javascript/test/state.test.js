import assert from 'node:assert/strict';
import { test } from 'node:test';

import { batchTime, reject, state } from 'weir-guest';
import { StateRun } from 'weir-guest/testing';

/** Counts a key's rows; tells of it when asked to wake, and of the end. */
const counter = state({
  keys: { user: 'utf8' },
  reads: { n: 'int64' },
  state: { sum: 'int64' },
  output: { at: 'int64', sum: 'int64', cause: 'utf8' },
  config: { wake: 0 },
  update({ key, state, rows, cause, emit, wakeAt }, { wake }) {
    let sum = state?.sum ?? 0;
    for (const { n } of rows) {
      if (n < 0) rows.reject(`${n} is negative`);
      else sum += n;
    }
    if (key.user === 'mallory') reject('no thanks');
    if (cause !== 'rows') emit({ at: batchTime(), sum, cause });
    if (cause === 'idle' || sum === 0) return null;
    if (wake && cause === 'rows') wakeAt(batchTime() + wake);
    return sum === state?.sum ? undefined : { sum };
  },
});

const row = (user, n) => ({ user, n });

test('a state lasts from batch to batch, until the key is idle', () => {
  const run = new StateRun(counter, { key: ['user'], timeout: 5000 });
  const first = run.batch(1000, [row('ada', 1), row('bo', 2), row('ada', -1), row('ada', 3)]);
  assert.deepEqual(first, { rows: [], rejects: [{ row: 2, reason: '-1 is negative' }] });
  assert.deepEqual(run.states, [{ user: 'ada', sum: 4 }, { user: 'bo', sum: 2 }]);

  run.batch(2000, [row('ada', 5)]);
  const { rows } = run.batch(6000, []);
  assert.deepEqual(rows, [{ user: 'bo', at: 6000, sum: 2, cause: 'idle' }]);
  assert.deepEqual(run.states, [{ user: 'ada', sum: 9 }]);
});

test('a key is woken when it asked for it', () => {
  const run = new StateRun(counter, { key: ['user'], config: { wake: 1500 } });
  run.batch(1000, [row('ada', 1)]);
  assert.deepEqual(run.batch(2000, []).rows, []);
  assert.deepEqual(run.batch(3000, []).rows, [{ user: 'ada', at: 3000, sum: 1, cause: 'timer' }]);
  assert.deepEqual(run.batch(4000, []).rows, []);
});

test('a key that is rejected, is with all its rows, and stays as it was', () => {
  const run = new StateRun(counter, { key: ['user'] });
  const { rejects } = run.batch(1000, [row('mallory', 1), row('ada', 1), row('mallory', -2), row(null, 1)]);
  assert.deepEqual(rejects, [
    { row: 0, reason: 'no thanks' },
    { row: 2, reason: 'no thanks' },
    { row: 3, reason: 'column `user` is null' },
  ]);
  assert.deepEqual(run.states, [{ user: 'ada', sum: 1 }]);
});
