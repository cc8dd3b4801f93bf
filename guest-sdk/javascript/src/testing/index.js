// Runs operators natively as the host does: with config, nulls and rejects.

export { runAggregate } from './aggregate.js';
export { runSink } from './sink.js';
export { StateRun } from './state.js';
export { runTransform } from './transform.js';
