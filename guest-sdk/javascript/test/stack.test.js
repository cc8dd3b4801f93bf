import assert from 'node:assert/strict';
import { test } from 'node:test';

import { located } from '../src/stack.js';

test('frames have the lines of the source, and those of the SDK are left out', () => {
  const map = {
    sources: ['src/index.ts', 'weir/guest-sdk/javascript/src/component.js'],
    lines: [null, [0, 7], [1, 1]],
  };
  const stack = [
    'TypeError: no',
    '    at deeper (/build/operator.js:2:9)',
    '    at map (native)',
    '    at guard (/build/operator.js:3:1)',
    '    at lost (/build/operator.js:1:1)',
    '    at further (/build/operator.js:9:1)',
  ];
  assert.equal(located(stack.join('\n'), map), 'TypeError: no\n    at deeper (src/index.ts:7)');
  assert.equal(located('as it is'), 'as it is');
});
