import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Failure, Retry, request, sink } from 'weir-guest';
import { runSink } from 'weir-guest/testing';

const alarms = sink({
  reads: { sensor: 'utf8', value: 'float64' },
  config: { url: 'http://localhost/' },
  write({ part, rows }, { url }) {
    let body = '';
    for (const { sensor, value } of rows) {
      if (value < 0) rows.reject('below nothing');
      else body += `${sensor}: ${value}\n`;
    }
    if (body) request(url, { method: 'POST', headers: { 'Idempotency-Key': part }, body }).accepted();
  },
});

test('nothing is sent outside a host', () => {
  assert.throws(() => request('http://localhost/'), { name: 'Failure', message: /outside a host; run the sink with/ });
});

const rows = [{ sensor: 'süd', value: 1 }, { sensor: 'roof', value: -1 }, { sensor: null, value: 2 }];

test('rows are sent, under the name of their part', () => {
  const { requests, rejects, failure } = runSink(alarms, rows, { at: 5000 });
  const headers = { 'Idempotency-Key': 'test/test/5000/0/0-2' };
  assert.deepEqual(requests, [{ method: 'POST', url: 'http://localhost/', headers, body: 'süd: 1\n' }]);
  assert.deepEqual(rejects, [
    { row: 1, reason: 'below nothing' },
    { row: 2, reason: 'column `sensor` is null' },
  ]);
  assert.equal(failure, null);
});

test('a receiver that is busy is tried again, and one that refuses is not', () => {
  const ends = (answer) => runSink(alarms, rows, { answer }).failure;
  for (const status of [408, 425, 429, 500, 503]) {
    const failure = ends(() => ({ status, body: 'because\n of it' }));
    assert(failure instanceof Retry);
    assert.equal(failure.message, `it answers ${status}: because of it`);
  }
  for (const status of [301, 400, 404]) assert(ends(() => ({ status })) instanceof Failure);
  assert.match(ends(() => ({ status: 302, headers: { Location: '/x' } })).message, /sends on to \/x/);
  const silent = () => {
    throw new Error('refused');
  };
  assert(ends(silent) instanceof Retry);
  assert.equal(ends(() => ({ status: 204 })), null);
});
