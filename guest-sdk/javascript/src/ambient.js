// What would make a batch differ when it is computed again says so instead: clocks and randomness. Imported by the
// component before anything of the operator's, so that nothing of the machine that builds it gets in, either. The console is the
// task's log.

import { log } from './log.js';

function absent(what, instead) {
  return () => {
    throw new Error(`an operator has no ${what}: ${instead}`);
  };
}

const clock = absent('clock', 'use batchTime(), which is the same whenever the batch is computed again');

globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) => (args.length ? Reflect.construct(target, args, newTarget) : clock()),
  apply: clock,
});
Date.now = clock;
Date.prototype.constructor = Date;
Object.defineProperty(globalThis, 'performance', { value: { now: clock } });
Math.random = absent('randomness', 'derive what you need from the rows');
globalThis.console = { debug: log.debug, log: log.info, info: log.info, warn: log.warn, error: log.error };
