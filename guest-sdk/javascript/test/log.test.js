import assert from 'node:assert/strict';
import { test } from 'node:test';

import { log, logTo } from '../src/log.js';

test('a line has all its parts, whatever they are', () => {
  const lines = [];
  logTo((level, line) => lines.push([level, line]));
  const own = {};
  own.self = own;
  log.info('row', { a: [1, null] }, undefined, 3n, own);
  log.error(new RangeError('too much'));
  assert.deepEqual(lines[0], ['info', 'row {"a":[1,null]} undefined "3n" [object Object]']);
  assert.match(lines[1][1], /^RangeError: too much\n\s+at /);
});
