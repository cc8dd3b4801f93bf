import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Failure, batch, batchTime, filter, flatMap, map, reject, slices } from 'weir-guest';
import { runTransform } from 'weir-guest/testing';

const words = flatMap({ reads: { text: 'utf8' }, keeps: ['user'], adds: { word: 'utf8' } }, function* ({ text }) {
  for (const word of text.split(' ')) {
    if (word === 'bad') reject('a bad word');
    if (word) yield { word };
  }
});

test('a row gives any number of rows, beside what is kept', () => {
  const rows = [{ user: 'ada', text: 'größer als' }, { user: 'bo', text: '' }, { user: null, text: '日本 𝒳' }];
  for (const chunk of [1, 2, 3]) {
    const answer = runTransform(words, rows, { chunk });
    assert.deepEqual(answer.columns, ['user', 'word']);
    assert.deepEqual(answer.rows, [
      { user: 'ada', word: 'größer' },
      { user: 'ada', word: 'als' },
      { user: null, word: '日本' },
      { user: null, word: '𝒳' },
    ]);
  }
});

test('a row that is rejected gives no rows', () => {
  const rows = ['a bad b', null, 'c'].map((text) => ({ user: 'ada', text }));
  const { rows: out, rejects } = runTransform(words, rows);
  assert.deepEqual(out, [{ user: 'ada', word: 'c' }]);
  assert.deepEqual(rejects, [
    { row: 0, reason: 'a bad word' },
    { row: 1, reason: 'column `text` is null' },
  ]);
});

test('every type goes in and out, with nulls', () => {
  const types = { b: 'boolean?', i: 'int64?', f: 'float64?', t: 'timestamp?', s: 'utf8?', x: 'binary?' };
  const renamed = Object.fromEntries(Object.entries(types).map(([name, type]) => [`${name}2`, type]));
  const copy = map({ reads: types, keeps: [], adds: renamed }, (row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [`${name}2`, value])),
  );
  const full = { b: true, i: -(2 ** 53) + 1, f: 0.5, t: 1_700_000_000_123_456, s: 'ä', x: Uint8Array.of(0, 255) };
  const empty = Object.fromEntries(Object.keys(types).map((name) => [name, null]));
  const { rows } = runTransform(copy, [full, empty, full]);
  const out = (row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [`${name}2`, value]));
  assert.deepEqual(rows, [full, empty, full].map(out));
});

test('an integer that a number does not hold is rejected, and one as a bigint goes out', () => {
  const next = map({ reads: { id: 'int64' }, adds: { big: 'int64' } }, () => ({ big: 2n ** 53n }));
  const { rows, rejects } = runTransform(next, [{ id: 1n }, { id: 2n ** 53n }]);
  assert.equal(rows.length, 1);
  assert.match(rejects[0].reason, /column `id` has an integer beyond 2\^53/);
});

test('a map may leave rows out, and replaces a column of its own name', () => {
  const double = map({ reads: { n: 'float64' }, adds: { n: 'float64' } }, ({ n }) => (n < 0 ? null : { n: 2 * n }));
  assert.deepEqual(runTransform(double, [{ n: 1, a: 'x' }, { n: -1, a: 'y' }]).rows, [{ a: 'x', n: 2 }]);
});

test('a filter keeps whole rows, and knows config and batch time', () => {
  const late = filter({ reads: { n: 'float64' }, config: { least: 1 } }, ({ n }, { least }) => n >= least && batchTime() === 5);
  const rows = [{ n: 1 }, { n: 2 }, { n: 3 }];
  assert.deepEqual(runTransform(late, rows, { at: 5 }).rows, rows);
  assert.deepEqual(runTransform(late, rows, { at: 5, config: { least: 3 } }).rows, [{ n: 3 }]);
});

test('a batch that answers with too few values fails', () => {
  const one = batch({ reads: { n: 'int64' }, adds: { m: 'int64' } }, () => ({ columns: { m: [1] } }));
  const rows = [{ n: 1 }, { n: 2 }, { n: 3 }];
  assert.throws(() => runTransform(one, rows), new Failure('column `m` of the answer has 1 values for 3 rows'));
  const none = batch({ reads: { n: 'int64' }, adds: { m: 'int64' } }, () => ({ from: [0, 1], columns: {} }));
  assert.throws(() => runTransform(none, rows), new Failure('the answer has no column `m`'));
});

test('a batch answers with columns, and with parts of its input', () => {
  const firsts = batch({ reads: { text: 'utf8?' }, adds: { first: 'utf8', n: 'int64' } }, ({ text }, config, rowCount) => {
    const from = [];
    const starts = [];
    const lengths = [];
    for (let row = 0; row < rowCount; row++) {
      if (text.isNull(row)) continue;
      from.push(row);
      starts.push(text.offsets[row]);
      lengths.push(1);
    }
    return { from, columns: { first: slices(text, starts, lengths), n: from }, rejects: [{ row: 1, reason: 'null' }] };
  });
  const { rows, rejects } = runTransform(firsts, [{ text: 'one' }, { text: null }, { text: 'two' }]);
  assert.deepEqual(rows, [{ first: 'o', n: 0 }, { first: 't', n: 2 }]);
  assert.deepEqual(rejects, [{ row: 1, reason: 'null' }]);
});

test('a config is checked', () => {
  const one = (config) => map({ config }, () => ({}));
  const refused = (config, given, why) => {
    assert.throws(() => one(config).configure(JSON.stringify(given), []), (error) => {
      assert(error instanceof Failure);
      assert.match(error.message, why);
      return true;
    });
  };
  refused(undefined, { a: 1 }, /takes no config, but is given {"a":1}/);
  refused({ shortest: 0 }, { shortst: 1 }, /there is no `shortst`; there is `shortest`/);
  refused({ shortest: 0 }, { shortest: '1' }, /`shortest` should be a number, and is a string/);
  refused(({ n }) => reject(`${n} is too much`), { n: 7 }, /the operator's config is not valid: 7 is too much/);
});

test('columns that do not fit are named', () => {
  const input = [{ name: 'line', dataType: 'utf8', nullable: true }];
  const why = (shape) => {
    try {
      map(shape, () => ({})).configure('{}', input);
    } catch (error) {
      return error.message;
    }
    return null;
  };
  assert.equal(
    why({ reads: { text: 'utf8' } }),
    'the input has no column `text` (utf8), which the operator reads; it has `line` (utf8)',
  );
  assert.equal(
    why({ reads: { line: 'int64' } }),
    'the operator reads column `line` as int64, but in the input it is utf8; the input has `line` (utf8)',
  );
  assert.equal(why({ keeps: ['a'] }), 'the input has no column `a`, which the operator keeps; it has `line` (utf8)');
  assert.throws(() => map({ reads: { a: 'int32' } }, () => ({})), /`int32` of column `a` is no type/);
});

test('a value of another type is an error that names it', () => {
  const wrong = (value) => runTransform(map({ reads: { a: 'utf8' }, adds: { b: 'int64' } }, () => ({ b: value })), [{ a: '' }]);
  assert.throws(() => wrong('3'), /column `b` is int64, and cannot be "3"/);
  assert.throws(() => wrong(1.5), /column `b` is int64, and cannot be 1.5/);
  assert.throws(() => wrong(undefined), /column `b` is null in an output row, but its type is no `int64\?`/);
});
