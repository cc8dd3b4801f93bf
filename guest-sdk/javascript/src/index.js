// Write operators for the stream processor Weir as plain functions.
//
// An operator is a pure function over rows. Say which columns it reads and adds, write the function, and make it the
// default export of the project's entry: that is a component. README.md shows how.

export { aggregate } from './aggregate.js';
export { Failure, Reject, Retry, reject } from './errors.js';
export { request } from './http.js';
export { log } from './log.js';
export { sink } from './sink.js';
export { state } from './state.js';
export { slices } from './columns/slices.js';
export { batchTime } from './time.js';
export { batch, filter, flatMap, map } from './transform/index.js';
