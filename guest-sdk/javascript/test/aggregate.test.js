import assert from 'node:assert/strict';
import { test } from 'node:test';

import { aggregate, reject } from 'weir-guest';
import { runAggregate } from 'weir-guest/testing';

const mean = aggregate({
  reads: { value: 'float64' },
  accumulator: { sum: 'float64', count: 'int64' },
  output: { mean: 'float64' },
  config: { limit: 100 },
  create: ({ value }, { limit }) => (value > limit ? reject(`${value} is above ${limit}`) : { sum: value, count: 1 }),
  merge: (total, part) => ({ sum: total.sum + part.sum, count: total.count + part.count }),
  retract: (total, part) =>
    total.count === part.count ? null : { sum: total.sum - part.sum, count: total.count - part.count },
  finish: ({ sum, count }) => ({ mean: sum / count }),
});

const values = (...all) => all.map((value) => ({ value }));

test('the rows of a key become one', () => {
  const { rows, rejects } = runAggregate(mean, [values(1, 2, 6), values(101), values(4, null)]);
  assert.deepEqual(rows, [{ mean: 3 }, { mean: 4 }]);
  assert.deepEqual(rejects, [
    { row: 3, reason: '101 is above 100' },
    { row: 5, reason: 'column `value` is null' },
  ]);
});

test('groups are folded in one call as well', () => {
  const { create } = mean.configure('{"limit": 5}', [{ name: 'value', dataType: 'float64', nullable: true }]);
  const column = { values: { tag: 'float64', val: [1, 6, 2, 7] }, validity: null };
  const { accumulators, rejects } = create([0, 3, 4], { rowCount: 4, columns: [column] });
  assert.deepEqual([...accumulators.columns[0].values.val], [3, 0]);
  assert.deepEqual(rejects.map(({ row }) => row), [1, 3]);
});

test('a part is taken out again, until nothing remains', () => {
  const { shape, retract } = mean.configure('{}', [{ name: 'value', dataType: 'float64', nullable: true }]);
  const batch = (sums, counts) => ({
    rowCount: sums.length,
    columns: [
      { values: { tag: 'float64', val: sums }, validity: null },
      { values: { tag: 'int64', val: counts }, validity: null },
    ],
  });
  assert.equal(shape.retracts, true);
  const [left, nothing] = retract(batch([5, 3], [2, 1]), batch([1, 3], [1, 1]));
  assert.deepEqual([...left.columns[0].values.val], [4, 0]);
  assert.deepEqual([...nothing], [0b10]);
});
