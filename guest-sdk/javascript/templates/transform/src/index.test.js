import assert from 'node:assert/strict';
import { test } from 'node:test';

import { runTransform } from 'weir-guest/testing';

import mentions from './index.js';

test('every mention is a row with its user', () => {
  const rows = [{ user: 'ada', text: '@bela, have you met @chen_2 or @jo?' }];
  const answer = runTransform(mentions, rows, { config: { shortest: 3 } });
  assert.deepEqual(answer.columns, ['user', 'mention']);
  assert.deepEqual(answer.rows, [
    { user: 'ada', mention: 'bela' },
    { user: 'ada', mention: 'chen_2' },
  ]);
});
