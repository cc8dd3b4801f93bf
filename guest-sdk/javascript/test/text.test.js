import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decoder, encode } from '../src/columns/text.js';

test('text goes to UTF-8 and back, as the platform has it', () => {
  const texts = ['', 'plain', 'größe', '日本', '𝒳', 'a\ud83d', '\ude00b', '\0'];
  const { offsets, data } = encode(texts);
  assert.equal(new TextDecoder().decode(data), texts.map((text) => text.toWellFormed()).join(''));
  const text = decoder(data);
  texts.forEach((expected, i) => assert.equal(text(offsets[i], offsets[i + 1]), expected.toWellFormed()));
});

test('nothing but ASCII goes the short way, and is the same', () => {
  const { offsets, data } = encode(['one', '', 'two']);
  assert.deepEqual([...offsets], [0, 3, 3, 6]);
  assert.equal(decoder(data)(3, 6), 'two');
  assert.equal(encode([]).data.length, 0);
});
