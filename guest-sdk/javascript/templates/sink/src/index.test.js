import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Retry } from 'weir-guest';
import { runSink } from 'weir-guest/testing';

import alarms from './index.js';

test('readings are posted, and a busy receiver is tried again', () => {
  const readings = [{ sensor: 'roof', value: 70.5 }, { sensor: 'cellar', value: NaN }];
  const delivered = runSink(alarms, readings);
  assert.equal(delivered.requests[0]?.body, 'roof: 70.5\n');
  assert.deepEqual(delivered.rejects, [{ row: 1, reason: 'not a number' }]);

  const busy = runSink(alarms, readings, { answer: () => ({ status: 503, body: 'later' }) });
  assert(busy.failure instanceof Retry);
  assert.equal(busy.failure.message, 'it answers 503: later');
});
