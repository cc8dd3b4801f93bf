import assert from 'node:assert/strict';
import { test } from 'node:test';

import { runTransform } from 'weir-guest/testing';

import hashtags from './index.js';

test('a tag ends where its letters end, and with its text', () => {
  const texts = ['#one, #two_2! (#three) x#four', '# ## #-a', '##a #a#b', null, '#größe #日本.', '', '#', 'a'];
  for (let chunk = 1; chunk <= texts.length; chunk++) {
    const { rows } = runTransform(hashtags, texts.map((text) => ({ text })), { chunk });
    const tags = rows.map(({ tag }) => tag);
    assert.deepEqual(tags, ['#one', '#two_2', '#three', '#four', '#a', '#a', '#b', '#größe', '#日本']);
  }
});
